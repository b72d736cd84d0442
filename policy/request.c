/* The verdict on what a request brings beside its destination. */
#include "policy/model.h"

#include "base/host.h"

static void
refuse(struct policy_verdict *v, enum reason code)
{
	v->effect = POLICY_DENY;
	v->would_deny = false;
	v->code = code;
}

/* The service would fetch it by itself, so that nobody else would ask. What
 * a rename takes away is deleted there, too. */
static enum reason
judge_source(const struct policy *p, const struct policy_request *r,
    const struct policy_source *s, const struct policy_verdict *v)
{
	const struct policy_target target = { .method = SLICE("GET"),
		.method_too =
		    s->moves ? SLICE("DELETE") : (struct slice){ .p = NULL },
		.path = s->path,
		.other = s->other };
	struct policy_request q = *r;
	struct policy_verdict found;
	struct host host;

	if (s->broken)
		return REASON_COPY_SOURCE_REFUSED;
	q.target = &target;
	q.bearer = NULL; /* is not for it */
	q.method = target.method;
	q.path = target.path;
	if (s->host.n > 0) {
		if (host_parse(s->host, &host) != OK)
			return REASON_COPY_SOURCE_REFUSED;
		q.host = &host;
		q.port = s->port;
		q.plaintext = false;
	}
	policy_decide_name(p, &q, &found);
	if (found.effect != POLICY_ALLOW || found.would_deny)
		return REASON_COPY_SOURCE_REFUSED;
	return s->sas && (found.deny_sas || v->deny_sas || v->inject != NULL)
	    ? REASON_SAS_REFUSED
	    : REASON_NONE;
}

static enum reason
own_fault(const struct policy *p, const struct policy_request *r,
    const struct policy_verdict *v)
{
	enum reason code = REASON_NONE;

	if (r->bearer != NULL)
		code = phantom_fault(p, r, v->inject);
	if (code != REASON_NONE)
		return code;
	if (v->inject != NULL && r->target->other_secret)
		return REASON_AUTHORIZATION_PRESENT;
	if (r->target->sas && (v->deny_sas || v->inject != NULL))
		return REASON_SAS_REFUSED;
	return REASON_NONE;
}

/* Contract 3: these are enforced in both modes. */
void
policy_decide_request(const struct policy *p, const struct policy_request *r,
    struct policy_verdict *v)
{
	const struct policy_target *t = r->target;
	enum reason code;

	if (v->effect != POLICY_ALLOW || t == NULL)
		return;
	code = own_fault(p, r, v);
	if (code == REASON_NONE)
		v->challenge = phantom_challenge(p, r, v->inject);
	if (v->challenge != NULL)
		code = REASON_TOKEN_INVALID;
	for (size_t i = 0; i < t->n_sources && code == REASON_NONE; i++)
		code = judge_source(p, r, &t->sources[i], v);
	if (code != REASON_NONE)
		refuse(v, code);
}
