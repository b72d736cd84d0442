/* The lingering close: no answer is lost to a reset, and none waits for ever. */
#include "tests/unit/proxy/connect_steps.h"

#include "proxy/linger.h"

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

/* A layer that has to hear of its peer before it can write. */
static struct waiting {
	unsigned writes, ends;
	bool hears;
} waiting;

static enum status
waiting_write(struct stream *s, struct slice b, bool more_follows, size_t *put)
{
	char byte;

	(void)more_follows;
	waiting.writes++;
	if (!waiting.hears)
		waiting.hears = recv(s->fd, &byte, 1, MSG_DONTWAIT) == 1;
	s->write_waits_read = !waiting.hears;
	if (!waiting.hears)
		return E_PARTIAL;
	*put = b.n;
	return OK;
}

static void
waiting_end(struct stream *s)
{
	(void)s;
	waiting.ends++;
}

static void
waiting_nothing(struct stream *s)
{
	(void)s;
}

static void
waiting_done(void *arg)
{
	*(bool *)arg = true;
}

static void
what_waits_for_its_peer_does_not_spin(void **state)
{
	static const struct stream_ops ops = { .write = waiting_write,
		.end = waiting_end,
		.abort = waiting_nothing,
		.release = waiting_nothing };
	struct stream s = { .ops = &ops };
	bool done = false;
	struct buf last;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	s.fd = fds[0];
	buf_init(&last, 16);
	buf_puts(&last, "last");
	fake.snapshot->limits.linger_ms = 2000;
	waiting = (struct waiting){ 0 };
	assert_non_null(
	    lingering_start(fake.worker, s, &last, waiting_done, &done));
	real_ms(50);
	assert_in_range(waiting.writes, 1, 3);
	assert_int_equal(send(fds[1], "x", 1, MSG_NOSIGNAL), 1);
	fake_run();
	assert_int_equal(waiting.ends, 1);
	assert_false(done);
	(void)close(fds[1]);
	fake_run();
	assert_true(done);
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
		T(what_waits_for_its_peer_does_not_spin),
	};
	return cmocka_run_group_tests_name("linger", tests, NULL, NULL);
}
