/* Who keeps which key alive: no user's keys push out or delay another's.
 *
 * The key of a token keeps the client's bytes, and one audience has as many
 * spellings as its host has letters; each costs a slot and a fetch. So a slot
 * is held by the users that asked for it, and each has only so many. The agent
 * itself is one of them, CACHE_OWN_UID. */
#ifndef IDENTITY_CLAIMS_H
#define IDENTITY_CLAIMS_H

#include "identity/entry.h"

struct claim_user {
	struct claim_user *next;
	uint32_t uid;
	unsigned n_claims;
	uint64_t turn; /**< when a fetch was last started for this user */
};

/** One user's hold on one entry. */
struct claim {
	struct claim *next;
	struct claim_user *user;
	char grant[64];
	int64_t used_ms;
	uint64_t used; /**< counts up: many fit into one millisecond */
};

/** @w's user now asks for @e: false when the user does not hold it yet. */
bool claims_touch(struct cache *c, struct cache_entry *e,
    const struct cache_wait *w) ATTR_MUST_USE;
/**
 * Lets go of what @w's user used least, until one more key fits. Keys that
 * somebody waits for stay: E_LIMIT when nothing else is left. May remove
 * entries, never @keep.
 */
enum status claims_make_room(struct cache *c, const struct cache_wait *w,
    const struct cache_entry *keep) ATTR_MUST_USE;
/** E_NOMEM: nothing has changed. */
enum status claims_add(struct cache *c, struct cache_entry *e,
    const struct cache_wait *w) ATTR_MUST_USE;
/** Of those who share it, who has not asked for a token's life lets go. */
void claims_expire(struct cache *c, struct cache_entry *e);
void claims_drop_all(struct cache *c, struct cache_entry *e);

/** Of two due entries the one with the smaller number is fetched first. */
uint64_t claims_turn(const struct cache_entry *e);
/** A fetch was started for @e: its user stands at the end of the queue. */
void claims_charge(struct cache *c, struct cache_entry *e);

#endif
