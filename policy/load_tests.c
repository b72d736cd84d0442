/* `tests`: requests with the verdict that their author expects. */
#include "policy/load.h"

#include "base/uri.h"

#include <string.h>

static const char *const keys[] = { "request", "expect", "rule", "code" };
static const char *const request_keys[] = { "url", "connect", "method", "user",
	"groups", "unit", "cgroup", "exe", "at", "sni", "resolves" };

static const struct key_set key_set = {
	.known = keys, .n_known = ARRAY_LEN(keys), .what = "a test"
};
static const struct key_set request_key_set = { .known = request_keys,
	.n_known = ARRAY_LEN(request_keys),
	.what = "a test's request" };

static void
take_url(struct loader *l, const char *text, const struct where *w,
    struct test_case *out)
{
	struct uri u;

	if (uri_parse(slice_of(text), &u) != OK) {
		load_error(l, w,
		    "\"%.200s\" is no http or https URL, as in "
		    "\"https://acct1.blob.core.windows.net/\"",
		    text);
		return;
	}
	out->host = u.authority.host;
	out->port = u.authority.port;
	out->plaintext = u.scheme == URI_HTTP;
	out->is_url = true;
	out->path = u.path;
	out->query = u.query;
}

static void
take_authority(struct loader *l, const char *text, const struct where *w,
    struct test_case *out)
{
	struct authority a;

	if (authority_parse(slice_of(text), &a) != OK || !a.has_port) {
		load_error(l, w,
		    "\"%.200s\" is no HOST:PORT, as in "
		    "\"acct1.blob.core.windows.net:443\"",
		    text);
		return;
	}
	out->host = a.host;
	out->port = a.port;
}

static void
load_target(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct test_case *out)
{
	const char *url = load_text(l, v, "url", w);
	const char *connect = load_text(l, v, "connect", w);
	struct where url_at = where_key(w, "url");
	struct where connect_at = where_key(w, "connect");

	if ((url == NULL) == (connect == NULL)) {
		load_error(
		    l, w, "a test's request has either \"url\" or \"connect\"");
		return;
	}
	if (url != NULL)
		take_url(l, load_copy(l, url), &url_at, out);
	else
		take_authority(l, connect, &connect_at, out);
	out->name = load_copy(l, url != NULL ? url : connect);
}

/* Over https only host and port can be seen (CONNECT), unless a method says
 * that it is meant as a gateway sees it. */
static void
load_plain(struct loader *l, struct test_case *out)
{
	struct policy_plain plain = { .method = out->method,
		.path = out->path,
		.query = out->query,
		.no_coded_slash = out->plaintext };
	struct policy_target *target;
	char *text;

	if (out->plaintext && plain.method.n == 0)
		plain.method = SLICE("GET");
	if (!out->is_url || plain.method.n == 0)
		return;
	target = pool_alloc(&l->p->pool, 1, sizeof *target);
	text = pool_alloc(&l->p->pool, policy_target_bytes(&plain), 1);
	if (target == NULL || text == NULL) {
		load_no_memory(l);
		return;
	}
	policy_target_read(&plain, text, target);
	out->method = target->method;
	out->target = target;
}

/* A name, or digits that are a number. */
static bool
is_number(const struct jsonr_value *v, uint32_t *number)
{
	uint64_t n;

	if (jsonr_is(v, JSONR_INTEGER))
		n = (uint64_t)jsonr_integer(v);
	else if (!slice_to_u64(slice_of(jsonr_text(v)), UINT32_MAX - 1, &n))
		return false;
	*number = (uint32_t)n;
	return n < UINT32_MAX;
}

static void
load_groups(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct peer *out)
{
	struct where list_at = where_key(w, "groups");
	const struct jsonr_value *list = load_list(l, v, "groups", &list_at);
	const struct jsonr_value *g = jsonr_first(list);
	size_t n = jsonr_count(list);
	struct peer_group *groups;

	if (list == NULL)
		return;
	groups = pool_alloc(&l->p->pool, n, sizeof *groups);
	if (groups == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < n; i++, g = jsonr_next(g)) {
		struct where at = where_at(&list_at, i);

		groups[i] = (struct peer_group){ UINT32_MAX, "" };
		if (!jsonr_is(g, JSONR_TEXT) && !jsonr_is(g, JSONR_INTEGER))
			load_error(l, &at, "must be a name or a number");
		else if (!is_number(g, &groups[i].gid))
			groups[i].name = load_copy(l, jsonr_text(g));
	}
	out->groups = groups;
	out->n_groups = n;
}

static const char *
text_or_empty(struct loader *l, const struct jsonr_value *v, const char *key,
    const struct where *w)
{
	const char *text = load_text(l, v, key, w);

	return text == NULL ? "" : load_copy(l, text);
}

static void
load_peer(struct loader *l, const struct jsonr_value *v, const struct where *w,
    struct peer *out)
{
	const struct jsonr_value *user = jsonr_member(v, "user");
	struct where at = where_key(w, "user");

