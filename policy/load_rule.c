/* `rules`: what may be reached, by whom, by which route. */
#include "policy/load.h"

#include "policy/address_class.h"
#include "policy/zones.h"

#include <string.h>

static const char *const keys[] = { "id", "effect", "hosts", "addresses",
	"ports", "route", "workloads", "expires", "reason", "sni", "methods",
	"paths", "deny_sas", "inject", "inspect", "upload_budget_bytes" };
static const struct key_set key_set = {
	.known = keys, .n_known = ARRAY_LEN(keys), .what = "a rule"
};

/* Parents of two labels or more lead explanations to this rule; under the
 * last label it is found for policy_governs() alone. */
static enum status
index_parents(struct index *ix, struct slice name, size_t from, uint32_t rule)
{
	enum status st = OK;

	for (size_t i = from; st == OK && i < name.n; i++) {
		struct slice parent = slice_from(name, i);
		bool top;

		if (i > 0 && name.p[i - 1] != '.')
			continue;
		top = slice_find(parent, '.') == parent.n;
		/* What is there had its own parents filed with it. */
		if (!top && index_find(ix, INDEX_NEAR, parent) != INDEX_NONE)
			return OK;
		st = index_add(ix, top ? INDEX_TOP : INDEX_NEAR, parent, rule);
	}
	return st;
}

static void
index_host(
    struct loader *l, enum index_kind kind, const char *name, uint32_t rule)
{
	struct slice s = slice_of(name);
	enum status st = index_add(&l->p->index, kind, s, rule);

	/* The part after "*." is a parent of what it covers. */
	if (st == OK)
		st = index_parents(
		    &l->p->index, s, kind == INDEX_WILD ? 0 : 1, rule);
	if (st != OK)
		load_no_memory(l);
}

/* The canonical form only: what the file says is what is matched. */
static bool
check_name(
    struct loader *l, const char *host, const char *name, const struct where *w)
{
	char canonical[HOST_BYTES], public_name[HOST_BYTES];
	enum status st = host_parse_name(slice_of(name), canonical);

	if (st == E_INVALID || (strchr(host, '*') == NULL && *host == '[')) {
		load_error(l, w,
		    "\"%.64s\" is an address; name the host, or list it under "
		    "\"addresses\"",
		    host);
		return false;
	}
	if (st != OK) {
		load_error(l, w,
		    "\"%.128s\" is no host name; write ASCII labels, as in "
		    "\"acct1.blob.core.windows.net\" or "
		    "\"*.workspace.westeurope.api.azureml.ms\"",
		    host);
		return false;
	}
	if (strcmp(canonical, name) != 0) {
		load_error(l, w,
		    "\"%s\" must be lower case and without a trailing dot; "
		    "write \"%s%s\"",
		    host, name == host ? "" : "*.", canonical);
		return false;
	}
	if (!zones_is_private_name(name))
		return true;
	if (zones_public_name(host, public_name))
		load_error(l, w,
		    "\"%s\" is a private-link name, which no certificate "
		    "carries; write the public name \"%s\"",
		    host, public_name);
	else
		load_error(l, w,
		    "\"%s\" is a private-link name, which no certificate "
		    "carries; write the service's public name",
		    host);
	return false;
}

static void
check_wildcard(struct loader *l, const struct rule *rule, const char *host,
    const struct where *w)
{
	static const char *const routes[] = { "private", "private-address",
		"public" };
	char example[HOST_BYTES];

	if (rule->deny || !zones_wildcard_spans_accounts(host + 2, example))
		return;
	if (rule->route == ROUTE_PRIVATE)
		load_warning(l, w,
		    "\"%s\" covers anyone's account; the private route keeps "
		    "it to your endpoints, but naming the account is safer, as "
		    "in \"%s\"",
		    host, example);
	else
		load_error(l, w,
		    "\"%s\" on route \"%s\" would let data leave to anyone's "
		    "account; name the account, as in \"%s\"",
		    host, routes[rule->route], example);
}

static void
load_host(
    struct loader *l, const char *host, const struct where *w, uint32_t at)
{
	const struct rule *rule = &l->p->rules[at];
	bool wild = host[0] == '*' && host[1] == '.';
	const char *name = wild ? host + 2 : host;

