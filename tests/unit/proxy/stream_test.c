/* What a stream waits for, and the plain one's reads, writes and ends. */
#include "tests/unit/test.h"

#include "proxy/stream.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct stream a;
static int peer = -1;

static int
set_up(void **state)
{
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		return -1;
	a = stream_plain(fds[0]);
	peer = fds[1];
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	stream_close(&a);
	if (peer >= 0)
		(void)close(peer);
	peer = -1;
	return 0;
}

static void
wants(bool read, bool write, short expected, bool expected_again)
{
	bool again = !expected_again;
	short events = 0;

	stream_wants(&a, read, write, &events, &again);
	assert_int_equal(events, expected);
	assert_int_equal(again, expected_again);
}

static void
each_direction_waits_for_its_own_readiness(void **state)
{
	(void)state;
	wants(false, false, 0, false);
	wants(true, false, EV_READ, false);
	wants(false, true, EV_WRITE, false);
	wants(true, true, EV_READ | EV_WRITE, false);
	a.eof = true;
	wants(true, true, EV_WRITE, false);
}

static void
a_layer_may_need_the_other_direction_first(void **state)
{
	(void)state;
	a.read_waits_write = true;
	wants(true, false, EV_WRITE, false);
	assert_false(stream_may_read(&a, EV_READ));
	assert_true(stream_may_read(&a, EV_WRITE));
	a.read_waits_write = false;
	a.write_waits_read = true;
	wants(false, true, EV_READ, false);
	assert_true(stream_may_read(&a, EV_READ));
}

static void
bytes_inside_are_worth_a_turn_unless_it_is_in_vain(void **state)
{
	(void)state;
	a.more = true;
	wants(true, false, EV_READ, true);
	wants(false, true, EV_WRITE, false);
	assert_true(stream_may_read(&a, EV_WRITE));
	a.read_waits_write = true;
	wants(true, false, EV_WRITE, false);
}

static void
bytes_come_and_go_as_they_are(void **state)
{
	char got[8];
	size_t n = 9;

	(void)state;
	assert_int_equal(stream_read(&a, got, sizeof got, &n), OK);
	assert_int_equal(n, 0);
	assert_false(a.eof);
	assert_int_equal(send(peer, "abc", 3, 0), 3);
	assert_int_equal(stream_read(&a, got, sizeof got, &n), OK);
	assert_int_equal(n, 3);
	assert_memory_equal(got, "abc", 3);
	assert_int_equal(stream_write(&a, SLICE("xy"), false, &n), OK);
	assert_int_equal(n, 2);
	assert_int_equal(recv(peer, got, sizeof got, 0), 2);
}

static void
a_full_socket_takes_the_rest_later(void **state)
{
	static char bulk[1 << 20];
	size_t n = 0;

	(void)state;
	assert_int_equal(
	    stream_write(&a, (struct slice){ bulk, sizeof bulk }, false, &n),
	    E_PARTIAL);
	assert_true(n > 0 && n < sizeof bulk);
	assert_int_equal(a.stuck, 0);
}

static void
an_end_that_was_said_is_clean(void **state)
{
	char got[8];
	size_t n = 9;

	(void)state;
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_int_equal(stream_read(&a, got, sizeof got, &n), OK);
	assert_int_equal(n, 0);
	assert_true(a.eof && a.clean);
}

static void
who_has_gone_takes_nothing(void **state)
{
	size_t n = 9;

	(void)state;
	(void)close(peer);
	peer = -1;
	assert_int_equal(stream_write(&a, SLICE("xy"), false, &n), E_IO);
	assert_int_equal(n, 0);
}

static void
one_that_is_closed_does_nothing(void **state)
{
	char got[8];
	size_t n = 9;

	(void)state;
	stream_close(&a);
	assert_false(stream_is_open(&a));
	assert_int_equal(stream_read(&a, got, sizeof got, &n), OK);
	assert_int_equal(n, 0);
	assert_int_equal(stream_write(&a, SLICE("xy"), false, &n), OK);
	assert_int_equal(n, 0);
	stream_end(&a);
	stream_abort(&a);
	stream_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(each_direction_waits_for_its_own_readiness),
		T(a_layer_may_need_the_other_direction_first),
		T(bytes_inside_are_worth_a_turn_unless_it_is_in_vain),
		T(bytes_come_and_go_as_they_are),
		T(a_full_socket_takes_the_rest_later),
		T(an_end_that_was_said_is_clean),
		T(who_has_gone_takes_nothing),
		T(one_that_is_closed_does_nothing),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
