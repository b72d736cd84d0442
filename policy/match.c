/* Which rules speak for a request, and which of them gives the answer. */
#include "policy/decide.h"

#include <string.h>

struct weighing {
	const struct policy *p;
	const struct policy_request *r;
	struct match *m;
};

static enum match_stage
stage_of_tunnel(const struct weighing *w, const struct rule *rule)
{
	const struct policy_request *r = w->r;

	if (!rule_has_port(rule, r->port))
		return STAGE_HOST;
	if (!workloads_match(w->p, rule->workloads, rule->n_workloads, r->peer))
		return STAGE_PORT;
	return rule_has_expired(rule, r->now_unix_s) ? STAGE_WORKLOAD
	                                             : STAGE_MATCH;
}

/* PLAINTEXT: plain HTTP passes only where a rule names port 80. */
static enum match_stage
stage_of(const struct weighing *w, const struct rule *rule)
{
	return w->r->plaintext && !rule_has_port(rule, 80)
	    ? STAGE_PLAIN
	    : stage_of_tunnel(w, rule);
}

/* Contract 3: exact host before longer before shorter wildcard; a rule with
 * `workloads` before one without, then the one with fewer; then the id. */
static bool
is_more_specific(
    const struct policy *p, uint32_t a, uint32_t a_fixed, const struct match *m)
{
	const struct rule *ra = &p->rules[a], *rb = &p->rules[m->rule];

	if (a_fixed != m->fixed)
		return a_fixed > m->fixed;
	if ((ra->n_workloads == 0) != (rb->n_workloads == 0))
		return ra->n_workloads != 0;
	if (ra->n_workloads != rb->n_workloads)
		return ra->n_workloads < rb->n_workloads;
	return strcmp(ra->id, rb->id) < 0;
}

static void
weigh(void *arg, uint32_t at, uint32_t fixed)
{
	struct weighing *w = arg;
	struct match *m = w->m;
	const struct rule *rule = &w->p->rules[at];
	enum match_stage stage = stage_of(w, rule);

	if (rule->deny) {
		/* A deny rule speaks of the destination, plain or not, and of
		 * clients whose unit could not be found out. */
		if (!rule_has_port(rule, w->r->port) ||
		    rule_has_expired(rule, w->r->now_unix_s) ||
		    !workloads_may_match(
		        w->p, rule->workloads, rule->n_workloads, w->r->peer))
			return;
		if (m->denied_by == RULE_NONE ||
		    strcmp(rule->id, w->p->rules[m->denied_by].id) < 0)
			m->denied_by = at;
		return;
	}
	/* Whom a rule lets in plain says nothing of where the host may lie. */
	if (rule->route < m->route && stage_of_tunnel(w, rule) == STAGE_MATCH)
		m->route = (enum policy_route)rule->route;
	if (stage > m->stage ||
	    (stage == m->stage && is_more_specific(w->p, at, fixed, m))) {
		m->stage = stage;
		m->rule = at;
		m->fixed = fixed;
	}
}

void
match_rules(
    const struct policy *p, const struct policy_request *r, struct match *out)
{
	struct weighing w = { p, r, out };

	*out =
	    (struct match){ STAGE_NONE, RULE_NONE, 0, RULE_NONE, ROUTE_PUBLIC };
	index_visit(&p->index, slice_of(r->host->name), weigh, &w);
}