	out->known = true;
	out->uid = UINT32_MAX; /* nobody's: no number matches it */
	out->user = "";
	if (jsonr_is(user, JSONR_INTEGER) || jsonr_is(user, JSONR_TEXT)) {
		if (!is_number(user, &out->uid))
			out->user = text_or_empty(l, v, "user", w);
	} else if (user != NULL) {
		load_error(l, &at, "must be a name or a number");
	}
	load_groups(l, v, w, out);
	out->unit = text_or_empty(l, v, "unit", w);
	out->cgroup = text_or_empty(l, v, "cgroup", w);
	out->exe = text_or_empty(l, v, "exe", w);
}

/* CNAME targets in order, then addresses. */
static void
load_resolves(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct test_case *out)
{
	struct where list_at = where_key(w, "resolves");
	struct text_list texts = { NULL, 0 };
	const char **chain;
	struct addr *addresses;

	load_texts(l, v, "resolves", w, &texts);
	chain = pool_alloc(&l->p->pool, texts.n, sizeof *chain);
	addresses = pool_alloc(&l->p->pool, texts.n, sizeof *addresses);
	if (chain == NULL || addresses == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < texts.n; i++) {
		struct where at = where_at(&list_at, i);
		struct slice text = slice_of(texts.at[i]);
		char name[HOST_BYTES];

		if (addr_parse(text, &addresses[out->answer.n_addresses]) == OK)
			out->answer.n_addresses++;
		else if (host_parse_name(text, name) == OK &&
		    out->answer.n_addresses == 0)
			chain[out->answer.n_chain++] = load_copy(l, name);
		else if (text.n > 0)
			load_error(l, &at,
			    "\"%.128s\": write the CNAME targets in order, "
			    "then the addresses",
			    texts.at[i]);
	}
	out->has_resolves = texts.n > 0;
	out->answer.chain = chain;
	out->answer.addresses = addresses;
}

static void
load_request(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct test_case *out)
{
	const char *sni;

	if (!load_object(l, v, w, &request_key_set))
		return;
	load_target(l, v, w, out);
	load_peer(l, v, w, &out->peer);
	out->method = slice_of(text_or_empty(l, v, "method", w));
	load_plain(l, out);
	out->has_at = jsonr_member(v, "at") != NULL;
	load_time(l, v, "at", w, &out->at_unix_s);
	sni = load_text(l, v, "sni", w);
	out->has_sni = sni != NULL;
	if (sni != NULL)
		out->sni = slice_of(load_copy(l, sni));
	load_resolves(l, v, w, out);
}

static void
load_expectation(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct test_case *out)
{
	static const char *const names[] = { "deny", "allow" };
	static const struct text_list list = { names, ARRAY_LEN(names) };
	const char *rule = load_text(l, v, "rule", w);
	const char *code = load_text(l, v, "code", w);
	struct where code_at = where_key(w, "code");

	if (load_required_text(l, v, "expect", w) != NULL)
		out->expect = (enum policy_effect)load_choice(
		    l, v, "expect", w, &list, POLICY_DENY);
	if (rule != NULL)
		out->rule = load_copy(l, rule);
	if (code == NULL)
		return;
	out->code = reason_from_code(slice_of(code));
	if (out->code == REASON_NONE)
		load_error(
		    l, &code_at, "no reason code is called \"%.64s\"", code);
	else if (out->expect == POLICY_ALLOW)
		load_error(l, &code_at, "an allowed request has no \"code\"");
}

static void
load_test(struct loader *l, const struct jsonr_value *v, const struct where *w,
    struct test_case *out)
{
	struct where at = where_key(w, "request");

	out->name = "";
	if (!load_object(l, v, w, &key_set))
		return;
	if (jsonr_member(v, "request") == NULL)
		load_error(l, w, "\"request\" is missing");
	else
		load_request(l, jsonr_member(v, "request"), &at, out);
	load_expectation(l, v, w, out);
}

void
load_tests(struct loader *l, const struct jsonr_value *root)
{
	struct where top = { .up = NULL }, w = where_key(&top, "tests");
	const struct jsonr_value *list = jsonr_member(root, "tests");
	const struct jsonr_value *v = jsonr_first(list);
	struct policy *p = l->p;

	if (list == NULL)
		return;
	if (!jsonr_is(list, JSONR_LIST)) {
		load_error(l, &w, "\"tests\" must be a list [...]");
		return;
	}
	p->tests = pool_alloc(&p->pool, jsonr_count(list), sizeof *p->tests);
	if (p->tests == NULL) {
		load_no_memory(l);
		return;
	}
	p->n_tests = jsonr_count(list);
	for (size_t i = 0; i < p->n_tests && l->st != E_NOMEM; i++) {
		struct where at = where_at(&w, i);

		load_test(l, v, &at, &p->tests[i]);
		v = jsonr_next(v);
	}
}
