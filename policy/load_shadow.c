/* Rules that keep another's credential or budget from what they name. */
#include "policy/load.h"

#include <string.h>

struct shadow {
	const struct policy *p;
	const struct rule *rule;   /* more specific, and injects nothing */
	uint32_t fixed;            /* labels of the host it names */
	bool kept;                 /* a rule before it injects all the same */
	const struct rule *lost;   /* the first whose credential that hides */
	const struct rule *missed; /* the first whose budget that misses */
};

static bool
shares_port(const struct rule *a, const struct rule *b)
{
	for (uint32_t i = 0; i < a->n_ports; i++)
		if (rule_has_port(b, a->ports[i]))
			return true;
	return false;
}

/* Contract 3: exact host before longer before shorter wildcard; of two alike
 * one for certain workloads before one for all, then the smaller id. */
static bool
decides(const struct shadow *s, const struct rule *other, uint32_t fixed)
{
	if (fixed != s->fixed)
		return fixed > s->fixed;
	return other->n_workloads > 0 || strcmp(other->id, s->rule->id) < 0;
}

static void
visit(void *arg, uint32_t at, uint32_t fixed)
{
	struct shadow *s = arg;
	const struct rule *other = &s->p->rules[at];
	const struct rule_request *q = rule_request(s->p, other);
	bool first;

	if (q == NULL || other == s->rule || !shares_port(s->rule, other))
		return;
	first = decides(s, other, fixed);
	if (q->inject != NULL && first)
		s->kept = true;
	else if (q->inject != NULL && s->lost == NULL)
		s->lost = other;
	/* What it does not name itself the other rule lets through. */
	if (q->budget != NULL && s->missed == NULL &&
	    !(first && q->methods.n == 0 && q->paths.n == 0))
		s->missed = other;
}

static bool
may_shadow(const struct policy *p, const struct rule *rule)
{
	const struct rule_request *q = rule_request(p, rule);

	return !rule->deny && rule->n_workloads == 0 &&
	    (q == NULL || q->inject == NULL || q->budget == NULL);
}

/* Labels that are fixed, as index_visit() counts them. */
static uint32_t
fixed_labels(const char *host)
{
	uint32_t n = 0;

	if (host[0] != '*')
		return UINT32_MAX;
	for (; *host != '\0'; host++)
		n += *host == '.';
	return n;
}

static void
check_host(struct loader *l, const char *host, const struct where *w,
    const struct rule *rule)
{
	struct shadow s = {
		.p = l->p, .rule = rule, .fixed = fixed_labels(host)
	};
	const struct rule_request *q = rule_request(l->p, rule);

	/* No label is "*": wildcards are found as for a name under them. */
	index_visit(&l->p->index, slice_of(host), visit, &s);
	if (s.missed != NULL && (q == NULL || q->budget == NULL))
		load_warning(l, w,
		    "rule \"%s\" has an upload budget for \"%s\", but this "
		    "rule has none, so that what it allows is not counted",
		    s.missed->id, host);
	if (s.lost != NULL && !s.kept && (q == NULL || q->inject == NULL))
		load_warning(l, w,
		    "rule \"%s\" injects a credential into requests to "
		    "\"%s\", but this rule is more specific and injects "
		    "none, so none is",
		    s.lost->id, host);
}

static void
check_hosts(struct loader *l, const struct jsonr_value *v,
    const struct where *w, const struct rule *rule)
{
	const struct jsonr_value *list = jsonr_member(v, "hosts");
	const struct jsonr_value *e = jsonr_first(list);
	struct where list_at = where_key(w, "hosts");

	for (size_t i = 0; i < jsonr_count(list); i++, e = jsonr_next(e)) {
		struct where at = where_at(&list_at, i);
		const char *host = jsonr_text(e);

		if (host != NULL)
			check_host(l, host, &at, rule);
	}
}

void
load_shadows(
    struct loader *l, const struct jsonr_value *list, const struct where *w)
{
	const struct jsonr_value *v = jsonr_first(list);
	const struct policy *p = l->p;
	bool any = policy_has_budgets(p);

	for (size_t i = 0; i < p->n_requests; i++)
		any |= p->requests[i].inject != NULL;
	/* After an error the rules may not be what they say. */
	if (!any || l->st != OK)
		return;
	for (size_t i = 0; i < p->n_rules; i++, v = jsonr_next(v)) {
		struct where at = where_at(w, i);

		if (may_shadow(p, &p->rules[i]))
			check_hosts(l, v, &at, &p->rules[i]);
	}
}
