/* What a rule says of plain requests: methods, paths, signatures, tokens. */
#include "policy/load.h"

#include "policy/audience.h"

#include <string.h>

enum { PATH_BYTES = 512, PLACEHOLDERS_MAX = 16, TEXT_MAX = 256 };

static const char *const inject_keys[] = { "identity", "audience",
	"placeholders" };
static const struct key_set inject_key_set = { .known = inject_keys,
	.n_known = ARRAY_LEN(inject_keys),
	.what = "\"inject\"" };

/* Grows by doubling: what is outgrown stays in the pool till the end. */
static struct rule_request *
add_request(struct loader *l)
{
	struct policy *p = l->p;
	size_t n = p->n_requests;
	struct rule_request *more;

	if ((n & (n - 1)) == 0) {
		more = pool_alloc(&p->pool, n == 0 ? 1 : 2 * n, sizeof *more);
		if (more == NULL) {
			load_no_memory(l);
			return NULL;
		}
		if (n > 0)
			memcpy(more, p->requests, n * sizeof *more);
		p->requests = more;
	}
	p->n_requests = n + 1;
	return &p->requests[n];
}

static void
check_method(struct loader *l, const char *method, const struct where *w)
{
	char upper[32];
	size_t n = strlen(method);

	if (n >= sizeof upper) {
		load_error(l, w, "\"%.64s\" is no method", method);
		return;
	}
	for (size_t i = 0; i <= n; i++)
		upper[i] = method[i] >= 'a' && method[i] <= 'z'
		    ? (char)(method[i] - 'a' + 'A')
		    : method[i];
	for (size_t i = 0; i < n; i++)
		if (!ascii_is_alnum(method[i]) && method[i] != '-') {
			load_error(l, w,
			    "\"%s\" is no method; name each one, as in "
			    "\"GET\"",
			    method);
			return;
		}
	if (strcmp(method, upper) != 0)
		load_error(l, w,
		    "\"%s\": methods are case-sensitive; write \"%s\"", method,
		    upper);
	else if (strcmp(method, "CONNECT") == 0 || strcmp(method, "TRACE") == 0)
		load_error(l, w, "\"%s\" is never passed on", method);
}

static void
load_methods(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct rule_request *out)
{
	struct where list_at = where_key(w, "methods");

	load_texts(l, v, "methods", w, &out->methods);
	for (size_t i = 0; i < out->methods.n; i++) {
		struct where at = where_at(&list_at, i);

		if (*out->methods.at[i] != '\0')
			check_method(l, out->methods.at[i], &at);
	}
}

/* A glob is compared with the normal form, so it has to be in that. */
static const char *
check_path(struct loader *l, const char *path, const struct where *w)
{
	char normal[PATH_BYTES + 2];
	struct slice s = slice_of(path), tidy;

	if (s.n > PATH_BYTES - 2) {
		load_error(l, w, "a path has at most %d bytes", PATH_BYTES - 2);
		return "";
	}
	if (path[0] != '/' || strpbrk(path, "?#;") != NULL ||
	    !path_normal(s, true, normal, &tidy)) {
		load_error(l, w,
		    "\"%.128s\" is no path; write it from its first \"/\", "
		    "without dot segments, parameters and query, as in "
		    "\"/container/*\"",
		    path);
		return "";
	}
	if (!slice_eq(tidy, s)) {
		load_error(l, w,
		    "\"%.128s\" is not in its normal form; write \"%.128s\"",
		    path, normal);
		return "";
	}
	/* All that is below, not only the next part. */
	if (slice_ends(s, SLICE("/*"))) {
		normal[s.n] = '*';
		normal[s.n + 1] = '\0';
	}
	return load_copy(l, normal);
}

static void
load_paths(struct loader *l, const struct jsonr_value *v, const struct where *w,
    struct rule_request *out)
{
	struct where list_at = where_key(w, "paths");
	struct text_list texts = { NULL, 0 };
	const char **globs;

	load_texts(l, v, "paths", w, &texts);
	if (texts.n == 0)
		return;
	globs = pool_alloc(&l->p->pool, texts.n, sizeof *globs);
	if (globs == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < texts.n; i++) {
		struct where at = where_at(&list_at, i);

		globs[i] =
		    *texts.at[i] == '\0' ? "" : check_path(l, texts.at[i], &at);
	}
	out->paths = (struct text_list){ globs, texts.n };
}

static bool
load_yes(struct loader *l, const struct jsonr_value *v, const char *key,
    const struct where *w, const struct rule *rule)
{
	const struct jsonr_value *yes = jsonr_member(v, key);
	struct where at = where_key(w, key);

	if (yes == NULL)
		return false;
	if (!jsonr_is(yes, JSONR_TRUE) && !jsonr_is(yes, JSONR_FALSE))
		load_error(l, &at, "must be true or false");
	else if (rule->deny)
		load_error(l, &at,
		    "a deny rule has no \"%s\": say it in the rule that "
		    "allows",
		    key);
	return jsonr_is(yes, JSONR_TRUE);
}

/* No certificate is made for an address. */
static void
load_inspect(struct loader *l, const struct jsonr_value *v,
    const struct where *w, const struct rule *rule, struct rule_request *out)
{
	struct where addresses = where_key(w, "addresses");

	out->inspect = load_yes(l, v, "inspect", w, rule);
	if (out->inspect && jsonr_member(v, "addresses") != NULL)
		load_error(l, &addresses,
		    "\"inspect\" is for names, which a certificate proves: "
		    "give the addresses a rule of their own");
}

