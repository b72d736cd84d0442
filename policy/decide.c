/* The verdicts: name, route, first flight. */
#include "policy/decide.h"

#include "policy/address_class.h"
#include "policy/zones.h"

#include <string.h>

bool
reason_is_reportable(enum reason code)
{
	static const enum reason list[] = {
		REASON_HOST_NOT_ALLOWED,
		REASON_PORT_NOT_ALLOWED,
		REASON_METHOD_NOT_ALLOWED,
		REASON_PATH_NOT_ALLOWED,
		REASON_WORKLOAD_NOT_ALLOWED,
		REASON_RULE_DENIES,
		REASON_EXCEPTION_EXPIRED,
		REASON_PUBLIC_ADDRESS,
		REASON_MIXED_ADDRESSES,
		REASON_UNEXPECTED_PRIVATE,
		REASON_NO_PRIVATE_ZONE,
		REASON_WRONG_ZONE,
		REASON_SNI_MISSING,
		REASON_SNI_MISMATCH,
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		if (list[i] == code)
			return true;
	return false;
}

static void
deny_hard(struct policy_verdict *v, enum reason code)
{
	v->effect = POLICY_DENY;
	v->would_deny = false;
	v->code = code;
}

/* Report mode notes the first code that would have denied, and goes on; but a
 * credential goes along only with what is allowed. */
static void
deny(const struct policy *p, struct policy_verdict *v, enum reason code)
{
	if (p->mode != POLICY_REPORT || !reason_is_reportable(code) ||
	    v->inject != NULL) {
		deny_hard(v, code);
		return;
	}
	if (!v->would_deny)
		v->code = code;
	v->would_deny = true;
}

static enum reason
stage_code(enum match_stage stage)
{
	switch (stage) {
	case STAGE_NONE:
		return REASON_HOST_NOT_ALLOWED;
	case STAGE_HOST:
		return REASON_PORT_NOT_ALLOWED;
	case STAGE_PLAIN:
		return REASON_PLAINTEXT;
	case STAGE_PORT:
		return REASON_WORKLOAD_NOT_ALLOWED;
	case STAGE_WORKLOAD:
		return REASON_EXCEPTION_EXPIRED;
	case STAGE_LIVE:
		return REASON_METHOD_NOT_ALLOWED;
	case STAGE_METHOD:
		return REASON_PATH_NOT_ALLOWED;
	case STAGE_MATCH:
		break;
	}
	return REASON_NONE;
}

static void
take_match(
    const struct policy *p, const struct match *m, struct policy_verdict *v)
{
	const struct rule *rule = &p->rules[m->rule];
	const struct rule_request *q = rule_request(p, rule);

	v->rule = rule->id;
	v->rule_index = m->rule;
	v->route = m->route;
	v->sni_any = rule->sni_any;
	v->expires_unix_s = rule->expires_unix_s;
	v->deny_sas = m->deny_sas;
	v->inject = q == NULL ? NULL : q->inject;
	v->budget = q == NULL ? NULL : q->budget;
}

/* Nor does a request go bare where the nearest rule would inject. */
static void
deny_match(const struct policy *p, const struct match *m,
    struct policy_verdict *v, enum reason code)
{
	const struct rule_request *q =
	    m->rule == RULE_NONE ? NULL : rule_request(p, &p->rules[m->rule]);

	if (q != NULL && q->inject != NULL)
		deny_hard(v, code);
	else
		deny(p, v, code);
}

/* Of what is hidden no rule can say that it is allowed; a tunnel to a name
 * may pass to have its requests seen. */
static void
judge_sight(const struct policy *p, const struct policy_request *r,
    const struct match *m, struct policy_verdict *v)
{
	bool hidden = r->target == NULL || r->target->batch;
	bool told = policy_tenants_of(p, r->host->name) != NULL;
	bool matters = told || v->inject != NULL || m->inside != RULE_NONE;

	v->inspect = matters && r->inspects && !r->plaintext && r->port != 80 &&
	    r->host->kind == HOST_NAME;
	if (r->target == NULL && v->inspect) {
		v->inject = NULL;
		v->budget = NULL;
		return;
	}
	/* Never in clear, and in report mode neither goes a bare request. */
	if ((v->inject != NULL && (hidden || r->plaintext)) ||
	    (told && r->target == NULL)) {
		deny_hard(v, REASON_METHOD_NOT_ALLOWED);
	} else if (hidden && m->inside != RULE_NONE) {
		v->candidate = m->inside;
		if (m->inside_hard)
			deny_hard(v, REASON_METHOD_NOT_ALLOWED);
		else
			deny(p, v, REASON_METHOD_NOT_ALLOWED);
	}
}

void
policy_decide_name(const struct policy *p, const struct policy_request *r,
    struct policy_verdict *out)
{
	struct match m;

	*out = (struct policy_verdict){ .effect = POLICY_ALLOW,
		.rule_index = RULE_NONE,
		.candidate = RULE_NONE };
	if (r->target != NULL && r->target->broken) {
		deny_hard(out, REASON_BAD_REQUEST);
		return;
	}
	/* In both modes: nobody is served who cannot be named. */
	if (!peer_is_known(r->peer)) {
		deny_hard(out, REASON_WORKLOAD_NOT_ALLOWED);
		return;
	}
	if (r->host->kind == HOST_IP &&
	    address_class(&r->host->addr) == ADDRESS_NEVER) {
		/* Token requests never come here: the broker answers them. */
		deny_hard(out,
		    r->plaintext && addr_is_metadata(&r->host->addr)
		        ? REASON_METADATA_PROXIED
		        : REASON_RESERVED_ADDRESS);
		return;
	}
	if (r->host->kind == HOST_NAME &&
	    zones_is_private_name(r->host->name)) {
		deny_hard(out, REASON_PRIVATELINK_NAME);
		return;
	}
	match_rules(p, r, &m);
	out->candidate = m.rule;
	if (m.stage == STAGE_MATCH)
		take_match(p, &m, out);
	if (m.denied_by != RULE_NONE) {
		out->rule = p->rules[m.denied_by].id;
		out->rule_index = m.denied_by;
		out->candidate = m.denied_by;
		deny_match(p, &m, out, REASON_RULE_DENIES);
	} else if (m.stage == STAGE_NONE && r->host->kind == HOST_IP) {
		deny(p, out, REASON_IP_LITERAL);
	} else if (m.stage != STAGE_MATCH) {
		deny_match(p, &m, out, stage_code(m.stage));
	}
	if (m.stage == STAGE_MATCH && out->effect == POLICY_ALLOW)
		judge_sight(p, r, &m, out);
}

static bool
in_endpoints(const struct policy *p, const struct addr *a)
{
	for (size_t i = 0; i < p->n_endpoints; i++)
		if (cidr_contains(&p->endpoints[i], a))
			return true;
	return false;
}

static bool
is_self(const struct policy_self *self, const struct addr *a, uint16_t port)
{
	for (size_t i = 0; i < self->n_listeners; i++)
		if (self->listeners[i].port == port &&
		    addr_eq(&self->listeners[i].addr, a))
			return true;
	for (size_t i = 0; i < self->n_interfaces; i++)
		if (addr_eq(&self->interfaces[i], a))
			return true;
	return false;
}

void
address_census(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct policy_self *self,
    struct address_census *out)
{
	*out = (struct address_census){ 0 };
	for (size_t i = 0; i < a->n_addresses; i++) {
		struct addr plain = addr_unmap(&a->addresses[i]);
		enum address_class class = address_class(&plain);

		/* An AAAA never holds a mapped address (RFC 4038 4.2). */
		if (class == ADDRESS_NEVER ||
		    (r->host->kind == HOST_NAME &&
		        plain.family != a->addresses[i].family)) {
			out->never = true;
			continue;
		}
		out->self |= self != NULL && is_self(self, &plain, r->port);
		out->n_global += class == ADDRESS_PUBLIC;
		if (in_endpoints(p, &plain))
			out->n_endpoint++;
		else if (class == ADDRESS_PUBLIC)
			out->n_public++;
		else
			out->n_private++;
	}
}

enum chain_finding
chain_judge(
    const char *host, const struct policy_answer *a, char zone[HOST_BYTES])
{
	enum chain_finding found = CHAIN_NONE;
	struct zone_match m;

	zones_of_host(host, &m);
	for (size_t i = 0; i < a->n_chain; i++) {
		if (zones_prove(&m, host, a->chain[i], zone))
			return CHAIN_PROVES;
		if (zones_is_private_name(a->chain[i]))
			found = CHAIN_FOREIGN;
	}
	return found;
}

/* Contract 9: of several codes the first that applies. */
static enum reason
judge_addresses(const struct address_census *c, enum policy_route route)
{
	size_t n_global = route == ROUTE_PUBLIC ? c->n_global : c->n_public;
	size_t n_inner = route == ROUTE_PUBLIC
	    ? c->n_endpoint + c->n_private + c->n_public - c->n_global
	    : c->n_endpoint + c->n_private;

	if (c->never)
		return REASON_RESERVED_ADDRESS;
	if (c->self)
		return REASON_SELF;
	if (n_global > 0 && n_inner > 0)
		return REASON_MIXED_ADDRESSES;
	if (route == ROUTE_PUBLIC)
		return n_inner > 0 ? REASON_UNEXPECTED_PRIVATE : REASON_NONE;
	if (n_global > 0)
		return REASON_PUBLIC_ADDRESS;
	return c->n_private > 0 ? REASON_UNEXPECTED_PRIVATE : REASON_NONE;
}

/* The zone as the policy's own text would outlive the verdict; the name of
 * the chain that lies in it does so too, and ends with it. */
static const char *
zone_in_chain(const struct policy_answer *a, const char *zone)
{
	for (size_t i = 0; i < a->n_chain; i++)
		if (host_in_suffix(slice_of(a->chain[i]), slice_of(zone)))
			return a->chain[i] + strlen(a->chain[i]) - strlen(zone);
	return NULL;
}

/* The chain of one answer shows the same for as long as the answer lives. */
static enum chain_finding
chain_find(const char *host, const struct policy_answer *a, const char **proves)
{
	struct policy_chain *kept = a->judged;
	char zone[HOST_BYTES];
	enum chain_finding found;

	if (kept != NULL && strcmp(kept->host, host) == 0) {
		*proves = kept->zone;
		return (enum chain_finding)kept->finding;
	}
	found = chain_judge(host, a, zone);
	*proves = found == CHAIN_PROVES ? zone_in_chain(a, zone) : NULL;
	if (kept != NULL &&
	    slice_copy(slice_of(host), kept->host, sizeof kept->host)) {
		kept->zone = *proves;
		kept->finding = (int)found;
	}
	return found;
}

void
policy_decide_route(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct policy_self *self,
    struct policy_verdict *v)
{
	struct address_census c;
	const char *zone;
	enum reason code;
	enum chain_finding chain;

	if (v->effect != POLICY_ALLOW)
		return;
	if (a->failure != REASON_NONE || a->n_addresses == 0) {
		deny_hard(v,
		    a->failure != REASON_NONE ? a->failure : REASON_DNS_NODATA);
		return;
	}
	address_census(p, r, a, self, &c);
	code = judge_addresses(&c, v->route);
	chain = chain_find(r->host->name, a, &zone);
	if (chain == CHAIN_PROVES)
		v->zone = zone;
	if (code == REASON_NONE && v->route == ROUTE_PRIVATE &&
	    chain != CHAIN_PROVES)
		code = chain == CHAIN_NONE ? REASON_NO_PRIVATE_ZONE
		                           : REASON_WRONG_ZONE;
	if (code != REASON_NONE)
		deny(p, v, code);
}

static enum reason
judge_hello(
    const struct policy_request *r, enum policy_hello hello, struct slice sni)
{
	switch (hello) {
	case POLICY_HELLO_NOT_TLS:
		return REASON_NOT_TLS;
	case POLICY_HELLO_ECH:
		return REASON_ECH_REFUSED;
	case POLICY_HELLO_NO_SNI:
		return REASON_SNI_MISSING;
	case POLICY_HELLO_OK:
		break;
	}
	/* RFC 6066 3: no trailing dot; ASCII case has no meaning. */
	return slice_is_nocase(sni, r->host->name) ? REASON_NONE
	                                           : REASON_SNI_MISMATCH;
}

void
policy_decide_hello(const struct policy *p, const struct policy_request *r,
    enum policy_hello hello, struct slice sni, struct policy_verdict *v)
{
	enum reason code;

	/* What is let through unseen is not what has to be looked into. */
	if (v->effect != POLICY_ALLOW || (v->sni_any && !v->inspect))
		return;
	code = judge_hello(r, hello, sni);
	if (code != REASON_NONE)
		deny(p, v, code);
}
