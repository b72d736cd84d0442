/* Plain HTTP through the proxy port (absolute-form): message by message. */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "base/http1.h"
#include "proxy/request.h"

/**
 * Serves one client connection from its first absolute-form request to its
 * end: parses each head, refuses what is malformed, has each judged by
 * request.c, forwards by RFC 9110 7.6, keeps one idle upstream.
 */
struct forward;

struct forward_params {
	struct proxy_worker *worker;
	int fd;                  /**< taken */
	const struct peer *peer; /**< lives until done() */
	const char *listener;    /**< likewise */
	bool gateway;       /**< @listener is a gateway's: origin-form alone */
	struct slice first; /**< bytes read so far, copied */
};

/** done() comes from the loop when the connection was closed. */
struct forward *forward_start(
    const struct forward_params *params, void (*done)(void *arg), void *arg);
/** Ends at once: the record is written, done() does not come. */
void forward_destroy(struct forward *f);
/** Draining: ends after the current message, at once when idle. */
void forward_drain(struct forward *f);
/** Called a few times a second: sees who has left or does not answer. */
void forward_tick(struct forward *f, int64_t now_ms);
/** Snapshot changed: judges the open exchange again. */
void forward_rejudge(struct forward *f);

#endif
