/* The smallest rule that would allow exactly one request. */
#include "policy/explain.h"

#include "base/jsonw.h"
#include "policy/rfc3339.h"
#include "policy/zones.h"

#include <stdio.h>
#include <string.h>

enum { ID_BYTES = 65, METHOD_BYTES = 32, PATH_BYTES = 510 };

/* Ids hold letters, digits, '.', '_' and '-' only. */
static void
make_id(const struct suggestion *s, char out[ID_BYTES])
{
	const struct policy_request *r = s->request;

	explain_say(out, ID_BYTES, "allow-%.36s-%u%s%.10s", r->host->name,
	    r->port, s->workload == NULL ? "" : "-",
	    s->workload == NULL ? "" : s->workload);
	for (char *c = out; *c != '\0'; c++)
		if (!ascii_is_alnum(*c) && strchr("._-", *c) == NULL)
			*c = '-';
}

static void
write_list(struct jsonw *w, const char *key, const char *value)
{
	jsonw_array(w, key);
	jsonw_str(w, NULL, value);
	jsonw_array_end(w);
}

/* What the loader takes for a method. */
static bool
is_method(struct slice m)
{
	for (size_t i = 0; i < m.n; i++)
		if (!ascii_is_alnum(m.p[i]) && m.p[i] != '-')
			return false;
		else if (m.p[i] >= 'a' && m.p[i] <= 'z')
			return false;
	return m.n < METHOD_BYTES && !slice_is(m, "TRACE") &&
	    !slice_is(m, "CONNECT");
}

/* A star of the path would be one of the rule, and where it has two readings
 * no rule has both. */
static bool
can_be_said(const struct policy_target *t)
{
	return is_method(t->method) && is_method(t->method_too) &&
	    t->other.p == t->path.p && t->path.n < PATH_BYTES &&
	    slice_find(t->path, '*') == t->path.n &&
	    slice_find(t->path, ';') == t->path.n;
}

static void
write_inside(struct jsonw *w, const struct policy_target *t)
{
	jsonw_array(w, "methods");
	jsonw_slice(w, NULL, t->method);
	if (t->method_too.n > 0 && !slice_eq(t->method, t->method_too))
		jsonw_slice(w, NULL, t->method_too);
	jsonw_array_end(w);
	jsonw_array(w, "paths");
	jsonw_slice(w, NULL, t->path);
	jsonw_array_end(w);
}

static void
write_rule(struct jsonw *w, const struct suggestion *s)
{
	const struct policy_request *r = s->request;
	bool literal = r->host->kind == HOST_IP;
	char id[ID_BYTES], when[RFC3339_BYTES];

	make_id(s, id);
	jsonw_object(w, NULL);
	jsonw_str(w, "id", s->id != NULL ? s->id : id);
	jsonw_str(w, "effect", "allow");
	write_list(w, literal ? "addresses" : "hosts", r->host->name);
	if (r->port != 443) {
		jsonw_array(w, "ports");
		if (r->plaintext && r->port != 80)
			jsonw_u64(w, NULL, 80);
		jsonw_u64(w, NULL, r->port);
		jsonw_array_end(w);
	} else if (r->plaintext) {
		jsonw_array(w, "ports");
		jsonw_u64(w, NULL, 80);
		jsonw_u64(w, NULL, 443);
		jsonw_array_end(w);
	}
	if (s->inside)
		write_inside(w, r->target);
	if (s->deny_sas)
		jsonw_bool(w, "deny_sas", true);
	if (s->workload != NULL)
		write_list(w, "workloads", s->workload);
	if (!literal && s->route == ROUTE_PRIVATE_ADDRESS)
		jsonw_str(w, "route", "private-address");
	if (!literal && s->route == ROUTE_PUBLIC) {
		jsonw_str(w, "route", "public");
		jsonw_str(w, "reason", s->reason);
	}
	if (s->expires_unix_s != 0) {
		rfc3339_text(s->expires_unix_s, when);
		jsonw_str(w, "expires", when);
	}
	jsonw_object_end(w);
}

void
suggest_rule(const struct suggestion *s, char *out, size_t out_bytes)
{
	struct buf text;
	struct jsonw w;

	out[0] = '\0';
	if (s->injects || (s->inside && !can_be_said(s->request->target)))
		return;
	buf_init(&text, out_bytes - 1);
	jsonw_init(&w, &text);
	write_rule(&w, s);
	if (buf_status(&text) == OK)
		(void)!slice_copy(buf_slice(&text), out, out_bytes);
	buf_release(&text);
}

enum policy_route
suggest_route(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a)
{
	struct address_census c = { 0 };
	struct zone_match m;

	if (r->host->kind == HOST_IP)
		return ROUTE_PRIVATE_ADDRESS;
	if (zones_public_reason(r->host->name) != NULL)
		return ROUTE_PUBLIC;
	zones_of_host(r->host->name, &m);
	if (m.n > 0)
		return ROUTE_PRIVATE;
	if (a != NULL)
		address_census(p, r, a, NULL, &c);
	return c.n_public > 0 && c.n_endpoint + c.n_private == 0
	    ? ROUTE_PUBLIC
	    : ROUTE_PRIVATE_ADDRESS;
}
