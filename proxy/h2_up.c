/* One HTTP/2 connection to a destination, one message at a time. */
#include "proxy/h2_up.h"

#include "proxy/forward_body.h"
#include "proxy/h2_ask.h"
#include "proxy/h2_request.h"

#include <stdlib.h>

enum {
	HEAD_BYTES_MAX = 1 << 20,
	UP_BYTES = 65536,
	ENOUGH_BYTES = 32768,
	OUT_BYTES_MAX = 2 * 65536 + ENOUGH_BYTES,
	CHUNK_BYTES = 16384,
	TRAILERS_BYTES = 8192,
	TEXT_BYTES_MAX = 4 * 65536,
	READ_BYTES = 16384,
	RESPONSE_HEAD_BYTES = 65536,
	TURNS = 8,
};

enum up_state {
	UP_HEAD, /* a request's head is awaited */
	UP_BODY,
	UP_SAID, /* all of it was taken */
};

struct h2_up {
	struct stream under;
	struct h2_session *session;
	const struct clock *clock;
	struct buf out; /* secret: frames */
	size_t sent;
	/* What is written. */
	enum up_state state;
	struct buf head; /* secret */
	struct http1_scan scan;
	struct forward_body body;
	struct buf up; /* body that is to be pulled */
	size_t pulled;
	int32_t id; /* of the last stream; 0: none yet */
	bool open;  /* the session knows it */
	bool to_head;
	/* What is read. */
	struct h2_told told;
	struct buf text;
	size_t text_read;
	struct buf data, trailers;
	bool answered, chunked, ended, end_told;
	bool broken;
};

static const struct stream_ops up_ops;

/* What the session tells. */

static void
on_field(void *stream, struct slice name, struct slice value)
{
	struct h2_up *u = stream;

	if (!u->answered)
		h2_told_field(&u->told, name, value);
	else if (h2_field_is_sound(name, value))
		h2_trailer_put(&u->trailers, name, value);
}

static void
on_head(void *stream, bool ends)
{
	struct h2_up *u = stream;
	bool interim = false;

	if (!u->answered) {
		if (h2_told_put(&u->told, ends, u->to_head, &u->text,
		        &u->chunked, &interim) != OK)
			u->broken = true;
		u->answered = !interim;
	}
	u->ended = u->ended || ends;
}

static void
on_data(void *stream, struct slice bytes)
{
	struct h2_up *u = stream;

	buf_put_slice(&u->data, bytes);
	if (buf_status(&u->data) != OK)
		u->broken = true;
}

static void
on_end(void *stream)
{
	struct h2_up *u = stream;

	u->ended = true;
}

static enum h2_more
on_pull(void *stream, char *to, size_t room, size_t *n)
{
	struct h2_up *u = stream;
	struct slice left =
	    slice_head(slice_from(buf_slice(&u->up), u->pulled), room);

	if (left.n > 0)
		memcpy(to, left.p, left.n);
	*n = left.n;
	u->pulled += left.n;
	if (u->pulled < u->up.n)
		return H2_MORE_LATER;
	buf_clear(&u->up);
	u->pulled = 0;
	return u->state == UP_SAID ? H2_MORE_NOTHING : H2_MORE_LATER;
}

/* One that answers all and wants no more of the request says so with no error
 * (RFC 9113 8.1). */
static void
on_closed(void *stream, uint32_t error)
{
	struct h2_up *u = stream;

	(void)error;
	u->open = false;
	if (!u->ended)
		u->broken = true;
}

static const struct h2_events up_events = {
	.field = on_field,
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.pull = on_pull,
	.closed = on_closed,
};

/* Bytes of the session go to the socket as it takes them. */
static enum status
up_send(struct h2_up *u)
{
	enum status st = OK;

	for (unsigned turn = 0; turn < TURNS && st == OK; turn++) {
		struct slice left;
		size_t put = 0;

		if (u->out.n - u->sent < ENOUGH_BYTES &&
		    h2_session_pull(
		        u->session, &u->out, u->out.n + ENOUGH_BYTES) != OK)
			return E_NOMEM;
		left = slice_from(buf_slice(&u->out), u->sent);
		if (left.n == 0)
			return OK;
		st = stream_write(&u->under, left, false, &put);
		u->sent += put;
		if (st == OK) {
			buf_clear(&u->out);
			u->sent = 0;
		}
	}
	return st == OK || st == E_PARTIAL ? E_PARTIAL : st;
}

static bool
up_owes(const struct stream *s)
{
	const struct h2_up *u = s->priv;

	return u->sent < u->out.n;
}

