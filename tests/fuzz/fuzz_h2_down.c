/* What a client may send as HTTP/2: whatever becomes a request is one that our
 * own strict parser reads whole or refuses, and never two of them. */
#include "proxy/h2_stream.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

enum { HEAD_BYTES = 4096, STREAMS = 64, TURN = 1000 };

/** One message, read as a forward would. */
struct message {
	struct h2_stream s;
	struct stream stream;
	struct buf text;
	bool started;
};

static struct {
	struct event_base *base;
	struct event stirred;
	struct h2_session *session;
	struct message *messages[STREAMS];
	size_t n;
} fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void *
on_open(void *arg, int32_t id)
{
	const struct h2_stream_params params = { .session = fuzz.session,
		.stirred = &fuzz.stirred,
		.fd = 1,
		.head_bytes = HEAD_BYTES };
	struct message *m;

	(void)arg;
	if (fuzz.n == STREAMS || (m = calloc(1, sizeof *m)) == NULL)
		return NULL;
	h2_stream_init(&m->s, &params, id);
	buf_init(&m->text, 1 << 20);
	fuzz.messages[fuzz.n++] = m;
	return m;
}

static void
on_field(void *stream, struct slice name, struct slice value)
{
	h2_stream_field(stream, name, value);
}

static void
on_head(void *stream, bool ends)
{
	struct message *m = stream;
	bool first = !m->s.head_put;
	enum status st = h2_stream_head(&m->s, ends);

	if (st != OK) {
		h2_stream_reset(&m->s, H2_PROTOCOL_ERROR);
	} else if (first) {
		m->stream = h2_stream_attach(&m->s);
		m->started = true;
	}
}

static void
on_data(void *stream, struct slice bytes)
{
	h2_stream_data(stream, bytes);
}

static void
on_end(void *stream)
{
	h2_stream_end(stream);
}

static enum h2_more
on_pull(void *stream, char *to, size_t room, size_t *n)
{
	return h2_stream_pull(stream, to, room, n);
}

static void
on_closed(void *stream, uint32_t error)
{
	(void)h2_stream_closed(stream, error);
}

static void
on_malformed(void *arg)
{
	(void)arg;
}

static const struct h2_events events = {
	.open = on_open,
	.field = on_field,
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.pull = on_pull,
	.closed = on_closed,
	.malformed = on_malformed,
};

/* Its bytes are one head, and a body by its framing that ends with them. */
static void
check_text(struct slice text, bool whole)
{
	struct http1_error error;
	struct http1_scan scan = { 0 };
	struct http1_framing framing;
	struct http1_request r;
	struct forward_body body;
	struct buf out;
	size_t end = 0, used = 0;
	enum status st;

	if (http1_request_head_end(text, HEAD_BYTES, &scan, &end, &error) !=
	        OK ||
	    http1_parse_request(slice_head(text, end), &r, &error) != OK ||
	    http1_request_framing(&r, &framing, &error) != OK)
		return;
	check(http1_field_find(&r.fields, "connection", 0) == r.fields.n);
	forward_body_init(&body, &framing, false);
	buf_init(&out, text.n + FORWARD_BODY_OVERHEAD);
	st = forward_body_feed(&body, slice_from(text, end), &used, &out);
	check(st == OK || st == E_PARTIAL || st == E_LIMIT || st == E_SYNTAX);
	if (st == OK && whole)
		check(end + used == text.n);
	buf_release(&out);
	forward_body_release(&body);
}

static void
read_all(struct message *m)
{
	char piece[777];
	size_t got = 1;

	while (m->started && got > 0 &&
	    stream_read(&m->stream, piece, sizeof piece, &got) == OK)
		buf_put(&m->text, piece, got);
}

static void
answer(struct message *m)
{
	static const char said[] =
	    "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n0\r\nX-T: c\r\n\r\n";
	size_t put = 0;

	if (m->started &&
	    stream_write(&m->stream, slice_of(said), false, &put) == OK)
		check(put == sizeof said - 1);
}

static void
finish(struct message *m)
{
	if (m->started) {
		check_text(buf_slice(&m->text), m->stream.eof);
		stream_close(&m->stream);
	}
	h2_session_forget(fuzz.session, m->s.id);
	h2_stream_release(&m->s);
	buf_release(&m->text);
	free(m);
}

static void
run(struct slice in)
{
	struct buf out;

	/* Beyond what a head may have by far it is another's affair. */
	while (in.n > 0) {
		struct slice piece = slice_head(in, TURN);
		enum status st;

		in = slice_from(in, piece.n);
		buf_init(&out, 1 << 22);
		st = h2_session_feed(fuzz.session, piece, 0);
		for (size_t i = 0; i < fuzz.n; i++) {
			read_all(fuzz.messages[i]);
			if (i % 2 == 0)
				answer(fuzz.messages[i]);
		}
		check(h2_session_pull(fuzz.session, &out, 1 << 20) == OK);
		buf_release(&out);
		if (st != OK)
			break;
	}
	for (size_t i = 0; i < fuzz.n; i++)
		finish(fuzz.messages[i]);
	fuzz.n = 0;
}

static void
on_stirred(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct h2_session_params params = { .events = &events,
		.streams = 16,
		.head_bytes_max = (size_t)2 * HEAD_BYTES };
	struct slice in = { (const char *)data, size };

	if (fuzz.base == NULL) {
		fuzz.base = event_base_new();
		check(fuzz.base != NULL);
		(void)evtimer_assign(
		    &fuzz.stirred, fuzz.base, on_stirred, NULL);
	}
	check(h2_session_accept(&params, &fuzz.session) == OK);
	/* Every input begins as a client must: else most would end there. */
	check(h2_session_feed(fuzz.session,
	          SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0) == OK);
	run(in);
	h2_session_destroy(fuzz.session);
	(void)event_base_loop(fuzz.base, EVLOOP_NONBLOCK);
	return 0;
}
