/* The inside of a client's HTTP/2 connection, for h2_down*.c alone. */
#ifndef PROXY_H2_DOWN_INSIDE_H
#define PROXY_H2_DOWN_INSIDE_H

#include "proxy/forward.h"
#include "proxy/forward_side.h"
#include "proxy/h2_down.h"
#include "proxy/h2_stream.h"
#include "proxy/linger.h"
#include "proxy/worker.h"

#include <sys/queue.h>

/** One message. */
struct down_stream {
	struct h2_stream s; /* the first: they are one pointer */
	LIST_ENTRY(down_stream) link;
	struct h2_down *down;
	struct forward *forward; /* NULL: none yet, or it is over */
	int64_t over_ms;
	bool counted, counted_uid;
};

struct h2_down {
	struct reapable reap;
	struct forward_params params;
	struct forward_side conn;
	struct h2_session *session;
	LIST_HEAD(, down_stream) streams;
	struct event wake;
	struct lingering *last;
	void (*done)(void *arg);
	void *arg;
	int64_t quiet_ms; /* since when there is no stream */
	int64_t head_ms;  /* since when a head is awaited; 0: none is */
	int64_t end_ms;   /* since when it is ending; 0: it is not */
	bool served;      /* it had a stream */
	bool draining, over;
	enum close_reason why;         /* once it is over */
	uint64_t bytes_up, bytes_down; /* of messages that are over */
};

static inline int64_t
down_now(const struct h2_down *d)
{
	return clock_boot_ms(worker_clock(d->params.worker));
}

static inline const struct proxy_limits *
down_limits(const struct h2_down *d)
{
	return &worker_snapshot(d->params.worker)->limits;
}

/** Tells of streams; its `arg` is the connection. */
extern const struct h2_events down_events;

/** Hands over the record of what was refused without an answer. */
void down_note(const struct h2_down *d, enum reason code, const char *detail);
/** Its record is written, and all of it freed. */
void down_stream_drop(struct down_stream *ds, enum close_reason why);
void down_stream_tick(struct down_stream *ds, int64_t now_ms);

#endif
