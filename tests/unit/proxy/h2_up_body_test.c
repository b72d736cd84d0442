/* Bodies towards a destination by HTTP/2: windows, room, and what is lost. */
#include "tests/unit/proxy/h2_origin.h"

#include "proxy/h2_up.h"

#include <event2/event.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
what_the_last_upload_had_left_is_not_in_the_next(void **state)
{
	size_t sent = 0;

	(void)state;
	origin.holds = true;
	origin_turn();
	up_say(HEAD("POST", "Content-Length: 100000\r\n"));
	for (int i = 0; i < 10; i++) {
		sent = up_offer(sent, 100000);
		origin_turn();
	}
	assert_int_equal(sent, 100000);
	assert_int_equal(origin.n, 65535);
	origin_answers("200", "grpc-status", "8", -1);
	assert_non_null(strstr(up_heard(), "grpc-status: 8\r\n"));
	/* It is in doubt: nobody is to have it. */
	assert_true(up.eof);
	origin.n = 0;
	up_say(HEAD("POST", "Content-Length: 5\r\n") "hello");
	(void)up_heard();
	assert_int_equal(origin.id, 3);
	assert_int_equal(origin.n, 5);
	assert_memory_equal(origin.body, "hello", 5);
}

static void
an_upload_is_whole_though_the_socket_takes_it_bit_by_bit(void **state)
{
	enum { ALL = 4 << 20, WINDOW = 16 << 20 };

	nghttp2_settings_entry window = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
		WINDOW };
	int few = 4608;
	size_t sent = 0, n = 0;
	uint8_t sip[3000];

	(void)state;
	(void)nghttp2_submit_settings(origin.ng, NGHTTP2_FLAG_NONE, &window, 1);
	(void)nghttp2_session_set_local_window_size(
	    origin.ng, NGHTTP2_FLAG_NONE, 0, WINDOW);
	(void)up_heard();
	assert_int_equal(
	    setsockopt(up.fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof few), 0);
	up_say(HEAD("POST", "Content-Length: 4194304\r\n"));
	for (int i = 0; i < 10000 && origin.n < ALL; i++) {
		ssize_t k;

		if (sent < ALL)
			sent = up_offer(sent, ALL);
		else
			assert_int_equal(
			    stream_read(&up, up_got, sizeof up_got, &n), OK);
		k = recv(origin.fd, sip, sizeof sip, 0);
		if (k > 0)
			assert_int_equal(
			    nghttp2_session_mem_recv(origin.ng, sip, (size_t)k),
			    k);
	}
	(void)up_heard();
	assert_int_equal(origin.n, ALL);
	assert_int_equal(origin.wrong, 0);
	assert_true(origin.ended);
}

static void
trailers_that_do_not_fit_are_no_end(void **state)
{
	size_t n = 0;

	(void)state;
	up_say(HEAD("POST", "Content-Length: 1\r\n") "a");
	origin.large = true;
	origin_answers("200", "x", "y", 3);
	assert_non_null(strstr(up_heard(), "3\r\naaa\r\n"));
	assert_null(strstr(up_got, "\n0\r\n"));
	assert_int_equal(stream_read(&up, up_got, sizeof up_got, &n), E_IO);
}

static void
a_head_that_does_not_fit_is_none(void **state)
{
	size_t n = 0;

	(void)state;
	up_say(HEAD("GET", ""));
	origin_submit_large(origin.id, false);
	assert_string_equal(up_heard(), "");
	assert_int_equal(stream_read(&up, up_got, sizeof up_got, &n), E_IO);
}

static void
an_upload_goes_on_though_nobody_reads_the_answer(void **state)
{
	size_t sent = 0;

	(void)state;
	up_say(HEAD("POST", "Content-Length: 200000\r\n"));
	origin_answers("200", "content-length", "200000", 200000);
	origin_turn();
	for (int i = 0; i < 50 && sent < 200000; i++) {
		sent = up_offer(sent, 200000);
		origin_turn();
	}
	assert_int_equal(sent, 200000);
	/* What came meanwhile waits inside, and is told so. */
	assert_true(up.more);
	assert_int_equal(
	    strspn(strstr(up_heard(), "\r\n\r\n") + 4, "a"), 200000);
	assert_int_equal(origin.n, 200000);
	assert_int_equal(origin.wrong, 0);
	assert_true(origin.ended);
}

