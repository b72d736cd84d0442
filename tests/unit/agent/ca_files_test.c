/* What clients read of the inspection CA, and what gets into it. */
#include "tests/unit/test.h"

#include "agent/ca_files.h"

#include <openssl/pkcs12.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOW = 1790000000 };

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

static const char *
path_of(const char *file)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", world.dir, file);
	return path;
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

static char *
get_file(const char *file, size_t *n)
{
	FILE *f = fopen(path_of(file), "re");
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	*n = fread(text, 1, (1 << 20) - 1, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void
only_certificates_of_the_roots_get_into_the_bundle(void **state)
{
	static const char a[] = "-----BEGIN CERTIFICATE-----\nQUJD\n"
	                        "-----END CERTIFICATE-----\n";

	static const struct {
		const char *text, *want;
	} table[] = {
		{ "", "" },
		{ "# a comment\n-----BEGIN CERTIFICATE-----\nQUJD\n"
		  "-----END CERTIFICATE-----\nCN=x\n",
		    a },
		{ "-----BEGIN CERTIFICATE-----\nQUJD\n"
		  "-----END CERTIFICATE-----",
		    a },
		{ "-----BEGIN PRIVATE KEY-----\nQUJD\n"
		  "-----END PRIVATE KEY-----\n",
		    "" },
		{ "-----BEGIN CERTIFICATE-----\n"
		  "-----BEGIN PRIVATE KEY-----\nQUJD\n"
		  "-----END PRIVATE KEY-----\n-----END CERTIFICATE-----\n",
		    "" },
		{ "-----BEGIN CERTIFICATE-----\nQU\n"
		  "-----BEGIN CERTIFICATE-----\nQUJD\n"
		  "-----END CERTIFICATE-----\n",
		    a },
		{ "-----BEGIN CERTIFICATE-----\nQUJD\n", "" },
		{ "-----END CERTIFICATE-----\n", "" },
		{ "x-----BEGIN CERTIFICATE-----\nQUJD\n"
		  "-----END CERTIFICATE-----\n",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct buf out;

		buf_init(&out, 4096);
		ca_files_put_roots(&out, slice_of(table[i].text));
		buf_putc(&out, '\0');
		assert_string_equal(out.p, table[i].want);
		buf_release(&out);
	}
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

static size_t
count_anchors(const char *der, size_t n)
{
	const unsigned char *p = (const unsigned char *)der;
	PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)n);
	STACK_OF(X509) *certs = NULL;
	EVP_PKEY *key = NULL;
	X509 *x = NULL;
	size_t found;

	assert_non_null(p12);
	assert_int_equal(PKCS12_mac_present(p12), 0);
	assert_int_equal(PKCS12_parse(p12, NULL, &key, &x, &certs), 1);
	assert_null(key);
	assert_null(x);
	found = (size_t)sk_X509_num(certs);
	sk_X509_pop_free(certs, X509_free);
	PKCS12_free(p12);
	return found;
}

static void
clients_find_ours_and_the_roots_in_three_files(void **state)
{
	struct ca *other = open_ca(NULL), *ca;
	struct buf roots;
	struct stat st;
	size_t n;
	char *text;

	(void)state;
	buf_init(&roots, 65536);
	assert_int_equal(ca_files_put_own(&roots, other), OK);
	buf_puts(&roots,
	    "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n"
	    "-----END PRIVATE KEY-----\n");
	buf_putc(&roots, '\0');
	put_file("roots.pem", roots.p, 0644);
	buf_release(&roots);
	assert_int_equal(ca_rotate(&world.s, true, &world.detail), OK);
	assert_int_equal(ca_rotate(&world.s, false, &world.detail), OK);
	ca = open_ca(NULL);
	(void)umask(077);
	assert_int_equal(
	    ca_files_write(world.dir, "/none", ca, &world.detail), E_IO);
	text = strdup(path_of("roots.pem"));
	assert_int_equal(mkdir(path_of("run"), 0755), 0);
	assert_int_equal(
	    ca_files_write(path_of("run"), text, ca, &world.detail), OK);
	free(text);
	assert_int_equal(stat(path_of("run/ca-bundle.pem"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	text = get_file("run/ca.pem", &n);
	assert_int_equal(count(text, "BEGIN CERTIFICATE"), 2);
	free(text);
	text = get_file("run/ca-bundle.pem", &n);
	assert_int_equal(count(text, "BEGIN CERTIFICATE"), 3);
	assert_null(strstr(text, "PRIVATE"));
	free(text);
	text = get_file("run/ca.p12", &n);
	assert_int_equal(count_anchors(text, n), 3);
	free(text);
	ca_unref(other);
	ca_unref(ca);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_certificates_of_the_roots_get_into_the_bundle),
		TEST(clients_find_ours_and_the_roots_in_three_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
