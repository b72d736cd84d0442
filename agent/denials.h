/* The last denials, so that `wayleave why ID` can tell more of them. */
#ifndef AGENT_DENIALS_H
#define AGENT_DENIALS_H

#include "proxy/proxy.h"

struct denials;

enum { DENIALS_KEPT = 1024 };

enum status denials_create(struct denials **out) ATTR_MUST_USE;
void denials_destroy(struct denials *d);
/** Copies what is told later; the oldest goes. Thread-safe. */
void denials_note(struct denials *d, const struct proxy_denial *denial);

/** A copy of one of them. */
struct denial_found {
	bool peer_known;
	uint32_t uid;
	struct buf members; /**< record_write() text; release it */
	struct policy_explanation explanation;
};

/** The newest of that id. E_NOTFOUND, E_NOMEM. Thread-safe. */
enum status denials_find(
    struct denials *d, struct slice id, struct denial_found *out) ATTR_MUST_USE;

#endif
