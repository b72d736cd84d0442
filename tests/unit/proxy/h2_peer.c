/* The client's end of HTTP/2, and the counts that all workers share. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/h2_peer.h"

#include "proxy/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct h2_peer h2_peer;

static bool upload_trailers;

struct proxy_shared *
worker_shared(struct proxy_worker *w)
{
	(void)w;
	return NULL;
}

unsigned
worker_uid_share(struct proxy_worker *w)
{
	(void)w;
	return h2_peer.uid_share;
}

unsigned
shared_ceiling(struct proxy_shared *s, unsigned configured)
{
	(void)s;
	(void)configured;
	return 50;
}

unsigned
shared_enter(struct proxy_shared *s)
{
	(void)s;
	return ++h2_peer.entered;
}

void
shared_leave(struct proxy_shared *s)
{
	(void)s;
	assert_true(h2_peer.entered > 0);
	h2_peer.entered--;
}

enum status
shared_enter_uid(struct proxy_shared *s, uint32_t uid, unsigned *count)
{
	(void)s;
	assert_int_equal(uid, 1);
	*count = ++h2_peer.entered_uid;
	return OK;
}

void
shared_leave_uid(struct proxy_shared *s, uint32_t uid)
{
	(void)s;
	(void)uid;
	assert_true(h2_peer.entered_uid > 0);
	h2_peer.entered_uid--;
}

void
refusal_note(const struct request_refusal *what)
{
	h2_peer.noted++;
	h2_peer.noted_code = what->code;
}

static struct h2_answered *
find(int32_t id)
{
	for (size_t i = 0; i < h2_peer.n_streams; i++)
		if (h2_peer.streams[i].id == id)
			return &h2_peer.streams[i];
	return NULL;
}

const struct h2_answered *
h2_peer_answer(int32_t id)
{
	const struct h2_answered *a = find(id);

	assert_non_null(a);
	return a;
}

static void
append(char *to, size_t room, const char *name, const char *value)
{
	size_t at = strlen(to);

	(void)snprintf(to + at, room - at, "%s: %s\n", name, value);
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
    nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct h2_answered *a = find(frame->hd.stream_id);
	const void *n = nghttp2_rcbuf_get_buf(name).base;
	const void *v = nghttp2_rcbuf_get_buf(value).base;
	const char *text = v;

	(void)ng;
	(void)flags;
	(void)arg;
	if (a == NULL)
		return 0;
	if (strcmp(n, ":status") == 0 && text[0] == '1')
		(void)strncat(a->interim, text,
		    sizeof a->interim - strlen(a->interim) - 1);
	else if (strcmp(n, ":status") == 0)
		(void)snprintf(a->status, sizeof a->status, "%.3s", text);
	else if (a->status[0] == '\0')
		return 0;
	else if (frame->headers.cat == NGHTTP2_HCAT_HEADERS && a->n > 0)
		append(a->trailers, sizeof a->trailers, n, v);
	else
		append(a->head, sizeof a->head, n, v);
	return 0;
}

static int
on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p,
    size_t n, void *arg)
{
	struct h2_answered *a = find(id);

	(void)flags;
	(void)arg;
	if (!h2_peer.no_window)
		(void)nghttp2_session_consume(ng, id, n);
	if (a == NULL)
		return 0;
	if (a->body == NULL)
		a->body = calloc(1, H2_PEER_BODY + 1);
	assert_non_null(a->body);
	assert_true(a->n + n <= H2_PEER_BODY);
	memcpy(a->body + a->n, p, n);
	a->n += n;
	return 0;
}

static int
on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_answered *a = find(frame->hd.stream_id);

	(void)ng;
	(void)arg;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		h2_peer.gone_away = true;
		h2_peer.why = frame->goaway.error_code;
	}
	if (a != NULL && frame->hd.type <= NGHTTP2_HEADERS &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		a->ended = true;
	if (a != NULL && frame->hd.type == NGHTTP2_RST_STREAM)
		a->error = frame->rst_stream.error_code;
	return 0;
}

static int
on_close(nghttp2_session *ng, int32_t id, uint32_t error, void *arg)
{
	struct h2_answered *a = find(id);

	(void)ng;
	(void)arg;
	if (a != NULL)
		a->closed = true;
	if (a != NULL && a->error == 0)
		a->error = error;
	return 0;
}

static void
on_done(void *arg)
{
	(void)arg;
	h2_peer.done = true;
	h2_peer.down = NULL;
}

static void
start_client(void)
{
	nghttp2_session_callbacks *c;
	nghttp2_option *o;

	assert_int_equal(nghttp2_session_callbacks_new(&c), 0);
	assert_int_equal(nghttp2_option_new(&o), 0);
	nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
	nghttp2_option_set_no_auto_window_update(o, 1);
	assert_int_equal(
	    nghttp2_session_client_new2(&h2_peer.ng, c, NULL, o), 0);
	nghttp2_option_del(o);
	nghttp2_session_callbacks_del(c);
	assert_int_equal(
	    nghttp2_submit_settings(h2_peer.ng, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

void
h2_peer_start(void)
{
	struct forward_params params = { .worker = (void *)&fake,
		.peer = &fake_peer,
		.listener = "127.0.0.1:3190",
		.protocol = REQUEST_GATEWAY };

	memset(&h2_peer, 0, sizeof h2_peer);
	h2_peer.uid_share = 40;
	params.stream = stream_plain(fake_prepare());
	fake.keep_upstreams = true;
	fake.snapshot.limits.h2_streams = 8;
	h2_peer.down = h2_down_start(&params, on_done, NULL);
	assert_non_null(h2_peer.down);
	start_client();
	h2_peer_turn();
}

void
h2_peer_stop(void)
{
	if (h2_peer.down != NULL)
		h2_down_stop(h2_peer.down, CLOSE_DRAIN);
	nghttp2_session_del(h2_peer.ng);
	for (size_t i = 0; i < h2_peer.n_streams; i++)
		free(h2_peer.streams[i].body);
	fake_stop();
	assert_int_equal(h2_peer.entered, 0);
	assert_int_equal(h2_peer.entered_uid, 0);
}

static bool
hear(void)
{
	static uint8_t bytes[65536];
	ssize_t n = recv(fake.client_fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		h2_peer.at_end = true;
	if (n <= 0)
		return false;
	(void)nghttp2_session_mem_recv(h2_peer.ng, bytes, (size_t)n);
	return true;
}

static bool
say(void)
{
	const uint8_t *p;
	ssize_t n = nghttp2_session_mem_send(h2_peer.ng, &p);

	if (n <= 0)
		return false;
	h2_peer_says(p, (size_t)n);
	return true;
}

void
h2_peer_turn(void)
{
	bool moved = true;

	while (moved) {
		moved = say();
		fake_turn();
		moved = hear() || moved;
	}
}

void
h2_peer_says(const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t k = send(fake.client_fd, at, n, MSG_NOSIGNAL);
		if (k < 0 && errno != EAGAIN) {
			h2_peer.at_end = true;
			return;
		}
		if (k > 0) {
			at += k;
			n -= (size_t)k;
		}
		fake_turn();
		if (k < 0)
			(void)hear();
	}
}

void
h2_peer_frame(uint8_t type, uint8_t flags, int32_t id, const void *p, size_t n)
{
	const uint8_t head[] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		(uint8_t)n, type, flags, (uint8_t)(id >> 24),
		(uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };

	h2_peer_says(head, sizeof head);
	h2_peer_says(p, n);
}

static ssize_t
text_on_pull(nghttp2_session *ng, int32_t id, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	const char *text = source->ptr;
	size_t n = strlen(text);

	(void)ng;
	(void)id;
	(void)arg;
	assert_true(n <= room);
	memcpy(to, text, n);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static ssize_t
upload_on_pull(nghttp2_session *ng, int32_t id, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	uint8_t name[] = "x-sum", value[] = "7";
	nghttp2_nv nv = { name, value, 5, 1, NGHTTP2_NV_FLAG_NONE };
	size_t n = room < h2_peer.upload_left ? room : h2_peer.upload_left;

	(void)source;
	(void)arg;
	memset(to, 'u', n);
	h2_peer.upload_left -= n;
	if (h2_peer.upload_left > 0)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (upload_trailers) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		assert_int_equal(nghttp2_submit_trailer(ng, id, &nv, 1), 0);
	}
	return (ssize_t)n;
}

/* "name: value\n" of each; the names of pseudo fields begin with a colon. */
static int32_t
submit(const char *fields, const nghttp2_data_provider *body)
{
	static uint8_t text[65536];
	nghttp2_nv nv[120];
	size_t n = 0, used = 0;
	int32_t id;

	for (const char *line = fields; *line != '\0';) {
		size_t end = strcspn(line, "\n");
		size_t colon = 1 + strcspn(line + 1, ":");
		assert_true(n < ARRAY_LEN(nv) && used + end < sizeof text);
		memcpy(text + used, line, end);
		nv[n++] = (nghttp2_nv){ text + used, text + used + colon + 2,
			colon, end - colon - 2, NGHTTP2_NV_FLAG_NONE };
		used += end;
		line += end + (line[end] == '\n');
	}
	id = nghttp2_submit_request(h2_peer.ng, NULL, nv, n, body, NULL);
	assert_true(id > 0);
	if (h2_peer.n_streams < H2_PEER_STREAMS)
		h2_peer.streams[h2_peer.n_streams++].id = id;
	h2_peer_turn();
	return id;
}

int32_t
h2_peer_asks_plainly(const char *fields, const char *body)
{
	union {
		const char *text;
		void *ptr;
	} at = { body };

	const nghttp2_data_provider data = { .source.ptr = at.ptr,
		.read_callback = text_on_pull };

	return submit(fields, body == NULL ? NULL : &data);
}

static void
put_fields(char *to, size_t room, const char *method, const char *path,
    const char *more)
{
	(void)snprintf(to, room,
	    ":method: %s\n:scheme: https\n:authority: 127.0.0.1:3190\n"
	    ":path: %s\n%s",
	    method, path, more);
}

int32_t
h2_peer_asks(
    const char *method, const char *path, const char *more, const char *body)
{
	static char fields[65536];

	put_fields(fields, sizeof fields, method, path, more);
	return h2_peer_asks_plainly(fields, body);
}

int32_t
h2_peer_uploads(const char *more, size_t n, bool trailers)
{
	const nghttp2_data_provider data = { .read_callback = upload_on_pull };
	char fields[1024];

	h2_peer.upload_left = n;
	upload_trailers = trailers;
	put_fields(fields, sizeof fields, "POST", "/up", more);
	return submit(fields, &data);
}
