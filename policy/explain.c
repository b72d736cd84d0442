/* Why a request was denied, and what would allow it, in one sentence. */
#include "policy/explain.h"

#include "policy/rfc3339.h"
#include "policy/zones.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400 };

void
explain_say(char *out, size_t out_bytes, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(out, out_bytes, fmt, ap) < 0)
		out[0] = '\0';
	va_end(ap);
}

#define SAY(field, ...) explain_say(field, sizeof(field), __VA_ARGS__)

static const struct rule *
rule_at(const struct policy *p, uint32_t at)
{
	return at < p->n_rules ? &p->rules[at] : NULL;
}

static const char *
public_reason(const struct policy_request *r)
{
	const char *why = zones_public_reason(r->host->name);

	return why != NULL ? why : "say why this may leave the private network";
}

/* What its neighbour says of requests holds beside it, too. */
static void
suggest_as(const struct policy *p, const struct rule *near,
    struct suggestion *s, struct policy_explanation *out)
{
	const struct rule_request *q =
	    near == NULL ? NULL : rule_request(p, near);

	if (q != NULL) {
		s->inside |= s->request->target != NULL &&
		    (q->methods.n > 0 || q->paths.n > 0);
		s->deny_sas = q->deny_sas;
		s->injects = q->inject != NULL;
	}
	suggest_rule(s, out->fix_rule, sizeof out->fix_rule);
}

static void
say_addition(const struct rule *near, struct policy_explanation *out)
{
	if (out->fix_rule[0] != '\0')
		SAY(out->fix, "if this is wanted, add to \"rules\": %s",
		    out->fix_rule);
	else
		SAY(out->fix,
		    "if this is wanted, let rule \"%s\" say so, as no rule "
		    "beside it could be for this request alone",
		    near == NULL ? "" : near->id);
}

/* A rule beside the others; it takes its route from the one next to it,
 * since the strictest of matching routes applies anyhow. */
static void
suggest_beside(const struct policy *p, struct suggestion s,
    const struct policy_answer *a, const struct rule *near,
    struct policy_explanation *out)
{
	const struct policy_request *r = s.request;
	const char *own = NULL;

	s.reason = public_reason(r);

	s.route = near != NULL ? (enum policy_route)near->route
	                       : suggest_route(p, r, a);
	if (policy_workload_names(p, r->peer, &own, 1) > 0)
		s.workload = own;
	if (near != NULL && rule_has_expired(near, r->now_unix_s))
		s.expires_unix_s = r->now_unix_s + DAY_S;
	suggest_as(p, near, &s, out);
	say_addition(near, out);
}

static void
suggest_addition(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct rule *near,
    struct policy_explanation *out)
{
	suggest_beside(p, (struct suggestion){ .request = r }, a, near, out);
}

void
explain_addition(const struct policy *p, const struct policy_request *r,
    const struct rule *near, struct policy_explanation *out)
{
	suggest_beside(p, (struct suggestion){ .request = r, .inside = true },
	    NULL, near, out);
}

static void
explain_host(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, struct policy_explanation *out)
{
	const struct rule *near =
	    rule_at(p, index_nearest(&p->index, slice_of(r->host->name)));

	if (near != NULL) {
		SAY(out->rule_near, "%s", near->id);
		SAY(out->unmet,
		    "host: the nearest rule \"%s\" names other "
		    "hosts than \"%.140s\"",
		    near->id, r->host->name);
	} else {
		SAY(out->unmet,
		    "host: no rule names \"%.180s\" or a name "
		    "near it",
		    r->host->name);
	}
	suggest_addition(p, r, a, NULL, out);
}

static bool
is_workload(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_workloads; i++)
		if (strcmp(p->workloads[i].name, name) == 0)
			return true;
	return false;
}

/* A workload of its own for who asks: a rule without one would let in
 * everybody whom the rule beside it keeps out. */
static void
suggest_workload(const struct policy *p, const struct policy_request *r,
    const struct rule *near, bool by_user, struct policy_explanation *out)
{
	const char *who = by_user ? r->peer->user : r->peer->unit;
	struct suggestion s = { .request = r,
		.route = (enum policy_route)near->route,
		.reason = public_reason(r) };
	char name[64];

	SAY(name, "%.50s", who);
	for (char *c = name; *c != '\0'; c++)
		if (!ascii_is_alnum(*c) && strchr("._-", *c) == NULL)
			*c = '-';
	if (is_workload(p, name))
		SAY(name, "%.50s-alone", who);
	s.workload = name;
	suggest_as(p, near, &s, out);
	if (out->fix_rule[0] == '\0') {
		say_addition(near, out);
		return;
	}
	SAY(out->fix,
	    "if this is wanted, define in \"workloads\" \"%s\": {\"%s\": "
	    "[\"%.64s\"]}, and add to \"rules\": %s",
	    name, by_user ? "users" : "units", who, out->fix_rule);
}

static void
explain_workload(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct rule *near,
    struct policy_explanation *out)
{
	const struct peer *peer = r->peer;
	bool has_user = peer != NULL && peer->user != NULL && *peer->user != 0;
	bool has_unit = peer != NULL && peer->unit != NULL && *peer->unit != 0;
	const char *own;

