/* The inspection CA: made once, read again, and changed for the next one. */
#include "tests/unit/test.h"

#include "agent/ca.h"
#include "agent/ca_make.h"

#include <fcntl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOW = 1790000000, DAY_S = 86400 };

static struct {
	char dir[64];
	struct ca_settings s;
	struct status_detail detail;
} world;

static int
setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof world);
	(void)snprintf(world.dir, sizeof world.dir, "/tmp/wayleave-ca-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	(void)snprintf(
	    world.s.state_dir, sizeof world.s.state_dir, "%s", world.dir);
	(void)snprintf(world.s.name, sizeof world.s.name, "lab");
	world.s.now_unix_s = NOW;
	return 0;
}

static int
teardown(void **state)
{
	char command[96];

	(void)state;
	(void)snprintf(command, sizeof command, "rm -rf '%s'", world.dir);
	return system(command);
}

static struct ca *
open_ca(struct tls_ca *before)
{
	struct ca *ca = NULL;
	enum status st = ca_open(&world.s, before, &ca, &world.detail);

	if (st != OK)
		fail_msg("%s", world.detail.text);
	return ca;
}

static enum status
fails(void)
{
	struct ca *ca = NULL;
	enum status st = ca_open(&world.s, NULL, &ca, &world.detail);

	assert_null(ca);
	return st;
}

static const char *
path_of(const char *file)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", world.dir, file);
	return path;
}

static bool
is_there(const char *file)
{
	return access(path_of(file), F_OK) == 0;
}

static void
put_file(const char *file, const char *text, mode_t mode)
{
	FILE *f = fopen(path_of(file), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path_of(file), mode), 0);
}

static bool
same(const X509 *a, const X509 *b)
{
	return a != NULL && b != NULL && X509_cmp(a, b) == 0;
}

