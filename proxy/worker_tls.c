/* The contexts of a worker's handshakes, made where they are first used: the
 * agent starts before it has read whom to believe. */
#include "proxy/worker_tls.h"

#include "proxy/tls_accept.h"
#include "proxy/tls_client.h"

void
worker_tls_init(struct worker_tls *t, struct event_base *base)
{
	turns_init(&t->turns, base);
}

void
worker_tls_release(struct worker_tls *t)
{
	turns_release(&t->turns);
	tls_client_ctx_destroy(t->client);
	tls_accept_ctx_destroy(t->accept);
}

struct tls_client_ctx *
worker_tls(struct proxy_worker *w, uint64_t *epoch)
{
	struct worker_tls *t = worker_tls_of(w);
	struct tls_trust *trust = shared_trust(worker_shared(w), epoch);

	if (trust != NULL &&
	    (t->client == NULL || !tls_client_ctx_is_of(t->client, trust))) {
		tls_client_ctx_destroy(t->client);
		t->client = tls_client_ctx_new(trust);
	}
	tls_trust_unref(trust);
	return t->client;
}

struct tls_accept_ctx *
worker_accept(struct proxy_worker *w)
{
	struct worker_tls *t = worker_tls_of(w);
	struct tls_ca *ca = worker_snapshot(w)->inspection_ca;

	if (ca != NULL && t->accept != NULL &&
	    tls_accept_ctx_is_of(t->accept, ca))
		return t->accept;
	tls_accept_ctx_destroy(t->accept);
	t->accept = ca == NULL ? NULL : tls_accept_ctx_new(ca);
	return t->accept;
}

void
worker_forget_ca(struct proxy_worker *w)
{
	struct worker_tls *t = worker_tls_of(w);
	struct tls_ca *ca = worker_snapshot(w)->inspection_ca;

	if (t->accept == NULL ||
	    (ca != NULL && tls_accept_ctx_is_of(t->accept, ca)))
		return;
	tls_accept_ctx_destroy(t->accept);
	t->accept = NULL;
}

struct log_fold *
worker_log_fold(struct proxy_worker *w)
{
	return &worker_tls_of(w)->log_fold;
}

struct turns *
worker_turns(struct proxy_worker *w)
{
	return &worker_tls_of(w)->turns;
}
