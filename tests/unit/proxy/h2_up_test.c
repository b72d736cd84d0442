/* HTTP/2 towards a destination: written and read as HTTP/1.1. */
#include "tests/unit/test.h"

#include "proxy/h2_up.h"

#include <event2/event.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD(method, more) \
	method " /p?q=1 HTTP/1.1\r\nHost: up.example\r\n" more "\r\n"

/* The destination: it notes what it is asked, and answers as it is told. */
static struct {
	nghttp2_session *ng;
	int fd;
	char fields[2048];
	char body[4096];
	size_t n;
	bool ended, was_reset;
	int32_t id;
	unsigned no_index;
	size_t answer_left;
	bool trailers;
} peer;

static struct stream up;
static char got[1 << 20];

static int
peer_header(nghttp2_session *ng, const nghttp2_frame *frame,
    nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	size_t at = strlen(peer.fields);

	(void)ng;
	(void)frame;
	(void)arg;
	if ((flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0)
		peer.no_index++;
	(void)snprintf(peer.fields + at, sizeof peer.fields - at, "%s: %s\n",
	    (const char *)nghttp2_rcbuf_get_buf(name).base,
	    (const char *)nghttp2_rcbuf_get_buf(value).base);
	return 0;
}

static int
peer_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p,
    size_t n, void *arg)
{
	(void)ng;
	(void)flags;
	(void)id;
	(void)arg;
	if (peer.n + n < sizeof peer.body)
		memcpy(peer.body + peer.n, p, n);
	peer.n += n;
	return 0;
}

static int
peer_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	(void)ng;
	(void)arg;
	if (frame->hd.stream_id != 0)
		peer.id = frame->hd.stream_id;
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		peer.was_reset = true;
	if (frame->hd.type <= NGHTTP2_HEADERS &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		peer.ended = true;
	return 0;
}

static int
set_up(void **state)
{
	nghttp2_session_callbacks *c;
	nghttp2_settings_entry window = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
		65535 };
	int fds[2];

	(void)state;
	memset(&peer, 0, sizeof peer);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	peer.fd = fds[1];
	assert_int_equal(
	    h2_up_start(stream_plain(fds[0]), &clock_system, &up), OK);
	assert_int_equal(nghttp2_session_callbacks_new(&c), 0);
	nghttp2_session_callbacks_set_on_header_callback2(c, peer_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, peer_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, peer_frame);
	assert_int_equal(nghttp2_session_server_new(&peer.ng, c, NULL), 0);
	nghttp2_session_callbacks_del(c);
	return nghttp2_submit_settings(peer.ng, NGHTTP2_FLAG_NONE, &window, 1);
}

static int
tear_down(void **state)
{
	(void)state;
	stream_end(&up);
	stream_close(&up);
	nghttp2_session_del(peer.ng);
	if (peer.fd >= 0)
		(void)close(peer.fd);
	return 0;
}

static void
peer_turn(void)
{
	uint8_t bytes[16384];
	const uint8_t *p;
	ssize_t n;

	while ((n = recv(peer.fd, bytes, sizeof bytes, 0)) > 0)
		assert_int_equal(
		    nghttp2_session_mem_recv(peer.ng, bytes, (size_t)n), n);
	while ((n = nghttp2_session_mem_send(peer.ng, &p)) > 0)
		assert_int_equal(send(peer.fd, p, (size_t)n, MSG_NOSIGNAL), n);
}

/* What has come by now, as text; borrowed. */
static const char *
hear(void)
{
	size_t at = 0, n = 1;

	for (int i = 0; i < 8; i++) {
		peer_turn();
		n = 1;
		while (n > 0 && at < sizeof got - 1) {
			if (stream_read(
			        &up, got + at, sizeof got - 1 - at, &n) != OK)
				n = 0;
			at += n;
		}
	}
	got[at] = '\0';
	return got;
}

static void
say(const char *text)
{
	size_t put = 0;

	assert_int_equal(stream_write(&up, slice_of(text), false, &put), OK);
	assert_int_equal(put, strlen(text));
	peer_turn();
}

static ssize_t
answer_on_pull(nghttp2_session *ng, int32_t id, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	uint8_t name[] = "grpc-status", value[] = "0";
	nghttp2_nv nv = { name, value, 11, 1, NGHTTP2_NV_FLAG_NONE };
	size_t n = room < peer.answer_left ? room : peer.answer_left;

	(void)source;
	(void)arg;
	memset(to, 'a', n);
	peer.answer_left -= n;
	if (peer.answer_left > 0)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (peer.trailers) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		assert_int_equal(nghttp2_submit_trailer(ng, id, &nv, 1), 0);
	}
	return (ssize_t)n;
}

/* @n < 0: no body at all. */
static void
answer(const char *status, const char *name, const char *value, long n)
{
	union {
		const char *text;
		uint8_t *bytes;
	} s = { status }, k = { name }, v = { value };

	uint8_t status_name[] = ":status";
	const nghttp2_nv nv[] = {
		{ status_name, s.bytes, 7, 3, 0 },
		{ k.bytes, v.bytes, strlen(name), strlen(value), 0 },
	};
	const nghttp2_data_provider body = { .read_callback = answer_on_pull };

	peer.answer_left = n < 0 ? 0 : (size_t)n;
	assert_int_equal(nghttp2_submit_response(
	                     peer.ng, peer.id, nv, 2, n < 0 ? NULL : &body),
	    0);
}

