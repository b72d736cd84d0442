/* A loaded policy: counted, immutable, asked for its plain facts. */
#include "policy/policy.h"

#include "policy/model.h"

#include <stdlib.h>

struct policy *
policy_ref(struct policy *p)
{
	(void)atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void
policy_unref(struct policy *p)
{
	if (p == NULL ||
	    atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	index_release(&p->index);
	pool_release(&p->pool);
	free(p);
}

enum policy_mode
policy_mode(const struct policy *p)
{
	return p->mode;
}

const char *
policy_sha256(const struct policy *p)
{
	return p->sha256;
}

size_t
policy_rule_count(const struct policy *p)
{
	return p->n_rules;
}

const char *
policy_rule_id(const struct policy *p, size_t index)
{
	return index < p->n_rules ? p->rules[index].id : NULL;
}

const struct policy_inject *
policy_rule_inject(const struct policy *p, size_t index)
{
	const struct rule_request *q =
	    index < p->n_rules ? rule_request(p, &p->rules[index]) : NULL;

	return q != NULL ? q->inject : NULL;
}

bool
policy_uses_exes(const struct policy *p)
{
	return p->uses_exes;
}

size_t
policy_user_names(const struct policy *p, const char *const **names)
{
	*names = (const char *const *)p->user_names;
	return p->n_user_names;
}

size_t
policy_group_names(const struct policy *p, const char *const **names)
{
	*names = (const char *const *)p->group_names;
	return p->n_group_names;
}

size_t
policy_identity_names(const struct policy *p, const char *const **names)
{
	*names = (const char *const *)p->identity_names;
	return p->n_identity_names;
}
