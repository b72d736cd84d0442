/* Bodies: lengths are counted, chunks decoded and written anew without their
 * extensions, so that both sides can only see one framing. */
#include "proxy/forward_body.h"

#include "proxy/forward_head.h"

enum { TRAILERS_BYTES_MAX = 8192 };

void
forward_body_init(
    struct forward_body *b, const struct http1_framing *framing, bool chunk)
{
	*b = (struct forward_body){
		.kind = framing->body, .chunk = chunk, .left = framing->length
	};
	b->done = framing->body == HTTP1_BODY_NONE ||
	    (framing->body == HTTP1_BODY_LENGTH && framing->length == 0);
	http1_chunked_init(&b->chunked);
	buf_init(&b->trailers, TRAILERS_BYTES_MAX);
}

void
forward_body_release(struct forward_body *b)
{
	buf_release(&b->trailers);
}

static void
put_run(const struct forward_body *b, struct slice run, struct buf *out)
{
	if (run.n == 0)
		return;
	if (b->chunk)
		buf_printf(out, "%zx\r\n", run.n);
	buf_put_slice(out, run);
	if (b->chunk)
		buf_puts(out, "\r\n");
}

struct put {
	const struct forward_body *body;
	struct buf *out;
};

static void
on_put(void *arg, struct slice run)
{
	const struct put *p = arg;

	put_run(p->body, run, p->out);
}

static enum status
put_watched(const struct forward_body *b, struct slice run, struct buf *out)
{
	struct put to = { b, out };
	const struct guard_out put = { on_put, &to };

	if (b->guard != NULL)
		return guard_feed(b->guard, run, &put);
	put_run(b, run, out);
	return OK;
}

/* Before anything that says that the body is whole. */
static enum status
put_rest(const struct forward_body *b, struct buf *out)
{
	struct put to = { b, out };
	const struct guard_out put = { on_put, &to };

	if (b->guard == NULL)
		return OK;
	if (guard_finds(b->guard, buf_slice(&b->trailers)))
		return E_DENIED;
	return guard_end(b->guard, &put);
}

/* RFC 9112 7.1.2: the decoder has checked that each line is a field. */
static void
put_trailers(const struct forward_body *b, struct buf *out)
{
	struct slice rest = buf_slice(&b->trailers);

	while (rest.n > 0) {
		size_t end = slice_find(rest, '\n');
		struct slice line = slice_head(rest, end + 1);
		if (forward_trailer_is_allowed(
		        slice_head(line, slice_find(line, ':'))))
			buf_put_slice(out, line);
		rest = slice_from(rest, end + 1);
	}
}

/* One that was not announced: the last chunk is not written yet. */
static bool
names_bearer(const struct forward_body *b)
{
	struct slice rest = buf_slice(&b->trailers);

	while (rest.n > 0) {
		if (slice_eq_nocase(slice_head(rest, slice_find(rest, ':')),
		        SLICE("authorization")))
			return true;
		rest = slice_from(rest, slice_find(rest, '\n') + 1);
	}
	return false;
}

static enum status
feed_chunked(
    struct forward_body *b, struct slice in, size_t *used, struct buf *out)
{
	enum status st = E_PARTIAL;
	size_t took = 1;

	*used = 0;
	while (st == E_PARTIAL && took > 0) {
		struct slice run;
		st = http1_chunked_feed(&b->chunked, slice_from(in, *used),
		    &run, &took, &b->trailers);
		*used += took;
		if (put_watched(b, run, out) != OK)
			return E_DENIED;
	}
	if (st == OK)
		st = put_rest(b, out);
	if (st != OK)
		return st;
	if (b->no_bearer && names_bearer(b))
		return E_DENIED;
	b->done = true;
	if (b->chunk) {
		buf_puts(out, "0\r\n");
		put_trailers(b, out);
		buf_puts(out, "\r\n");
	}
	return buf_status(out);
}

enum status
forward_body_feed(
    struct forward_body *b, struct slice in, size_t *used, struct buf *out)
{
	*used = 0;
	if (b->done)
		return OK;
	if (b->kind == HTTP1_BODY_CHUNKED) {
		enum status st = feed_chunked(b, in, used, out);
		return st == E_PARTIAL && buf_status(out) != OK
		    ? buf_status(out)
		    : st;
	}
	if (b->kind == HTTP1_BODY_LENGTH && in.n > b->left)
		in = slice_head(in, (size_t)b->left);
	if (put_watched(b, in, out) != OK)
		return E_DENIED;
	*used = in.n;
	if (b->kind == HTTP1_BODY_LENGTH) {
		b->left -= in.n;
		b->done = b->left == 0;
		if (b->done && put_rest(b, out) != OK)
			return E_DENIED;
	}
	if (buf_status(out) != OK)
		return buf_status(out);
	return b->done ? OK : E_PARTIAL;
}

enum status
forward_body_eof(struct forward_body *b, struct buf *out)
{
	if (b->kind == HTTP1_BODY_UNTIL_CLOSE) {
		if (put_rest(b, out) != OK)
			return E_DENIED;
		b->done = true;
	}
	return b->done ? OK : E_CLOSED;
}
