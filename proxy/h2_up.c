/* One HTTP/2 connection to a destination, one message at a time. */
#include "proxy/h2_up.h"

#include "proxy/h2_ask.h"
#include "proxy/h2_up_inside.h"

#include <stdlib.h>

enum {
	HEAD_BYTES_MAX = 1 << 20,
	UP_BYTES = 65536,
	ENOUGH_BYTES = 32768,
	OUT_BYTES_MAX = 2 * 65536 + 2 * ENOUGH_BYTES, /* and a head */
	CHUNK_BYTES = 16384,
	TRAILERS_BYTES = 8192,
	TEXT_BYTES_MAX = 4 * 65536,
	READ_BYTES = 16384,
	RESPONSE_HEAD_BYTES = 65536,
	TURNS = 8,
	HEARD_MAX = 16, /* reads in a row: more than the stream's window */
};

static const struct stream_ops up_ops;

/* Bytes of the session go to the socket as it takes them. */
static enum status
up_send(struct h2_up *u)
{
	enum status st = OK;

	for (unsigned turn = 0; turn < TURNS && st == OK; turn++) {
		struct slice left;
		size_t put = 0;

		/* A frame that was given and is not kept is a hole. */
		if (h2_session_pull(u->session, &u->out, ENOUGH_BYTES) != OK) {
			u->broken = true;
			return E_IO;
		}
		left = buf_slice(&u->out);
		if (left.n == 0)
			return OK;
		st = stream_write(&u->under, left, false, &put);
		buf_consume(&u->out, put);
	}
	return st == OK || st == E_PARTIAL ? E_PARTIAL : st;
}

static bool
up_owes(const struct stream *s)
{
	const struct h2_up *u = s->priv;

	/* Else what it waits for is watched anyway. */
	return u->out.n > 0 && !u->under.write_waits_read;
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
	h2_up_drop_body(u);
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
	return !u->marred &&
	    (u->text_read < u->text.n || u->data.n > 0 ||
	        (u->ended && !u->end_told));
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
		/* RFC 9113 8.1: half of a message is none. */
		u->marred = buf_status(&u->trailers) != OK;
		if (!u->chunked || u->marred)
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
		u->marred = u->marred || buf_status(&u->text) != OK;
		if (u->marred)
			break;
		left = slice_head(
		    slice_from(buf_slice(&u->text), u->text_read), room - *got);
		if (left.n > 0)
			memcpy(to + *got, left.p, left.n);
		*got += left.n;
		u->text_read += left.n;
	}
	u->broken = u->broken || u->marred;
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

/* The window is said behind what there is no room for yet: none of that may
 * stay in the socket. It is no more than the stream's own window. E_IO: there
 * will be no window. */
static enum status
hear_window(struct stream *s)
{
	struct h2_up *u = s->priv;
	enum status st = OK;

	for (unsigned i = 0; i < HEARD_MAX && st == OK; i++)
		st = up_hear(s);
	s->more = has_text(u) || (st == OK && u->under.more);
	u->broken = u->broken || st == E_IO;
	return st == E_CLOSED ? E_IO : st;
}

/* E_PARTIAL: there is no room for more of it. */
static enum status
take(struct h2_up *u, struct slice b, size_t *put)
{
	enum status st = OK;

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
	return st;
}

static enum status
up_write(struct stream *s, struct slice b, bool more_follows, size_t *put)
{
	struct h2_up *u = s->priv;
	enum status st, sent;

	(void)more_follows;
	if (u->state == UP_SAID && b.n > 0 && u->answered && !has_text(u))
		begin_message(u);
	st = take(u, b, put);
	sent = up_send(u);
	if (st == E_PARTIAL && sent != E_IO && !up_owes(s)) {
		sent = hear_window(s);
		if (sent != E_IO) {
			st = take(u, b, put);
			sent = up_send(u);
		}
	}
	if (u->broken || (st != OK && st != E_PARTIAL) || sent == E_IO)
		return E_IO;
	/* For a window, and not for room. */
	s->write_waits_read =
	    (st == E_PARTIAL && !up_owes(s)) || u->under.write_waits_read;
	return st;
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
	/* One that has answered without all of the body is not for the next. */
	s->eof = u->ended && !u->broken && !has_text(u) && u->pulled < u->up.n;
	if (*got > 0)
		return OK;
	if (u->broken || st == E_IO || sent == E_IO)
		return E_IO;
	if (has_text(u))
		return OK;
	/* Said away, it takes no more (RFC 9113 6.8). */
	s->eof = s->eof || st == E_CLOSED || h2_session_is_over(u->session);
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
	if (u->out.n == 0 && !u->broken)
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
	const struct h2_session_params params = { .events = &h2_up_events,
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
