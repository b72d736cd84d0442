/* Clients' facts, kept once for all connections that have the same. */
#ifndef PROXY_PEER_POOL_H
#define PROXY_PEER_POOL_H

#include "base/peer.h"

#include <sys/queue.h>

enum { PEER_POOL_BUCKETS = 64 };

struct kept_peer;

/** One a worker; zeroed at first, empty again when all were let go. */
struct peer_pool {
	LIST_HEAD(, kept_peer) buckets[PEER_POOL_BUCKETS];
};

/**
 * The facts of @peer, the same struct for equal ones, until they are let go
 * as often as they were kept. Its texts are copied; user and groups stay
 * borrowed, and are equal where they are the same pointers. NULL: no memory.
 */
const struct peer *peer_pool_keep(struct peer_pool *p, const struct peer *peer);
/** NULL is fine. */
void peer_pool_let_go(const struct peer *peer);

#endif
