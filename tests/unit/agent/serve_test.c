/* The one-shot server of control and admin: deadlines and limits. */
#include "tests/unit/test.h"

#include "agent/serve.h"
#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_MS = 300, TIMEOUT_MS = 300 };

static struct {
	struct event_base *base;
	struct serve *serve;
	struct sockaddr_un at;
	socklen_t at_bytes;
	uint32_t uid;
	bool busy;
	struct serve_conn *waiting;
	unsigned gone;
} world;

/* A line is echoed; "wait" is answered later. */
static enum status
answer(void *ctx, struct serve_conn *conn)
{
	struct slice in = buf_slice(&conn->in);

	assert_ptr_equal(ctx, &world);
	if (slice_find(in, '\n') == in.n)
		return E_PARTIAL;
	if (slice_is(in, "wait\n")) {
		world.waiting = conn;
		return E_BUSY;
	}
	buf_put_slice(&conn->out, in);
	return OK;
}

static void
gone(void *ctx, struct serve_conn *conn)
{
	(void)ctx;
	if (world.waiting == conn) {
		world.waiting = NULL;
		world.gone++;
	}
}

static uint32_t
uid_of(void *ctx, int fd)
{
	(void)ctx;
	assert_true(fd >= 0);
	return world.uid;
}

static int
setup(void **state)
{
	const struct serve_settings s = {
		.request_ms = REQUEST_MS,
		.timeout_ms = TIMEOUT_MS,
		.limits = { .connections = 8, .connections_per_uid = 3 },
		.in_max_bytes = 4096,
		.out_max_bytes = 4096,
		.uid_of = uid_of,
		.answer = answer,
		.gone = gone,
		.ctx = &world,
	};
	struct serve_settings with_base = s;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr *sa = (struct sockaddr *)&world.at;

	(void)state;
	memset(&world, 0, sizeof world);
	world.base = event_base_new();
	with_base.base = world.base;
	world.at.sun_family = AF_UNIX;
	assert_int_equal(bind(fd, sa, sizeof(sa_family_t)), 0);
	world.at_bytes = sizeof world.at;
	assert_int_equal(getsockname(fd, sa, &world.at_bytes), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(serve_create(&with_base, &world.serve), OK);
	assert_int_equal(serve_listen(world.serve, fd, "test"), OK);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	serve_destroy(world.serve);
	event_base_free(world.base);
	return 0;
}

static void
turn_ms(unsigned ms)
{
	const struct timeval tv = { .tv_usec = (suseconds_t)ms * 1000 };

	(void)event_base_loopexit(world.base, &tv);
	(void)event_base_dispatch(world.base);
}

static void
join(int fd)
{
	const struct sockaddr *sa = (const struct sockaddr *)&world.at;

	assert_int_equal(connect(fd, sa, world.at_bytes), 0);
}

static int
client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	join(fd);
	turn_ms(5);
	return fd;
}

/* What has come: -1 at the end, 0 while there is nothing. */
static ssize_t
hear(int fd, char out[64])
{
	ssize_t n = recv(fd, out, 63, MSG_DONTWAIT);

	out[n > 0 ? n : 0] = '\0';
	if (n < 0 && errno == EAGAIN)
		return 0;
	return n > 0 ? n : -1;
}

static void
assert_answers(int fd, const char *line)
{
	char got[64];

	assert_int_equal(
	    send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
	turn_ms(5);
	assert_int_equal(hear(fd, got), (ssize_t)strlen(line));
	assert_string_equal(got, line);
}

static double
cpu_s(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts), 0);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Slow loris: the deadline is of the whole request, not of its next byte.
 * Where the machine had no time for us it may have come before its turn. */
static void
a_byte_now_and_then_does_not_move_the_deadline(void **state)
{
	int64_t began = now_ms();
	int fd = client();
	char got[64];

	(void)state;
	for (int i = 0; i < 5; i++) {
		if (hear(fd, got) != 0)
			assert_true(now_ms() - began >= REQUEST_MS);
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
		turn_ms(50);
	}
	turn_ms(100);
	assert_int_equal(hear(fd, got), -1);
	(void)close(fd);
}

static void
bytes_after_the_answer_do_not_move_the_deadline(void **state)
{
	int64_t began = now_ms();
	int fd = client();

	(void)state;
	assert_answers(fd, "hello\n");
	for (int i = 0; i < 5; i++) {
		if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
			assert_true(now_ms() - began >= TIMEOUT_MS);
		turn_ms(50);
	}
	turn_ms(100);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	(void)close(fd);
}

static void
an_answer_that_does_not_come_is_given_up(void **state)
{
	int fd = client();
	char got[64];

	(void)state;
	assert_int_equal(send(fd, "wait\n", 5, MSG_NOSIGNAL), 5);
	turn_ms(20);
	assert_non_null(world.waiting);
	turn_ms(350);
	assert_null(world.waiting);
	assert_int_equal(world.gone, 1);
	assert_int_equal(hear(fd, got), -1);
	(void)close(fd);
}

static void
an_answer_may_come_later(void **state)
{
	int fd = client();
	char got[64];

	(void)state;
	assert_int_equal(send(fd, "wait\n", 5, MSG_NOSIGNAL), 5);
	turn_ms(20);
	buf_puts(&world.waiting->out, "done\n");
	serve_reply(world.serve, world.waiting);
	turn_ms(5);
	assert_int_equal(hear(fd, got), 5);
	assert_int_equal(world.gone, 0);
	(void)close(fd);
	turn_ms(5);
}

/* Threats 38. */
static void
without_descriptors_it_waits_and_recovers(void **state)
{
	struct rlimit old, few;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	double before;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	join(fd);
	before = cpu_s();
	turn_ms(300);
	assert_true(cpu_s() - before < 0.1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	turn_ms(250);
	assert_answers(fd, "hello\n");
	(void)close(fd);
}

static void
one_uid_may_not_have_more_than_its_share(void **state)
{
	int fds[4], other;
	char got[64];

	(void)state;
	world.uid = 1000;
	for (size_t i = 0; i < 4; i++)
		fds[i] = client();
	assert_int_equal(hear(fds[2], got), 0);
	assert_int_equal(hear(fds[3], got), -1);
	world.uid = 1001;
	other = client();
	assert_answers(other, "hello\n");
	world.uid = 1000;
	(void)close(fds[3]);
	(void)close(fds[0]);
	turn_ms(5);
	fds[0] = client();
	assert_answers(fds[0], "again\n");
	for (size_t i = 0; i < 3; i++)
		(void)close(fds[i]);
	(void)close(other);
}

static void
limits_change_while_it_serves(void **state)
{
	const struct serve_limits less = { .connections = 2,
		.connections_per_uid = 2 };
	int first = client(), second, third;
	char got[64];

	(void)state;
	serve_set_limits(world.serve, &less);
	second = client();
	third = client();
	assert_int_equal(hear(third, got), -1);
	assert_answers(second, "second\n");
	assert_answers(first, "first\n");
	(void)close(first);
	(void)close(second);
	(void)close(third);
}

int
main(void)
{
#define S(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		S(a_byte_now_and_then_does_not_move_the_deadline),
		S(bytes_after_the_answer_do_not_move_the_deadline),
		S(an_answer_that_does_not_come_is_given_up),
		S(an_answer_may_come_later),
		S(without_descriptors_it_waits_and_recovers),
		S(one_uid_may_not_have_more_than_its_share),
		S(limits_change_while_it_serves),
	};
#undef S
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("serve", tests, NULL, NULL);
}
