/* Memory that is freed all at once: what a loaded policy is made of. */
#ifndef POLICY_POOL_H
#define POLICY_POOL_H

#include "base/slice.h"

struct pool_chunk;

/** Zero it to start; nothing in it is freed singly. */
struct pool {
	struct pool_chunk *head;
};

void pool_release(struct pool *p);
/** Zeroed and aligned for any type; NULL without memory or on overflow. */
void *pool_alloc(struct pool *p, size_t n, size_t bytes) ATTR_MUST_USE;
/** A copy with a NUL; NULL without memory. */
const char *pool_copy(struct pool *p, struct slice s) ATTR_MUST_USE;

#endif
