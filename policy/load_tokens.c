/* `tokens`: grants of tokens to workloads. */
#include "policy/load.h"

#include "policy/audience.h"

#include <string.h>

static const char *const keys[] = { "id", "workloads", "audiences",
	"identities", "form" };

static const struct key_set key_set = {
	.known = keys, .n_known = ARRAY_LEN(keys), .what = "a token grant"
};

static bool
is_injected(const struct policy *p, const char *audience)
{
	char normal[AUDIENCE_BYTES];

	for (size_t i = 0; i < p->n_requests; i++) {
		const struct policy_inject *inject = p->requests[i].inject;

		if (inject != NULL &&
		    audience_normalise(slice_of(inject->audience), normal) &&
		    strcmp(normal, audience) == 0)
			return true;
	}
	return false;
}

/* Rules are loaded: a phantom that nothing takes would only look granted. */
static void
load_form(struct loader *l, const struct jsonr_value *v, const struct where *w,
    struct grant *out)
{
	static const char *const names[] = { "bearer", "phantom" };
	static const struct text_list list = { names, ARRAY_LEN(names) };
	struct where list_at = where_key(w, "audiences");

	out->phantom = load_choice(l, v, "form", w, &list, 0) == 1;
	for (size_t i = 0; out->phantom && i < out->audiences.n; i++) {
		const char *audience = out->audiences.at[i];
		struct where at = where_at(&list_at, i);

		if (*audience != '\0' && !is_injected(l->p, audience))
			load_error(l, &at,
			    "no rule injects \"%.128s\", so that a phantom "
			    "for it would be of no use: add \"inject\" with "
			    "this audience to the rule of its hosts",
			    audience);
	}
}

static void
load_audiences(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct grant *out)
{
	struct where list_at = where_key(w, "audiences");
	struct text_list texts = { NULL, 0 };
	const char **normal;

	if (jsonr_member(v, "audiences") == NULL)
		load_error(l, w, "\"audiences\" is missing");
	load_texts(l, v, "audiences", w, &texts);
	normal = pool_alloc(&l->p->pool, texts.n, sizeof *normal);
	if (normal == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < texts.n; i++) {
		struct where at = where_at(&list_at, i);
		char text[AUDIENCE_BYTES];

		normal[i] = "";
		if (*texts.at[i] == '\0')
			continue;
		if (strchr(texts.at[i], '*') != NULL)
			load_error(l, &at,
			    "\"%.128s\": audiences have no globs; name each "
			    "one",
			    texts.at[i]);
		else if (!audience_normalise(slice_of(texts.at[i]), text))
			load_error(l, &at,
			    "\"%.128s\" is no audience; write it as in "
			    "\"https://storage.azure.com/\"",
			    texts.at[i]);
		else
			normal[i] = load_copy(l, text);
	}
	out->audiences = (struct text_list){ normal, texts.n };
}

static void
load_grant(struct loader *l, const struct jsonr_value *v, const struct where *w,
    struct grant *out)
{
	out->id = "";
	if (!load_object(l, v, w, &key_set))
		return;
	out->id = load_id(l, v, w);
	load_audiences(l, v, w, out);
	load_form(l, v, w, out);
	load_texts(l, v, "identities", w, &out->identities);
	if (jsonr_member(v, "workloads") == NULL)
		load_error(l, w,
		    "\"workloads\" is missing: say who may have the token");
	load_workload_refs(l, v, w, &out->workloads, &out->n_workloads);
}

static void
check_ids(struct loader *l, const struct where *w)
{
	const struct policy *p = l->p;

	for (size_t i = 0; i < p->n_grants; i++) {
		struct where grant_at = where_at(w, i);
		struct where at = where_key(&grant_at, "id");

		for (size_t k = 0; k < i; k++)
			if (*p->grants[i].id != '\0' &&
			    strcmp(p->grants[i].id, p->grants[k].id) == 0)
				load_error(l, &at,
				    "the id \"%s\" is taken by grant %zu of "
				    "the list",
				    p->grants[i].id, k + 1);
	}
}

static bool
shares_workload(const struct grant *a, const struct grant *b)
{
	for (size_t i = 0; i < a->n_workloads; i++)
		for (size_t k = 0; k < b->n_workloads; k++)
			if (a->workloads[i] == b->workloads[k])
				return true;
	return false;
}

static bool
shares_audience(const struct grant *a, const struct grant *b)
{
	for (size_t i = 0; i < a->audiences.n; i++)
		for (size_t k = 0; k < b->audiences.n; k++)
			if (strcmp(a->audiences.at[i], b->audiences.at[k]) == 0)
				return true;
	return false;
}

/* One of the two does nothing: it may be the one that was wanted. */
static void
check_forms(struct loader *l, const struct where *w)
{
	const struct policy *p = l->p;

	for (size_t i = 0; i < p->n_grants; i++)
		for (size_t k = 0; k < p->n_grants; k++) {
			struct where at = where_at(w, i);
			const struct grant *a = &p->grants[i];
			const struct grant *b = &p->grants[k];

			if (!a->phantom && b->phantom &&
			    shares_audience(a, b) && shares_workload(a, b))
				load_warning(l, &at,
				    "grant \"%s\" gives the same workload a "
				    "phantom for the same audience: the token "
				    "itself is not given",
				    b->id);
		}
}

static void
note_identity(struct policy *p, const char *name)
{
	size_t at = 0;

	while (at < p->n_identity_names &&
	    strcmp(p->identity_names[at], name) != 0)
		at++;
	p->identity_names[at] = name;
	p->n_identity_names += at == p->n_identity_names;
}

/* What the configuration must define, each name once. */
static void
gather_identities(struct loader *l)
{
	struct policy *p = l->p;
	size_t n = p->n_requests;

	for (size_t i = 0; i < p->n_grants; i++)
		n += p->grants[i].identities.n;
	p->identity_names =
	    pool_alloc(&p->pool, n + 1, sizeof *p->identity_names);
	if (p->identity_names == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < p->n_grants; i++)
		for (size_t k = 0; k < p->grants[i].identities.n; k++)
			note_identity(p, p->grants[i].identities.at[k]);
	for (size_t i = 0; i < p->n_requests; i++)
		if (p->requests[i].inject != NULL)
			note_identity(p, p->requests[i].inject->identity);
}

static void
load_grants(struct loader *l, const struct jsonr_value *root)
{
	struct where top = { .up = NULL }, w = where_key(&top, "tokens");
	const struct jsonr_value *list = jsonr_member(root, "tokens");
	const struct jsonr_value *v = jsonr_first(list);
	struct policy *p = l->p;

	if (list == NULL)
		return;
	if (!jsonr_is(list, JSONR_LIST)) {
		load_error(l, &w, "\"tokens\" must be a list [...]");
		return;
	}
	if (jsonr_count(list) > 4096) {
		load_error(l, &w, "more than 4096 grants");
		return;
	}
	p->grants = pool_alloc(&p->pool, jsonr_count(list), sizeof *p->grants);
	if (p->grants == NULL) {
		load_no_memory(l);
		return;
	}
	p->n_grants = jsonr_count(list);
	for (size_t i = 0; i < p->n_grants; i++) {
		struct where at = where_at(&w, i);

		load_grant(l, v, &at, &p->grants[i]);
		v = jsonr_next(v);
	}
	check_ids(l, &w);
	check_forms(l, &w);
}

void
load_tokens(struct loader *l, const struct jsonr_value *root)
{
	load_grants(l, root);
	if (l->st != E_NOMEM)
		gather_identities(l);
}