	if (!peer_is_known(peer)) {
		SAY(out->unmet,
		    "workload: the kernel could not say whose connection this "
		    "is");
		SAY(out->fix,
		    "connect from a process on this machine that is still "
		    "running, with a uid of this user namespace");
		return;
	}
	if (near == NULL)
		return;
	SAY(out->unmet,
	    "workload: user \"%.64s\"%s%.64s%s is in none of the workloads of "
	    "rule \"%s\"",
	    has_user ? peer->user : "?", has_unit ? ", unit \"" : "",
	    has_unit ? peer->unit : "", has_unit ? "\"" : "", near->id);
	if (policy_workload_names(p, peer, &own, 1) > 0)
		suggest_addition(p, r, a, near, out);
	else if (has_user || has_unit)
		suggest_workload(p, r, near, has_user, out);
}

static void
explain_expired(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct rule *near,
    struct policy_explanation *out)
{
	char when[RFC3339_BYTES];

	if (near == NULL)
		return;
	rfc3339_text(near->expires_unix_s, when);
	SAY(out->unmet, "expires: rule \"%s\" ended at %s", near->id, when);
	suggest_addition(p, r, a, near, out);
}

static void
explain_plaintext(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct rule *near,
    struct policy_explanation *out)
{
	struct policy_explanation rule;

	SAY(out->unmet, "plaintext: rule \"%s\" does not name port 80",
	    near == NULL ? "" : near->id);
	suggest_addition(p, r, a, near, &rule);
	SAY(out->fix_rule, "%s", rule.fix_rule);
	if (rule.fix_rule[0] == '\0')
		SAY(out->fix, "use https");
	else
		SAY(out->fix,
		    "use https; if plain HTTP is wanted, add to \"rules\": %s",
		    rule.fix_rule);
}

static void
explain_fixed(enum reason code, const struct policy_request *r,
    struct policy_explanation *out)
{
	char public_name[HOST_BYTES];

	if (code == REASON_RESERVED_ADDRESS) {
		SAY(out->unmet, "address: of a class that no rule can allow");
		SAY(out->fix,
		    "no rule allows this: use a name that resolves to a "
		    "private endpoint");
	} else if (code == REASON_METADATA_PROXIED) {
		SAY(out->unmet, "address: of the metadata service");
		SAY(out->fix,
		    "no rule allows this: tokens come from the agent's own "
		    "endpoint, which `wayleave env` sets");
	} else if (code == REASON_SELF) {
		SAY(out->unmet, "address: it is this agent or this machine");
		SAY(out->fix,
		    "no rule allows this: reach local services without the "
		    "proxy");
	} else if (code == REASON_PRIVATELINK_NAME) {
		SAY(out->unmet,
		    "host: a private-link name, which no certificate carries");
		if (zones_public_name(r->host->name, public_name))
			SAY(out->fix, "use the public name \"%s\"",
			    public_name);
		else
			SAY(out->fix, "use the public name of the service");
	}
}

static void
explain_tls(enum reason code, const struct policy_request *r,
    const struct rule *rule, struct policy_explanation *out)
{
	const char *id = rule == NULL ? "" : rule->id;

	SAY(out->rule_near, "%s", id);
	SAY(out->unmet, "sni: %s", reason_info(code)->text);
	if (code == REASON_SNI_MISMATCH || code == REASON_SNI_MISSING)
		SAY(out->fix,
		    "let the client's TLS name be \"%s\", as in its request; "
		    "or say \"sni\": \"any\" in rule \"%s\"",
		    r->host->name, id);
	else
		SAY(out->fix,
		    "speak TLS with a readable server name; or say \"sni\": "
		    "\"any\" in rule \"%s\"",
		    id);
}

/* What of a client could not be found out, and so counted as a match. */
struct unknown_fact {
	const char *what, *remedy;
};

/* A fact is to blame where the rule would not match if it were known. Where
 * each by itself leaves a match, both are. */
static const struct unknown_fact *
unknown_of(const struct policy *p, const struct policy_request *r,
    const struct rule *rule)
{
	static const struct unknown_fact cgroup = { "cgroup",
		"mount cgroup2 where the agent looks for it, so that units "
		"are known" };
	static const struct unknown_fact program = { "program",
		"connect by a Unix socket, where the program is known" };
	static const struct unknown_fact both = { "cgroup and program",
		"mount cgroup2 where the agent looks for it, so that units "
		"are known, and connect by a Unix socket, where the program "
		"is" };
	struct peer placed = *r->peer, seen = *r->peer;

	placed.cgroup_unknown = seen.exe_unknown = false;
	if (!workloads_may_match(
	        p, rule->workloads, rule->n_workloads, &placed))
		return &cgroup;
	if (!workloads_may_match(p, rule->workloads, rule->n_workloads, &seen))
		return &program;
	return &both;
}

