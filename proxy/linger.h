/* Says a last thing and closes so that the other side can still read it. */
#ifndef PROXY_LINGER_H
#define PROXY_LINGER_H

#include "proxy/stream.h"
#include "proxy/worker.h"

struct lingering;

/**
 * Takes @s and the bytes of @last: writes them, says our end, reads and drops
 * what its socket gives what still comes until the peer closes or is silent for
 * limits.linger_ms, and closes at the latest after fifteen times that (a
 * reset would take the answer away: RFC 9112 9.6).
 * done() comes once from the loop. NULL: no memory, and @s is closed.
 */
struct lingering *lingering_start(struct proxy_worker *w, struct stream s,
    struct buf *last, void (*done)(void *arg), void *arg);
/**
 * Takes @fd, on which the caller has said that a close resets (SO_LINGER):
 * waits until the peer has taken all that was sent, and closes then, or when
 * it took nothing for limits.linger_ms. done() and NULL as above.
 */
struct lingering *lingering_until_taken(
    struct proxy_worker *w, int fd, void (*done)(void *arg), void *arg);
/** No more than twice limits.linger_ms from now on, however much still comes,
 * and at most ten seconds (RFC 1928 6). */
void lingering_hurry(struct lingering *l);
/** Closes at once, without done(). */
void lingering_destroy(struct lingering *l);

#endif
