/* Every allocation of base fails once: an error comes back, nothing leaks. */
#include "tests/unit/test.h"

#include "base/http1.h"
#include "base/record.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

/* Counts down; the allocation that finds it at 0 fails. Negative: never. */
static long fail_in = -1;

/* The names are the linker's (--wrap). */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *
__wrap_malloc(size_t n)
{
	return fail_in >= 0 && fail_in-- == 0 ? NULL : __real_malloc(n);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static enum status
write_record(void)
{
	const struct peer peer = { .known = true, .user = "alice" };
	struct record r;
	struct buf out;
	enum status st;

	record_init(&r, RECORD_OPEN);
	r.peer = &peer;
	buf_init(&out, 8192);
	record_write(&out, &r);
	st = buf_status(&out);
	buf_release(&out);
	return st;
}

static enum status
decode_chunks(void)
{
	struct http1_chunked c;
	struct slice data;
	struct buf trailers;
	size_t used;
	enum status st;

	http1_chunked_init(&c);
	buf_init_secret(&trailers, 1000);
	st = http1_chunked_feed(
	    &c, SLICE("0\r\nA: b\r\n\r\n"), &data, &used, &trailers);
	buf_release(&trailers);
	return st;
}

static enum status
keep_secret(void)
{
	struct secret *s = NULL;
	enum status st = secret_create(SLICE("hunter2"), &s);

	secret_unref(s);
	return st;
}

static void
each_failed_allocation_is_an_error_and_no_more(void **state)
{
	enum status (*const steps[])(
	    void) = { write_record, decode_chunks, keep_secret };

	bool locked;

	(void)state;
	assert_int_equal(secret_arena_init(65536, false, &locked), OK);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		long n = 0;
		enum status st = E_NOMEM;
		while (st != OK) {
			fail_in = n++;
			st = steps[i]();
			assert_true(st == OK || st == E_NOMEM);
			assert_true(n < 100);
		}
		/* At least one of them was made to fail. */
		assert_true(n > 1);
		fail_in = -1;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_failed_allocation_is_an_error_and_no_more),
	};
	return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}