static void
explain_deny(const struct policy *p, const struct policy_request *r,
    const struct rule *near, struct policy_explanation *out)
{
	const char *id = near == NULL ? "" : near->id;
	bool surely = near == NULL || r->peer == NULL ||
	    workloads_match(p, near->workloads, near->n_workloads, r->peer);
	const struct unknown_fact *unknown;

	SAY(out->fix, "narrow or remove the deny rule \"%s\"", id);
	if (surely) {
		SAY(out->unmet, "deny: rule \"%s\" matches, and deny wins", id);
		return;
	}
	unknown = unknown_of(p, r, near);
	SAY(out->unmet,
	    "deny: rule \"%s\" may match, and deny wins: the client's %s could "
	    "not be found out",
	    id, unknown->what);
	SAY(out->fix, "%s; or narrow or remove the deny rule \"%s\"",
	    unknown->remedy, id);
}

static void
explain_name(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct policy_verdict *v,
    struct policy_explanation *out)
{
	const struct rule *near = rule_at(p, v->candidate);

	if (near != NULL)
		SAY(out->rule_near, "%s", near->id);
	switch ((int)v->code) {
	case REASON_HOST_NOT_ALLOWED:
		explain_host(p, r, a, out);
		break;
	case REASON_IP_LITERAL:
		SAY(out->unmet,
		    "host: an address, which no rule lists under "
		    "\"addresses\"");
		suggest_addition(p, r, a, NULL, out);
		break;
	case REASON_PORT_NOT_ALLOWED:
		SAY(out->unmet, "port: rule \"%s\" does not name port %u",
		    near == NULL ? "" : near->id, r->port);
		suggest_addition(p, r, a, near, out);
		break;
	case REASON_WORKLOAD_NOT_ALLOWED:
		explain_workload(p, r, a, near, out);
		break;
	case REASON_EXCEPTION_EXPIRED:
		explain_expired(p, r, a, near, out);
		break;
	case REASON_PLAINTEXT:
		explain_plaintext(p, r, a, near, out);
		break;
	case REASON_RULE_DENIES:
		explain_deny(p, r, near, out);
		break;
	case REASON_METHOD_NOT_ALLOWED:
	case REASON_PATH_NOT_ALLOWED:
	case REASON_SAS_REFUSED:
	case REASON_COPY_SOURCE_REFUSED:
	case REASON_AUTHORIZATION_PRESENT:
	case REASON_TOKEN_INVALID:
	case REASON_TOKEN_AUDIENCE:
	case REASON_TOKEN_NOT_ALLOWED:
	case REASON_BAD_REQUEST:
		explain_request(p, r, v, near, out);
		break;
	default:
		explain_fixed(v->code, r, out);
		break;
	}
}

/* A rule as it would be with another route, for this one request; of one with
 * more to it than hosts only that it needs another. */
static void
suggest_change(const struct policy *p, const struct policy_request *r,
    const struct policy_verdict *v, enum policy_route route,
    struct policy_explanation *out)
{
	const struct rule *rule = rule_at(p, v->rule_index);
	struct suggestion s = { .request = r,
		.id = v->rule,
		.route = route,
		.reason = public_reason(r),
		.expires_unix_s = v->expires_unix_s };

	if (v->rule == NULL || rule == NULL)
		return;
	if (rule->n_workloads == 0 && rule->request == 0 && rule->n_ports == 1)
		suggest_rule(&s, out->fix_rule, sizeof out->fix_rule);
	if (out->fix_rule[0] != '\0')
		SAY(out->fix,
		    "no private-link zone is known for \"%s\"; if that is "
		    "wanted, let it have this rule instead of \"%s\": %s",
		    r->host->name, v->rule, out->fix_rule);
	else
		SAY(out->fix,
		    "no private-link zone is known for \"%s\"; if that is "
		    "wanted, give rule \"%s\" the \"route\" \"%s\"",
		    r->host->name, v->rule,
		    route == ROUTE_PUBLIC ? "public" : "private-address");
}

void
policy_explain(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct policy_verdict *v,
    struct policy_explanation *out)
{
	struct zone_match m;
	enum reason code = v->code;

	*out = (struct policy_explanation){ .fix = "" };
	if (code == REASON_NONE) {
		SAY(out->rule_near, "%s", v->rule == NULL ? "" : v->rule);
		return;
	}
	if (code == REASON_SNI_MISSING || code == REASON_SNI_MISMATCH ||
	    code == REASON_NOT_TLS || code == REASON_ECH_REFUSED) {
		explain_tls(code, r, rule_at(p, v->rule_index), out);
		return;
	}
	explain_name(p, r, a, v, out);
	if (out->unmet[0] != '\0' || a == NULL)
		return;
	zones_of_host(r->host->name, &m);
	explain_route(r, a, v, out);
	if (m.n == 0 && r->host->kind == HOST_NAME &&
	    (code == REASON_PUBLIC_ADDRESS || code == REASON_NO_PRIVATE_ZONE))
		suggest_change(p, r, v,
		    code == REASON_PUBLIC_ADDRESS ? ROUTE_PUBLIC
		                                  : ROUTE_PRIVATE_ADDRESS,
		    out);
}
