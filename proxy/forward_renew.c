/* A token that the destination does not take (RFC 6750 3.1): the message goes
 * once more if there is another one. */
#include "proxy/forward_conn.h"

void
forward_renew_prepare(struct forward *f)
{
	const struct http1_framing *up = &f->x.framing;

	f->x.keeps = f->x.injected && !f->x.renewed &&
	    up->body == HTTP1_BODY_LENGTH && up->length <= FORWARD_KEPT_BYTES;
	if (f->x.keeps)
		buf_init(&f->x.kept, FORWARD_KEPT_BYTES);
}

static bool
renew_replays(const struct forward *f)
{
	return f->x.replays && f->x.replayed < f->x.kept.n;
}

struct slice
forward_renew_body(const struct forward *f)
{
	if (renew_replays(f))
		return slice_from(buf_slice(&f->x.kept), f->x.replayed);
	return buf_slice(&f->client.in);
}

void
forward_renew_took(struct forward *f, size_t used)
{
	struct slice taken = slice_head(buf_slice(&f->client.in), used);

	if (renew_replays(f)) {
		f->x.replayed += used;
		return;
	}
	if (f->x.keeps)
		buf_put_slice(&f->x.kept, taken);
	f->x.body_began = f->x.body_began || used > 0;
	buf_consume(&f->client.in, used);
}

static bool
is_replayable(const struct forward *f)
{
	return !f->x.body_began || (f->x.keeps && buf_status(&f->x.kept) == OK);
}

static bool
has_word(struct slice text, struct slice word)
{
	for (; text.n >= word.n; text = slice_from(text, 1))
		if (slice_eq_nocase(slice_head(text, word.n), word))
			return true;
	return false;
}

/*
 * Whether the token may be at fault: it is said so, or claims are asked for
 * that a new one may have, or no fault is named. What is said of rights
 * (insufficient_scope) a new one would not mend.
 */
static bool
is_token_fault(const struct http1_fields *fields)
{
	size_t at = http1_field_find(fields, "www-authenticate", 0);
	bool named = false;

	for (; at < fields->n;
	     at = http1_field_find(fields, "www-authenticate", at + 1)) {
		struct slice value = fields->at[at].value;
		if (has_word(value, SLICE("invalid_token")) ||
		    has_word(value, SLICE("claims=")))
			return true;
		named = named || has_word(value, SLICE("error="));
	}
	return !named;
}

/* The first attempt has its own record, and the second one of its own. */
static void
renew_again(struct forward *f)
{
	stream_end(&f->held);
	stream_close(&f->held);
	forward_side_close(&f->upstream);
	f->x.status = 401;
	forward_exchange_record(f, CLOSE_DONE);
	forward_body_release(&f->x.up);
	f->x.retried = f->x.broken = f->x.abandoned = f->x.heard = false;
	f->x.bytes_up = f->x.bytes_down = 0;
	f->x.status = 0;
	f->x.keeps = false;
	f->x.replays = true;
	f->x.replayed = 0;
	forward_ask(f, true);
}

/* It will not be sent again. */
static void
renew_keep_no_more(struct forward *f)
{
	f->x.keeps = false;
	buf_release(&f->x.kept);
}

/* There is none: what was said is for the client. */
static void
renew_give_up(struct forward *f)
{
	struct stream s = f->held;

	renew_keep_no_more(f);
	f->held = stream_plain(-1);
	forward_resume_upstream(f, s);
	f->state = FORWARD_EXCHANGE;
	forward_deadline(f, f->snapshot->limits.idle_ms);
	/* Reloads that came meanwhile have left it alone. */
	forward_rejudge(f);
	if (f->state == FORWARD_EXCHANGE)
		forward_pump(f);
}

static void
renew_on_answer(void *arg, bool another)
{
	struct forward *f = arg;

	if (another)
		renew_again(f);
	else
		renew_give_up(f);
}

bool
forward_renew(struct forward *f, const struct http1_fields *fields)
{
	bool another = false;
	enum status st;

	if (!f->x.injected || f->x.renewed || !is_replayable(f) ||
	    !is_token_fault(fields))
		return false;
	f->x.renewed = true;
	st = request_renew(f->x.request, renew_on_answer, f, &another);
	if (st == E_PARTIAL) {
		f->state = FORWARD_RENEWING;
		f->held = forward_side_take(&f->upstream);
		f->progress = false;
		forward_deadline(f, 0); /* request.c has its own */
		return true;
	}
	if (st != OK || !another) {
		renew_keep_no_more(f);
		return false;
	}
	renew_again(f);
	return true;
}

void
forward_renew_cancel(struct forward *f)
{
	stream_end(&f->held);
	stream_close(&f->held);
}