/* A message is over when both halves are; then the next may come. */
static void
begin_message(struct h2_up *u)
{
	/* Its last answer was whole by its length, and no end was said. */
	if (u->open) {
		h2_session_forget(u->session, u->id);
		h2_session_reset(u->session, u->id, H2_CANCEL);
		u->open = false;
	}
	u->state = UP_HEAD;
	buf_clear(&u->head);
	u->scan = (struct http1_scan){ 0 };
	buf_clear(&u->trailers);
	u->answered = u->chunked = u->ended = u->end_told = false;
}

static enum status
up_request(struct h2_up *u)
{
	struct h2_ask ask;
	enum status st;
	bool bare;

	if (h2_ask_read(&u->head, &ask) != OK)
		return E_SYNTAX;
	bare = ask.framing.body == HTTP1_BODY_NONE ||
	    (ask.framing.body == HTTP1_BODY_LENGTH && ask.framing.length == 0);
	forward_body_release(&u->body);
	forward_body_init(&u->body, &ask.framing, false);
	u->to_head = ask.is_head;
	u->state = bare ? UP_SAID : UP_BODY;
	st = h2_session_request(u->session, ask.fields, ask.n,
	    bare ? H2_MORE_NOTHING : H2_MORE_LATER, u, &u->id);
	u->open = st == OK;
	return st;
}

static enum status
take_head(struct h2_up *u, struct slice b, size_t *used)
{
	size_t before = u->head.n, end = 0;
	struct http1_error error;
	enum status st;

	b = slice_head(b, u->head.max - before);
	buf_put_slice(&u->head, b);
	*used = b.n;
	st = buf_status(&u->head);
	if (st == OK)
		st = http1_request_head_end(buf_slice(&u->head),
		    HEAD_BYTES_MAX / 2, &u->scan, &end, &error);
	if (st == E_PARTIAL)
		return OK;
	if (st != OK)
		return st;
	*used = end - before;
	u->head.n = end;
	st = up_request(u);
	/* The session has copied it. */
	buf_clear(&u->head);
	return st;
}

static enum status
take_body(struct h2_up *u, struct slice b, size_t *used)
{
	enum status st;

	buf_consume(&u->up, u->pulled);
	u->pulled = 0;
	if (u->up.n >= UP_BYTES)
		return E_PARTIAL;
	b = slice_head(b, UP_BYTES - u->up.n);
	st = forward_body_feed(&u->body, b, used, &u->up);
	if (st == OK)
		u->state = UP_SAID;
	/* Who has closed it already has no use for it. */
	if (!u->open)
		buf_clear(&u->up);
	else
		h2_session_resume(u->session, u->id);
	return st == E_PARTIAL ? OK : st;
}

static bool
has_text(const struct h2_up *u)
{
	return u->text_read < u->text.n || u->data.n > 0 ||
	    (u->ended && !u->end_told);
}

static enum status
up_write(struct stream *s, struct slice b, bool more_follows, size_t *put)
{
	struct h2_up *u = s->priv;
	enum status st = OK;

	(void)more_follows;
	if (u->state == UP_SAID && b.n > 0 && u->answered && !has_text(u))
		begin_message(u);
	while (st == OK && *put < b.n && !u->broken) {
		size_t used = 0;

		if (u->state == UP_SAID)
			return E_IO;
		st = u->state == UP_HEAD
		    ? take_head(u, slice_from(b, *put), &used)
		    : take_body(u, slice_from(b, *put), &used);
		*put += used;
		if (st == E_PARTIAL && up_send(u) != E_IO &&
		    u->up.n - u->pulled < UP_BYTES)
			st = OK;
	}
	if (u->broken || (st != OK && st != E_PARTIAL) || up_send(u) == E_IO)
		return E_IO;
	/* For a window, and not for room. */
	s->write_waits_read = st == E_PARTIAL && !up_owes(s);
	return st;
}

/* The next bytes of the answer, if there are any. */
static void
refill(struct h2_up *u)
{
	struct slice piece = slice_head(buf_slice(&u->data), CHUNK_BYTES);

	if (u->text_read < u->text.n)
		return;
	buf_clear(&u->text);
	u->text_read = 0;
	if (piece.n > 0) {
		if (u->chunked)
			buf_printf(&u->text, "%zx\r\n", piece.n);
		buf_put_slice(&u->text, piece);
		if (u->chunked)
			buf_puts(&u->text, "\r\n");
		h2_session_consume(u->session, u->id, piece.n);
		buf_consume(&u->data, piece.n);
	} else if (u->ended && !u->end_told) {
		u->end_told = true;
		if (!u->chunked)
			return;
		buf_puts(&u->text, "0\r\n");
		buf_put_slice(&u->text, buf_slice(&u->trailers));
		buf_puts(&u->text, "\r\n");
	}
}

