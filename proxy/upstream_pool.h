/* Connections to destinations that nobody uses for now, of one worker. */
#ifndef PROXY_UPSTREAM_POOL_H
#define PROXY_UPSTREAM_POOL_H

#include "proxy/stream.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

/**
 * What one client is done with another may go on with, if all that is known
 * of it is as the other needs it. Only streams through TLS are kept, whose
 * last answer ended with its framing.
 */
struct upstream_pool;

/** All kept. NULL: no memory. Returns owned. */
struct upstream_pool *upstream_pool_create(struct event_base *base,
    const struct clock *clock, struct proxy_shared *shared) ATTR_MUST_USE;
/** Closes them all. NULL-safe. */
void upstream_pool_destroy(struct upstream_pool *p);

/** Takes @s, and closes it or an older one where there is no room. */
void upstream_pool_put(struct upstream_pool *p, struct stream s,
    const struct upstream_facts *facts, const struct proxy_limits *limits);
/**
 * One that is as @want but for its TLS version and its address, which is one
 * of @addresses; the last one used first. Not open: there is none. Else @want
 * gets what is known of it.
 */
struct stream upstream_pool_take(struct upstream_pool *p,
    const struct addr *addresses, size_t n_addresses,
    struct upstream_facts *want);
/** Closes what serves no more: older than its time, of another policy than
 * @generation or another @trust; and some where descriptors are few. */
void upstream_pool_sweep(
    struct upstream_pool *p, uint64_t generation, uint64_t trust);

#endif