/* RFC 6750 2.1: what a client can send behind "Bearer ". */
static void
load_placeholders(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct policy_inject *out)
{
	struct where list_at = where_key(w, "placeholders");
	struct text_list texts = { NULL, 0 };

	load_texts(l, v, "placeholders", w, &texts);
	if (texts.n > PLACEHOLDERS_MAX)
		load_error(
		    l, &list_at, "more than %d placeholders", PLACEHOLDERS_MAX);
	for (size_t i = 0; i < texts.n; i++) {
		struct where at = where_at(&list_at, i);
		const char *c = texts.at[i];

		while (ascii_is_alnum(*c) ||
		    (*c != '\0' && strchr("-._~+/=", *c) != NULL))
			c++;
		if (*c != '\0' || c - texts.at[i] > TEXT_MAX)
			load_error(l, &at,
			    "a placeholder is 1 to %d letters, digits and "
			    "-._~+/=, as a client sends them after \"Bearer \"",
			    TEXT_MAX);
	}
	out->placeholders = texts.at;
	out->n_placeholders = texts.n;
}

static const char *
load_inject_audience(
    struct loader *l, const struct jsonr_value *v, const struct where *w)
{
	const char *text = load_required_text(l, v, "audience", w);
	struct where at = where_key(w, "audience");
	char normal[AUDIENCE_BYTES];

	if (text == NULL)
		return "";
	if (strchr(text, '*') == NULL &&
	    audience_normalise(slice_of(text), normal))
		return load_copy(l, text);
	load_error(l, &at,
	    "\"%.128s\" is no audience; write it as in "
	    "\"https://storage.azure.com/\"",
	    text);
	return "";
}

/* A credential goes over TLS, to a name that is verified, or nowhere. */
static void
check_inject(struct loader *l, const struct jsonr_value *v,
    const struct where *w, const struct rule *rule)
{
	struct where at = where_key(w, "inject"), sni = where_key(w, "sni");
	struct where addresses = where_key(w, "addresses");
	struct where ports = where_key(w, "ports");

	if (rule->deny)
		load_error(l, &at, "a deny rule has nothing to \"inject\"");
	else if (jsonr_member(v, "addresses") != NULL)
		load_error(l, &addresses,
		    "\"inject\" is for names, which a certificate proves: "
		    "give the addresses a rule of their own");
	else if (rule->sni_any)
		load_error(l, &sni,
		    "\"sni\": \"any\" lets through what nobody sees, and "
		    "\"inject\" needs to see: leave one of them out");
	else if (rule_has_port(rule, 80))
		load_error(l, &ports,
		    "\"inject\" is for https: with port 80 the credential "
		    "could go in clear; give port 80 a rule of its own");
}

static void
load_inject(struct loader *l, const struct jsonr_value *v,
    const struct where *w, const struct rule *rule, struct rule_request *out)
{
	const struct jsonr_value *object = jsonr_member(v, "inject");
	struct where at = where_key(w, "inject");
	struct policy_inject *inject;
	const char *identity;

	if (object == NULL || !load_object(l, object, &at, &inject_key_set))
		return;
	inject = pool_alloc(&l->p->pool, 1, sizeof *inject);
	if (inject == NULL) {
		load_no_memory(l);
		return;
	}
	identity = load_required_text(l, object, "identity", &at);
	inject->identity = identity == NULL ? "" : load_copy(l, identity);
	inject->audience = load_inject_audience(l, object, &at);
	load_placeholders(l, object, &at, inject);
	check_inject(l, v, w, rule);
	out->inject = inject;
}

static void
load_budget(struct loader *l, const struct jsonr_value *v,
    const struct where *w, const struct rule *rule, struct rule_request *out)
{
	const struct jsonr_value *bytes =
	    jsonr_member(v, "upload_budget_bytes");
	struct where at = where_key(w, "upload_budget_bytes");
	struct policy_budget *budget;

	if (bytes == NULL)
		return;
	if (!jsonr_is(bytes, JSONR_INTEGER) || jsonr_integer(bytes) < 1) {
		load_error(l, &at, "must be a number of bytes, 1 or more");
		return;
	}
	if (rule->deny) {
		load_error(l, &at,
		    "a deny rule has no \"upload_budget_bytes\": say it in the "
		    "rule that allows");
		return;
	}
	budget = pool_alloc(&l->p->pool, 1, sizeof *budget);
	if (budget == NULL) {
		load_no_memory(l);
		return;
	}
	budget->rule = rule->id;
	budget->bytes = (uint64_t)jsonr_integer(bytes);
	out->budget = budget;
}

static void
check_sni(struct loader *l, const struct jsonr_value *v, const struct where *w,
    const struct rule *rule, const struct rule_request *q)
{
	struct where at = where_key(w, "sni");

	if (rule->sni_any && jsonr_member(v, "sni") != NULL &&
	    rule_looks_inside(q))
		load_error(l, &at,
		    "\"sni\": \"any\" lets through what nobody sees, and "
		    "\"methods\", \"paths\", \"deny_sas\" and \"inspect\" "
		    "need to see: leave it out");
}

void
load_rule_request(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct rule *rule)
{
	static const char *const asks[] = { "methods", "paths", "deny_sas",
		"inject", "inspect", "upload_budget_bytes" };
	struct rule_request *q = NULL;

	for (size_t i = 0; i < ARRAY_LEN(asks) && q == NULL; i++)
		if (jsonr_member(v, asks[i]) != NULL)
			q = add_request(l);
	if (q == NULL)
		return;
	rule->request = (uint32_t)l->p->n_requests;
	load_methods(l, v, w, q);
	load_paths(l, v, w, q);
	q->deny_sas = load_yes(l, v, "deny_sas", w, rule);
	load_inspect(l, v, w, rule, q);
	load_inject(l, v, w, rule, q);
	load_budget(l, v, w, rule, q);
	check_sni(l, v, w, rule, q);
}
