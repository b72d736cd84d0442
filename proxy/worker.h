/* The worker's inside, for the files of proxy/ alone. */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "proxy/proxy.h"
#include "proxy/resolver.h"

/* Borrowed views for request.c, tunnel.c, forward.c and session.c. */
struct event_base *worker_base(struct proxy_worker *w);
const struct clock *worker_clock(struct proxy_worker *w);
const struct proxy_ports *worker_ports(struct proxy_worker *w);
struct resolver *worker_resolver(struct proxy_worker *w);
/** The current snapshot; take a reference to keep it. */
struct proxy_snapshot *worker_snapshot(struct proxy_worker *w);
bool worker_is_draining(const struct proxy_worker *w);
/** Frees @p with @destroy at the end of this turn of the loop. */
void worker_reap(struct proxy_worker *w, void (*destroy)(void *p), void *p);

#endif
