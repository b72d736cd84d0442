/* One allowed message: its body up, its answer down, its end. */
#include "proxy/forward_conn.h"

#include "base/log.h"
#include "base/log_fold.h"
#include "base/metrics.h"

static void
exchange_touch(struct forward *f)
{
	f->progress = f->moved = true;
}

void
forward_exchange_record(struct forward *f, enum close_reason why)
{
	const struct request_end end = { .status = f->x.status,
		.bytes_up = f->x.bytes_up,
		.bytes_down = f->x.bytes_down,
		.close = close_word(why) };
	struct request *r = f->x.request;

	secret_unref(f->x.watched);
	f->x.watched = NULL;
	f->x.down.guard = NULL;
	f->x.request = NULL;
	if (r == NULL)
		return;
	f->bytes_up += end.bytes_up;
	f->bytes_down += end.bytes_down;
	request_finish(r, &end);
}

void
forward_exchange_fail(
    struct forward *f, enum reason code, enum close_reason why)
{
	struct buf out;

	request_set_code(f->x.request, code);
	forward_side_close(&f->upstream);
	if (f->x.answer_began || !forward_side_is_flushed(&f->client)) {
		forward_end(f, why);
		return;
	}
	f->x.status = reason_info(code)->status;
	buf_init(&out, FORWARD_DENIAL_BYTES);
	request_render_denial(f->x.request, &out);
	forward_exchange_record(f, why);
	forward_say_last(f, &out);
}

/* RFC 9110 9.2.2. A body that went is gone. */
bool
forward_may_repeat(const struct forward *f)
{
	const struct http1_framing *up = &f->x.framing;

	return (up->body == HTTP1_BODY_NONE ||
	           (up->body == HTTP1_BODY_LENGTH && up->length == 0)) &&
	    forward_method_is_idempotent(
	        slice_head(buf_slice(&f->x.head), f->x.line.method_bytes));
}

/*
 * An idle connection may die as we use it. Then what may be repeated is tried
 * once more, and only before any byte of an answer; a request that never left
 * us may be sent whatever it is.
 */
static bool
exchange_may_retry(const struct forward *f, bool unsent)
{
	return f->x.reused && !f->x.retried && !f->x.heard &&
	    (unsent || forward_may_repeat(f));
}

static void
exchange_retry(struct forward *f)
{
	request_set_code(f->x.request, REASON_UPSTREAM_RESET);
	forward_exchange_record(f, CLOSE_UPSTREAM);
	f->x.retried = true;
	f->x.broken = f->x.abandoned = false;
	f->x.bytes_up = 0;
	forward_ask(f, false);
}

static void
exchange_upstream_died(struct forward *f)
{
	if (exchange_may_retry(f, false))
		exchange_retry(f);
	else
		forward_exchange_fail(f, REASON_UPSTREAM_RESET, CLOSE_UPSTREAM);
}

/*
 * A token stands in no buffer but this one, from here until it is sent: the
 * head that a retry needs has none.
 */
static void
exchange_put_head(struct forward *f)
{
	const struct secret *token = request_credential(f->x.request);
	struct slice head = buf_slice(&f->x.head);
	struct buf *out = &f->upstream.out;

	out->wipe = token != NULL || f->x.bearer.kind != FORWARD_BEARER_NONE;
	if (!out->wipe) {
		buf_put_slice(out, head);
		return;
	}
	buf_put_slice(out, slice_head(head, head.n - 2));
	buf_puts(out, "Authorization: ");
	if (token != NULL) {
		buf_puts(out, "Bearer ");
		buf_put_slice(out, secret_bytes(token));
	} else {
		buf_put_slice(out, f->x.bearer.value);
	}
	buf_puts(out, "\r\n\r\n");
}

