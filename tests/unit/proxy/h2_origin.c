/* The destination's end of HTTP/2: it answers as it is told. */
#include "tests/unit/proxy/h2_origin.h"

#include "proxy/h2_up.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct h2_origin origin;
struct stream up;
char up_got[UP_GOT_BYTES];

char
origin_letter(size_t at)
{
	return (char)('A' + at % 23 + at / 4096 % 11);
}

static int
peer_header(nghttp2_session *ng, const nghttp2_frame *frame,
    nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	size_t at = strlen(origin.fields);

	(void)ng;
	(void)frame;
	(void)arg;
	if ((flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0)
		origin.no_index++;
	(void)snprintf(origin.fields + at, sizeof origin.fields - at,
	    "%s: %s\n", (const char *)nghttp2_rcbuf_get_buf(name).base,
	    (const char *)nghttp2_rcbuf_get_buf(value).base);
	return 0;
}

static int
peer_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p,
    size_t n, void *arg)
{
	(void)flags;
	(void)arg;
	if (origin.n + n < sizeof origin.body)
		memcpy(origin.body + origin.n, p, n);
	for (size_t i = 0; i < n; i++)
		origin.wrong += p[i] != (uint8_t)origin_letter(origin.n + i);
	origin.n += n;
	if (origin.holds)
		return nghttp2_session_consume_connection(ng, n);
	return nghttp2_session_consume(ng, id, n);
}

static int
peer_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	(void)ng;
	(void)arg;
	if (frame->hd.stream_id != 0)
		origin.id = frame->hd.stream_id;
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		origin.was_reset = true;
	if (frame->hd.type <= NGHTTP2_HEADERS &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		origin.ended = true;
	return 0;
}

int
origin_set_up(void **state)
{
	nghttp2_session_callbacks *c;
	nghttp2_option *o;
	nghttp2_settings_entry window = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
		65535 };
	int fds[2];

	(void)state;
	memset(&origin, 0, sizeof origin);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	origin.fd = fds[1];
	assert_int_equal(
	    h2_up_start(stream_plain(fds[0]), &clock_system, &up), OK);
	assert_int_equal(nghttp2_session_callbacks_new(&c), 0);
	nghttp2_session_callbacks_set_on_header_callback2(c, peer_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, peer_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, peer_frame);
	assert_int_equal(nghttp2_option_new(&o), 0);
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_max_send_header_block_length(o, 1 << 20);
	assert_int_equal(
	    nghttp2_session_server_new2(&origin.ng, c, NULL, o), 0);
	nghttp2_option_del(o);
	nghttp2_session_callbacks_del(c);
	return nghttp2_submit_settings(
	    origin.ng, NGHTTP2_FLAG_NONE, &window, 1);
}

int
origin_tear_down(void **state)
{
	(void)state;
	stream_end(&up);
	stream_close(&up);
	nghttp2_session_del(origin.ng);
	if (origin.fd >= 0)
		(void)close(origin.fd);
	return 0;
}

void
origin_turn(void)
{
	uint8_t bytes[16384];
	const uint8_t *p;
	ssize_t n;

	while ((n = recv(origin.fd, bytes, sizeof bytes, 0)) > 0)
		assert_int_equal(
		    nghttp2_session_mem_recv(origin.ng, bytes, (size_t)n), n);
	while ((n = nghttp2_session_mem_send(origin.ng, &p)) > 0)
		assert_int_equal(
		    send(origin.fd, p, (size_t)n, MSG_NOSIGNAL), n);
}

const char *
up_heard(void)
{
	size_t at = 0, n = 1;

	for (int i = 0; i < 8; i++) {
		origin_turn();
		n = 1;
		while (n > 0 && at < sizeof up_got - 1) {
			if (stream_read(&up, up_got + at,
			        sizeof up_got - 1 - at, &n) != OK)
				n = 0;
			at += n;
		}
	}
	up_got[at] = '\0';
	return up_got;
}

void
up_say(const char *text)
{
	size_t put = 0;

	assert_int_equal(stream_write(&up, slice_of(text), false, &put), OK);
	assert_int_equal(put, strlen(text));
	origin_turn();
}

void
origin_submit_large(int32_t id, bool trailers)
{
	static uint8_t large[4000];
	uint8_t status[] = ":status", ok[] = "200", one[] = "x-large",
	        last[] = "grpc-status", zero[] = "0";
	nghttp2_nv nv[20] = { { status, ok, 7, 3, NGHTTP2_NV_FLAG_NONE } };
	size_t n = trailers ? 4 : 19;

	memset(large, 'l', sizeof large);
	for (size_t i = 1; i < n; i++)
		nv[i] = (nghttp2_nv){ one, large, 7, sizeof large,
			NGHTTP2_NV_FLAG_NONE };
	nv[n] = (nghttp2_nv){ last, zero, 11, 1, NGHTTP2_NV_FLAG_NONE };
	assert_int_equal(trailers
	        ? nghttp2_submit_trailer(origin.ng, id, nv + 1, n)
	        : nghttp2_submit_response(origin.ng, id, nv, n + 1, NULL),
	    0);
}

static ssize_t
answer_on_pull(nghttp2_session *ng, int32_t id, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	uint8_t name[] = "grpc-status", value[] = "0";
	nghttp2_nv nv = { name, value, 11, 1, NGHTTP2_NV_FLAG_NONE };
	size_t n = room < origin.answer_left ? room : origin.answer_left;

	(void)source;
	(void)arg;
	memset(to, 'a', n);
	origin.answer_left -= n;
	if (origin.answer_left > 0)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (origin.large) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		origin_submit_large(id, true);
	} else if (origin.trailers) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		assert_int_equal(nghttp2_submit_trailer(ng, id, &nv, 1), 0);
	}
	return (ssize_t)n;
}

void
origin_answers(const char *status, const char *name, const char *value, long n)
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

	origin.answer_left = n < 0 ? 0 : (size_t)n;
	assert_int_equal(nghttp2_submit_response(
	                     origin.ng, origin.id, nv, 2, n < 0 ? NULL : &body),
	    0);
}

size_t
up_offer(size_t at, size_t end)
{
	static char body[1 << 16];
	size_t n = end - at < sizeof body ? end - at : sizeof body, put = 0;
	enum status st;

	for (size_t i = 0; i < n; i++)
		body[i] = origin_letter(at + i);
	st = stream_write(&up, (struct slice){ body, n }, false, &put);
	assert_true(st == OK || st == E_PARTIAL);
	return at + put;
}
