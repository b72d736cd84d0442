/* A client connection that sends absolute-form requests, one after another. */
#include "proxy/forward_conn.h"
#include "proxy/relay.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	EXPIRES_MS = 1000,
	LEND_MS = 1000, /* so long its upstream stays with an idle client */
};

static int64_t
forward_now(const struct forward *f)
{
	return clock_boot_ms(worker_clock(f->worker));
}

static void
forward_free(struct forward *f)
{
	forward_side_release(&f->client);
	forward_side_release(&f->upstream);
	forward_body_release(&f->x.up);
	forward_body_release(&f->x.down);
	buf_release(&f->x.head);
	buf_release(&f->x.bearer_value);
	buf_release(&f->x.kept);
	free(f->x.target);
	free(f->x.own);
	buf_release(&f->ask.response);
	proxy_snapshot_unref(f->snapshot);
	free(f);
}

static void
forward_reap(struct reapable *r)
{
	void *at = (char *)r - offsetof(struct forward, reap);

	forward_free(at);
}

void
forward_keep_upstream(struct forward *f)
{
	const struct proxy_snapshot *now = worker_snapshot(f->worker);
	struct upstream_pool *pool = worker_upstreams(f->worker);

	/* Plain connections are cheap, and no gateway's. */
	if (!forward_side_is_open(&f->upstream) || f->idle.tls == NULL ||
	    pool == NULL || f->signed_in ||
	    f->idle.generation != now->generation)
		forward_side_close(&f->upstream);
	else
		upstream_pool_put(pool, forward_side_take(&f->upstream),
		    &f->idle, &now->limits);
}

/* Half of an answer without framing: only a reset tells it from a whole one
 * (RFC 9112 8). */
static bool
forward_cuts_unframed(const struct forward *f)
{
	const struct forward_body *down = &f->x.down;

	return f->x.answer_began &&
	    (!down->done || !forward_side_is_flushed(&f->client)) &&
	    !down->chunk &&
	    (down->kind == HTTP1_BODY_UNTIL_CLOSE ||
	        down->kind == HTTP1_BODY_CHUNKED);
}

/* Everything ends, with its record; the memory stays for this turn. */
static void
forward_close(struct forward *f, enum close_reason why)
{
	if (f->state == FORWARD_HEAD)
		forward_keep_upstream(f);
	f->state = FORWARD_OVER;
	f->why = why;
	f->progress = false;
	forward_broker_cancel(f);
	forward_renew_cancel(f);
	forward_exchange_record(f, why);
	refusal_cancel(f->refusal);
	f->refusal = NULL;
	lingering_destroy(f->last);
	f->last = NULL;
	if (forward_cuts_unframed(f))
		stream_abort(&f->client.s);
	forward_side_close(&f->client);
	forward_side_close(&f->upstream);
	(void)event_del(&f->wake);
	(void)event_del(&f->timer);
	worker_reap(f->worker, &f->reap, forward_reap);
}

void
forward_end(struct forward *f, enum close_reason why)
{
	if (f->state == FORWARD_OVER)
		return;
	forward_close(f, why);
	f->done(f->arg);
}

void
forward_stop(struct forward *f, enum close_reason why)
{
	if (f->state != FORWARD_OVER)
		forward_close(f, why);
}

void
forward_destroy(struct forward *f)
{
	if (f != NULL)
		forward_stop(f, CLOSE_DRAIN);
}

enum close_reason
forward_why(const struct forward *f)
{
	return f->why;
}

static void
forward_on_said(void *arg)
{
	struct forward *f = arg;

	f->last = NULL;
	forward_end(f, CLOSE_CLIENT);
}

