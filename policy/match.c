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

/* What cannot be seen may fit; the verdict hears that it was not seen. */
static enum match_stage
stage_of_request(const struct weighing *w, const struct rule *rule)
{
	const struct rule_request *q = rule_request(w->p, rule);
	const struct policy_target *t = w->r->target;

	if (q == NULL || t == NULL)
		return STAGE_MATCH;
	if (!rule_names_method(q, t))
		return STAGE_LIVE;
	return rule_covers_path(q, t) ? STAGE_MATCH : STAGE_METHOD;
}

/* PLAINTEXT: plain HTTP passes only where a rule names port 80. */
static enum match_stage
stage_of(const struct weighing *w, const struct rule *rule)
{
	enum match_stage stage;

	if (w->r->plaintext && !rule_has_port(rule, 80))
		return STAGE_PLAIN;
	stage = stage_of_tunnel(w, rule);
	return stage == STAGE_MATCH ? stage_of_request(w, rule) : stage;
}

/* The host, the port and the client fit: does the rest matter to the rule? */
static void
note_inside(struct match *m, const struct policy *p, uint32_t at,
    const struct rule_request *q)
{
	if (!rule_looks_inside(q))
		return;
	if (m->inside == RULE_NONE ||
	    strcmp(p->rules[at].id, p->rules[m->inside].id) < 0)
		m->inside = at;
	m->inside_hard |= q->deny_sas;
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
note_allow(const struct weighing *w, uint32_t at, enum match_stage stage)
{
	const struct rule_request *q = rule_request(w->p, &w->p->rules[at]);

	if (q == NULL)
		return;
	note_inside(w->m, w->p, at, q);
	w->m->deny_sas |= stage == STAGE_MATCH && q->deny_sas;
}

/* A deny rule speaks of the destination, plain or not, and of clients whose
 * unit could not be found out. */
static void
weigh_deny(const struct weighing *w, uint32_t at)
{
	const struct rule *rule = &w->p->rules[at];
	const struct rule_request *q = rule_request(w->p, rule);
	struct match *m = w->m;

	if (!rule_has_port(rule, w->r->port) ||
	    rule_has_expired(rule, w->r->now_unix_s) ||
	    !workloads_may_match(
	        w->p, rule->workloads, rule->n_workloads, w->r->peer))
		return;
	if (q != NULL) {
		note_inside(m, w->p, at, q);
		if (w->r->target == NULL || !rule_means_target(q, w->r->target))
			return;
	}
	if (m->denied_by == RULE_NONE ||
	    strcmp(rule->id, w->p->rules[m->denied_by].id) < 0)
		m->denied_by = at;
}

static void
weigh(void *arg, uint32_t at, uint32_t fixed)
{
	struct weighing *w = arg;
	struct match *m = w->m;
	const struct rule *rule = &w->p->rules[at];
	enum match_stage stage;

	if (rule->deny) {
		weigh_deny(w, at);
		return;
	}
	stage = stage_of(w, rule);
	/* Whom a rule lets in plain says nothing of where the host may lie. */
	if (rule->route < m->route &&
	    (stage >= STAGE_LIVE ||
	        (stage == STAGE_PLAIN &&
	            stage_of_tunnel(w, rule) == STAGE_MATCH)))
		m->route = (enum policy_route)rule->route;
	if (stage >= STAGE_LIVE && rule->request != 0)
		note_allow(w, at, stage);
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

	*out = (struct match){ .stage = STAGE_NONE,
		.rule = RULE_NONE,
		.denied_by = RULE_NONE,
		.inside = RULE_NONE,
		.route = ROUTE_PUBLIC };
	index_visit(&p->index, slice_of(r->host->name), weigh, &w);
}
