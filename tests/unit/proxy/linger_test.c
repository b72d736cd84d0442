/* The lingering close: no answer is lost to a reset, and none waits for ever. */
#include "tests/unit/proxy/connect_steps.h"

static void
real_ms(unsigned ms)
{
	for (unsigned i = 0; i < ms / 10; i++) {
		(void)usleep(10000);
		fake_run();
	}
}

static int
refused(void)
{
	int fd = fake_client();

	say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	return fd;
}

/* One word more and it is over, whatever else the client says. */
static void
assert_talk_ends(int fd)
{
	for (int i = 0; i < 20; i++) {
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
		fake_run();
	}
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
	(void)close(fd);
}

static void
who_still_talks_can_read_the_answer_afterwards(void **state)
{
	int64_t until = clock_boot_ms(&clock_system) + 900;
	int fd;

	(void)state;
	fake.snapshot->limits.linger_ms = 600;
	fd = refused();
	while (clock_boot_ms(&clock_system) < until)
		say(fd, "more of a body");
	assert_int_equal(proxy_worker_connections(fake.worker), 1);
	assert_starts(fd, "HTTP/1.1 400 Denied BAD_REQUEST");
	(void)close(fd);
	fake_run();
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
}

static void
silence_ends_it(void **state)
{
	int fd = refused();

	(void)state;
	/* linger_ms is 100. */
	real_ms(200);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
	assert_starts(fd, "HTTP/1.1 400 Denied BAD_REQUEST");
	(void)close(fd);
}

static void
talk_without_end_is_ended(void **state)
{
	int fd = refused();

	(void)state;
	fake.now_ms += 1499;
	assert_talk_ends(fd);
}

static void
who_was_too_slow_gets_no_more_time(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.snapshot->limits.linger_ms = 600;
	say(fd, "GET / HTTP/1.1\r\n");
	fake_pass_ms(10001);
	assert_int_equal(proxy_worker_connections(fake.worker), 1);
	fake.now_ms += 1199;
	assert_talk_ends(fd);
}

/* RFC 1928 6: not more than ten seconds after a failure. */
static void
a_socks_client_that_was_refused_gets_no_more_time(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.snapshot->limits.linger_ms = 60000;
	fake_say(fd,
	    "\5\1\0"
	    "\5\2\0\3\6a.test\1\xbb",
	    17);
	assert_int_equal(proxy_worker_connections(fake.worker), 1);
	fake.now_ms += 10000;
	assert_talk_ends(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_still_talks_can_read_the_answer_afterwards),
		T(silence_ends_it),
		T(talk_without_end_is_ended),
		T(who_was_too_slow_gets_no_more_time),
		T(a_socks_client_that_was_refused_gets_no_more_time),
	};
	return cmocka_run_group_tests_name("linger", tests, NULL, NULL);
}
