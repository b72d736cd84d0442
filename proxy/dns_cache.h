/* Answers by canonical name until their time is over; bounded. */
#ifndef PROXY_DNS_CACHE_H
#define PROXY_DNS_CACHE_H

#include "proxy/resolver.h"

struct dns_cache;

/** @clock is kept. At most @max_entries (>= 1) names. */
enum status dns_cache_create(const struct clock *clock, size_t max_entries,
    struct dns_cache **out) ATTR_MUST_USE;
void dns_cache_destroy(struct dns_cache *c);
/** Borrowed until the next call; NULL when absent or out of date. */
struct resolver_answer *dns_cache_get(struct dns_cache *c, const char *name);
/**
 * Keeps a reference to @a for @ttl_s; 0 keeps nothing and forgets what was
 * there. When full the name unused for longest goes. Without memory nothing
 * is kept: a cache may forget.
 */
void dns_cache_put(struct dns_cache *c, const char *name,
    struct resolver_answer *a, int64_t ttl_s);
void dns_cache_clear(struct dns_cache *c);
size_t dns_cache_count(const struct dns_cache *c);

#endif
