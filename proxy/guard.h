/* Watches that a token does not come back in the answer to its request.
 *
 * Whoever sent a request without a credential is not to read the one that was
 * put in, from an error page or a debugging echo. Bytes are looked at as they
 * are decoded; where one piece may end in the middle of the token, what may be
 * its beginning waits for the next, but for its first few bytes, which every
 * token has: so a stray letter delays no event. Pure. */
#ifndef PROXY_GUARD_H
#define PROXY_GUARD_H

#include "base/slice.h"
#include "base/status.h"

enum { GUARD_FREE_BYTES = 16 }; /**< of its beginning go out at once */

struct guard {
	struct slice token; /**< borrowed; empty: nothing is watched for */
	size_t matched;     /**< of its beginning, at the end of what came */
	size_t sent;        /**< of those, that went out already */
};

/** Where what may pass goes to. */
struct guard_out {
	void (*put)(void *arg, struct slice s);
	void *arg;
};

void guard_init(struct guard *g, struct slice token);
/** E_DENIED: the token is there; what was put before is not to be sent. */
enum status guard_feed(struct guard *g, struct slice in,
    const struct guard_out *out) ATTR_MUST_USE;
/**
 * Nothing more comes. E_DENIED: it ends in a token that is cut, with a part
 * of its signature.
 */
enum status guard_end(
    struct guard *g, const struct guard_out *out) ATTR_MUST_USE;
/** Whether @text, which is whole, has it. */
bool guard_finds(const struct guard *g, struct slice text);

#endif
