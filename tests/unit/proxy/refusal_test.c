/* No record, no bytes: a refusal waits for its record as an answer does. */
#include "tests/unit/proxy/connect_steps.h"

#define UNAVAILABLE "HTTP/1.1 503 Denied AUDIT_UNAVAILABLE id="
#define GREETING    "\5\1\0"
#define ASK         "\5\1\0\3\6a.test\1\xbb"

static void
assert_silent(int fd)
{
	char got[256];

	assert_int_equal(fake_hear(fd, got, sizeof got), 0);
}

static void
ask_by_socks(int fd)
{
	char got[64];

	fake_say(fd, GREETING, 3);
	assert_int_equal(fake_hear(fd, got, sizeof got), 2);
	fake_say(fd, ASK, sizeof ASK - 1);
}

static void
nothing_is_said_before_the_record_is_written(void **state)
{
	int denied = fake_client(), bad = fake_client(), socks = fake_client();

	(void)state;
	fake.audit_stuck = true;
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	say(denied, CONNECT);
	assert_silent(denied);
	say(bad, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_silent(bad);
	ask_by_socks(socks);
	assert_silent(socks);
	assert_int_equal(fake.n_records, 3);
	(void)close(denied);
	(void)close(bad);
	(void)close(socks);
}

static void
the_end_of_the_worker_forgets_refusals_that_wait(void **state)
{
	int denied = fake_client(), bad = fake_client();

	(void)state;
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	fake.audit_stuck = true;
	say(denied, CONNECT);
	say(bad, "?\r\n\r\n");
	proxy_worker_destroy(fake.worker);
	fake.worker = NULL;
	(void)close(denied);
	(void)close(bad);
}

static void
a_refusal_without_a_record_is_another_refusal(void **state)
{
	static const char *const heads[] = { CONNECT,
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT a.test HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01" };

	(void)state;
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	for (int sick = 0; sick < 2; sick++) {
		fake.audit_fails = sick == 0;
		fake.audit_sick = sick == 1;
		for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
			int fd = fake_client();

			say(fd, heads[i]);
			assert_starts(fd, UNAVAILABLE);
			(void)close(fd);
		}
	}
}

static void
socks_says_a_general_failure_without_a_record(void **state)
{
	static const char asks_to_bind[] = "\5\2\0\3\6a.test\1\xbb";
	int fd = fake_client();
	char got[64];

	(void)state;
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	fake.audit_fails = true;
	ask_by_socks(fd);
	assert_int_equal(fake_hear(fd, got, sizeof got), 10);
	assert_int_equal(got[1], 1);
	(void)close(fd);
	fd = fake_client();
	fake_say(fd, GREETING, 3);
	(void)fake_hear(fd, got, sizeof got);
	fake_say(fd, asks_to_bind, sizeof asks_to_bind - 1);
	assert_int_equal(fake_hear(fd, got, sizeof got), 10);
	assert_int_equal(got[1], 1);
	(void)close(fd);
	/* A greeting has no word for it. */
	fd = fake_client();
	fake_say(fd, "\5\1\7", 3);
	assert_int_equal(fake_hear(fd, got, sizeof got), -1);
	(void)close(fd);
}

static void
a_hello_that_is_refused_without_a_record_gets_no_alert(void **state)
{
	int fd = fake_client();
	char got[64];

	(void)state;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	fake.audit_stuck = true;
	say_hello(fd, SLICE("b.test"));
	assert_silent(fd);
	assert_int_equal(fake.n_records, 2);
	assert_int_equal(last_record()->code, REASON_SNI_MISMATCH);
	(void)close(fd);
	(void)close(fake.upstream);
	fake.audit_stuck = false;
	fd = fake_client();
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	fake.audit_fails = true;
	say_hello(fd, SLICE("b.test"));
	assert_int_equal(fake_hear(fd, got, sizeof got), -1);
	(void)close(fd);
}

static void
a_fault_of_the_way_is_recorded_first_too(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.audit_fails = true;
	fake.dial_code = REASON_CONNECT_REFUSED;
	say(fd, CONNECT);
	assert_starts(fd, UNAVAILABLE);
	(void)close(fd);
}

/* A disk that hangs is a disk that fails. */
static void
an_audit_that_does_not_answer_is_unavailable(void **state)
{
	int open = fake_client(), denied = fake_client(), bad = fake_client();
	int hello = fake_client();
	char got[64];

	(void)state;
	say(hello, CONNECT);
	assert_starts(hello, "HTTP/1.1 200 ");
	fake.audit_stuck = true;
	say_hello(hello, SLICE("b.test"));
	say(open, CONNECT);
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	say(denied, CONNECT);
	say(bad, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	fake_pass_ms(4999);
	assert_silent(open);
	assert_silent(denied);
	assert_silent(bad);
	assert_silent(hello);
	fake_pass_ms(250);
	assert_starts(open, UNAVAILABLE);
	assert_starts(denied, UNAVAILABLE);
	assert_starts(bad, UNAVAILABLE);
	assert_int_equal(fake_hear(hello, got, sizeof got), -1);
	(void)close(open);
	(void)close(denied);
	(void)close(bad);
	(void)close(hello);
}

static unsigned
requests_recorded(const char *id)
{
	unsigned n = 0;

	for (size_t i = 0; i < fake.n_records; i++)
		if (fake.records[i].event == RECORD_REQUEST &&
		    (id == NULL || strncmp(fake.records[i].id, id, 10) == 0))
			n++;
	return n;
}

/* It waits in the writer's queue, and is written when the disk wakes up. */
static void
a_record_that_is_late_is_the_only_one(void **state)
{
	int fds[3];
	char got[8192];

	(void)state;
	fds[2] = fake_client();
	say(fds[2], CONNECT);
	assert_starts(fds[2], "HTTP/1.1 200 ");
	fake.audit_stuck = true;
	say_hello(fds[2], SLICE("b.test"));
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	fds[0] = fake_client();
	say(fds[0], CONNECT);
	fds[1] = fake_client();
	say(fds[1], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	fake_pass_ms(5000);
	for (size_t i = 0; i < 2; i++) {
		const char *id;

		assert_true(fake_hear(fds[i], got, sizeof got) > 0);
		id = strstr(got, UNAVAILABLE);
		assert_non_null(id);
		/* What the client tells an operator is found in the audit. */
		assert_int_equal(
		    requests_recorded(id + sizeof UNAVAILABLE - 1), 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	(void)close(fake.upstream);
	fake.upstream = -1;
	fake_run();
	assert_int_equal(requests_recorded(NULL), ARRAY_LEN(fds));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_is_said_before_the_record_is_written),
		T(the_end_of_the_worker_forgets_refusals_that_wait),
		T(a_refusal_without_a_record_is_another_refusal),
		T(socks_says_a_general_failure_without_a_record),
		T(a_hello_that_is_refused_without_a_record_gets_no_alert),
		T(a_fault_of_the_way_is_recorded_first_too),
		T(an_audit_that_does_not_answer_is_unavailable),
		T(a_record_that_is_late_is_the_only_one),
	};
	return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