void
forward_exchange_start(struct forward *f)
{
	struct stream s = request_take_stream(f->x.request);

	f->x.reused = request_is_reused(f->x.request);
	/* While its record was written nobody watched one of the pool. */
	if (stream_is_open(&s) && f->x.reused && !stream_is_quiet(&s))
		stream_close(&s);
	if (stream_is_open(&s)) {
		forward_open_upstream(f, s);
		f->signed_in = false;
	}
	if (forward_bearer_signs_in(&f->x.brought))
		f->signed_in = true;
	f->idle = request_upstream(f->x.request);
	if (!forward_side_is_open(&f->upstream)) {
		/* The idle one went away while we asked. */
		if (exchange_may_retry(f, true))
			exchange_retry(f);
		else
			forward_exchange_fail(
			    f, REASON_UPSTREAM_RESET, CLOSE_UPSTREAM);
		return;
	}
	f->upstream_scanned = 0;
	forward_body_init(
	    &f->x.up, &f->x.framing, f->x.framing.body == HTTP1_BODY_CHUNKED);
	f->x.injected = request_credential(f->x.request) != NULL;
	f->x.up.no_bearer = f->x.injected;
	forward_renew_prepare(f);
	f->state = FORWARD_EXCHANGE;
	exchange_put_head(f);
	secret_unref(f->x.watched);
	f->x.watched = request_take_credential(f->x.request);
	if (f->x.watched != NULL)
		guard_init(&f->x.guard, secret_bytes(f->x.watched));
	if (buf_status(&f->upstream.out) != OK) {
		forward_exchange_fail(f, REASON_LIMIT_REACHED, CLOSE_LIMIT);
		return;
	}
	exchange_touch(f);
	forward_pump(f);
}

/* The destination takes no more; what it says still counts. */
static void
exchange_abandon_body(struct forward *f)
{
	f->x.abandoned = true;
	buf_clear(&f->upstream.out);
	f->upstream.sent = 0;
}

static void
exchange_on_refused(void *arg, enum request_outcome outcome)
{
	struct forward *f = arg;

	(void)outcome;
	if (f->x.answer_began || !forward_side_is_flushed(&f->client))
		forward_end(f, CLOSE_DENIED);
	else
		forward_deny(f);
}

void
forward_exchange_refuse(
    struct forward *f, enum reason code, enum close_reason why)
{
	bool told = !f->x.answer_began && forward_side_is_flushed(&f->client);
	const struct request_end end = {
		.status = told ? reason_info(code)->status : f->x.status,
		.bytes_up = f->x.bytes_up,
		.bytes_down = f->x.bytes_down,
		.close = close_word(why)
	};

	forward_side_close(&f->upstream);
	f->state = FORWARD_ASKING;
	f->progress = false;
	forward_deadline(f, 0); /* request.c has its own */
	request_set_code(f->x.request, code);
	request_record_refusal(f->x.request, &end, exchange_on_refused, f);
}

static void
step_flush_up(struct forward *f)
{
	size_t put = 0, left = f->upstream.out.n - f->upstream.sent;
	size_t room = request_upload_room(f->x.request, left);
	enum status st = forward_side_flush(&f->upstream, room, &put);

	request_uploaded(f->x.request, put);
	f->x.bytes_up += put;
	if (put > 0)
		exchange_touch(f);
	if (st == E_IO)
		exchange_abandon_body(f);
	/* Bodies are no secret, and to wipe them all costs. */
	if (st == OK && room == left)
		f->upstream.out.wipe = false;
	else if (st == OK)
		forward_exchange_refuse(f, REASON_BUDGET_SPENT, CLOSE_BUDGET);
}

/* The next piece of the request body, once the last one is gone. */
static void
step_body_up(struct forward *f)
{
	struct slice in =
	    slice_head(forward_renew_body(f), FORWARD_PIECE_BYTES);
	size_t used = 0;
	enum status st;

	if (f->x.up.done || f->x.abandoned ||
	    !forward_side_is_flushed(&f->upstream))
		return;
	st = forward_body_feed(&f->x.up, in, &used, &f->upstream.out);
	forward_renew_took(f, used);
	if (used > 0)
		f->progress = true;
	if (st == OK || (st == E_PARTIAL && !(used == 0 && f->client.s.eof)))
		return;
	if (st == E_PARTIAL)
		/* The client went away in the middle of its body. */
		forward_end(f, CLOSE_CLIENT);
	else if (st == E_DENIED)
		forward_exchange_refuse(
		    f, REASON_AUTHORIZATION_PRESENT, CLOSE_DENIED);
	else
		forward_exchange_fail(f, REASON_BAD_REQUEST, CLOSE_CLIENT);
}

