/* The inside of an inspected tunnel: TLS ends here, requests go on. */
#ifndef PROXY_INSPECT_H
#define PROXY_INSPECT_H

#include "proxy/close.h"
#include "proxy/request.h"

struct inspect;

struct inspect_params {
	struct proxy_worker *worker;
	const struct request *request; /**< the tunnel's; outlives it */
	int client_fd;                 /**< taken on success alone */
	struct slice hello; /**< all that came of the client; copied */
	/** Comes once from the loop, never from inside, when it has ended of
	 * itself; then inspect_end(). */
	void (*done)(void *arg, enum close_reason why);
	void *arg;
};

/**
 * Shows the client a leaf for the tunnel's host, and serves what it asks for:
 * each request inside is judged, recorded and sent as a gateway's. Handshakes
 * have their turns; the deadline is the caller's. E_NOMEM.
 */
enum status inspect_start(
    const struct inspect_params *params, struct inspect **out) ATTR_MUST_USE;
/** Whether the handshake is over. */
bool inspect_is_serving(const struct inspect *h);
/** Whether too many others have a handshake for this to have begun. */
bool inspect_finds_no_room(const struct inspect *h);
/** In done(): the client did not want us, mostly for want of our CA. */
bool inspect_was_refused(const struct inspect *h);
/** Called a few times a second; may call done(). */
void inspect_tick(struct inspect *h, int64_t now_ms);
/** The snapshot changed; may call done(). */
void inspect_rejudge(struct inspect *h);
/** Ends after the current message; may call done(). */
void inspect_drain(struct inspect *h);
/** Closes and records all as @why, tells what has passed, frees @h. */
void inspect_end(
    struct inspect *h, enum close_reason why, uint64_t *up, uint64_t *down);

#endif
