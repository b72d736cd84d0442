/* What a request that is in plain sight asks for, in a form to be judged. */
#ifndef POLICY_TARGET_H
#define POLICY_TARGET_H

#include "base/http1.h"
#include "policy/path.h"

enum { POLICY_SOURCES_MAX = 4 };

/** As it came; everything is borrowed for the call. */
struct policy_plain {
	struct slice method;
	struct slice path;                 /**< without query; "" is "/" */
	struct slice query;                /**< without '?'; p == NULL: none */
	const struct http1_fields *fields; /**< NULL: not known */
	bool no_coded_slash; /**< "%2f" breaks the path, as in plain HTTP */
};

/** Where the destination is told to fetch from, or to move from. */
struct policy_source {
	struct slice host; /**< canonical; n == 0: the request's own */
	uint16_t port;     /**< 0: the request's own */
	struct slice path, other;
	bool broken; /**< cannot be told, or is told twice */
	bool moves;  /**< a rename: what is there goes */
	bool sas;
};

/**
 * A path has two readings where servers differ: `path` is that of a server
 * that tidies ("%2f" is '/', "//" is '/', ";x" is dropped), `other` that of
 * one that does not. Slices end with a NUL. No query value is kept.
 */
struct policy_target {
	struct slice method;
	struct slice method_too; /**< of X-HTTP-Method and the like; or empty */
	struct slice path, other;
	struct policy_source sources[POLICY_SOURCES_MAX];
	uint8_t n_sources;
	bool broken;       /**< malformed: refused whatever the rules say */
	bool sas;          /**< a shared access signature comes with it */
	bool batch;        /**< requests of their own are in its body */
	bool other_secret; /**< a credential in another field than usual */
};

/** Room for policy_target_read()'s text, in bytes. */
size_t policy_target_bytes(const struct policy_plain *in);
/** Writes all of @out, which borrows from @text alone. Pure. */
void policy_target_read(
    const struct policy_plain *in, char *text, struct policy_target *out);

#endif
