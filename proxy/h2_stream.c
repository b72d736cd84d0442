/* Between HTTP/2's frames and HTTP/1.1's bytes, with bounded buffers: what the
 * peer may send is bounded by its window, which opens as it is read here. */
#include "proxy/h2_stream.h"

#include <event2/event.h>

enum {
	CHUNK_BYTES = 16384,
	CHUNK_SLACK = 64,
	OUT_BYTES = 65536,
	TRAILERS_BYTES = 8192,
};

static const struct stream_ops h2_ops;

void
h2_stream_init(
    struct h2_stream *st, const struct h2_stream_params *params, int32_t id)
{
	*st = (struct h2_stream){ .session = params->session,
		.stirred = params->stirred,
		.fd = params->fd,
		.id = id };
	h2_request_init(&st->request, params->head_bytes);
	/* Thrice: both parts of a head at their longest, and what is added. */
	buf_init_secret(
	    &st->text, 3 * params->head_bytes + CHUNK_BYTES + CHUNK_SLACK);
	buf_init(&st->data, H2_STREAM_WINDOW_BYTES);
	buf_init(&st->trailers, TRAILERS_BYTES);
	buf_init(&st->out, OUT_BYTES);
}

void
h2_stream_release(struct h2_stream *st)
{
	h2_request_release(&st->request);
	h2_answer_release(&st->answer);
	buf_release(&st->text);
	buf_release(&st->data);
	buf_release(&st->trailers);
	buf_release(&st->out);
}

struct stream
h2_stream_attach(struct h2_stream *st)
{
	st->attached = true;
	return (struct stream){ .fd = st->fd, .ops = &h2_ops, .priv = st };
}

static void
stir(struct h2_stream *st)
{
	event_active(st->stirred, EV_TIMEOUT, 1);
}

static void
wake(struct event *ev, short what)
{
	if (ev != NULL && event_pending(ev, what, NULL) != 0)
		event_active(ev, what, 1);
}

/* Bytes that nobody will read count as read: the connection's window is for
 * the other streams too. */
static void
drop_data(struct h2_stream *st)
{
	if (st->data.n > 0)
		h2_session_consume(st->session, st->id, st->data.n);
	buf_release(&st->data);
}

void
h2_stream_reset(struct h2_stream *st, enum h2_error why)
{
	st->broken = st->broken || why != H2_NO_ERROR;
	if (st->gone)
		return;
	h2_session_reset(st->session, st->id, why);
	stir(st);
}

/* What the session tells. */

void
h2_stream_field(struct h2_stream *st, struct slice name, struct slice value)
{
	if (!st->head_put)
		h2_request_field(&st->request, name, value);
	else if (h2_field_is_sound(name, value))
		h2_trailer_put(&st->trailers, name, value);
}

enum status
h2_stream_head(struct h2_stream *st, bool ends)
{
	enum status st_put = OK;

	if (!st->head_put) {
		st->head_put = true;
		st_put = h2_request_put(&st->request, ends, &st->text);
		h2_answer_init(&st->answer, st->request.is_head);
		h2_request_release(&st->request);
	}
	if (ends)
		h2_stream_end(st);
	return st_put;
}

void
h2_stream_data(struct h2_stream *st, struct slice bytes)
{
	if (!st->attached) {
		h2_session_consume(st->session, st->id, bytes.n);
		return;
	}
	buf_put_slice(&st->data, bytes);
	if (buf_status(&st->data) != OK)
		h2_stream_reset(st, H2_INTERNAL_ERROR);
	wake(st->readable, EV_READ);
}

void
h2_stream_end(struct h2_stream *st)
{
	st->in_ended = true;
	wake(st->readable, EV_READ);
}

/* RFC 9113 8.1: the answer is whole, and the rest is not asked for. */
static void
stop_sender(struct h2_stream *st)
{
	if (st->out_ended && !st->in_ended && !st->attached)
		h2_stream_reset(st, H2_NO_ERROR);
}

static enum h2_more
pull_end(struct h2_stream *st)
{
	struct h2_field fields[H2_ANSWER_FIELDS_MAX];
	size_t n = h2_answer_trailers(&st->answer, fields);
	enum h2_more more = H2_MORE_NOTHING;

	if (n > 0 && h2_session_trailers(st->session, st->id, fields, n) == OK)
		more = H2_MORE_TRAILERS;
	st->out_ended = true;
	stop_sender(st);
	return more;
}

enum h2_more
h2_stream_pull(struct h2_stream *st, char *to, size_t room, size_t *n)
{
	struct slice left =
	    slice_head(slice_from(buf_slice(&st->out), st->pulled), room);

	if (left.n > 0)
		memcpy(to, left.p, left.n);
	*n = left.n;
	st->pulled += left.n;
	if (st->pulled < st->out.n)
		return H2_MORE_LATER;
	buf_clear(&st->out);
	st->pulled = 0;
	wake(st->writable, EV_WRITE);
	return st->answer.state == H2_ANSWER_DONE ? pull_end(st)
	                                          : H2_MORE_LATER;
}

bool
h2_stream_closed(struct h2_stream *st, uint32_t error)
{
	bool well = st->out_ended && !st->broken &&
	    (st->in_ended || error == H2_NO_ERROR);

	st->gone = true;
	st->broken = st->broken || !well;
	return well;
}

/* The stream's ways. */

