/* One key of the cache: its token, its schedule and those who wait. */
#ifndef IDENTITY_ENTRY_H
#define IDENTITY_ENTRY_H

#include "identity/budget.h"
#include "identity/cache.h"
#include "identity/schedule.h"

struct held {
	struct secret *secret; /**< NULL: none */
	char client_id[64];
	int64_t expires_unix_s;
	int64_t not_before_unix_s;
	int64_t skew_s; /**< source's clock minus ours, when it is wrong */
	bool jump_seen; /**< hurried once for it */
};

struct cache_entry {
	struct cache_entry *next;
	size_t config;
	char *resource;
	struct schedule schedule;
	struct held held;
	uint64_t generation; /**< of tokens */
	struct cache_flight flight;
	bool flying;
	bool dead; /**< its identity is gone; freed in the next turn */
	struct claim *claims; /**< of the users that asked for it */
	struct cache_wait *waits;
	int64_t used_unix_s;
	char last_error[128];
};

struct config_slot {
	struct identity_config config;
	bool asked, reached;
};

struct cache {
	const struct clock *clock;
	struct cache_ports ports;
	struct config_slot *slots;
	size_t n_slots;
	struct cache_entry *entries;
	size_t n_entries;
	struct claim_user *users; /**< those who hold a claim */
	uint64_t turns, uses;
	struct budget budget;
};

/** Unlinks and frees @e, for which nobody waits. */
void cache_remove(struct cache *c, struct cache_entry *e);
/** @e's fetch, if there is one, is over. */
void cache_ground(struct cache *c, struct cache_entry *e);
/** Asks to be woken for what is due next. */
void cache_arm(struct cache *c);

/** Index of the identity of that name. */
bool cache_find_slot(
    const struct cache *c, const char *identity, size_t *out) ATTR_MUST_USE;

/** Takes a copy of @resource; due at once. NULL when memory is short. */
struct cache_entry *entry_create(
    size_t config, struct slice resource, int64_t now_ms);
/** No flight and no waiter may be left. */
void entry_destroy(struct cache_entry *e);

/** Wipes the token, if there is one. */
void entry_drop_token(struct cache_entry *e);
/**
 * What the token still has by both clocks: the one that does not step, and
 * the wall clock as the source keeps it. The shorter counts; when they start
 * to disagree a fetch becomes due.
 */
int64_t entry_left_ms(struct cache_entry *e, const struct clock *clock);
/** Fills @out with one more reference; false when nothing is left. */
bool entry_give(struct cache_entry *e, const struct clock *clock,
    struct cache_token *out) ATTR_MUST_USE;
/** The same where what is left is known, and is a second at least. */
void entry_give_left(
    struct cache_entry *e, int64_t left_ms, struct cache_token *out);
/** A fetch brought a token; its secret is taken. */
void entry_take(struct cache_entry *e, const struct clock *clock,
    const struct cache_landing *l, uint32_t random);
/** What @w can be told now; E_PARTIAL: it goes on waiting. */
enum status entry_verdict(struct cache_entry *e, const struct clock *clock,
    const struct cache_wait *w) ATTR_MUST_USE;

/** What the token has left for @w, whom an old one may not satisfy. */
int64_t entry_left_for_ms(struct cache_entry *e, const struct clock *clock,
    const struct cache_wait *w);

void wait_link(struct cache_wait **head, struct cache_wait *w);
void wait_unlink(struct cache_wait *w);

#endif