void
forward_say_last(struct forward *f, struct buf *last)
{
	/* The facts about a client hold only while it lasts (contract 9). */
	if (buf_status(last) != OK || !peer_still_connected(f->client.s.fd)) {
		buf_release(last);
		forward_end(f, CLOSE_ERROR);
		return;
	}
	f->state = FORWARD_LAST;
	/* Nobody reads it any more: it would call at each turn. */
	forward_side_close(&f->upstream);
	f->progress = false;
	forward_deadline(f, 0);
	f->last = lingering_start(
	    f->worker, forward_side_take(&f->client), last, forward_on_said, f);
	if (f->last == NULL)
		forward_end(f, CLOSE_ERROR);
	else if (f->was_slow)
		lingering_hurry(f->last);
}

/* Whether an `expires` may come up, which is to be seen in time. */
static bool
forward_may_expire(const struct forward *f)
{
	return f->state == FORWARD_EXCHANGE && f->x.request != NULL &&
	    request_verdict(f->x.request)->expires_unix_s != 0;
}

static void
forward_arm_timer(struct forward *f)
{
	int64_t now = forward_now(f), left = f->deadline_ms - now;
	struct timeval tv;

	if (forward_may_expire(f) && left > EXPIRES_MS)
		left = EXPIRES_MS;
	if (left < 0)
		left = 0;
	tv = (struct timeval){ .tv_sec = (time_t)(left / 1000),
		.tv_usec = (suseconds_t)(left % 1000) * 1000 };
	f->timer_ms = evtimer_add(&f->timer, &tv) == 0 ? now + left : INT64_MAX;
}

void
forward_deadline(struct forward *f, unsigned ms)
{
	f->deadline_ms = INT64_MAX;
	if (ms == 0)
		return;
	f->deadline_ms = forward_now(f) + (int64_t)ms;
	/* A timer that fires before that may run on: it looks again then. */
	if (f->timer_ms > f->deadline_ms ||
	    (forward_may_expire(f) &&
	        f->timer_ms > forward_now(f) + EXPIRES_MS))
		forward_arm_timer(f);
}

static void
forward_time_out(struct forward *f)
{
	const struct forward_fault late = { REASON_BAD_REQUEST, 408,
		"the head did not come in time" };

	f->was_slow = f->state == FORWARD_HEAD;
	if (f->was_slow && f->client.in.n > 0)
		forward_refuse(f, &late, NULL);
	else if (f->state == FORWARD_EXCHANGE && !f->x.answer_began)
		forward_exchange_fail(f, REASON_CONNECT_TIMEOUT, CLOSE_IDLE);
	else
		forward_end(f, CLOSE_IDLE);
}

/* An `expires` of the rule ends the message as a reload would. */
static bool
forward_has_expired(const struct forward *f)
{
	int64_t at;

	if (f->x.request == NULL || f->state != FORWARD_EXCHANGE)
		return false;
	at = request_verdict(f->x.request)->expires_unix_s;
	return at != 0 && clock_unix_s(worker_clock(f->worker)) >= at;
}

static void
forward_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct forward *f = arg;

	(void)fd;
	(void)what;
	f->timer_ms = INT64_MAX;
	if (forward_has_expired(f))
		forward_rejudge(f);
	if (f->state == FORWARD_OVER || f->deadline_ms == INT64_MAX)
		return;
	if (f->deadline_ms <= forward_now(f))
		forward_time_out(f);
	else
		forward_arm_timer(f);
}

static enum status
forward_arm(struct forward *f)
{
	enum status st = forward_side_arm(&f->client, true);

	if (st != OK)
		return st;
	/* Between messages any byte, and the end, condemn the idle one. */
	return forward_side_arm(&f->upstream, true);
}

void
forward_pump(struct forward *f)
{
	do {
		f->progress = false;
		if (f->state == FORWARD_HEAD)
			forward_read_head(f);
		else if (f->state == FORWARD_EXCHANGE)
			forward_exchange_step(f);
	} while (f->progress);
	/* Once for all that moved: the clock is read, and a timer armed. */
	if (f->moved && f->state == FORWARD_EXCHANGE)
		forward_deadline(f, f->snapshot->limits.idle_ms);
	f->moved = false;
	if (f->state < FORWARD_LAST && forward_arm(f) != OK)
		forward_end(f, CLOSE_ERROR);
}

