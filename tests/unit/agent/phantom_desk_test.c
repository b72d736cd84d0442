/* Phantoms that are taken back: which, from when on, and over restarts. */
#include "tests/unit/test.h"

#include "agent/phantom_desk.h"
#include "base/log.h"
#include "identity/base64url.h"
#include "identity/phantom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN "0123456789ab"
#define ID    TOKEN "00000000000000000001"
#define OTHER TOKEN "00000000000000000002"
#define FAR   "ba987654321000000000000000000001"

enum { NOW_S = 1800000000 };

static const uint8_t broker_key[32] = "0123456789abcdef0123456789abcde";
static int64_t now_ms = NOW_S * INT64_C(1000);
static char dir[] = "/tmp/phantom-desk-XXXXXX";
static char path[64];

static int64_t
unix_ns(void *ctx)
{
	(void)ctx;
	return now_ms * 1000000;
}

static const struct clock fake_clock = { .unix_ns = unix_ns };

static struct phantom_desk *
desk_open(void)
{
	struct phantom_desk *desk;

	assert_int_equal(
	    phantom_desk_create(&fake_clock, broker_key, path, &desk), OK);
	return desk;
}

static enum status
reads(struct phantom_desk *desk, uint32_t uid, const char *id, int64_t epoch)
{
	uint8_t key[PHANTOM_KEY_BYTES];
	struct proxy_phantom got;
	struct phantom p = { .uid = uid,
		.unit = "a.service",
		.audience = "https://a",
		.identity = "host",
		.grant = "g",
		.expires_unix_s = NOW_S + 3600,
		.epoch = epoch };
	struct buf text;
	enum status st;

	assert_true(slice_copy(slice_of(id), p.id, sizeof p.id));
	assert_true(phantom_key(broker_key, key));
	buf_init(&text, 4096);
	assert_int_equal(
	    phantom_make(key, &p, "w1", SLICE("a.e30.b"), &text), OK);
	got.id[0] = '\0';
	st = phantom_desk_read(desk, buf_slice(&text), &got);
	/* Also of one that is good no more it is said whose it was. */
	assert_int_equal(got.uid, uid);
	assert_string_equal(got.id, id);
	assert_string_equal(got.unit, "a.service");
	assert_string_equal(got.audience, "https://a");
	assert_string_equal(got.identity, "host");
	assert_string_equal(got.grant, "g");
	assert_int_equal(got.expires_unix_s, NOW_S + 3600);
	buf_release(&text);
	return st;
}

static int
begin(void **state)
{
	(void)state;
	now_ms = NOW_S * INT64_C(1000);
	(void)unlink(path);
	return 0;
}

static void
is_good_until_it_ends(void **state)
{
	struct phantom_desk *desk = desk_open();
	struct proxy_phantom got;

	(void)state;
	assert_int_equal(reads(desk, 1000, ID, 0), OK);
	assert_int_equal(
	    phantom_desk_read(desk, SLICE("placeholder"), &got), E_NOTFOUND);
	now_ms += 3599 * 1000;
	assert_int_equal(reads(desk, 1000, ID, 0), OK);
	now_ms += 1000;
	assert_int_equal(reads(desk, 1000, ID, 0), E_DENIED);
	phantom_desk_destroy(desk);
}

static void
is_revoked_by_user_and_by_id(void **state)
{
	struct phantom_desk *desk = desk_open();
	int64_t then = phantom_desk_epoch(desk);
	const uint32_t uid = 1000;

	(void)state;
	phantom_desk_revoke(desk, &uid, ID);
	assert_int_equal(reads(desk, 1000, ID, then), E_DENIED);
	assert_int_equal(reads(desk, 1000, OTHER, then), OK);
	assert_int_equal(reads(desk, 1001, ID, then), OK);
	phantom_desk_revoke(desk, NULL, TOKEN);
	assert_int_equal(reads(desk, 1000, OTHER, then), E_DENIED);
	assert_int_equal(reads(desk, 1001, OTHER, then), E_DENIED);
	assert_int_equal(reads(desk, 1001, FAR, then), OK);
	/* What is given out later is another matter. */
	assert_int_equal(reads(desk, 1001, OTHER, then + 1), E_DENIED);
	assert_int_equal(
	    reads(desk, 1001, OTHER, phantom_desk_epoch(desk)), OK);
	phantom_desk_revoke(desk, &uid, "");
	assert_int_equal(reads(desk, 1000, FAR, then), E_DENIED);
	assert_int_equal(reads(desk, 1001, FAR, then), OK);
	phantom_desk_revoke(desk, NULL, "");
	assert_int_equal(reads(desk, 1001, FAR, then), E_DENIED);
	phantom_desk_destroy(desk);
}

