/* Each allocation of a connection's life fails once: nothing breaks, nothing
 * leaks (the sanitizer build looks), and nothing passes without its record. */
#include "tests/unit/proxy/connect_steps.h"

#include <stdlib.h>

/* Allocations until one fails; 0: none does. */
static unsigned countdown;
static bool failed;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool
fails_now(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *
__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return fails_now() ? NULL : __real_realloc(p, size);
}

/* The connection may have been closed on us: that is one right outcome. */
static void
try_say(int fd, struct slice bytes)
{
	(void)send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
	fake_run();
}

/* No byte for the destination without an `open` record (contract 6). */
static void
assert_nothing_passed_unrecorded(void)
{
	char got[4096];

	if (fake.upstream >= 0 &&
	    fake_hear(fake.upstream, got, sizeof got) > 0) {
		assert_true(fake.n_records > 0);
		assert_int_equal(fake.records[0].event, RECORD_OPEN);
	}
}

/* One connection, told @first, with the @n-th allocation failing. */
static bool
attempt(struct slice first, unsigned n, enum reason name_code, bool cached)
{
	struct buf hello;
	int fd;

	fakes_init();
	fake.name_code = name_code;
	fake.resolver_cached = cached;
	buf_init(&hello, 4096);
	hello_put(&hello, SLICE("a.test"));
	failed = false;
	countdown = n;
	fd = fake_client();
	try_say(fd, first);
	try_say(fd, buf_slice(&hello));
	try_say(fd, SLICE("ping"));
	countdown = 0;
	assert_nothing_passed_unrecorded();
	(void)close(fd);
	if (fake.upstream >= 0)
		(void)close(fake.upstream);
	fake.upstream = -1;
	fake_run();
	if (proxy_worker_connections(fake.worker) > 0)
		fake_pass_ms(200000);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
	buf_release(&hello);
	fakes_release();
	return failed;
}

static void
sweep(struct slice first, enum reason name_code)
{
	for (int cached = 0; cached < 2; cached++) {
		unsigned n = 1;

		while (attempt(first, n, name_code, cached != 0))
			assert_true(++n < 100);
		assert_true(n > 5);
	}
}

static void
a_tunnel_survives_each_failure(void **state)
{
	(void)state;
	sweep(SLICE(CONNECT), REASON_NONE);
}

static void
a_denial_survives_each_failure(void **state)
{
	(void)state;
	sweep(SLICE(CONNECT), REASON_HOST_NOT_ALLOWED);
}

static void
a_bad_head_survives_each_failure(void **state)
{
	(void)state;
	sweep(SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), REASON_NONE);
}

static void
socks_survives_each_failure(void **state)
{
	(void)state;
	sweep(SLICE("\5\1\0\5\1\0\3\6a.test\1\xbb"), REASON_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tunnel_survives_each_failure),
		cmocka_unit_test(a_denial_survives_each_failure),
		cmocka_unit_test(a_bad_head_survives_each_failure),
		cmocka_unit_test(socks_survives_each_failure),
	};
	return cmocka_run_group_tests_name("nomem_core", tests, NULL, NULL);
}
