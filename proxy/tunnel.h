/* An allowed tunnel: checks its first flight, relays, and ends it. */
#ifndef PROXY_TUNNEL_H
#define PROXY_TUNNEL_H

#include "proxy/close.h"
#include "proxy/request.h"

struct tunnel;

struct tunnel_params {
	struct proxy_worker *worker;
	struct request *request; /**< taken; it is READY */
	int client_fd;           /**< taken */
	struct buf *early;       /**< moved: what the client sent already */
	int status;              /**< told to the client, for the record */
};

/**
 * Takes over after the success answer was sent. done() comes from the loop,
 * never from inside, when all is closed and recorded; then the owner calls
 * tunnel_destroy(). NULL: no memory; all was closed and recorded.
 */
struct tunnel *tunnel_start(
    const struct tunnel_params *params, void (*done)(void *arg), void *arg);
/** Frees @t; ends it as @why first if it has not ended. */
void tunnel_destroy(struct tunnel *t, enum close_reason why);
/** Idle time, hello deadline and `expires`; may call done(). */
void tunnel_tick(struct tunnel *t, int64_t now_ms, int64_t now_unix_s);
/** Draining: what is looked into ends after its message; may call done(). */
void tunnel_drain(struct tunnel *t);
/** The snapshot changed; may call done(). */
void tunnel_rejudge(struct tunnel *t);

#endif
