/* A client connection that speaks HTTP/2: each of its streams is a message of
 * a struct forward of its own. */
#ifndef PROXY_H2_DOWN_H
#define PROXY_H2_DOWN_H

#include "proxy/forward.h"

struct h2_down;

/**
 * Serves a connection on which HTTP/2 was agreed, to its end. Of @params the
 * stream is taken, also on failure; all else is each message's. done() comes
 * from the loop when it was closed. NULL: no memory.
 */
struct h2_down *h2_down_start(
    const struct forward_params *params, void (*done)(void *arg), void *arg);
/** Ends at once, with the records that are due as @why; done() does not come,
 * and @d can be read until the turn of the loop ends. */
void h2_down_stop(struct h2_down *d, enum close_reason why);
/** Why it ended. */
enum close_reason h2_down_why(const struct h2_down *d);
/** What passed in all its messages. */
void h2_down_bytes(const struct h2_down *d, uint64_t *up, uint64_t *down);
/** Draining: no new messages, and the end when the others are done. */
void h2_down_drain(struct h2_down *d);
/** As forward_tick() and forward_rejudge(), for all of its messages. */
void h2_down_tick(struct h2_down *d, int64_t now_ms);
void h2_down_rejudge(struct h2_down *d);

#endif