static void
give_text(struct h2_up *u, char *to, size_t room, size_t *got)
{
	while (*got < room && has_text(u)) {
		struct slice left;

		refill(u);
		left = slice_head(
		    slice_from(buf_slice(&u->text), u->text_read), room - *got);
		if (left.n > 0)
			memcpy(to + *got, left.p, left.n);
		*got += left.n;
		u->text_read += left.n;
	}
	if (buf_status(&u->text) != OK || buf_status(&u->trailers) != OK)
		u->broken = true;
}

/* OK: bytes came. E_PARTIAL: none now. E_CLOSED: the end. E_IO. */
static enum status
up_hear(struct stream *s)
{
	struct h2_up *u = s->priv;
	struct slice in = { .n = 0 };
	char bytes[READ_BYTES];

	if (stream_read(&u->under, bytes, sizeof bytes, &in.n) != OK)
		return E_IO;
	s->read_waits_write = u->under.read_waits_write;
	in.p = bytes;
	if (in.n > 0)
		return h2_session_feed(
		           u->session, in, clock_boot_ms(u->clock)) == OK
		    ? OK
		    : E_IO;
	return u->under.eof ? E_CLOSED : E_PARTIAL;
}

static enum status
up_read(struct stream *s, char *to, size_t room, size_t *got)
{
	struct h2_up *u = s->priv;
	enum status st = OK, sent;

	give_text(u, to, room, got);
	while (*got == 0 && st == OK && !u->broken) {
		st = up_hear(s);
		give_text(u, to, room, got);
	}
	sent = up_send(u);
	s->more = has_text(u) || (st == OK && u->under.more);
	if (*got > 0)
		return OK;
	if (u->broken || st == E_IO || sent == E_IO || sent == E_NOMEM)
		return E_IO;
	/* Said away, it takes no more (RFC 9113 6.8). */
	s->eof = st == E_CLOSED || h2_session_is_over(u->session);
	return OK;
}

static void
up_end(struct stream *s)
{
	struct h2_up *u = s->priv;

	if (u->broken)
		return;
	h2_session_terminate(u->session, H2_NO_ERROR);
	(void)up_send(u);
	if (u->sent == u->out.n)
		stream_end(&u->under);
}

static void
up_abort(struct stream *s)
{
	struct h2_up *u = s->priv;

	u->broken = true;
	u->under.ops->abort(&u->under);
}

static void
up_free(struct h2_up *u)
{
	h2_session_destroy(u->session);
	buf_release(&u->out);
	buf_release(&u->head);
	forward_body_release(&u->body);
	buf_release(&u->up);
	h2_told_release(&u->told);
	buf_release(&u->text);
	buf_release(&u->data);
	buf_release(&u->trailers);
	free(u);
}

/* The socket is closed by whoever has the outer stream. */
static void
up_release(struct stream *s)
{
	struct h2_up *u = s->priv;

	u->under.ops->release(&u->under);
	up_free(u);
}

static const struct stream_ops up_ops = {
	.owes = up_owes,
	.read = up_read,
	.write = up_write,
	.end = up_end,
	.abort = up_abort,
	.release = up_release,
};

enum status
h2_up_start(struct stream under, const struct clock *clock, struct stream *out)
{
	struct h2_up *u = calloc(1, sizeof *u);
	const struct h2_session_params params = { .events = &up_events,
		.arg = u,
		.head_bytes_max = RESPONSE_HEAD_BYTES,
		.now_ms = clock_boot_ms(clock) };

	if (u == NULL || h2_session_connect(&params, &u->session) != OK) {
		free(u);
		stream_close(&under);
		return E_NOMEM;
	}
	u->under = under;
	u->clock = clock;
	buf_init_secret(&u->out, OUT_BYTES_MAX);
	buf_init_secret(&u->head, HEAD_BYTES_MAX);
	buf_init(&u->up, UP_BYTES);
	h2_told_init(&u->told);
	buf_init(&u->text, TEXT_BYTES_MAX);
	buf_init(&u->data, H2_STREAM_WINDOW_BYTES);
	buf_init(&u->trailers, TRAILERS_BYTES);
	*out = (struct stream){
		.fd = under.fd, .ops = &up_ops, .priv = u, .more = under.more
	};
	return OK;
}
