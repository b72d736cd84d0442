/* The messages of an HTTP/2 connection, each with a forward of its own. */
#include "proxy/h2_down_inside.h"

#include "base/metrics.h"
#include "proxy/refusal.h"

#include <stdlib.h>

static void
stream_leave_counts(struct down_stream *ds)
{
	const struct forward_params *p = &ds->down->params;
	struct proxy_shared *shared = worker_shared(p->worker);

	if (ds->counted_uid)
		shared_leave_uid(shared, peer_counted_as(p->peer));
	if (ds->counted)
		shared_leave(shared);
	ds->counted = ds->counted_uid = false;
}

static void
stream_free(struct down_stream *ds)
{
	struct h2_down *d = ds->down;

	LIST_REMOVE(ds, link);
	stream_leave_counts(ds);
	h2_stream_release(&ds->s);
	free(ds);
	if (LIST_EMPTY(&d->streams))
		d->quiet_ms = down_now(d);
}

static void
stream_settle(struct down_stream *ds)
{
	if (ds->s.gone && ds->forward == NULL)
		stream_free(ds);
}

/* What passed is kept when it is over. */
static void
stream_forget_forward(struct down_stream *ds)
{
	uint64_t up = 0, down = 0;

	forward_bytes(ds->forward, &up, &down);
	ds->down->bytes_up += up;
	ds->down->bytes_down += down;
	ds->forward = NULL;
	ds->over_ms = down_now(ds->down);
	stream_leave_counts(ds);
}

static void
on_forward_done(void *arg)
{
	struct down_stream *ds = arg;

	stream_forget_forward(ds);
	stream_settle(ds);
}

static void
stream_stop(struct down_stream *ds, enum close_reason why)
{
	if (ds->forward == NULL)
		return;
	forward_stop(ds->forward, why);
	stream_forget_forward(ds);
}

void
down_note(const struct h2_down *d, enum reason code, const char *detail)
{
	const struct request_refusal what = { .worker = d->params.worker,
		.protocol = d->params.protocol,
		.inside = d->params.inside != NULL,
		.peer = d->params.peer,
		.listener = d->params.listener,
		.code = code,
		.detail = detail,
		.to = d->params.inside != NULL ? d->params.inside->name : NULL,
		.to_port = d->params.inside_port };

	refusal_note(&what);
}

/* Each message but the connection's first counts as a connection more: it may
 * well have one of its own on the other side. */
static bool
stream_is_admitted(struct down_stream *ds)
{
	const struct forward_params *p = &ds->down->params;
	struct proxy_shared *shared = worker_shared(p->worker);
	unsigned all =
	    shared_ceiling(shared, down_limits(ds->down)->connections);
	unsigned count = 0;

	if (LIST_EMPTY(&ds->down->streams))
		return true;
	ds->counted = true;
	if (shared_enter(shared) > all)
		return false;
	ds->counted_uid =
	    shared_enter_uid(shared, peer_counted_as(p->peer), &count) == OK;
	return ds->counted_uid && count <= worker_uid_share(p->worker);
}

static void *
on_open(void *arg, int32_t id)
{
	struct h2_down *d = arg;
	const struct h2_stream_params params = { .session = d->session,
		.stirred = &d->wake,
		.fd = d->conn.s.fd,
		.head_bytes = down_limits(d)->head_bytes };
	struct down_stream *ds = calloc(1, sizeof *ds);

	if (ds == NULL || d->draining) {
		free(ds);
		return NULL;
	}
	ds->down = d;
	if (!stream_is_admitted(ds)) {
		stream_leave_counts(ds);
		free(ds);
		down_note(d, REASON_LIMIT_REACHED, NULL);
		return NULL;
	}
	metric_add(METRIC_H2_STREAMS_TOTAL, 1);
	d->served = true;
	h2_stream_init(&ds->s, &params, id);
	LIST_INSERT_HEAD(&d->streams, ds, link);
	return ds;
}

static void
on_field(void *stream, struct slice name, struct slice value)
{
	h2_stream_field(stream, name, value);
}

static void
on_malformed(void *arg)
{
	down_note(arg, REASON_BAD_REQUEST, "malformed HTTP/2");
}

static void
stream_start(struct down_stream *ds)
{
	struct forward_params params = ds->down->params;

	params.stream = h2_stream_attach(&ds->s);
	params.first = SLICE("");
	ds->forward = forward_start(&params, on_forward_done, ds);
}

static void
on_head(void *stream, bool ends)
{
	struct down_stream *ds = stream;
	bool first = !ds->s.head_put;
	enum status st = h2_stream_head(&ds->s, ends);

	if (st == E_SYNTAX)
		on_malformed(ds->down);
	if (st != OK)
		h2_stream_reset(&ds->s,
		    st == E_SYNTAX ? H2_PROTOCOL_ERROR : H2_INTERNAL_ERROR);
	else if (first)
		stream_start(ds);
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

/* One that ended well is left to see that for itself. */
static void
on_closed(void *stream, uint32_t error)
{
	struct down_stream *ds = stream;

	if (!h2_stream_closed(&ds->s, error))
		stream_stop(ds, CLOSE_CLIENT);
	stream_settle(ds);
}

const struct h2_events down_events = {
	.open = on_open,
	.field = on_field,
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.pull = on_pull,
	.closed = on_closed,
	.malformed = on_malformed,
};

/* Its answer is made, and nobody fetches it. */
void
down_stream_tick(struct down_stream *ds, int64_t now_ms)
{
	if (ds->forward != NULL)
		forward_tick(ds->forward, now_ms);
	else if (ds->s.head_put && !ds->s.gone && !ds->s.broken &&
	    now_ms - ds->over_ms > down_limits(ds->down)->idle_ms)
		h2_stream_reset(&ds->s, H2_CANCEL);
}

void
down_stream_drop(struct down_stream *ds, enum close_reason why)
{
	h2_session_forget(ds->s.session, ds->s.id);
	stream_stop(ds, why);
	stream_free(ds);
}