static void
it_is_made_once_and_nobody_else_may_read_the_key(void **state)
{
	struct ca *a = open_ca(NULL), *b;
	struct stat st;

	(void)state;
	assert_int_equal(stat(path_of("ca.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path_of("ca.pem"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	b = open_ca(NULL);
	assert_true(same(a->certs[CA_CURRENT], b->certs[CA_CURRENT]));
	assert_null(a->certs[CA_NEXT]);
	assert_null(a->certs[CA_OLD]);
	assert_int_equal(a->due_unix_s, 0);
	ca_unref(a);
	ca_unref(b);
}

static void
it_may_sign_leaves_and_no_other_ca(void **state)
{
	struct ca *ca = open_ca(NULL);
	X509 *x = ca->certs[CA_CURRENT];
	X509 *leaf = NULL;

	(void)state;
	assert_int_equal(X509_get_version(x), X509_VERSION_3);
	assert_int_equal(X509_check_ca(x), 1);
	assert_int_equal(X509_get_pathlen(x), 0);
	assert_int_equal(X509_get_key_usage(x), KU_KEY_CERT_SIGN);
	assert_true(X509_get_ext_by_NID(x, NID_basic_constraints, -1) >= 0);
	assert_int_equal(X509_EXTENSION_get_critical(X509_get_ext(
	                     x, X509_get_ext_by_NID(x, NID_key_usage, -1))),
	    1);
	assert_int_equal(ca_made_unix_s(x), NOW);
	assert_int_equal(ca_ends_unix_s(x), NOW + (int64_t)CA_DAYS * DAY_S);
	assert_int_equal(tls_ca_mint(ca->signer, "a.example", NOW, &leaf), OK);
	assert_int_equal(X509_verify(leaf, X509_get0_pubkey(x)), 1);
	X509_free(leaf);
	ca_unref(ca);
}

static void
a_key_that_others_could_have_read_is_refused(void **state)
{
	(void)state;
	ca_unref(open_ca(NULL));
	assert_int_equal(chmod(path_of("ca.key"), 0640), 0);
	assert_int_equal(fails(), E_DENIED);
	assert_non_null(strstr(world.detail.text, "has mode 0640, not 0600"));
}

static void
a_file_that_is_no_key_or_no_certificate_is_refused(void **state)
{
	(void)state;
	ca_unref(open_ca(NULL));
	put_file("ca.pem", "none\n", 0644);
	assert_int_equal(fails(), E_INVALID);
	put_file("ca.key", "none\n", 0600);
	assert_int_equal(fails(), E_INVALID);
	assert_non_null(strstr(world.detail.text, "no EC or RSA key in PEM"));
	/* 512 bits are no key. */
	put_file("ca.key",
	    "-----BEGIN PRIVATE KEY-----\n"
	    "MIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7AgEAAkEA\n"
	    "-----END PRIVATE KEY-----\n",
	    0600);
	assert_int_equal(fails(), E_INVALID);
}

static void
a_certificate_of_another_key_is_made_anew(void **state)
{
	struct ca *a = open_ca(NULL), *b;

	(void)state;
	assert_int_equal(unlink(path_of("ca.key")), 0);
	b = open_ca(NULL);
	assert_false(same(a->certs[CA_CURRENT], b->certs[CA_CURRENT]));
	assert_int_equal(X509_check_ca(b->certs[CA_CURRENT]), 1);
	ca_unref(a);
	ca_unref(b);
}

static void
one_that_has_expired_is_said_and_does_not_sign(void **state)
{
	(void)state;
	ca_unref(open_ca(NULL));
	world.s.now_unix_s += (int64_t)CA_DAYS * DAY_S;
	assert_int_equal(fails(), E_INVALID);
	assert_non_null(strstr(world.detail.text, "has expired"));
}

static void
the_next_one_is_known_a_day_before_it_signs(void **state)
{
	struct ca *a = open_ca(NULL), *b, *c, *d;

	(void)state;
	world.s.now_unix_s += 1000 * DAY_S;
	assert_int_equal(ca_rotate(&world.s, false, &world.detail), OK);
	assert_int_equal(ca_rotate(&world.s, false, &world.detail), E_BUSY);
	b = open_ca(a->signer);
	assert_ptr_equal(b->signer, a->signer);
	assert_true(same(a->certs[CA_CURRENT], b->certs[CA_CURRENT]));
	assert_non_null(b->certs[CA_NEXT]);
	assert_int_equal(b->due_unix_s, world.s.now_unix_s + CA_OVERLAP_S);
	world.s.now_unix_s = b->due_unix_s;
	c = open_ca(b->signer);
	assert_ptr_not_equal(c->signer, a->signer);
	assert_true(same(c->certs[CA_CURRENT], b->certs[CA_NEXT]));
	assert_true(same(c->certs[CA_OLD], a->certs[CA_CURRENT]));
	assert_null(c->certs[CA_NEXT]);
	assert_false(is_there("ca.next.key") || is_there("ca.next.pem"));
	/* The last leaf of the one before ends a week later. */
	assert_int_equal(
	    c->due_unix_s, world.s.now_unix_s + TLS_LEAF_DAYS * DAY_S);
	world.s.now_unix_s = c->due_unix_s;
	d = open_ca(c->signer);
	assert_ptr_equal(d->signer, c->signer);
	assert_null(d->certs[CA_OLD]);
	assert_int_equal(d->due_unix_s, 0);
	assert_false(is_there("ca.old.pem"));
	ca_unref(a);
	ca_unref(b);
	ca_unref(c);
	ca_unref(d);
}

static void
at_once_leaves_nothing_of_a_key_that_was_stolen(void **state)
{
	struct ca *a = open_ca(NULL), *b, *c;

	(void)state;
	assert_int_equal(ca_rotate(&world.s, false, &world.detail), OK);
	b = open_ca(NULL);
	assert_int_equal(ca_rotate(&world.s, true, &world.detail), OK);
	c = open_ca(b->signer);
	assert_false(same(c->certs[CA_CURRENT], a->certs[CA_CURRENT]));
	assert_false(same(c->certs[CA_CURRENT], b->certs[CA_NEXT]));
	assert_null(c->certs[CA_NEXT]);
	assert_null(c->certs[CA_OLD]);
	ca_unref(a);
	ca_unref(b);
	ca_unref(c);
}

/* What a crash leaves between any two steps. */
static void
what_was_cut_short_goes_on(void **state)
{
	struct ca *a = open_ca(NULL), *b, *c;
	char from[128];

	(void)state;
	/* A key without its certificate was none. */
	put_file("ca.next.key", "torn", 0600);
	b = open_ca(NULL);
	assert_true(same(a->certs[CA_CURRENT], b->certs[CA_CURRENT]));
	assert_false(is_there("ca.next.key"));
	ca_unref(b);
	/* The key had taken its place, the certificate had not. */
	assert_int_equal(ca_rotate(&world.s, false, &world.detail), OK);
	b = open_ca(NULL);
	(void)snprintf(from, sizeof from, "%s", path_of("ca.next.key"));
	assert_int_equal(rename(from, path_of("ca.key")), 0);
	c = open_ca(NULL);
	assert_true(same(c->certs[CA_CURRENT], b->certs[CA_NEXT]));
	assert_null(c->certs[CA_NEXT]);
	assert_false(is_there("ca.next.pem"));
	ca_unref(c);
	/* The first key was there, its certificate was not. */
	assert_int_equal(unlink(path_of("ca.pem")), 0);
	c = open_ca(NULL);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(c->certs[CA_CURRENT]),
	                     X509_get0_pubkey(b->certs[CA_NEXT])),
	    1);
	ca_unref(a);
	ca_unref(b);
	ca_unref(c);
}

/* The disk lost what was written last: what signs goes on. */
static void
a_next_one_that_is_damaged_is_dropped(void **state)
{
	struct ca *a = open_ca(NULL), *b;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ca_rotate(&world.s, false, &world.detail), OK);
		if (i == 0)
			put_file("ca.next.pem", "", 0644);
		else if (i == 1)
			put_file("ca.next.key", "", 0600);
		else
			assert_int_equal(
			    chmod(path_of("ca.next.key"), 0644), 0);
		world.s.now_unix_s += CA_OVERLAP_S;
		b = open_ca(NULL);
		assert_true(same(a->certs[CA_CURRENT], b->certs[CA_CURRENT]));
		assert_null(b->certs[CA_NEXT]);
		assert_false(
		    is_there("ca.next.key") || is_there("ca.next.pem"));
		ca_unref(b);
	}
	ca_unref(a);
}

