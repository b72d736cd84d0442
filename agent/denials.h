/* The last denials, so that `wayleave why ID` can tell more of them. */
#ifndef AGENT_DENIALS_H
#define AGENT_DENIALS_H

#include "base/host.h"
#include "base/jsonw.h"
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

enum { DENIAL_DESTINATION_BYTES = HOST_BYTES + 8 };

/** One of them in a line. */
struct denial_line {
	char id[RECORD_ID_BYTES];
	enum reason code;
	/** HOST:PORT, the audience of a token, or "-". */
	char destination[DENIAL_DESTINATION_BYTES];
};

enum { DENIAL_LINES_MAX = 16 };

/**
 * The newest of @uid's own after the @after-th, each id once, the oldest
 * first; how many. *last: how many there were in all. Thread-safe.
 */
size_t denials_of(struct denials *d, uint32_t uid, uint64_t after,
    struct denial_line out[DENIAL_LINES_MAX], uint64_t *last);
/** The same as the members "last" and "denials". */
void denials_put_own(
    struct jsonw *w, struct denials *d, uint32_t uid, uint64_t after);

#endif