static void
is_revoked_whatever_the_clock_does(void **state)
{
	struct phantom_desk *desk = desk_open();
	int64_t then = phantom_desk_epoch(desk);

	(void)state;
	/* Given out by a clock that was fast, and is set right. */
	now_ms -= 600 * 1000;
	phantom_desk_revoke(desk, NULL, "");
	assert_int_equal(reads(desk, 1000, ID, then), E_DENIED);
	assert_int_equal(reads(desk, 1000, ID, phantom_desk_epoch(desk)), OK);
	now_ms += 900 * 1000;
	assert_int_equal(reads(desk, 1000, ID, then), E_DENIED);
	phantom_desk_destroy(desk);
}

static void
stays_revoked_after_a_restart(void **state)
{
	struct phantom_desk *desk = desk_open();
	struct status_detail detail;
	const uint32_t uid = 1000;
	struct stat st;
	int64_t then = phantom_desk_epoch(desk), now;

	(void)state;
	phantom_desk_revoke(desk, &uid, ID);
	phantom_desk_revoke(desk, NULL, FAR);
	now = phantom_desk_epoch(desk);
	assert_int_equal(phantom_desk_save(desk, &detail), OK);
	phantom_desk_destroy(desk);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & ALLPERMS, S_IRUSR | S_IWUSR);
	desk = desk_open();
	assert_int_equal(phantom_desk_epoch(desk), now);
	assert_int_equal(reads(desk, 1000, ID, then), E_DENIED);
	assert_int_equal(reads(desk, 7, FAR, then), E_DENIED);
	assert_int_equal(reads(desk, 1000, OTHER, then), OK);
	assert_int_equal(reads(desk, 1000, ID, now), OK);
	/* Without the list nothing says what became of it. */
	phantom_desk_destroy(desk);
	assert_int_equal(unlink(path), 0);
	desk = desk_open();
	assert_int_equal(reads(desk, 1000, ID, now), E_DENIED);
	phantom_desk_destroy(desk);
}

static void
put_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, S_IRUSR | S_IWUSR), 0);
}

static void
takes_all_to_be_revoked_where_the_list_is_damaged(void **state)
{
	static const char *const bad[] = { "", "wayleave revocations 2 9\n",
		"wayleave revocations 1 9", "wayleave revocations 1\n",
		"wayleave revocations 1 x\n",
		"wayleave revocations 1 9\n1 2 3\n",
		"wayleave revocations 1 9\n1 2 * *",
		"wayleave revocations 1 9\n\n",
		"wayleave revocations 1 9\n9 2 * *\n",
		"wayleave revocations 1 9\n1 2 -1 *\n",
		"wayleave revocations 1 9\n1 2 4294967296 *\n",
		"wayleave revocations 1 9\n1 2 3 x\n",
		"wayleave revocations 1 9\nx 2 3 *\n",
		"wayleave revocations 1 9\n1 2 * " ID "0\n" };
	static const char good[] = "wayleave revocations 1 9\n1 2 * *\n";
	struct phantom_desk *desk;

	(void)state;
	put_file(good);
	desk = desk_open();
	assert_int_equal(reads(desk, 1000, ID, 1), E_DENIED);
	assert_int_equal(reads(desk, 1000, ID, 2), OK);
	phantom_desk_destroy(desk);
	for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
		put_file(i == 0 ? good : bad[i - 1]);
		if (i == 0)
			assert_int_equal(chmod(path, 0666), 0);
		desk = desk_open();
		assert_int_equal(reads(desk, 1000, ID, 8), E_DENIED);
		assert_int_equal(
		    reads(desk, 1000, ID, phantom_desk_epoch(desk)), OK);
		phantom_desk_destroy(desk);
	}
}