	if (strchr(name, '*') != NULL || (wild && strchr(name, '.') == NULL)) {
		load_error(l, w,
		    "\"%.128s\": a wildcard is one leading \"*.\" before at "
		    "least two fixed labels, as in \"*.example.net\"",
		    host);
		return;
	}
	if (!check_name(l, host, name, w))
		return;
	if (wild)
		check_wildcard(l, rule, host, w);
	index_host(l, wild ? INDEX_WILD : INDEX_EXACT, name, at);
}

static void
load_hosts(struct loader *l, const struct jsonr_value *v, const struct where *w,
    uint32_t at)
{
	struct where list_at = where_key(w, "hosts");
	const struct jsonr_value *list = load_list(l, v, "hosts", &list_at);
	const struct jsonr_value *e = jsonr_first(list);

	for (size_t i = 0; i < jsonr_count(list); i++, e = jsonr_next(e)) {
		struct where where = where_at(&list_at, i);
		const char *host = load_element(l, e, &where);

		if (host != NULL)
			load_host(l, host, &where, at);
	}
}

static void
load_address(
    struct loader *l, const char *text, const struct where *w, uint32_t at)
{
	char canonical[ADDR_TEXT_BYTES];
	const char *never;
	struct addr a;

	if (addr_parse(slice_of(text), &a) != OK) {
		load_error(l, w,
		    "\"%.64s\" is no address; write it as in \"10.20.0.9\" or "
		    "\"fd00:20::9\"",
		    text);
		return;
	}
	never = address_never_name(&a);
	if (never != NULL) {
		load_error(l, w,
		    "\"%s\" (%s) is never reached through the "
		    "agent",
		    text, never);
		return;
	}
	index_host(l, INDEX_EXACT, addr_text(&a, canonical), at);
}

static void
load_addresses(struct loader *l, const struct jsonr_value *v,
    const struct where *w, uint32_t at)
{
	struct where list_at = where_key(w, "addresses");
	struct text_list addresses = { NULL, 0 };

	load_texts(l, v, "addresses", w, &addresses);
	for (size_t i = 0; i < addresses.n; i++) {
		struct where where = where_at(&list_at, i);

		load_address(l, addresses.at[i], &where, at);
	}
}

static void
load_ports(struct loader *l, const struct jsonr_value *v, const struct where *w,
    struct rule *out)
{
	static const uint16_t https[] = { 443 };
	struct where list_at = where_key(w, "ports");
	const struct jsonr_value *list = load_list(l, v, "ports", &list_at);
	const struct jsonr_value *port = jsonr_first(list);
	size_t n = jsonr_count(list);
	uint16_t *ports;

	out->ports = https;
	out->n_ports = 1;
	if (list == NULL)
		return;
	ports = pool_alloc(&l->p->pool, n, sizeof *ports);
	if (ports == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < n; i++, port = jsonr_next(port)) {
		int64_t number = jsonr_integer(port);
		struct where at = where_at(&list_at, i);

		if (number < 1 || number > 65535)
			load_error(
			    l, &at, "a port is a number from 1 to 65535");
		else
			ports[i] = (uint16_t)number;
	}
	out->ports = ports;
	out->n_ports = (uint32_t)n;
}

/* Returns where "private" was only implied. */
static void
load_route(struct loader *l, const struct jsonr_value *v, const struct where *w,
    struct rule *out)
{
	static const char *const names[] = { "private", "private-address",
		"public" };
	static const struct text_list list = { names, ARRAY_LEN(names) };
	bool literal = jsonr_member(v, "addresses") != NULL;
	size_t otherwise = literal ? ROUTE_PRIVATE_ADDRESS : ROUTE_PRIVATE;
	struct where at = where_key(w, "route");

	out->route = (uint8_t)load_choice(l, v, "route", w, &list, otherwise);
	if (jsonr_member(v, "route") == NULL)
		return;
	if (out->deny)
		load_error(l, &at,
		    "a deny rule has no \"route\": it denies on all of them");
	else if (literal && out->route != ROUTE_PRIVATE_ADDRESS)
		load_error(l, &at,
		    "\"addresses\" implies route \"private-address\"; leave "
		    "\"route\" out");
	else if (out->route == ROUTE_PUBLIC &&
	    jsonr_member(v, "reason") == NULL)
		load_error(l, w,
		    "route \"public\" needs a \"reason\" that says why this "
		    "may leave the private network");
}

