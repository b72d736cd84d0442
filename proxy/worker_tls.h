/* What a worker's handshakes have in common, for worker.c alone. */
#ifndef PROXY_WORKER_TLS_H
#define PROXY_WORKER_TLS_H

#include "base/log_fold.h"
#include "proxy/worker.h"

#include "proxy/turns.h"

struct worker_tls {
	struct tls_client_ctx *client; /**< of the trust there was, or NULL */
	struct tls_accept_ctx *accept; /**< of the CA there was, or NULL */
	struct turns turns;
	struct log_fold log_fold;
};

void worker_tls_init(struct worker_tls *t, struct event_base *base);
/** When nothing of the worker's waits any more. */
void worker_tls_release(struct worker_tls *t);
/** The worker's own. */
struct worker_tls *worker_tls_of(struct proxy_worker *w);

#endif
