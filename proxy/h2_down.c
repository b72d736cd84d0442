/* One HTTP/2 connection of a client: frames in, forwards, frames out. */
#include "proxy/h2_down_inside.h"

#include "proxy/close.h"
#include "proxy/relay.h"

#include <stdlib.h>

enum {
	PIECE_BYTES = 32768,
	/* nghttp2 gives at most a frame at a time. */
	OUT_BYTES_MAX = 2 * PIECE_BYTES + 65536,
	TURNS = 4, /* then the others of this loop */
};

static void
down_free(struct reapable *r)
{
	void *at = (char *)r - offsetof(struct h2_down, reap);
	struct h2_down *d = at;

	forward_side_release(&d->conn);
	free(d);
}

static void
down_drop_all(struct h2_down *d, enum close_reason why)
{
	struct down_stream *ds;

	while ((ds = LIST_FIRST(&d->streams)) != NULL)
		down_stream_drop(ds, why);
}

static void
down_close(struct h2_down *d, enum close_reason why)
{
	d->over = true;
	d->why = why;
	down_drop_all(d, why);
	h2_session_destroy(d->session);
	d->session = NULL;
	lingering_destroy(d->last);
	d->last = NULL;
	forward_side_close(&d->conn);
	(void)event_del(&d->wake);
	worker_reap(d->params.worker, &d->reap, down_free);
}

static void
down_end(struct h2_down *d, enum close_reason why)
{
	if (d->over)
		return;
	down_close(d, why);
	d->done(d->arg);
}

void
h2_down_stop(struct h2_down *d, enum close_reason why)
{
	if (!d->over)
		down_close(d, why);
}

enum close_reason
h2_down_why(const struct h2_down *d)
{
	return d->why;
}

void
h2_down_bytes(const struct h2_down *d, uint64_t *up, uint64_t *down)
{
	const struct down_stream *ds;

	*up = d->bytes_up;
	*down = d->bytes_down;
	for (ds = LIST_FIRST(&d->streams); ds != NULL;
	     ds = LIST_NEXT(ds, link)) {
		uint64_t up_too = 0, down_too = 0;

		if (ds->forward == NULL)
			continue;
		forward_bytes(ds->forward, &up_too, &down_too);
		*up += up_too;
		*down += down_too;
	}
}

static void
on_said(void *arg)
{
	struct h2_down *d = arg;

	d->last = NULL;
	down_end(d, d->why);
}

/* All is said: so that it is heard as well, the close waits (RFC 9113 6.8
 * and 9.1). */
static void
down_say_last(struct h2_down *d)
{
	struct buf nothing;

	buf_init(&nothing, 0);
	d->last = lingering_start(d->params.worker, forward_side_take(&d->conn),
	    &nothing, on_said, d);
	if (d->last == NULL)
		down_end(d, CLOSE_ERROR);
}

/* OK: all is out. E_PARTIAL: not yet. E_IO, E_NOMEM. */
static enum status
down_send(struct h2_down *d)
{
	const struct timeval now = { 0 };
	enum status st = OK;

	for (unsigned turn = 0; turn < TURNS && st == OK; turn++) {
		size_t put = 0;

		st = h2_session_pull(d->session, &d->conn.out, PIECE_BYTES);
		if (st != OK || forward_side_is_flushed(&d->conn))
			return st;
		st = forward_side_flush(&d->conn, SIZE_MAX, &put);
	}
	/* Behind a look at the sockets: others have their turn. */
	if (st == OK)
		st = evtimer_add(&d->wake, &now) == 0 ? E_PARTIAL : E_NOMEM;
	return st;
}

static void
down_turn(struct h2_down *d)
{
	enum status st;

	if (d->over || d->last != NULL)
		return;
	st = down_send(d);
	if (st == OK && h2_session_is_over(d->session))
		down_say_last(d);
	else if ((st != OK && st != E_PARTIAL) ||
	    forward_side_arm(&d->conn, d->end_ms == 0) != OK)
		down_end(d, st == E_IO ? CLOSE_CLIENT : CLOSE_ERROR);
}

static void
down_terminate(struct h2_down *d, enum h2_error error, enum close_reason why)
{
	if (d->end_ms != 0)
		return;
	d->end_ms = down_now(d);
	d->why = why;
	h2_session_terminate(d->session, error);
	down_turn(d);
}

