/* A live resolution for `why`: asked on a worker's loop, answered with a
 * copy on the control loop. */
#include "agent/worker.h"

#include <stdlib.h>
#include <string.h>

struct worker_resolve {
	struct mail mail; /* first */
	struct worker *worker;
	struct mailbox *control;
	void (*done)(void *arg, const struct policy_answer *a);
	void *arg;
	bool cancelled; /* the control loop's own */
	char name[HOST_BYTES];
	struct policy_answer answer; /* a copy, all owned */
	char *soa;
	char **chain;
	struct addr *addresses;
};

static void
resolve_free(struct worker_resolve *r)
{
	if (r->chain != NULL)
		for (size_t i = 0; i < r->answer.n_chain; i++)
			free(r->chain[i]);
	free(r->chain);
	free(r->addresses);
	free(r->soa);
	free(r);
}

/* On the control loop. */
static void
resolve_return(struct mail *m)
{
	struct worker_resolve *r = (struct worker_resolve *)m;

	if (!r->cancelled)
		r->done(r->arg, &r->answer);
	resolve_free(r);
}

static bool
copy_lists(struct worker_resolve *r, const struct policy_answer *a)
{
	r->chain = calloc(a->n_chain + 1, sizeof *r->chain);
	r->addresses = calloc(a->n_addresses + 1, sizeof *r->addresses);
	if (r->chain == NULL || r->addresses == NULL)
		return false;
	for (size_t i = 0; i < a->n_chain; i++) {
		r->chain[i] = strdup(a->chain[i]);
		if (r->chain[i] == NULL)
			return false;
		r->answer.n_chain++;
	}
	for (size_t i = 0; i < a->n_addresses; i++)
		r->addresses[i] = a->addresses[i];
	r->answer.n_addresses = a->n_addresses;
	return true;
}

/* On the worker's loop. */
static void
on_resolved(void *arg, const struct policy_answer *a)
{
	struct worker_resolve *r = arg;

	r->answer.failure = a != NULL ? a->failure : REASON_DNS_SERVFAIL;
	if (a != NULL && !copy_lists(r, a))
		r->answer.failure = REASON_DNS_SERVFAIL;
	if (a != NULL && a->negative_soa != NULL)
		r->soa = strdup(a->negative_soa);
	r->answer.chain = (const char *const *)r->chain;
	r->answer.addresses = r->addresses;
	r->answer.negative_soa = r->soa;
	r->mail.deliver = resolve_return;
	mailbox_answer(r->control, &r->mail);
}

static void
resolve_arrived(struct mail *m)
{
	struct worker_resolve *r = (struct worker_resolve *)m;
	struct proxy_worker *proxy = worker_proxy(r->worker);

	if (proxy == NULL ||
	    proxy_resolve_start(proxy, r->name, on_resolved, r) == NULL)
		on_resolved(r, NULL);
}

enum status
worker_resolve_start(struct worker *w, const struct worker_resolve_question *q,
    struct worker_resolve **out)
{
	struct worker_resolve *r = calloc(1, sizeof *r);
	enum status st;

	if (r == NULL)
		return E_NOMEM;
	r->worker = w;
	r->control = q->control;
	r->done = q->done;
	r->arg = q->arg;
	r->mail.deliver = resolve_arrived;
	st = slice_copy(slice_of(q->name), r->name, sizeof r->name) ? OK
	                                                            : E_LIMIT;
	if (st == OK)
		st = mailbox_post(worker_mailbox(w), &r->mail);
	if (st != OK) {
		free(r);
		return st;
	}
	*out = r;
	return OK;
}

void
worker_resolve_cancel(struct worker_resolve *r)
{
	r->cancelled = true;
}