static void
a_request_and_its_answer_are_those_of_http1(void **state)
{
	(void)state;
	say(HEAD("GET", "X-One: 1\r\nConnection: x\r\nTE: gzip\r\n"));
	assert_string_equal(peer.fields,
	    ":method: GET\n:scheme: https\n:authority: up.example\n"
	    ":path: /p?q=1\nx-one: 1\n");
	assert_true(peer.ended);
	answer("200", "x-two", "2", 3);
	assert_string_equal(hear(),
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
		memset(peer.fields, 0, sizeof peer.fields);
		say(HEAD("GET", ""));
		answer("200", "content-length", "2", 2);
		assert_string_equal(
		    hear(), "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\naa");
		assert_int_equal(peer.id, 2 * i + 1);
	}
}

static void
bodies_lose_their_chunks_and_keep_their_trailers(void **state)
{
	(void)state;
	say(HEAD("POST",
	    "Content-Type: application/grpc\r\n"
	    "Transfer-Encoding: chunked\r\n"));
	assert_non_null(strstr(peer.fields, "te: trailers\n"));
	assert_null(strstr(peer.fields, "transfer-encoding"));
	say("3\r\nabc\r\n");
	assert_int_equal(peer.n, 3);
	assert_false(peer.ended);
	peer.trailers = true;
	answer("200", "x", "y", 2);
	assert_non_null(
	    strstr(hear(), "2\r\naa\r\n0\r\ngrpc-status: 0\r\n\r\n"));
	say("2\r\nde\r\n0\r\n\r\n");
	assert_true(peer.ended);
	assert_memory_equal(peer.body, "abcde", 5);
}

static void
an_answer_of_a_head_alone_has_no_body(void **state)
{
	(void)state;
	say(HEAD("GET", ""));
	answer("200", "grpc-status", "12", -1);
	assert_string_equal(hear(),
	    "HTTP/1.1 200 \r\ngrpc-status: 12\r\ncontent-length: 0\r\n\r\n");
	say(HEAD("GET", ""));
	answer("304", "x", "y", -1);
	assert_string_equal(hear(), "HTTP/1.1 304 \r\nx: y\r\n\r\n");
	say(HEAD("HEAD", ""));
	answer("200", "content-length", "9", -1);
	assert_string_equal(
	    hear(), "HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\n");
}

static void
a_credential_stays_out_of_what_is_remembered(void **state)
{
	(void)state;
	say(HEAD("GET", "Authorization: Bearer t0ken\r\nX: 1\r\n"));
	assert_non_null(strstr(peer.fields, "authorization: Bearer t0ken\n"));
	assert_int_equal(peer.no_index, 1);
}

static void
what_the_window_holds_back_waits_for_it_and_not_for_room(void **state)
{
	static char body[300001];
	size_t sent = 0;

	(void)state;
	memset(body, 'b', 300000);
	say(HEAD("POST", "Content-Length: 300000\r\n"));
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
		(void)hear();
	}
	assert_int_equal(sent, 300000);
	(void)hear();
	assert_int_equal(peer.n, 300000);
	assert_true(peer.ended);
}

static void
a_long_answer_comes_as_it_is_read(void **state)
{
	size_t n = 0, all = 0;
	char piece[1000];

	(void)state;
	say(HEAD("GET", ""));
	answer("200", "content-length", "500000", 500000);
	for (int i = 0; i < 3000 && all < 500000; i++) {
		peer_turn();
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
	say(HEAD("GET", ""));
	(void)nghttp2_submit_rst_stream(
	    peer.ng, NGHTTP2_FLAG_NONE, peer.id, NGHTTP2_INTERNAL_ERROR);
	peer_turn();
	assert_int_equal(stream_read(&up, got, sizeof got, &n), E_IO);
}

static void
who_goes_away_serves_no_more(void **state)
{
	size_t n = 0;

	(void)state;
	say(HEAD("GET", ""));
	answer("200", "content-length", "2", 2);
	(void)hear();
	(void)nghttp2_submit_goaway(
	    peer.ng, NGHTTP2_FLAG_NONE, peer.id, NGHTTP2_NO_ERROR, NULL, 0);
	peer_turn();
	assert_int_equal(stream_read(&up, got, sizeof got, &n), OK);
	assert_int_equal(n, 0);
	assert_true(up.eof);
}

static void
an_end_in_the_middle_is_no_clean_one(void **state)
{
	size_t n = 0;

	(void)state;
	say(HEAD("GET", ""));
	answer("200", "content-length", "9", 2);
	(void)hear();
	(void)close(peer.fd);
	peer.fd = -1;
	assert_true(stream_read(&up, got, sizeof got, &n) == E_IO || up.eof);
	assert_false(up.clean);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