static void
nobody_is_woken_by_an_answer_that_has_no_room(void **state)
{
	struct pollfd readable = { .events = POLLIN };
	size_t sent = 0;

	(void)state;
	origin.holds = true;
	up_say(HEAD("POST", "Content-Length: 200000\r\n"));
	origin_answers("200", "content-length", "200000", 200000);
	for (int i = 0; i < 50; i++) {
		sent = up_offer(sent, 200000);
		origin_turn();
	}
	assert_in_range(sent, 65535, 199999);
	assert_true(up.write_waits_read);
	readable.fd = up.fd;
	assert_int_equal(poll(&readable, 1, 0), 0);
}

/* Else a socket that has room again would be told of over and over. */
static void
what_is_owed_goes_though_there_is_no_room_for_the_answer(void **state)
{
	int few = 4608;
	size_t before, n = 0;

	(void)state;
	assert_int_equal(
	    setsockopt(up.fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof few), 0);
	up_say(HEAD("POST", "Content-Length: 60000\r\n"));
	(void)up_offer(0, 60000);
	assert_true(stream_owes(&up));
	for (int i = 0; i < 100 && stream_owes(&up); i++) {
		origin_turn();
		assert_int_equal(stream_read(&up, up_got, 0, &n), OK);
	}
	before = origin.n;
	assert_false(stream_owes(&up));
	origin_answers("200", "content-length", "3", 3);
	assert_int_equal(stream_read(&up, up_got, 0, &n), OK);
	assert_int_equal(n, 0);
	assert_in_range(before, 10000, 60000);
	assert_non_null(strstr(up_heard(), "\r\n\r\naaa"));
}

static enum status
jammed_read(struct stream *s, char *to, size_t room, size_t *n)
{
	(void)s;
	(void)to;
	(void)room;
	*n = 0;
	return OK;
}

static enum status
jammed_write(struct stream *s, struct slice b, bool more_follows, size_t *put)
{
	(void)b;
	(void)more_follows;
	(void)put;
	s->write_waits_read = true;
	return E_PARTIAL;
}

static void
jammed_nothing(struct stream *s)
{
	(void)s;
}

static void
a_layer_that_must_hear_first_is_not_asked_for_room(void **state)
{
	static const struct stream_ops ops = { .read = jammed_read,
		.write = jammed_write,
		.end = jammed_nothing,
		.abort = jammed_nothing,
		.release = jammed_nothing };
	const struct slice head = SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	struct stream under = { .fd = dup(up.fd), .ops = &ops }, s;
	size_t put = 0;
	short events;
	bool again;

	(void)state;
	assert_int_equal(h2_up_start(under, &clock_system, &s), OK);
	assert_int_equal(stream_write(&s, head, false, &put), OK);
	assert_int_equal(put, head.n);
	stream_wants(&s, true, false, &events, &again);
	assert_int_equal(events, EV_READ);
	assert_false(again);
	stream_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) \
	cmocka_unit_test_setup_teardown(name, origin_set_up, origin_tear_down)
		T(what_the_last_upload_had_left_is_not_in_the_next),
		T(an_upload_is_whole_though_the_socket_takes_it_bit_by_bit),
		T(trailers_that_do_not_fit_are_no_end),
		T(a_head_that_does_not_fit_is_none),
		T(an_upload_goes_on_though_nobody_reads_the_answer),
		T(nobody_is_woken_by_an_answer_that_has_no_room),
		T(what_is_owed_goes_though_there_is_no_room_for_the_answer),
		T(a_layer_that_must_hear_first_is_not_asked_for_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