static enum status
side_read(struct forward *f, struct forward_side *s, size_t *got)
{
	struct relay_pool *pool = worker_relay_pool(f->worker);
	const struct forward_scratch via = { pool->buffer,
		sizeof pool->buffer };

	return forward_side_read(s, &via, got);
}

static void
forward_on_client(evutil_socket_t fd, short what, void *arg)
{
	struct forward *f = arg;
	size_t got = 0;
	bool begins;

	(void)fd;
	if (f->state >= FORWARD_LAST)
		return;
	if (stream_may_read(&f->client.s, what) &&
	    side_read(f, &f->client, &got) != OK) {
		forward_end(f, CLOSE_CLIENT);
		return;
	}
	begins = f->state == FORWARD_HEAD && got > 0 && f->client.in.n == got;
	forward_pump(f);
	/* A head that came whole has no deadline of its own. */
	if (begins && f->state == FORWARD_HEAD)
		forward_deadline(f, worker_snapshot(f->worker)->limits.head_ms);
}

/* RFC 9112 9.2: what an idle upstream says is no answer to anything. TLS has words of its own that say nothing to us: RFC 8446 4.6. */
static void
forward_on_idle_upstream(struct forward *f)
{
	if (stream_is_quiet(&f->upstream.s))
		forward_pump(f);
	else
		forward_side_close(&f->upstream);
}

static void
forward_on_upstream(evutil_socket_t fd, short what, void *arg)
{
	struct forward *f = arg;
	size_t got = 0;

	(void)fd;
	if (f->state >= FORWARD_LAST || !forward_side_is_open(&f->upstream))
		return;
	if (f->state != FORWARD_EXCHANGE) {
		forward_on_idle_upstream(f);
		return;
	}
	if (stream_may_read(&f->upstream.s, what) &&
	    side_read(f, &f->upstream, &got) != OK) {
		f->upstream.s.eof = true;
		f->x.broken = true;
	}
	if (got > 0 && !f->x.heard) {
		f->x.heard = true;
		request_note_first_byte(f->x.request);
	}
	f->x.bytes_down += got;
	forward_pump(f);
}

void
forward_resume_upstream(struct forward *f, struct stream s)
{
	f->upstream_scanned = 0;
	forward_side_open(
	    &f->upstream, worker_base(f->worker), s, forward_on_upstream, f);
}

void
forward_open_upstream(struct forward *f, struct stream s)
{
	forward_side_close(&f->upstream);
	forward_resume_upstream(f, s);
}

static void
forward_on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	forward_pump(arg);
}

static void
forward_init(struct forward *f, const struct forward_params *params)
{
	size_t head_max;

	f->worker = params->worker;
	f->snapshot = proxy_snapshot_ref(worker_snapshot(f->worker));
	head_max = HTTP1_HEAD_PARTS * (size_t)f->snapshot->limits.head_bytes;
	f->peer = params->peer;
	f->listener = params->listener;
	f->protocol = params->protocol;
	f->inside = params->inside;
	f->inside_port = params->inside_port;
	f->secure = params->inside != NULL || f->protocol == REQUEST_GATEWAY;
	f->draining = worker_is_draining(f->worker);
	f->held = stream_plain(-1);
	forward_side_init(&f->client, head_max + FORWARD_PIECE_BYTES,
	    FORWARD_RESPONSE_HEAD_BYTES + FORWARD_HEAD_SLACK +
	        FORWARD_PIECE_BYTES + FORWARD_BODY_OVERHEAD +
	        (f->secure ? FORWARD_CREDENTIAL_BYTES : 0));
	forward_side_init(&f->upstream, FORWARD_RESPONSE_HEAD_BYTES,
	    head_max + FORWARD_HEAD_SLACK + FORWARD_PIECE_BYTES +
	        FORWARD_BODY_OVERHEAD +
	        (f->secure ? FORWARD_CREDENTIAL_BYTES : 0));
	buf_init(&f->x.head, head_max + FORWARD_HEAD_SLACK);
	buf_init_secret(&f->x.bearer_value, head_max);
	buf_put_slice(&f->client.in, params->first);
	forward_side_open(&f->client, worker_base(f->worker), params->stream,
	    forward_on_client, f);
	(void)evtimer_assign(
	    &f->wake, worker_base(f->worker), forward_on_wake, f);
	(void)evtimer_assign(
	    &f->timer, worker_base(f->worker), forward_on_timer, f);
	f->timer_ms = INT64_MAX;
	/* In a tunnel nothing need have come yet. */
	forward_deadline(f,
	    params->first.n > 0 ? f->snapshot->limits.head_ms
	                        : f->snapshot->limits.idle_ms);
}