static bool
exchange_closes(const struct forward *f, const struct http1_framing *framing)
{
	return !f->x.keep_client || !f->x.up.done || f->x.client_1_0 ||
	    framing->body == HTTP1_BODY_UNTIL_CLOSE;
}

/* RFC 9110 7.8: from here on there are bytes alone, both ways. */
static void
exchange_switch(struct forward *f, struct http1_framing *framing,
    struct forward_answer *how)
{
	how->websocket = true;
	*framing = (struct http1_framing){ .body = HTTP1_BODY_UNTIL_CLOSE };
	forward_body_release(&f->x.up);
	forward_body_init(&f->x.up, framing, false);
}

/* One head of the destination: a 1xx, or the final one. E_BUSY: another state
 * has the message now. */
static enum status
exchange_take_head(struct forward *f, struct slice head)
{
	struct forward_answer how = { .name = f->snapshot->name,
		.now_unix_s = clock_unix_s(worker_clock(f->worker)) };
	struct forward_route route;
	struct http1_framing framing;
	struct http1_response r;
	struct http1_error error;

	if (f->x.own != NULL && forward_find_route(f, &route)) {
		how.route = &route;
		how.own = slice_of(f->x.own);
	}
	if (http1_parse_response(head, &r, &error) != OK ||
	    http1_response_framing(&r,
	        f->x.is_head ? SLICE("HEAD") : SLICE("GET"), &framing) != OK)
		return E_SYNTAX;
	if (r.status == 101 && websocket_is_accepted(&r, f->x.websocket)) {
		exchange_switch(f, &framing, &how);
	} else if (r.status < 200) {
		if (++f->x.interim > FORWARD_INTERIM_MAX || r.status == 101)
			return E_SYNTAX;
		/* RFC 9110 15.2: never to a 1.0 client. */
		if (f->x.client_1_0)
			return OK;
		return forward_head_put_response(
		    &r, &framing, &how, &f->client.out);
	}
	if (r.status == 401 && forward_renew(f, &r.fields))
		return E_BUSY;
	how.chunked = framing.body == HTTP1_BODY_CHUNKED && !f->x.client_1_0;
	f->x.keep_client = !exchange_closes(f, &framing);
	how.close = !f->x.keep_client && !how.websocket;
	f->x.keep_upstream = framing.keep_alive;
	f->x.status = r.status;
	forward_body_init(&f->x.down, &framing, how.chunked);
	f->x.down.guard = f->x.watched != NULL ? &f->x.guard : NULL;
	f->x.answer_began = true;
	return forward_head_put_response(&r, &framing, &how, &f->client.out);
}

static void
exchange_say_echo(const struct forward *f)
{
	struct proxy_worker *w = f->worker;

	metric_add(METRIC_ECHOES_REFUSED_TOTAL, 1);
	if (!log_fold_is_due(worker_log_fold(w), f->x.host.name, "echo",
	        clock_boot_ms(worker_clock(w))))
		return;
	log_warning("%s sent back the credential that was put into a request "
	            "to it: the answer is not passed on",
	    f->x.host.name);
}

static bool
exchange_echoes(const struct forward *f, struct slice head)
{
	if (f->x.watched == NULL || !guard_finds(&f->x.guard, head))
		return false;
	exchange_say_echo(f);
	return true;
}

static void
step_head_down(struct forward *f)
{
	struct slice in = buf_slice(&f->upstream.in);
	struct http1_error error;
	size_t end = 0;
	enum status st;

	if (in.n == 0 && !f->upstream.s.eof)
		return;
	st = http1_head_end(in, FORWARD_RESPONSE_HEAD_BYTES,
	    &f->upstream_scanned, &end, &error);
	if (st == E_PARTIAL && !http1_response_may_begin(in))
		st = E_SYNTAX;
	if (st == E_PARTIAL) {
		if (f->upstream.s.eof)
			exchange_upstream_died(f);
		return;
	}
	if (st == OK && !peer_still_connected(f->client.s.fd)) {
		forward_end(f, CLOSE_CLIENT);
		return;
	}
	if (st == OK && exchange_echoes(f, slice_head(in, end)))
		st = E_SYNTAX;
	if (st == OK)
		st = exchange_take_head(f, slice_head(in, end));
	if (st == E_BUSY)
		return;
	if (st != OK) {
		/* Nothing of a head that failed may go out. */
		f->x.answer_began = false;
		buf_clear(&f->client.out);
		f->client.sent = 0;
		forward_exchange_fail(
		    f, REASON_UPSTREAM_PROTOCOL, CLOSE_UPSTREAM);
		return;
	}
	buf_consume(&f->upstream.in, end);
	f->upstream_scanned = 0;
	exchange_touch(f);
}

