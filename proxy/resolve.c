/* One resolution for `why`, by the resolver that the traffic uses. */
#include "proxy/worker.h"

#include <stdlib.h>

struct proxy_resolve {
	struct resolver_query *query;
	void (*done)(void *arg, const struct policy_answer *a);
	void *arg;
};

static void
resolve_on_answer(void *arg, struct resolver_answer *a)
{
	struct proxy_resolve *r = arg;
	void (*done)(void *, const struct policy_answer *) = r->done;
	void *done_arg = r->arg;

	free(r);
	done(done_arg, &a->facts);
	resolver_answer_unref(a);
}

struct proxy_resolve *
proxy_resolve_start(struct proxy_worker *w, const char *name,
    void (*done)(void *arg, const struct policy_answer *a), void *arg)
{
	struct proxy_resolve *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->done = done;
	r->arg = arg;
	r->query =
	    resolver_start(worker_resolver(w), name, resolve_on_answer, r);
	if (r->query == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

void
proxy_resolve_cancel(struct proxy_resolve *r)
{
	if (r == NULL)
		return;
	resolver_cancel(r->query);
	free(r);
}