static void
h2_watch(struct stream *s, struct event *readable, struct event *writable)
{
	struct h2_stream *st = s->priv;

	st->readable = readable;
	st->writable = writable;
}

/* The next bytes of the request, if there are any. */
static void
refill(struct h2_stream *st)
{
	struct slice piece = slice_head(buf_slice(&st->data), CHUNK_BYTES);
	bool chunked = st->request.chunked;

	if (st->text_read < st->text.n)
		return;
	buf_clear(&st->text);
	st->text_read = 0;
	if (piece.n > 0) {
		if (chunked)
			buf_printf(&st->text, "%zx\r\n", piece.n);
		buf_put_slice(&st->text, piece);
		if (chunked)
			buf_puts(&st->text, "\r\n");
		h2_session_consume(st->session, st->id, piece.n);
		stir(st);
		buf_consume(&st->data, piece.n);
	} else if (st->in_ended && !st->in_told) {
		st->in_told = true;
		if (!chunked)
			return;
		buf_puts(&st->text, "0\r\n");
		buf_put_slice(&st->text, buf_slice(&st->trailers));
		buf_puts(&st->text, "\r\n");
	}
}

static bool
has_bytes(const struct h2_stream *st)
{
	return st->text_read < st->text.n || st->data.n > 0 ||
	    (st->in_ended && !st->in_told);
}

static bool
h2_ready(const struct stream *s)
{
	const struct h2_stream *st = s->priv;

	return has_bytes(st) || st->in_ended || st->broken;
}

static enum status
h2_read(struct stream *s, char *to, size_t room, size_t *got)
{
	struct h2_stream *st = s->priv;

	if (st->broken)
		return E_IO;
	while (*got < room && has_bytes(st)) {
		struct slice left;

		refill(st);
		left =
		    slice_head(slice_from(buf_slice(&st->text), st->text_read),
		        room - *got);
		if (left.n > 0)
			memcpy(to + *got, left.p, left.n);
		*got += left.n;
		st->text_read += left.n;
		if (buf_status(&st->text) != OK ||
		    buf_status(&st->trailers) != OK)
			return E_IO;
	}
	s->more = has_bytes(st);
	s->eof = s->clean = *got == 0 && st->in_ended && !s->more;
	return OK;
}

static enum status
say_head(struct h2_stream *st, const struct h2_answer_head *head)
{
	bool bare = st->answer.state == H2_ANSWER_DONE;

	if (head->status < 200)
		return h2_session_inform(
		    st->session, st->id, head->fields, head->n);
	st->out_ended = bare;
	return h2_session_answer(st->session, st->id, head->fields, head->n,
	    bare ? H2_MORE_NOTHING : H2_MORE_LATER);
}

static enum status
write_body(struct h2_stream *st, struct slice b, size_t *used)
{
	enum status st_fed;

	buf_consume(&st->out, st->pulled);
	st->pulled = 0;
	if (st->out.n >= OUT_BYTES)
		return E_PARTIAL;
	b = slice_head(b, OUT_BYTES - st->out.n);
	st_fed = h2_answer_take_body(&st->answer, b, used, &st->out);
	if (st_fed == E_PARTIAL)
		return OK;
	return st_fed;
}

static enum status
write_some(struct h2_stream *st, struct slice b, size_t *used)
{
	struct h2_answer_head head;
	enum status result;

	if (st->answer.state == H2_ANSWER_BODY)
		return write_body(st, b, used);
	if (st->answer.state != H2_ANSWER_HEAD)
		return E_SYNTAX;
	result = h2_answer_take_head(&st->answer, b, used, &head);
	if (result == E_PARTIAL)
		return OK;
	return result == OK ? say_head(st, &head) : result;
}

static enum status
h2_write(struct stream *s, struct slice b, bool more_follows, size_t *put)
{
	struct h2_stream *st = s->priv;
	enum status result = OK;

	(void)more_follows;
	while (result == OK && *put < b.n && !st->broken && !st->gone) {
		size_t used = 0;

		result = write_some(st, slice_from(b, *put), &used);
		*put += used;
	}
	if (st->broken || st->gone)
		return E_IO;
	h2_session_resume(st->session, st->id);
	stir(st);
	return result == OK || result == E_PARTIAL ? result : E_IO;
}

/* Only where the end itself is the framing it is said by this. */
static void
h2_end(struct stream *s)
{
	struct h2_stream *st = s->priv;

	if (st->broken || st->gone || !h2_answer_end(&st->answer))
		return;
	h2_session_resume(st->session, st->id);
	stir(st);
}

static void
h2_abort(struct stream *s)
{
	h2_stream_reset(s->priv, H2_INTERNAL_ERROR);
}

static void
h2_release(struct stream *s)
{
	struct h2_stream *st = s->priv;

	st->attached = false;
	st->readable = st->writable = NULL;
	drop_data(st);
	if (st->gone)
		return;
	if (st->answer.state == H2_ANSWER_DONE)
		stop_sender(st);
	else if (!st->broken)
		h2_stream_reset(st, H2_INTERNAL_ERROR);
	stir(st);
}

static const struct stream_ops h2_ops = {
	.shares = true,
	.watch = h2_watch,
	.ready = h2_ready,
	.read = h2_read,
	.write = h2_write,
	.end = h2_end,
	.abort = h2_abort,
	.release = h2_release,
};
