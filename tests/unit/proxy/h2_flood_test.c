/* What a peer may have done for next to nothing (RFC 9113 10.5), and time. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/h2_peer.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

enum { FLOOD = 3000, NOW_MS = 1000000 };

/* Time stands still, however long a flood takes on a busy machine: nothing
 * that comes back by the second comes back. */
static int64_t
boot_ms(void *ctx)
{
	(void)ctx;
	return NOW_MS;
}

static int64_t
unix_ns(void *ctx)
{
	(void)ctx;
	return INT64_C(1763856000) * 1000000000;
}

static const struct clock still = { boot_ms, unix_ns, NULL };

static int
set_up(void **state)
{
	(void)state;
	fake_clock = &still;
	fake_head_ms = 60;
	h2_peer_start();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	h2_peer_stop();
	return 0;
}

static void
ended_for_it(void)
{
	h2_peer_turn();
	assert_true(h2_peer.gone_away);
	/* Where nghttp2 counts by itself it calls that an error. */
	assert_true(h2_peer.why == NGHTTP2_ENHANCE_YOUR_CALM ||
	    h2_peer.why == NGHTTP2_PROTOCOL_ERROR ||
	    h2_peer.why == NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(h2_peer.noted_code, REASON_LIMIT_REACHED);
	assert_true(h2_peer.at_end);
}

static void
streams_that_are_taken_back_at_once_are_counted(void **state)
{
	(void)state;
	for (int i = 0; i < 200 && !h2_peer.at_end; i++) {
		int32_t id = h2_peer_asks("GET", "/", "", NULL);
		h2_peer_turn();
		(void)nghttp2_submit_rst_stream(
		    h2_peer.ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
		h2_peer_turn();
		if (h2_peer.gone_away)
			break;
	}
	ended_for_it();
	assert_in_range(fake.started, 95, 110);
	assert_int_equal(fake.n_ended, fake.started);
}

/* The peer errs, and we do the resetting: a window that overflows. */
static void
streams_that_it_has_us_reset_are_counted(void **state)
{
	static const uint8_t most[] = { 0x7f, 0xff, 0xff, 0xff };

	(void)state;
	for (int i = 0; i < 200 && !h2_peer.gone_away; i++) {
		int32_t id = h2_peer_asks("GET", "/", "", NULL);
		h2_peer_frame(NGHTTP2_WINDOW_UPDATE, 0, id, most, sizeof most);
		h2_peer_turn();
	}
	ended_for_it();
	assert_in_range(fake.started, 20, 110);
}

static void
a_head_in_many_parts_is_none(void **state)
{
	/* :method GET, and no end of it. */
	static const uint8_t get[] = { 0x82 };

	(void)state;
	h2_peer_frame(NGHTTP2_HEADERS, 0, 1, get, sizeof get);
	for (int i = 0; i < 8; i++)
		h2_peer_frame(NGHTTP2_CONTINUATION, 0, 1, "", 0);
	h2_peer_turn();
	assert_false(h2_peer.gone_away);
	h2_peer_frame(NGHTTP2_CONTINUATION, 0, 1, "", 0);
	ended_for_it();
	assert_int_equal(fake.started, 0);
}

/* RFC 7541: a field of 4,000 bytes in the table, and a byte for each more. */
static void
a_head_that_unpacks_beyond_measure_is_none(void **state)
{
	static uint8_t bomb[16000];
	static const uint8_t begin[] = { 0x82, 0x87, 0x84, 0x40, 0x01, 'x',
		0x7f, 0xa1, 0x1e };

	(void)state;
	memcpy(bomb, begin, sizeof begin);
	memset(bomb + sizeof begin, 'v', 4000);
	memset(bomb + sizeof begin + 4000, 0xbe, 8000);
	h2_peer_frame(NGHTTP2_HEADERS,
	    NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, bomb,
	    sizeof begin + 12000);
	ended_for_it();
	assert_int_equal(fake.started, 0);
}

static void
flood(uint8_t type, uint8_t flags, int32_t id, size_t n)
{
	static const uint8_t zeros[16];

	for (int i = 0; i < FLOOD && !h2_peer.at_end; i++)
		h2_peer_frame(type, flags, id, zeros, n);
	h2_peer_turn();
	assert_true(h2_peer.at_end);
	assert_int_equal(h2_peer.noted_code, REASON_LIMIT_REACHED);
}

static void
floods_of_what_costs_nothing_end_it(void **state)
{
	static const struct {
		uint8_t type;
		size_t n;
	} cases[] = {
		{ NGHTTP2_PING, 8 },
		{ NGHTTP2_SETTINGS, 0 },
		{ NGHTTP2_PRIORITY, 5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool of_stream = cases[i].type == NGHTTP2_PRIORITY;
		if (i > 0) {
			h2_peer_stop();
			h2_peer_start();
		}
		flood(cases[i].type, 0, of_stream ? 5 : 0, cases[i].n);
	}
}

static void
a_flood_of_empty_data_ends_it(void **state)
{
	int32_t id;

	(void)state;
	/* A body that has not ended yet. */
	id = h2_peer_uploads("", 10000000, false);
	flood(NGHTTP2_DATA, 0, id, 0);
	assert_string_equal(fake.ended[0].close, "limit");
}

static void
a_flood_of_windows_ends_it(void **state)
{
	static const uint8_t one[] = { 0, 0, 0, 1 };

	(void)state;
	for (int i = 0; i < FLOOD && !h2_peer.at_end; i++)
		h2_peer_frame(NGHTTP2_WINDOW_UPDATE, 0, 0, one, sizeof one);
	ended_for_it();
}

static void
a_download_with_many_windows_is_none(void **state)
{
	static char piece[65537];
	int32_t id = h2_peer_asks("GET", "/", "", NULL);

	(void)state;
	memset(piece, 'd', 65536);
	fake_upstream_says(
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 24; i++) {
		fake_upstream_says("10000\r\n");
		fake_upstream_says(piece);
		fake_upstream_says("\r\n");
		h2_peer_turn();
	}
	fake_upstream_says("0\r\n\r\n");
	h2_peer_turn();
	assert_true(h2_peer_answer(id)->ended);
	assert_int_equal(h2_peer_answer(id)->n, 24 * 65536);
}

/* How gRPC's clients measure a way: a PING for each round trip with bytes. */
static void
pings_beside_what_is_sent_are_no_flood(void **state)
{
	static const uint8_t opaque[8];
	int32_t id = h2_peer_asks("GET", "/", "", NULL);

	(void)state;
	fake_upstream_says(
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 2000; i++) {
		fake_upstream_says("3\r\nabc\r\n");
		h2_peer_turn();
		(void)nghttp2_submit_ping(
		    h2_peer.ng, NGHTTP2_FLAG_NONE, opaque);
		h2_peer_turn();
		assert_false(h2_peer.gone_away);
	}
	assert_int_equal(h2_peer_answer(id)->n, 6000);
}

static void
more_streams_than_allowed_are_refused(void **state)
{
	static const char get[] = "\x82\x87\x84\x41\x0e"
	                          "127.0.0.1:3190";

	(void)state;
	/* Past nghttp2, which would keep to what it was told. */
	for (int32_t i = 0; i < 9; i++)
		h2_peer_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS,
		    2 * i + 1, get, sizeof get - 1);
	assert_int_equal(fake.started, 8);
	assert_int_equal(fake.n_ended, 0);
}

static void
a_users_share_holds_for_streams(void **state)
{
	int32_t id;

	(void)state;
	h2_peer.uid_share = 1;
	(void)h2_peer_asks("GET", "/a", "", NULL);
	(void)h2_peer_asks("GET", "/b", "", NULL);
	assert_int_equal(fake.started, 2);
	id = h2_peer_asks("GET", "/c", "", NULL);
	assert_int_equal(h2_peer_answer(id)->error, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(h2_peer.noted_code, REASON_LIMIT_REACHED);
	assert_int_equal(fake.started, 2);
	/* What ends makes room. */
	fake_upstream_says(ANSWER);
	h2_peer_turn();
	(void)h2_peer_asks("GET", "/d", "", NULL);
	assert_int_equal(fake.started, 3);
}

/* RFC 9113 5.1.1: what was passed over is closed for good. */
static void
an_id_that_was_passed_over_does_not_come_back(void **state)
{
	static const char get[] = "\x82\x87\x84\x41\x0e"
	                          "127.0.0.1:3190";
	const uint8_t whole =
	    NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;

	(void)state;
	h2_peer_frame(NGHTTP2_HEADERS, whole, 1, get, sizeof get - 1);
	h2_peer_frame(NGHTTP2_HEADERS, whole, 7, get, sizeof get - 1);
	h2_peer_turn();
	assert_false(h2_peer.gone_away);
	assert_int_equal(fake.started, 2);
	h2_peer_frame(NGHTTP2_HEADERS, whole, 5, get, sizeof get - 1);
	h2_peer_turn();
	assert_true(h2_peer.gone_away);
	assert_int_equal(h2_peer.why, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(fake.started, 2);
}

static void
what_is_no_http2_is_closed(void **state)
{
	(void)state;
	h2_peer_stop();
	h2_peer_start();
	h2_peer_says("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
	h2_peer_turn();
	assert_true(h2_peer.gone_away);
	assert_int_equal(fake.started, 0);
}

static int64_t
later(unsigned ms)
{
	return NOW_MS + (int64_t)ms;
}

static void
who_says_nothing_is_closed_as_without_a_head(void **state)
{
	(void)state;
	h2_down_tick(h2_peer.down, later(50));
	h2_peer_turn();
	assert_false(h2_peer.gone_away);
	h2_down_tick(h2_peer.down, later(70));
	h2_peer_turn();
	assert_true(h2_peer.gone_away);
	assert_int_equal(h2_peer.why, NGHTTP2_NO_ERROR);
	assert_true(h2_peer.at_end);
}

static void
a_head_that_does_not_end_is_not_waited_for(void **state)
{
	static const uint8_t get[] = { 0x82 };

	(void)state;
	(void)h2_peer_asks("GET", "/", "", NULL);
	h2_peer_frame(NGHTTP2_HEADERS, 0, 3, get, sizeof get);
	h2_down_tick(h2_peer.down, later(0));
	h2_down_tick(h2_peer.down, later(50));
	assert_false(h2_peer.gone_away);
	h2_down_tick(h2_peer.down, later(80));
	h2_peer_turn();
	assert_true(h2_peer.gone_away);
	assert_int_equal(h2_peer.why, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void
who_is_done_may_stay_for_the_idle_time(void **state)
{
	(void)state;
	(void)h2_peer_asks("GET", "/", "", NULL);
	fake_upstream_says(ANSWER);
	h2_peer_turn();
	h2_down_tick(h2_peer.down, later(350));
	h2_peer_turn();
	assert_false(h2_peer.gone_away);
	h2_down_tick(h2_peer.down, later(450));
	h2_peer_turn();
	assert_true(h2_peer.gone_away);
	assert_int_equal(h2_peer.why, NGHTTP2_NO_ERROR);
}

static void
an_answer_that_nobody_fetches_is_given_up(void **state)
{
	static char piece[32769];
	int32_t id;

	(void)state;
	memset(piece, 'd', 32768);
	h2_peer.no_window = true;
	id = h2_peer_asks("GET", "/", "", NULL);
	fake_upstream_says("HTTP/1.1 200 OK\r\nContent-Length: 98304\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		fake_upstream_says(piece);
		h2_peer_turn();
	}
	assert_string_equal(fake.ended[0].close, "done");
	assert_false(h2_peer_answer(id)->ended);
	h2_down_tick(h2_peer.down, later(450));
	h2_peer_turn();
	assert_int_equal(h2_peer_answer(id)->error, NGHTTP2_CANCEL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(streams_that_are_taken_back_at_once_are_counted),
		T(streams_that_it_has_us_reset_are_counted),
		T(a_head_in_many_parts_is_none),
		T(a_head_that_unpacks_beyond_measure_is_none),
		T(floods_of_what_costs_nothing_end_it),
		T(a_flood_of_empty_data_ends_it),
		T(a_flood_of_windows_ends_it),
		T(a_download_with_many_windows_is_none),
		T(pings_beside_what_is_sent_are_no_flood),
		T(more_streams_than_allowed_are_refused),
		T(a_users_share_holds_for_streams),
		T(an_id_that_was_passed_over_does_not_come_back),
		T(what_is_no_http2_is_closed),
		T(who_says_nothing_is_closed_as_without_a_head),
		T(a_head_that_does_not_end_is_not_waited_for),
		T(who_is_done_may_stay_for_the_idle_time),
		T(an_answer_that_nobody_fetches_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