static void
load_sni(struct loader *l, const struct jsonr_value *v, const struct where *w,
    struct rule *out)
{
	static const char *const names[] = { "match", "any" };
	static const struct text_list list = { names, ARRAY_LEN(names) };
	bool literal = jsonr_member(v, "addresses") != NULL;
	struct where at = where_key(w, "sni");

	out->sni_any = load_choice(l, v, "sni", w, &list, literal) == 1;
	if (jsonr_member(v, "sni") == NULL)
		return;
	if (out->deny)
		load_error(l, &at, "a deny rule has no \"sni\"");
	else if (literal && !out->sni_any)
		load_error(l, &at,
		    "\"addresses\" implies \"sni\": \"any\"; leave \"sni\" "
		    "out");
}

static void
load_rule(struct loader *l, const struct jsonr_value *v, const struct where *w,
    uint32_t at)
{
	static const char *const effects[] = { "allow", "deny" };
	static const struct text_list list = { effects, ARRAY_LEN(effects) };
	struct rule *rule = &l->p->rules[at];
	size_t n = 0;

	rule->id = "";
	if (!load_object(l, v, w, &key_set))
		return;
	rule->id = load_id(l, v, w);
	if (load_required_text(l, v, "effect", w) != NULL)
		rule->deny = load_choice(l, v, "effect", w, &list, 1) == 1;
	load_ports(l, v, w, rule);
	load_route(l, v, w, rule);
	load_sni(l, v, w, rule);
	load_time(l, v, "expires", w, &rule->expires_unix_s);
	(void)load_text(l, v, "reason", w);
	load_workload_refs(l, v, w, &rule->workloads, &n);
	rule->n_workloads = (uint32_t)n;
	load_hosts(l, v, w, at);
	load_addresses(l, v, w, at);
	load_rule_request(l, v, w, rule);
	if (jsonr_member(v, "hosts") == NULL &&
	    jsonr_member(v, "addresses") == NULL)
		load_error(l, w, "a rule needs \"hosts\" (or \"addresses\")");
}

/* Ids are unique: records and explanations name rules by them. */
static void
check_rule_ids(struct loader *l, const struct where *w)
{
	struct index ids = { 0 };

	if (index_reserve(&ids, INDEX_EXACT, l->p->n_rules) != OK)
		load_no_memory(l);
	for (size_t i = 0; i < l->p->n_rules && l->st != E_NOMEM; i++) {
		struct slice id = slice_of(l->p->rules[i].id);
		uint32_t first;
		struct where rule_at = where_at(w, i);
		struct where at = where_key(&rule_at, "id");

		/* No id: that has been said. */
		if (id.n == 0)
			continue;
		first = index_find(&ids, INDEX_EXACT, id);
		if (first != INDEX_NONE)
			/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
			load_error(l, &at,
			    "the id \"%s\" is taken by rule %u of the list",
			    l->p->rules[i].id, first + 1);
		else if (index_add(&ids, INDEX_EXACT, id, (uint32_t)i) != OK)
			load_no_memory(l);
	}
	index_release(&ids);
}

void
load_rules(struct loader *l, const struct jsonr_value *root)
{
	struct where top = { .up = NULL }, w = where_key(&top, "rules");
	const struct jsonr_value *list = jsonr_member(root, "rules");
	const struct jsonr_value *v = jsonr_first(list);
	struct policy *p = l->p;

	if (list == NULL)
		return;
	if (!jsonr_is(list, JSONR_LIST)) {
		load_error(l, &w, "\"rules\" must be a list [...]");
		return;
	}
	if (jsonr_count(list) > 2000000) {
		load_error(l, &w, "more than 2000000 rules");
		return;
	}
	p->rules = pool_alloc(&p->pool, jsonr_count(list), sizeof *p->rules);
	/* Most rules name one host. */
	if (p->rules == NULL ||
	    index_reserve(&p->index, INDEX_EXACT, jsonr_count(list)) != OK) {
		load_no_memory(l);
		return;
	}
	p->n_rules = jsonr_count(list);
	for (size_t i = 0; i < p->n_rules && l->st != E_NOMEM; i++) {
		struct where at = where_at(&w, i);

		load_rule(l, v, &at, (uint32_t)i);
		v = jsonr_next(v);
	}
	if (index_settle(&p->index) != OK)
		load_no_memory(l);
	check_rule_ids(l, &w);
	load_shadows(l, list, &w);
}
