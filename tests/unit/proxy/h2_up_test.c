/* HTTP/2 towards a destination: written and read as HTTP/1.1. */
#include "tests/unit/proxy/h2_origin.h"

#include <event2/event.h>
#include <string.h>
#include <unistd.h>

static void
a_request_and_its_answer_are_those_of_http1(void **state)
{
	(void)state;
	up_say(HEAD("GET", "X-One: 1\r\nConnection: x\r\nTE: gzip\r\n"));
	assert_string_equal(origin.fields,
	    ":method: GET\n:scheme: https\n:authority: up.example\n"
	    ":path: /p?q=1\nx-one: 1\n");
	assert_true(origin.ended);
	origin_answers("200", "x-two", "2", 3);
	assert_string_equal(up_heard(),
	    "HTTP/1.1 200 \r\nx-two: 2\r\ntransfer-encoding: chunked\r\n\r\n"
	    "3\r\naaa\r\n0\r\n\r\n");
	assert_false(up.eof);
	assert_false(up.more);
}

static void
one_message_follows_another(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		memset(origin.fields, 0, sizeof origin.fields);
		up_say(HEAD("GET", ""));
		origin_answers("200", "content-length", "2", 2);
		assert_string_equal(
		    up_heard(), "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\naa");
		assert_int_equal(origin.id, 2 * i + 1);
	}
}

static void
bodies_lose_their_chunks_and_keep_their_trailers(void **state)
{
	(void)state;
	up_say(HEAD("POST",
	    "Content-Type: application/grpc\r\n"
	    "Transfer-Encoding: chunked\r\n"));
	assert_non_null(strstr(origin.fields, "te: trailers\n"));
	assert_null(strstr(origin.fields, "transfer-encoding"));
	up_say("3\r\nabc\r\n");
	assert_int_equal(origin.n, 3);
	assert_false(origin.ended);
	origin.trailers = true;
	origin_answers("200", "x", "y", 2);
	assert_non_null(
	    strstr(up_heard(), "2\r\naa\r\n0\r\ngrpc-status: 0\r\n\r\n"));
	up_say("2\r\nde\r\n0\r\n\r\n");
	assert_true(origin.ended);
	assert_memory_equal(origin.body, "abcde", 5);
}

static void
an_answer_of_a_head_alone_has_no_body(void **state)
{
	(void)state;
	up_say(HEAD("GET", ""));
	origin_answers("200", "grpc-status", "12", -1);
	assert_string_equal(up_heard(),
	    "HTTP/1.1 200 \r\ngrpc-status: 12\r\ncontent-length: 0\r\n\r\n");
	up_say(HEAD("GET", ""));
	origin_answers("304", "x", "y", -1);
	assert_string_equal(up_heard(), "HTTP/1.1 304 \r\nx: y\r\n\r\n");
	up_say(HEAD("HEAD", ""));
	origin_answers("200", "content-length", "9", -1);
	assert_string_equal(
	    up_heard(), "HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\n");
}

static void
a_credential_stays_out_of_what_is_remembered(void **state)
{
	(void)state;
	up_say(HEAD("GET", "Authorization: Bearer t0ken\r\nX: 1\r\n"));
	assert_non_null(strstr(origin.fields, "authorization: Bearer t0ken\n"));
	assert_int_equal(origin.no_index, 1);
}

static void
what_the_window_holds_back_waits_for_it_and_not_for_room(void **state)
{
	static char body[300001];
	size_t sent = 0;

	(void)state;
	memset(body, 'b', 300000);
	up_say(HEAD("POST", "Content-Length: 300000\r\n"));
	for (int i = 0; i < 200 && sent < 300000; i++) {
		size_t put = 0;
		enum status st =
		    stream_write(&up, slice_of(body + sent), false, &put);
		bool again;
		short events;

		sent += put;
		assert_true(st == OK || st == E_PARTIAL);
		if (st == E_PARTIAL && !up.ops->owes(&up)) {
			stream_wants(&up, false, true, &events, &again);
			assert_int_equal(events, EV_READ);
		}
		(void)up_heard();
	}
	assert_int_equal(sent, 300000);
	(void)up_heard();
	assert_int_equal(origin.n, 300000);
	assert_true(origin.ended);
}

static void
a_long_answer_comes_as_it_is_read(void **state)
{
	size_t n = 0, all = 0;
	char piece[1000];

	(void)state;
	up_say(HEAD("GET", ""));
	origin_answers("200", "content-length", "500000", 500000);
	for (int i = 0; i < 3000 && all < 500000; i++) {
		origin_turn();
		assert_int_equal(stream_read(&up, piece, sizeof piece, &n), OK);
		all += n;
	}
	assert_in_range(all, 500000, 500100);
}

static void
a_stream_that_is_reset_breaks_it(void **state)
{
	size_t n = 0;

	(void)state;
	up_say(HEAD("GET", ""));
	(void)nghttp2_submit_rst_stream(
	    origin.ng, NGHTTP2_FLAG_NONE, origin.id, NGHTTP2_INTERNAL_ERROR);
	origin_turn();
	assert_int_equal(stream_read(&up, up_got, sizeof up_got, &n), E_IO);
}

static void
who_goes_away_serves_no_more(void **state)
{
	size_t n = 0;

	(void)state;
	up_say(HEAD("GET", ""));
	origin_answers("200", "content-length", "2", 2);
	(void)up_heard();
	(void)nghttp2_submit_goaway(
	    origin.ng, NGHTTP2_FLAG_NONE, origin.id, NGHTTP2_NO_ERROR, NULL, 0);
	origin_turn();
	assert_int_equal(stream_read(&up, up_got, sizeof up_got, &n), OK);
	assert_int_equal(n, 0);
	assert_true(up.eof);
}

static void
an_end_in_the_middle_is_no_clean_one(void **state)
{
	size_t n = 0;

	(void)state;
	up_say(HEAD("GET", ""));
	origin_answers("200", "content-length", "9", 2);
	(void)up_heard();
	(void)close(origin.fd);
	origin.fd = -1;
	assert_true(
	    stream_read(&up, up_got, sizeof up_got, &n) == E_IO || up.eof);
	assert_false(up.clean);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) \
	cmocka_unit_test_setup_teardown(name, origin_set_up, origin_tear_down)
		T(a_request_and_its_answer_are_those_of_http1),
		T(one_message_follows_another),
		T(bodies_lose_their_chunks_and_keep_their_trailers),
		T(an_answer_of_a_head_alone_has_no_body),
		T(a_credential_stays_out_of_what_is_remembered),
		T(what_the_window_holds_back_waits_for_it_and_not_for_room),
		T(a_long_answer_comes_as_it_is_read),
		T(a_stream_that_is_reset_breaks_it),
		T(who_goes_away_serves_no_more),
		T(an_end_in_the_middle_is_no_clean_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
