/* What a request may still send up by the budget of its rule. */
#include "proxy/request_inside.h"

#include "proxy/budget.h"

#include <stdlib.h>

struct request_budget {
	struct budget_entry *entry;
	size_t room; /* counted, and not sent yet */
};

void
request_upload_rest(struct request *r)
{
	if (r->budget == NULL)
		return;
	budget_give(r->budget->entry, r->budget->room);
	r->budget->room = 0;
}

void
request_budget_rest(struct request *r)
{
	request_upload_rest(r);
	free(r->budget);
	r->budget = NULL;
}

static enum status
find(const struct request *r, const char *rule, struct budget_entry **out)
{
	struct budget_ledger *l = shared_ledger(worker_shared(r->worker));

	return l == NULL ? E_LIMIT : budget_find(l, rule, r->peer->uid, out);
}

enum reason
request_budget_join(struct request *r)
{
	const struct policy_budget *b = r->verdict.budget;
	struct budget_entry *entry = NULL;

	/* Nobody counts: then nothing may pass. */
	if (b != NULL && find(r, b->rule, &entry) != OK)
		return REASON_LIMIT_REACHED;
	if (r->budget != NULL && r->budget->entry == entry)
		return REASON_NONE;
	request_budget_rest(r);
	if (entry == NULL)
		return REASON_NONE;
	r->budget = calloc(1, sizeof *r->budget);
	if (r->budget == NULL)
		return REASON_LIMIT_REACHED;
	r->budget->entry = entry;
	return REASON_NONE;
}

bool
request_budget_is_spent(const struct request *r)
{
	return r->budget != NULL &&
	    budget_is_spent(r->budget->entry, r->verdict.budget->bytes);
}

bool
request_has_budget(const struct request *r)
{
	return r->budget != NULL;
}

size_t
request_upload_room(struct request *r, size_t want)
{
	struct request_budget *b = r->budget;

	if (b == NULL)
		return want;
	if (b->room < want)
		b->room += budget_take(
		    b->entry, r->verdict.budget->bytes, want - b->room);
	return b->room < want ? b->room : want;
}

void
request_uploaded(struct request *r, size_t n)
{
	if (r->budget != NULL)
		r->budget->room -= n;
}
