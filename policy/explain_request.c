/* Why a request was denied for what stands inside it. */
#include "policy/explain.h"

#define SAY(field, ...) explain_say(field, sizeof(field), __VA_ARGS__)

static const char *
id_of(const struct rule *rule)
{
	return rule == NULL ? "" : rule->id;
}

/* Something of it could not be seen, and a rule has to. */
static void
explain_hidden(const struct policy *p, const struct policy_request *r,
    const struct rule *rule, struct policy_explanation *out)
{
	const struct rule_request *q =
	    rule == NULL ? NULL : rule_request(p, rule);
	bool injects = q != NULL && q->inject != NULL && !rule->deny;

	if (r->target != NULL && r->target->batch) {
		SAY(out->unmet,
		    "method: a batch hides the requests in it, and rule \"%s\" "
		    "is about each",
		    id_of(rule));
		SAY(out->fix, "send the requests one by one, not as a batch");
		return;
	}
	if (policy_tenants_of(p, r->host->name) != NULL)
		SAY(out->unmet,
		    "tenant_restrictions: people sign in at \"%.128s\", and a "
		    "tunnel hides where to",
		    r->host->name);
	else
		SAY(out->unmet,
		    injects
		        ? "inject: rule \"%s\" puts a credential into requests, "
		          "which a tunnel hides"
		        : "method: rule \"%s\" looks into requests, which a tunnel "
		          "hides",
		    id_of(rule));
	SAY(out->fix,
	    "use its gateway: the one of \"gateways\" in wayleave.json whose "
	    "upstream is https://%s",
	    r->host->name);
}

static void
explain_method(const struct policy *p, const struct policy_request *r,
    const struct policy_verdict *v, const struct rule *rule,
    struct policy_explanation *out)
{
	const struct policy_target *t = r->target;

	/* Where a rule matched as far as could be seen, more had to be. */
	if (rule == NULL || t == NULL || v->rule != NULL) {
		explain_hidden(p, r, rule, out);
		return;
	}
	SAY(out->unmet, "method: rule \"%s\" does not name %.32s%s%.32s",
	    rule->id, t->method.p, t->method_too.n > 0 ? " and " : "",
	    t->method_too.n > 0 ? t->method_too.p : "");
	explain_addition(p, r, rule, out);
}

static void
explain_path(const struct policy *p, const struct policy_request *r,
    const struct rule *rule, struct policy_explanation *out)
{
	const struct policy_target *t = r->target;
	struct policy_target tidy;

	if (rule == NULL || t == NULL)
		return;
	tidy = *t;
	tidy.other = tidy.path;
	if (t->other.p != t->path.p) {
		SAY(out->unmet,
		    "path: it can be read in two ways, \"%.60s\" and "
		    "\"%.60s\", and rule \"%s\" does not cover both",
		    t->path.p, t->other.p, rule->id);
		if (rule_covers_path(rule_request(p, rule), &tidy)) {
			SAY(out->fix,
			    "write the path without \"%%2f\", \"//\" and "
			    "\";\"");
			return;
		}
	} else {
		SAY(out->unmet, "path: rule \"%s\" does not cover \"%.120s\"",
		    rule->id, t->path.p);
	}
	explain_addition(p, r, rule, out);
}

/* Its audience is no secret: it is what the client asked for. */
static void
explain_audience(const struct policy_request *r, const struct policy_verdict *v,
    const struct rule *rule, struct policy_explanation *out)
{
	const char *audience = r->bearer == NULL ? "" : r->bearer->audience;

	if (v->inject == NULL)
		SAY(out->unmet,
		    "token: the phantom in the request is for \"%.60s\", and "
		    "rule \"%s\" injects nothing",
		    audience, id_of(rule));
	else
		SAY(out->unmet,
		    "token: the phantom in the request is for \"%.60s\", and "
		    "rule \"%s\" injects \"%.60s\"",
		    audience, id_of(rule), v->inject->audience);
	SAY(out->fix, "send it to the hosts of its own audience alone");
}

static void
explain_token(const struct policy_request *r, const struct policy_verdict *v,
    const struct rule *rule, struct policy_explanation *out)
{
	if (v->code == REASON_TOKEN_AUDIENCE) {
		explain_audience(r, v, rule, out);
	} else if (v->code == REASON_TOKEN_NOT_ALLOWED) {
		SAY(out->unmet,
		    "token: the grant by which the phantom was given does not "
		    "give it to this workload any more");
		SAY(out->fix,
		    "if this is wanted, add a grant with \"form\": "
		    "\"phantom\" to \"tokens\"");
	} else if (v->challenge != NULL) {
		SAY(out->unmet,
		    "token: the request brings none, and its client has a "
		    "grant of phantoms for \"%.100s\"",
		    v->challenge);
		SAY(out->fix,
		    "ask the agent for one, as SDKs do when they hear this");
	} else {
		SAY(out->unmet,
		    "token: the phantom in the request was not given to this "
		    "user and unit, or it has ended or was revoked");
		SAY(out->fix, "ask the agent for a token of your own");
	}
}

void
explain_request(const struct policy *p, const struct policy_request *r,
    const struct policy_verdict *v, const struct rule *rule,
    struct policy_explanation *out)
{
	switch ((int)v->code) {
	case REASON_METHOD_NOT_ALLOWED:
		explain_method(p, r, v, rule, out);
		break;
	case REASON_PATH_NOT_ALLOWED:
		explain_path(p, r, rule, out);
		break;
	case REASON_SAS_REFUSED:
		SAY(out->unmet,
		    "sas: a shared access signature comes with the request, "
		    "and rule \"%s\" is not for those",
		    id_of(rule));
		SAY(out->fix,
		    "sign in with Microsoft Entra ID in place of a shared "
		    "access signature");
		break;
	case REASON_COPY_SOURCE_REFUSED:
		SAY(out->unmet,
		    "source: what the destination is told to read is not "
		    "allowed to you, or cannot be told");
		SAY(out->fix,
		    "if this is wanted, add a rule that allows GET of the "
		    "source (for a rename DELETE, too), over https");
		break;
	case REASON_AUTHORIZATION_PRESENT:
		SAY(out->unmet,
		    "inject: rule \"%s\" brings the credential, and the "
		    "request has one of its own",
		    id_of(rule));
		SAY(out->fix, "send the request without credentials");
		break;
	case REASON_TOKEN_INVALID:
	case REASON_TOKEN_AUDIENCE:
	case REASON_TOKEN_NOT_ALLOWED:
		explain_token(r, v, rule, out);
		break;
	default:
		SAY(out->unmet, "path: it is malformed");
		SAY(out->fix,
		    "write the path plainly: without dot segments, "
		    "backslashes and double encoding");
		break;
	}
}