/* False: it has ended. */
static bool
down_feed(struct h2_down *d, struct slice in)
{
	enum status st = h2_session_feed(d->session, in, down_now(d));

	if (st == E_SYNTAX) {
		down_note(d, REASON_LIMIT_REACHED, "too much HTTP/2, or none");
		d->end_ms = down_now(d);
		d->why = CLOSE_LIMIT;
		down_drop_all(d, CLOSE_LIMIT);
	} else if (st != OK) {
		down_end(d, CLOSE_ERROR);
	}
	return !d->over;
}

static void
on_conn(evutil_socket_t fd, short what, void *arg)
{
	struct h2_down *d = arg;
	struct relay_pool *pool = worker_relay_pool(d->params.worker);
	struct slice in = { .p = pool->buffer };

	(void)fd;
	if (d->over || d->last != NULL)
		return;
	if (stream_may_read(&d->conn.s, what) && d->end_ms == 0) {
		if (stream_read(&d->conn.s, pool->buffer, sizeof pool->buffer,
		        &in.n) != OK ||
		    d->conn.s.eof) {
			down_end(d, CLOSE_CLIENT);
			return;
		}
		if (!down_feed(d, in))
			return;
	}
	down_turn(d);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	down_turn(arg);
}

static enum status
down_init(struct h2_down *d, const struct forward_params *params)
{
	struct event_base *base = worker_base(params->worker);
	struct h2_session_params session = { .events = &down_events, .arg = d };

	d->params = *params;
	d->params.first = SLICE("");
	LIST_INIT(&d->streams);
	d->why = CLOSE_CLIENT;
	d->quiet_ms = session.now_ms = down_now(d);
	session.streams = down_limits(d)->h2_streams;
	session.head_bytes_max = 2 * (size_t)down_limits(d)->head_bytes;
	(void)evtimer_assign(&d->wake, base, on_wake, d);
	/* Reads go past its `in`, which only has to be wanted. */
	forward_side_init(&d->conn, 1, OUT_BYTES_MAX);
	forward_side_open(&d->conn, base, params->stream, on_conn, d);
	return h2_session_accept(&session, &d->session);
}

struct h2_down *
h2_down_start(
    const struct forward_params *params, void (*done)(void *arg), void *arg)
{
	struct h2_down *d = calloc(1, sizeof *d);
	struct stream stream = params->stream;

	if (d == NULL) {
		stream_close(&stream);
		return NULL;
	}
	d->done = done;
	d->arg = arg;
	if (down_init(d, params) != OK ||
	    h2_session_feed(d->session, params->first, down_now(d)) ==
	        E_NOMEM) {
		down_close(d, CLOSE_ERROR);
		return NULL;
	}
	event_active(&d->wake, EV_TIMEOUT, 1);
	return d;
}

void
h2_down_drain(struct h2_down *d)
{
	if (d->over || d->last != NULL || d->draining)
		return;
	d->draining = true;
	d->why = CLOSE_DRAIN;
	h2_session_go_away(d->session);
	event_active(&d->wake, EV_TIMEOUT, 1);
}

/* A connection that has had no message is as one without a head. */
static unsigned
down_patience(const struct h2_down *d)
{
	return d->served ? down_limits(d)->idle_ms : down_limits(d)->head_ms;
}

static void
down_look(struct h2_down *d, int64_t now_ms)
{
	if (d->end_ms != 0) {
		if (now_ms - d->end_ms > down_limits(d)->linger_ms)
			down_end(d, d->why);
		return;
	}
	if (!h2_session_awaits(d->session))
		d->head_ms = 0;
	else if (d->head_ms == 0)
		d->head_ms = now_ms;
	if (d->head_ms != 0 && now_ms - d->head_ms > down_limits(d)->head_ms)
		down_terminate(d, H2_ENHANCE_YOUR_CALM, CLOSE_HEAD);
	else if (LIST_EMPTY(&d->streams) &&
	    now_ms - d->quiet_ms > down_patience(d))
		down_terminate(
		    d, H2_NO_ERROR, d->served ? CLOSE_IDLE : CLOSE_HEAD);
}

void
h2_down_tick(struct h2_down *d, int64_t now_ms)
{
	struct down_stream *ds, *next;

	if (d->over || d->last != NULL)
		return;
	for (ds = LIST_FIRST(&d->streams); ds != NULL; ds = next) {
		next = LIST_NEXT(ds, link);
		down_stream_tick(ds, now_ms);
	}
	down_look(d, now_ms);
}

void
h2_down_rejudge(struct h2_down *d)
{
	struct down_stream *ds, *next;

	if (d->over)
		return;
	for (ds = LIST_FIRST(&d->streams); ds != NULL; ds = next) {
		next = LIST_NEXT(ds, link);
		if (ds->forward != NULL)
			forward_rejudge(ds->forward);
	}
}
