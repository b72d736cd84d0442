/* What nghttp2 says, and what it is not asked to count. */
#include "proxy/h2_session_inside.h"

#include "base/wiping.h"

#include <stdlib.h>

enum {
	/* Heads come in one frame; who needs more of them has much to say. */
	CONTINUATIONS_MAX = 8,
	LIST_FACTOR = 8,     /* of what a head may have before all ends */
	FIELD_OVERHEAD = 32, /* RFC 9113 6.5.2 */
};

static bool
budget_spend(struct budget *b, int64_t now_ms)
{
	uint64_t more = (uint64_t)(now_ms - b->at_ms) * b->a_second / 1000;

	if (more > 0) {
		b->at_ms = now_ms;
		b->left = more >= b->most - b->left ? b->most
		                                    : b->left + (unsigned)more;
	}
	if (b->left == 0)
		return false;
	b->left--;
	return true;
}

struct budget
budget_of(unsigned most, unsigned a_second, int64_t now_ms)
{
	return (struct budget){ most, most, a_second, now_ms };
}

static int
too_much(struct h2_session *s)
{
	s->deaf = true;
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void *
stream_of(nghttp2_session *ng, int32_t id)
{
	return nghttp2_session_get_stream_user_data(ng, id);
}

/* RFC 9113 5.1.1. Frames may still come on what we have closed, but not on
 * what was never open: nghttp2 tells the two apart no more. */
static bool
is_passed_over(struct h2_session *s, int32_t id)
{
	if (id % 2 == 0)
		return false;
	if (id <= s->last_id)
		return id >= s->passed_from && id <= s->passed;
	if (id > s->last_id + 2) {
		s->passed_from = s->last_id + 1;
		s->passed = id - 2;
	}
	s->last_id = id;
	return false;
}

/* A frame's header: none of it costs its sender more than nine bytes. */
static int
on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2_session *s = arg;
	bool fits = true;

	s->data_bytes = 0;
	switch (hd->type) {
	case NGHTTP2_HEADERS:
		s->faulty = nghttp2_session_check_server_session(ng) != 0 &&
		    is_passed_over(s, hd->stream_id);
		fits = !s->faulty;
		s->continuations = 0;
		s->head_open = (hd->flags & NGHTTP2_FLAG_END_HEADERS) == 0;
		break;
	case NGHTTP2_CONTINUATION:
		fits = ++s->continuations <= CONTINUATIONS_MAX;
		s->head_open = (hd->flags & NGHTTP2_FLAG_END_HEADERS) == 0;
		break;
	case NGHTTP2_RST_STREAM:
		fits = budget_spend(&s->resets, s->now_ms);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		fits = budget_spend(&s->windows, s->now_ms);
		break;
	case NGHTTP2_DATA:
		break;
	default:
		fits = budget_spend(&s->chatter, s->now_ms);
	}
	return fits ? 0 : too_much(s);
}

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *s = arg;
	int32_t id = frame->hd.stream_id;
	void *stream;

	s->list_bytes = 0;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	stream = s->events->open(s->arg, id);
	if (stream == NULL)
		return nghttp2_submit_rst_stream(
		    ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
	return nghttp2_session_set_stream_user_data(ng, id, stream);
}

static struct slice
rcbuf_slice(nghttp2_rcbuf *b)
{
	nghttp2_vec v = nghttp2_rcbuf_get_buf(b);
	const void *at = v.base;

	return (struct slice){ .p = at, .n = v.len };
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
    nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct slice n = rcbuf_slice(name), v = rcbuf_slice(value);
	void *stream = stream_of(ng, frame->hd.stream_id);
	struct h2_session *s = arg;

	(void)flags;
	/* Whoever reads it refuses what is too long; this bounds the work, as
	 * a byte may stand for four thousand (RFC 7541). */
	s->list_bytes += n.n + v.n + FIELD_OVERHEAD;
	if (s->list_bytes > LIST_FACTOR * s->head_bytes_max)
		return too_much(s);
	if (stream != NULL)
		s->events->field(stream, n, v);
	return 0;
}

static int
on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	void *stream = stream_of(ng, frame->hd.stream_id);
	bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct h2_session *s = arg;

	if (frame->hd.type == NGHTTP2_DATA && !ends && s->data_bytes == 0 &&
	    !budget_spend(&s->chatter, s->now_ms))
		return too_much(s);
	if (stream == NULL)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS)
		s->events->head(stream, ends);
	else if (frame->hd.type == NGHTTP2_DATA && ends)
		s->events->end(stream);
	return 0;
}

/* What nghttp2 itself refuses costs as much as what the peer takes back: else
 * a flood of faults would pass for free. */
static int
on_invalid_frame(
    nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
	struct h2_session *s = arg;

	(void)ng;
	(void)error;
	if (frame->hd.type == NGHTTP2_HEADERS && s->events->malformed != NULL)
		s->events->malformed(s->arg);
	return budget_spend(&s->resets, s->now_ms) ? 0 : too_much(s);
}

static int
on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id,
    const uint8_t *data, size_t n, void *arg)
{
	const void *at = data;
	void *stream = stream_of(ng, id);
	struct h2_session *s = arg;

	(void)flags;
	s->data_bytes += n;
	if (stream == NULL)
		return nghttp2_session_consume(ng, id, n);
	s->events->data(stream, (struct slice){ .p = at, .n = n });
	return 0;
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error, void *arg)
{
	void *stream = stream_of(ng, id);
	struct h2_session *s = arg;

	(void)nghttp2_session_set_stream_user_data(ng, id, NULL);
	if (stream != NULL)
		s->events->closed(stream, error);
	return 0;
}

/* As many words on windows as there is something to take; and gRPC's clients
 * measure the way by a PING for each round trip that brought them bytes. */
static int
on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *s = arg;

	(void)ng;
	if (frame->hd.type <= NGHTTP2_HEADERS &&
	    s->chatter.left < s->chatter.most)
		s->chatter.left++;
	if (frame->hd.type == NGHTTP2_DATA &&
	    s->windows.left + 2 < s->windows.most)
		s->windows.left += 2;
	return 0;
}

/* Its shape is nghttp2's. */
ssize_t
h2_session_on_pull(nghttp2_session *ng, int32_t id, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	void *stream = stream_of(ng, id), *at = to;
	struct h2_session *s = arg;
	enum h2_more more = H2_MORE_LATER;
	size_t n = 0;

	(void)source;
	if (stream != NULL)
		more = s->events->pull(stream, at, room, &n);
	if (more == H2_MORE_LATER && n == 0)
		return NGHTTP2_ERR_DEFERRED;
	if (more != H2_MORE_LATER)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (more == H2_MORE_TRAILERS)
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return (ssize_t)n;
}

static void *
ng_malloc(size_t n, void *arg)
{
	(void)arg;
	return malloc(n);
}

static void
ng_free(void *p, void *arg)
{
	(void)arg;
	wiping_free(p);
}

static void *
ng_calloc(size_t count, size_t size, void *arg)
{
	(void)arg;
	return calloc(count, size);
}

static void *
ng_realloc(void *p, size_t n, void *arg)
{
	(void)arg;
	return wiping_realloc(p, n);
}

nghttp2_mem h2_session_mem = {
	.malloc = ng_malloc,
	.free = ng_free,
	.calloc = ng_calloc,
	.realloc = ng_realloc,
};

void
h2_session_set_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(
	    c, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(
	    c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
	    c, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
	    c, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(
	    c, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
}