static void
step_body_down(struct forward *f)
{
	struct slice in =
	    slice_head(buf_slice(&f->upstream.in), FORWARD_PIECE_BYTES);
	size_t used = 0;
	enum status st;

	if (f->x.down.done)
		return;
	st = forward_body_feed(&f->x.down, in, &used, &f->client.out);
	buf_consume(&f->upstream.in, used);
	if (used > 0)
		exchange_touch(f);
	if (st == E_PARTIAL && f->upstream.s.eof && f->upstream.in.n == 0 &&
	    used == 0)
		st = f->x.broken || !f->upstream.s.clean
		    ? E_CLOSED
		    : forward_body_eof(&f->x.down, &f->client.out);
	if (st == E_CLOSED)
		forward_exchange_fail(f, REASON_UPSTREAM_RESET, CLOSE_UPSTREAM);
	else if (st != OK && st != E_PARTIAL) {
		if (st == E_DENIED)
			exchange_say_echo(f);
		forward_exchange_fail(
		    f, REASON_UPSTREAM_PROTOCOL, CLOSE_UPSTREAM);
	}
}

static void
step_flush_down(struct forward *f)
{
	size_t put = 0;

	if (forward_side_flush(&f->client, SIZE_MAX, &put) == E_IO)
		forward_end(f, CLOSE_CLIENT);
	else if (put > 0)
		exchange_touch(f);
}

/* Between messages a connection holds no more memory than it must. */
static void
exchange_give_back(struct forward *f)
{
	if (f->client.in.n == 0)
		buf_release(&f->client.in);
	buf_release(&f->client.out);
	buf_release(&f->x.kept);
	buf_release(&f->upstream.in);
	buf_release(&f->upstream.out);
	buf_release(&f->x.head);
	buf_release(&f->x.bearer_value);
}

/* The upstream is kept only when both sides know that nothing is left. */
static void
exchange_settle_upstream(struct forward *f)
{
	if (!f->x.keep_upstream || !f->x.up.done || f->x.abandoned ||
	    f->upstream.s.eof || f->upstream.in.n > 0 ||
	    !forward_side_is_flushed(&f->upstream) ||
	    f->x.down.kind == HTTP1_BODY_UNTIL_CLOSE ||
	    (f->upstream.s.more && !stream_is_quiet(&f->upstream.s)))
		forward_side_close(&f->upstream);
}

static void
exchange_finish(struct forward *f)
{
	struct buf nothing;

	forward_exchange_record(f, CLOSE_DONE);
	f->served = true;
	exchange_settle_upstream(f);
	if (f->x.keep_client && f->x.up.done && !f->draining) {
		exchange_give_back(f);
		f->state = FORWARD_HEAD;
		f->progress = true;
		forward_deadline(f,
		    f->client.in.n > 0 ? f->snapshot->limits.head_ms
		                       : f->snapshot->limits.idle_ms);
		return;
	}
	forward_keep_upstream(f);
	buf_init(&nothing, 0);
	forward_say_last(f, &nothing);
}

void
forward_exchange_step(struct forward *f)
{
	step_flush_up(f);
	if (f->state != FORWARD_EXCHANGE)
		return;
	step_body_up(f);
	if (f->state != FORWARD_EXCHANGE)
		return;
	if (forward_side_is_flushed(&f->client)) {
		if (!f->x.answer_began)
			step_head_down(f);
		/* What came with the head goes out with it. */
		if (f->state == FORWARD_EXCHANGE && f->x.answer_began)
			step_body_down(f);
	}
	if (f->state != FORWARD_EXCHANGE)
		return;
	step_flush_down(f);
	if (f->state == FORWARD_EXCHANGE && f->x.answer_began &&
	    f->x.down.done && forward_side_is_flushed(&f->client))
		exchange_finish(f);
}
