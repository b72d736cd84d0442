/* SOCKS5 from the accept to the record, on one loop with stand-ins. */
#include "tests/unit/proxy/connect_steps.h"

#define GREETING "\5\1\0"
#define ASK      "\5\1\0\3\6a.test\1\xbb"

static void
assert_hears(int fd, const char *bytes, size_t n)
{
	char got[256];

	assert_int_equal(fake_hear(fd, got, sizeof got), (long)n);
	assert_memory_equal(got, bytes, n);
}

static void
bytes_may_come_one_by_one(void **state)
{
	static const char all[] = GREETING ASK;
	int fd = fake_client();

	(void)state;
	for (size_t i = 0; i < sizeof all - 1; i++)
		fake_say(fd, all + i, 1);
	assert_hears(fd, "\5\0\5\0\0\1\0\0\0\0\0\0", 12);
	say_hello(fd, SLICE("a.test"));
	(void)close(fake.upstream);
	fake.upstream = -1;
	(void)close(fd);
	fake_run();
	assert_int_equal(fake.n_records, 2);
	assert_string_equal(last_record()->protocol, "socks5");
	assert_string_equal(last_record()->host, "a.test");
	assert_int_equal(last_record()->status, 0);
}

static void
everything_may_come_at_once(void **state)
{
	struct buf b;
	char got[4096];
	int fd = fake_client();

	(void)state;
	buf_init(&b, 4096);
	buf_put(&b, GREETING ASK, sizeof(GREETING ASK) - 1);
	hello_put(&b, SLICE("a.test"));
	fake_say(fd, b.p, b.n);
	assert_hears(fd, "\5\0\5\0\0\1\0\0\0\0\0\0", 12);
	assert_true(fake_hear(fake.upstream, got, sizeof got) > 40);
	buf_release(&b);
	(void)close(fd);
}

static void
any_password_is_right(void **state)
{
	int fd = fake_client();

	(void)state;
	fake_say(fd, "\5\1\2", 3);
	assert_hears(fd, "\5\2", 2);
	fake_say(fd, "\1\1u\2pw", 6);
	assert_hears(fd, "\1\0", 2);
	fake_say(fd, ASK, sizeof ASK - 1);
	assert_hears(fd, "\5\0\0\1\0\0\0\0\0\0", 10);
	(void)close(fd);
}

static const struct {
	enum reason name, route, dial;
	char reply;
} cases_refusals_have_their[] = {
	{ REASON_HOST_NOT_ALLOWED, REASON_NONE, REASON_NONE, 2 },
	{ REASON_NONE, REASON_DNS_NXDOMAIN, REASON_NONE, 4 },
	{ REASON_NONE, REASON_PUBLIC_ADDRESS, REASON_NONE, 2 },
	{ REASON_NONE, REASON_NONE, REASON_CONNECT_REFUSED, 5 },
	{ REASON_NONE, REASON_NONE, REASON_CONNECT_TIMEOUT, 6 },
};

static void
refusals_have_their_reply_and_record(void **state)
{
	char expected[] = "\5\0\5X\0\1\0\0\0\0\0\0";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases_refusals_have_their); i++) {
		int fd = fake_client();

		fake.name_code = cases_refusals_have_their[i].name;
		fake.route_code = cases_refusals_have_their[i].route;
		fake.dial_code = cases_refusals_have_their[i].dial;
		expected[3] = cases_refusals_have_their[i].reply;
		fake_say(fd, GREETING ASK, sizeof(GREETING ASK) - 1);
		assert_hears(fd, expected, 12);
		assert_int_equal(fake.n_records, i + 1);
		(void)close(fd);
		fake_run();
	}
}

static void
what_cannot_be_served_is_refused_and_recorded(void **state)
{
	int fd = fake_client();
	char got[64];

	(void)state;
	fake_say(fd, "\5\1\1", 3);
	assert_hears(fd, "\5\xff", 2);
	(void)close(fd);
	fd = fake_client();
	fake_say(fd, GREETING "\5\2\0\3\1a\1\xbb", 11);
	assert_hears(fd, "\5\0\5\7\0\1\0\0\0\0\0\0", 12);
	(void)close(fd);
	fd = fake_client();
	fake_say(fd, GREETING "\4", 4);
	assert_hears(fd, "\5\0", 2);
	assert_int_equal(fake_hear(fd, got, sizeof got), -1);
	(void)close(fd);
	fake_run();
	assert_int_equal(fake.n_records, 3);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(bytes_may_come_one_by_one),
		T(everything_may_come_at_once),
		T(any_password_is_right),
		T(refusals_have_their_reply_and_record),
		T(what_cannot_be_served_is_refused_and_recorded),
	};
	return cmocka_run_group_tests_name("socks", tests, NULL, NULL);
}
