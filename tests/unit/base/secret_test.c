/* Secrets live in the arena, are counted, and leave nothing behind. */
#include "tests/unit/test.h"

#include "base/secret.h"

#include <openssl/crypto.h>
#include <string.h>

enum { ARENA = 64 * 1024 };

static void
there_is_no_secret_without_an_arena(void **state)
{
	struct secret *s = NULL;
	bool locked = false;

	(void)state;
	assert_int_equal(secret_create(SLICE("x"), &s), E_INTERNAL);
	assert_null(s);
	assert_int_equal(secret_arena_init(1000, false, &locked), E_INVALID);
	assert_int_equal(
	    secret_arena_init(ARENA + 1, false, &locked), E_INVALID);
	assert_int_equal(secret_arena_init(ARENA, false, &locked), OK);
	assert_int_equal(secret_arena_init(ARENA, false, &locked), E_BUSY);
}

static void
bytes_live_in_the_arena_until_the_last_user_goes(void **state)
{
	struct secret *s;
	size_t before, used, total;
	const char *p;

	(void)state;
	secret_arena_usage(&before, &total);
	assert_int_equal(total, ARENA);
	assert_int_equal(secret_create(SLICE("hunter2"), &s), OK);
	p = secret_bytes(s).p;
	assert_true(CRYPTO_secure_allocated(p));
	assert_true(slice_is(secret_bytes(s), "hunter2"));
	assert_ptr_equal(secret_ref(s), s);
	secret_unref(s);
	assert_true(slice_is(secret_bytes(s), "hunter2"));
	secret_arena_usage(&used, &total);
	assert_true(used > before);
	secret_unref(s);
	secret_arena_usage(&used, &total);
	assert_int_equal(used, before);
	assert_true(memcmp(p, "hunter2", 7) != 0);
	secret_unref(NULL);
}

static void
a_full_arena_is_a_limit(void **state)
{
	static char big[ARENA / 2];
	struct secret *s[4] = { NULL };
	enum status st = OK;
	size_t n = 0, used, total;

	(void)state;
	while (n < ARRAY_LEN(s)) {
		st =
		    secret_create((struct slice){ big, sizeof big / 2 }, &s[n]);
		if (st != OK)
			break;
		n++;
	}
	assert_int_equal(st, E_LIMIT);
	while (n > 0)
		secret_unref(s[--n]);
	secret_arena_usage(&used, &total);
	assert_int_equal(used, 0);
}

static void
ids_are_the_head_of_sha256(void **state)
{
	char id[SECRET_ID_BYTES];
	struct secret *s;

	(void)state;
	assert_int_equal(secret_create(SLICE("abc"), &s), OK);
	secret_id(s, id);
	assert_string_equal(id, "ba7816bf8f01");
	secret_unref(s);
	assert_int_equal(secret_create(SLICE(""), &s), OK);
	secret_id(s, id);
	assert_string_equal(id, "e3b0c44298fc");
	secret_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_no_secret_without_an_arena),
		cmocka_unit_test(
		    bytes_live_in_the_arena_until_the_last_user_goes),
		cmocka_unit_test(a_full_arena_is_a_limit),
		cmocka_unit_test(ids_are_the_head_of_sha256),
	};
	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
