/* Which phantoms are good no more, though they have not ended. Pure. */
#ifndef AGENT_REVOCATIONS_H
#define AGENT_REVOCATIONS_H

#include "base/buf.h"

enum {
	REVOCATIONS_MAX = 4096,
	REVOCATIONS_OF_UID_MAX = 8, /**< single ones; then it is all of it */
	REVOCATION_ID_BYTES = 33,
	REVOCATIONS_TEXT_MAX = REVOCATIONS_MAX * 96,
};

/** Those that all of it is true of. */
struct revocation {
	bool everybody;               /**< whoever it was given to; else @uid */
	uint32_t uid;                 /**< 0 for everybody */
	char id[REVOCATION_ID_BYTES]; /**< it, or its beginning; "": any */
	int64_t until_epoch;          /**< given in it or an earlier one */
	int64_t ends_unix_s;          /**< by then all of them have ended */
};

struct revocations {
	struct revocation at[REVOCATIONS_MAX];
	size_t n;
	int64_t epoch; /**< the present one: later than those of all above */
};

/**
 * Those given out up to the present epoch, and begins the next one; the
 * caller need not fill in @r->until_epoch. Never fails: where there are too many single ones it is all of that user
 * that are revoked, or all there are. What has ended at @now_unix_s is let
 * go, and what @r covers too.
 */
void revocations_add(
    struct revocations *l, const struct revocation *r, int64_t now_unix_s);
/** Whether a phantom is among them. */
bool revocations_cover(
    const struct revocations *l, uint32_t uid, const char *id, int64_t epoch);

/** As text, one a line. */
void revocations_put(const struct revocations *l, struct buf *out);
/** E_SYNTAX: it is no such text; then @out is what it was. */
enum status revocations_read(
    struct slice text, struct revocations *out) ATTR_MUST_USE;

#endif
