/* All phases of one question in their order, where none has to be waited for:
 * one chain for what is tested, explained and judged again. */
#include "policy/policy.h"

static bool
goes_on(const struct policy_case *c, const struct policy_verdict *v)
{
	return v->effect == POLICY_ALLOW &&
	    !(c->stop_at_would && v->would_deny);
}

void
policy_judge(const struct policy *p, const struct policy_case *c,
    struct policy_verdict *out)
{
	policy_decide_name(p, c->request, out);
	if (c->answer != NULL && goes_on(c, out))
		policy_decide_route(p, c->request, c->answer, c->self, out);
	if (c->has_hello && goes_on(c, out))
		policy_decide_hello(p, c->request, c->hello, c->sni, out);
	if (goes_on(c, out))
		policy_decide_request(p, c->request, out);
}
