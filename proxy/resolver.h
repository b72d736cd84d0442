/* Names to judged facts: raw DNS answers, owners walked, cached by TTL. */
#ifndef PROXY_RESOLVER_H
#define PROXY_RESOLVER_H

#include "proxy/proxy.h"

/** One channel set and cache a loop. */
struct resolver;
struct resolver_query;

/** Counted and immutable; shared by everybody who asked at once. */
struct resolver_answer {
	struct policy_answer facts; /**< A and AAAA joined by contract 9 */
	int64_t ttl_s;              /**< least TTL of the chain, capped */
	bool cached;
	unsigned refs; /**< private */
};

struct resolver_answer *resolver_answer_ref(struct resolver_answer *a);
void resolver_answer_unref(struct resolver_answer *a);

/** @config is copied. */
enum status resolver_create(struct event_base *base, const struct clock *clock,
    const struct proxy_dns_config *config, struct resolver **out) ATTR_MUST_USE;
/** Cancels everything without a callback. */
void resolver_destroy(struct resolver *r);
/** The channels of one configuration, not in use yet. */
struct zone_set;
/** Touches nothing that the resolver's own thread changes. */
enum status resolver_prepare(struct resolver *r,
    const struct proxy_dns_config *config, struct zone_set **out) ATTR_MUST_USE;
/** Of one that was not adopted; on the resolver's thread. NULL-safe. */
void resolver_abandon(struct zone_set *set);
/**
 * New servers: takes @set. The cache is dropped, running queries end by the
 * old ones.
 */
void resolver_adopt(struct resolver *r, struct zone_set *set);
/** Both at once. */
enum status resolver_set_config(
    struct resolver *r, const struct proxy_dns_config *config) ATTR_MUST_USE;

/** What is known of @name by now, as the caller's reference; or NULL. */
struct resolver_answer *resolver_find(struct resolver *r, const char *name);
/**
 * Asks for A and AAAA of the canonical @name. done() comes once from the
 * loop, never from inside; @a is the callee's reference to keep or unref.
 * NULL: no memory. Failures are answers (facts.failure).
 */
struct resolver_query *resolver_start(struct resolver *r, const char *name,
    void (*done)(void *arg, struct resolver_answer *a), void *arg);
void resolver_cancel(struct resolver_query *q);

#endif
