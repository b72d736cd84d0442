/* Whether the unit of a client makes a difference to a request. */
#include "policy/model.h"

struct asking {
	const struct policy *p;
	const struct policy_request *r;
	const char *rule; /* the first that asks */
};

/* One workload of @rule is @peer but for its unit or cgroup. */
static bool
asks_for_a_unit(const struct asking *a, const struct rule *rule)
{
	struct peer peer = *a->r->peer;

	peer.cgroup_unknown = true;
	for (uint32_t i = 0; i < rule->n_workloads; i++) {
		uint32_t at = rule->workloads[i];
		const struct workload *w = &a->p->workloads[at];

		if ((w->units.n > 0 || w->cgroups.n > 0) &&
		    workloads_may_match(a->p, &at, 1, &peer))
			return true;
	}
	return false;
}

static void
visit(void *arg, uint32_t at, uint32_t fixed)
{
	struct asking *a = arg;
	const struct rule *rule = &a->p->rules[at];

	(void)fixed;
	if (a->rule == NULL && rule_has_port(rule, a->r->port) &&
	    !rule_has_expired(rule, a->r->now_unix_s) &&
	    asks_for_a_unit(a, rule))
		a->rule = rule->id;
}

const char *
policy_asks_unit(const struct policy *p, const struct policy_request *r)
{
	struct asking a = { p, r, NULL };

	if (r->peer != NULL)
		index_visit(&p->index, slice_of(r->host->name), visit, &a);
	return a.rule;
}
