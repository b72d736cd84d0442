/* What a rule says of a request that is in plain sight. */
#include "policy/glob.h"
#include "policy/model.h"

bool
rule_looks_inside(const struct rule_request *q)
{
	return q != NULL &&
	    (q->methods.n > 0 || q->paths.n > 0 || q->deny_sas || q->inspect);
}

bool
policy_has_budgets(const struct policy *p)
{
	for (size_t i = 0; i < p->n_requests; i++)
		if (p->requests[i].budget != NULL)
			return true;
	return false;
}

/* On port 80 all is in plain sight that is no tunnel. */
static bool
is_for_port_80_alone(const struct rule *rule)
{
	for (uint32_t i = 0; i < rule->n_ports; i++)
		if (rule->ports[i] != 80)
			return false;
	return true;
}

bool
policy_inspects(const struct policy *p)
{
	if (p->tenants != NULL)
		return true;
	for (size_t i = 0; i < p->n_rules && p->n_requests > 0; i++) {
		const struct rule_request *q = rule_request(p, &p->rules[i]);

		if (q != NULL && (rule_looks_inside(q) || q->inject != NULL) &&
		    !is_for_port_80_alone(&p->rules[i]))
			return true;
	}
	return false;
}

/* RFC 9110 9.1: methods are case-sensitive. */
static bool
names(const struct rule_request *q, struct slice method)
{
	for (size_t i = 0; i < q->methods.n; i++)
		if (slice_is(method, q->methods.at[i]))
			return true;
	return q->methods.n == 0;
}

/* To a server that folds them a deny rule must not be blind. */
static bool
means(const struct rule_request *q, struct slice method)
{
	for (size_t i = 0; i < q->methods.n; i++)
		if (slice_is_nocase(method, q->methods.at[i]))
			return true;
	return q->methods.n == 0;
}

bool
rule_names_method(const struct rule_request *q, const struct policy_target *t)
{
	return q == NULL ||
	    (names(q, t->method) &&
	        (t->method_too.n == 0 || names(q, t->method_too)));
}

static bool
covers(const struct rule_request *q, struct slice path, bool fold)
{
	for (size_t i = 0; i < q->paths.n; i++)
		if (fold ? glob_match_nocase(q->paths.at[i], path.p)
		         : glob_match(q->paths.at[i], path.p))
			return true;
	return q->paths.n == 0;
}

bool
rule_covers_path(const struct rule_request *q, const struct policy_target *t)
{
	return q == NULL ||
	    (covers(q, t->path, false) &&
	        (t->other.p == t->path.p || covers(q, t->other, false)));
}

/* Key Vault and Resource Manager do not tell upper from lower case. */
bool
rule_means_target(const struct rule_request *q, const struct policy_target *t)
{
	return (means(q, t->method) ||
	           (t->method_too.n > 0 && means(q, t->method_too))) &&
	    (covers(q, t->path, true) || covers(q, t->other, true));
}