static void
says_when_it_cannot_be_kept(void **state)
{
	struct status_detail detail = { "" };
	struct phantom_desk *desk;

	(void)state;
	assert_int_equal(phantom_desk_create(&fake_clock, broker_key,
	                     "/nonexistent/revoked", &desk),
	    OK);
	phantom_desk_revoke(desk, NULL, "");
	assert_int_equal(phantom_desk_save(desk, &detail), E_IO);
	assert_non_null(strstr(detail.text, "/nonexistent/revoked"));
	/* It is in force all the same. */
	assert_int_equal(reads(desk, 1000, ID, 0), E_DENIED);
	phantom_desk_destroy(desk);
}

static struct revocations list;

static void
add(uint32_t uid, unsigned id, int64_t at_s)
{
	struct revocation r = { .uid = uid, .ends_unix_s = at_s + 100 };

	(void)snprintf(r.id, sizeof r.id, "%032x", id);
	revocations_add(&list, &r, at_s);
}

static bool
covers(uint32_t uid, unsigned id, int64_t epoch)
{
	char text[REVOCATION_ID_BYTES];

	(void)snprintf(text, sizeof text, "%032x", id);
	return revocations_cover(&list, uid, text, epoch);
}

static void
many_of_one_user_become_all_of_his(void **state)
{
	(void)state;
	list = (struct revocations){ .epoch = 50 };
	for (unsigned i = 0; i < REVOCATIONS_OF_UID_MAX; i++)
		add(1000, i, 50);
	assert_int_equal(list.n, REVOCATIONS_OF_UID_MAX);
	assert_int_equal(list.epoch, 50 + REVOCATIONS_OF_UID_MAX);
	assert_false(covers(1000, 99, 40));
	add(1000, 98, 45);
	assert_int_equal(list.n, 1);
	assert_int_equal(list.at[0].ends_unix_s, 150);
	assert_true(covers(1000, 99, 50));
	assert_true(covers(1000, 1, list.epoch - 1));
	assert_false(covers(1000, 1, list.epoch));
	assert_false(covers(1001, 1, 40));
}

static void
too_many_become_all_there_are(void **state)
{
	(void)state;
	list = (struct revocations){ .epoch = 50 };
	for (unsigned i = 0; i < REVOCATIONS_MAX; i++)
		add(i, 7, 50);
	assert_int_equal(list.n, REVOCATIONS_MAX);
	assert_true(covers(REVOCATIONS_MAX - 1, 7, 50));
	assert_false(covers(REVOCATIONS_MAX, 7, 50));
	add(REVOCATIONS_MAX, 7, 50);
	assert_int_equal(list.n, 1);
	assert_true(covers(1, 8, 50));
}

static void
what_has_ended_is_let_go(void **state)
{
	(void)state;
	list = (struct revocations){ .epoch = 50 };
	add(1, 1, 50);
	add(2, 1, 100);
	assert_int_equal(list.n, 2);
	add(3, 1, 151);
	assert_int_equal(list.n, 2);
	assert_false(covers(1, 1, 50));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(is_good_until_it_ends, begin),
		cmocka_unit_test_setup(is_revoked_by_user_and_by_id, begin),
		cmocka_unit_test_setup(
		    is_revoked_whatever_the_clock_does, begin),
		cmocka_unit_test_setup(stays_revoked_after_a_restart, begin),
		cmocka_unit_test_setup(
		    takes_all_to_be_revoked_where_the_list_is_damaged, begin),
		cmocka_unit_test_setup(says_when_it_cannot_be_kept, begin),
		cmocka_unit_test(many_of_one_user_become_all_of_his),
		cmocka_unit_test(too_many_become_all_there_are),
		cmocka_unit_test(what_has_ended_is_let_go),
	};
	int failed;

	if (mkdtemp(dir) == NULL)
		return EXIT_FAILURE;
	(void)snprintf(path, sizeof path, "%s/phantom.revoked", dir);
	log_set_level(LOG_LEVEL_ERROR);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)rmdir(dir);
	return failed;
}