struct forward *
forward_start(
    const struct forward_params *params, void (*done)(void *arg), void *arg)
{
	struct forward *f = calloc(1, sizeof *f);

	if (f == NULL) {
		struct stream s = params->stream;
		stream_close(&s);
		return NULL;
	}
	forward_init(f, params);
	f->done = done;
	f->arg = arg;
	if (buf_status(&f->client.in) != OK) {
		(void)event_del(&f->timer);
		forward_free(f);
		return NULL;
	}
	/* The first bytes are judged from the loop, never from in here. */
	event_active(&f->wake, EV_TIMEOUT, 1);
	return f;
}

void
forward_drain(struct forward *f)
{
	f->draining = true;
	f->x.keep_client = false;
	if (f->state == FORWARD_HEAD && f->client.in.n == 0)
		forward_end(f, CLOSE_DRAIN);
}

/* A connection through TLS is dear, and others may need one. */
static bool
forward_is_at_rest(const struct forward *f, int64_t now_ms)
{
	return f->state == FORWARD_HEAD && f->secure && f->client.in.n == 0 &&
	    forward_side_is_open(&f->upstream) &&
	    now_ms >= f->deadline_ms - f->snapshot->limits.idle_ms + LEND_MS;
}

void
forward_tick(struct forward *f, int64_t now_ms)
{
	/* While bytes move their own fate tells, but for a client that has
	 * sent all it had. */
	bool waits = f->state == FORWARD_ASKING ||
	    f->state == FORWARD_RENEWING || f->state == FORWARD_BROKER ||
	    f->state == FORWARD_REFUSING ||
	    (f->state == FORWARD_EXCHANGE && f->client.s.eof);

	if (waits && peer_has_left(worker_peers(f->worker), f->client.s.fd))
		forward_end(f, CLOSE_CLIENT);
	else if (f->state == FORWARD_ASKING || f->state == FORWARD_RENEWING)
		request_tick(f->x.request, now_ms);
	else if (f->state == FORWARD_REFUSING)
		refusal_tick(f->refusal, now_ms);
	else if (forward_is_at_rest(f, now_ms))
		forward_keep_upstream(f);
}

void
forward_bytes(const struct forward *f, uint64_t *up, uint64_t *down)
{
	*up = f->bytes_up;
	*down = f->bytes_down;
}

void
forward_rejudge(struct forward *f)
{
	const struct proxy_snapshot *now = worker_snapshot(f->worker);

	if (f->state >= FORWARD_LAST)
		return;
	/* It could not serve any more. */
	if (f->state == FORWARD_HEAD && f->idle.generation != now->generation)
		forward_side_close(&f->upstream);
	if (f->protocol == REQUEST_GATEWAY &&
	    proxy_snapshot_gateway(now, f->listener) == NULL)
		forward_end(f, CLOSE_POLICY);
	else if (f->state == FORWARD_EXCHANGE && f->x.request != NULL &&
	    !request_still_allowed(f->x.request))
		forward_end(f, CLOSE_POLICY);
}