static void
rotate_until_killed(bool at_once)
{
	/* No more days than the parent lets pass, however late it comes. */
	for (unsigned i = 0; i < 40; i++) {
		struct ca *ca = NULL;

		if (ca_rotate(&world.s, at_once, &world.detail) == OK &&
		    !at_once)
			world.s.now_unix_s += CA_OVERLAP_S;
		if (ca_open(&world.s, NULL, &ca, &world.detail) != OK)
			_exit(1);
		ca_unref(ca);
	}
	(void)sleep(60);
	_exit(1);
}

/* Where it was is told by the files alone. */
static void
killed_at_any_moment_it_opens_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		bool at_once = i % 2 == 1;
		pid_t pid = fork();
		int status = 0;
		struct ca *ca;

		if (pid == 0)
			rotate_until_killed(at_once);
		(void)usleep(500 + i * 397 % 5000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		if (at_once) {
			/* What was stolen is nowhere. */
			ca = open_ca(NULL);
			assert_null(ca->certs[CA_OLD]);
			ca_unref(ca);
		}
		world.s.now_unix_s += 60 * CA_OVERLAP_S;
		ca = open_ca(NULL);
		assert_null(ca->certs[CA_NEXT]);
		assert_false(is_there("ca.next.key"));
		ca_unref(ca);
	}
}

static void
a_credential_is_the_key_and_is_not_rotated_here(void **state)
{
	struct ca *a = open_ca(NULL), *b;
	char from[128];

	(void)state;
	(void)snprintf(from, sizeof from, "%s", path_of("ca.key"));
	(void)snprintf(world.s.credential, sizeof world.s.credential, "%s",
	    path_of("wayleave-ca.key"));
	assert_int_equal(fails(), E_NOTFOUND);
	assert_int_equal(rename(from, world.s.credential), 0);
	b = open_ca(NULL);
	assert_true(same(a->certs[CA_CURRENT], b->certs[CA_CURRENT]));
	assert_false(is_there("ca.key"));
	assert_int_equal(
	    ca_rotate(&world.s, false, &world.detail), E_UNSUPPORTED);
	ca_unref(a);
	ca_unref(b);
}

static void
a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing(void **state)
{
	struct stat st;

	(void)state;
	(void)snprintf(
	    world.s.state_dir, sizeof world.s.state_dir, "%s/none", world.dir);
	assert_int_equal(fails(), E_IO);
	assert_non_null(strstr(world.detail.text, "cannot be written"));
	assert_int_equal(stat(world.s.state_dir, &st), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_made_once_and_nobody_else_may_read_the_key),
		TEST(it_may_sign_leaves_and_no_other_ca),
		TEST(a_key_that_others_could_have_read_is_refused),
		TEST(a_file_that_is_no_key_or_no_certificate_is_refused),
		TEST(a_certificate_of_another_key_is_made_anew),
		TEST(one_that_has_expired_is_said_and_does_not_sign),
		TEST(the_next_one_is_known_a_day_before_it_signs),
		TEST(at_once_leaves_nothing_of_a_key_that_was_stolen),
		TEST(what_was_cut_short_goes_on),
		TEST(a_next_one_that_is_damaged_is_dropped),
		TEST(killed_at_any_moment_it_opens_again),
		TEST(a_credential_is_the_key_and_is_not_rotated_here),
		TEST(
		    a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
