/* HTTP that we may read: message by message. */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "base/http1.h"
#include "proxy/close.h"
#include "proxy/request.h"
#include "proxy/stream.h"

/**
 * Serves one client connection, or what is inside an inspected tunnel, from
 * its first request to its end: parses each head, refuses what is malformed, has each judged by
 * request.c, forwards by RFC 9110 7.6, keeps one idle upstream.
 */
struct forward;

struct forward_params {
	struct proxy_worker *worker;
	struct stream stream;    /**< taken */
	const struct peer *peer; /**< lives until done() */
	const char *listener;    /**< likewise */
	/** FORWARD: absolute-form; GATEWAY: @listener is one, and the others,
	 * of the tunnel that it is in: origin-form alone. */
	enum request_protocol protocol;
	/** What that tunnel leads to; lives until done(). NULL: no tunnel. */
	const struct host *inside;
	uint16_t inside_port;
	struct slice first; /**< bytes read so far, copied */
};

/** done() comes from the loop when the connection was closed. */
struct forward *forward_start(
    const struct forward_params *params, void (*done)(void *arg), void *arg);
/** Ends at once: the record is written, done() does not come. */
void forward_destroy(struct forward *f);
/** The same, as @why; @f can be read until the turn of the loop ends. */
void forward_stop(struct forward *f, enum close_reason why);
/** Why it ended. */
enum close_reason forward_why(const struct forward *f);
/** Draining: ends after the current message, at once when idle. */
void forward_drain(struct forward *f);
/** Called a few times a second: sees who has left or does not answer. */
void forward_tick(struct forward *f, int64_t now_ms);
/** What passed in all its messages. */
void forward_bytes(const struct forward *f, uint64_t *up, uint64_t *down);
/** Snapshot changed: judges the open exchange again. */
void forward_rejudge(struct forward *f);

#endif
