/* `workloads`: who a local client can be. */
#include "policy/load.h"

#include "base/jsonpos.h"

#include <string.h>

static const char *const keys[] = { "users", "groups", "units", "cgroups",
	"exes" };

static const struct key_set key_set = {
	.known = keys, .n_known = ARRAY_LEN(keys), .what = "a workload"
};

/* A number, or text of digits alone, which no user name may be. */
static bool
as_number(struct loader *l, const struct jsonr_value *v, const struct where *w,
    uint32_t *number)
{
	uint64_t n;

	if (jsonr_is(v, JSONR_INTEGER)) {
		int64_t i = jsonr_integer(v);

		if (i < 0 || i >= UINT32_MAX)
			load_error(l, w,
			    "a number here is a uid or gid, 0 to "
			    "4294967294");
		*number = (uint32_t)i;
		return true;
	}
	if (!slice_to_u64(slice_of(jsonr_text(v)), UINT32_MAX - 1, &n))
		return false;
	*number = (uint32_t)n;
	return true;
}

static void
load_ids(struct loader *l, const struct jsonr_value *object, const char *key,
    const struct where *w, struct id_list *out)
{
	struct where list_at = where_key(w, key);
	const struct jsonr_value *list = load_list(l, object, key, &list_at);
	const struct jsonr_value *v = jsonr_first(list);
	size_t n = jsonr_count(list);
	const char **names;
	uint32_t *numbers;

	if (list == NULL)
		return;
	names = pool_alloc(&l->p->pool, n, sizeof *names);
	numbers = pool_alloc(&l->p->pool, n, sizeof *numbers);
	if (names == NULL || numbers == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < n; i++, v = jsonr_next(v)) {
		struct where at = where_at(&list_at, i);

		if (!jsonr_is(v, JSONR_INTEGER) &&
		    (!jsonr_is(v, JSONR_TEXT) || v->n == 0))
			load_error(l, &at, "must be a name or a number");
		else if (as_number(l, v, &at, &numbers[out->n_numbers]))
			out->n_numbers++;
		else
			names[out->n_names++] = load_copy(l, jsonr_text(v));
	}
	out->names = names;
	out->numbers = numbers;
}

static void
load_globs(struct loader *l, const struct jsonr_value *object, const char *key,
    const struct where *w, struct text_list *out)
{
	struct where list_at = where_key(w, key);
	bool is_path = strcmp(key, "units") != 0;

	load_texts(l, object, key, w, out);
	for (size_t i = 0; i < out->n; i++) {
		struct where at = where_at(&list_at, i);
		const char *glob = out->at[i];

		if (strpbrk(glob, "[]{}\\") != NULL)
			load_error(l, &at,
			    "\"%.64s\": globs know '*', '**' and '?' only",
			    glob);
		else if (is_path && *glob != '/')
			load_error(
			    l, &at, "\"%.64s\" must begin with '/'", glob);
		else if (!is_path && strchr(glob, '/') != NULL)
			load_error(l, &at,
			    "\"%.64s\": a unit has no '/'; paths belong in "
			    "\"cgroups\"",
			    glob);
		else if (!is_path && !slice_ends(slice_of(glob), SLICE("*")) &&
		    !slice_ends(slice_of(glob), SLICE(".service")) &&
		    !slice_ends(slice_of(glob), SLICE(".scope")))
			load_error(l, &at,
			    "\"%.64s\" can match no unit; end it in .service "
			    "or .scope, as in \"job-*.service\"",
			    glob);
	}
}

static void
load_workload(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct workload *out)
{
	if (!load_object(l, v, w, &key_set))
		return;
	load_ids(l, v, "users", w, &out->users);
	load_ids(l, v, "groups", w, &out->groups);
	load_globs(l, v, "units", w, &out->units);
	load_globs(l, v, "cgroups", w, &out->cgroups);
	load_globs(l, v, "exes", w, &out->exes);
	if (out->exes.n > 0)
		l->p->uses_exes = true;
	if (jsonr_count(v) == 0)
		load_error(l, w,
		    "a workload needs at least one of users, groups, units, "
		    "cgroups, exes; leave \"workloads\" out of a rule to mean "
		    "everybody");
}

/* The names that the user database must know, each once. */
static void
gather_names(struct loader *l, size_t offset, const char ***out, size_t *n_out)
{
	struct policy *p = l->p;
	size_t n = 0;

	for (size_t i = 0; i < p->n_workloads; i++)
		n += ((const struct id_list *)(const void
		              *)((const char *)&p->workloads[i] + offset))
		         ->n_names;
	*out = pool_alloc(&p->pool, n, sizeof **out);
	if (*out == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < p->n_workloads; i++) {
		const struct id_list *list =
		    (const void *)((const char *)&p->workloads[i] + offset);

		for (size_t k = 0; k < list->n_names; k++) {
			size_t at = 0;

			while (at < *n_out &&
			    strcmp((*out)[at], list->names[k]) != 0)
				at++;
			(*out)[at] = list->names[k];
			*n_out += at == *n_out;
		}
	}
}

void
load_workloads(struct loader *l, const struct jsonr_value *root)
{
	struct where top = { .up = NULL }, w = where_key(&top, "workloads");
	const struct jsonr_value *object = jsonr_member(root, "workloads");
	const struct jsonr_value *key = jsonr_first(object);
	struct policy *p = l->p;

	if (object == NULL)
		return;
	if (!jsonr_is(object, JSONR_OBJECT)) {
		load_error(l, &w, "\"workloads\" must be an object {...}");
		return;
	}
	p->workloads =
	    pool_alloc(&p->pool, jsonr_count(object), sizeof *p->workloads);
	if (p->workloads == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < jsonr_count(object); i++) {
		const char *name = key->u.text;
		struct where at = where_key(&w, name);
		struct workload *wl = &p->workloads[p->n_workloads++];

		wl->name = load_copy(l, name);
		if (*name == '\0' || strlen(name) > 64)
			load_error(
			    l, &at, "a workload's name has 1 to 64 characters");
		load_workload(l, key + 1, &at, wl);
		key = jsonr_next(key + 1);
	}
	if (l->st == E_NOMEM)
		return;
	gather_names(l, offsetof(struct workload, users), &p->user_names,
	    &p->n_user_names);
	gather_names(l, offsetof(struct workload, groups), &p->group_names,
	    &p->n_group_names);
}

static bool
find_workload(const struct policy *p, const char *name, uint32_t *out)
{
	for (size_t i = 0; i < p->n_workloads; i++)
		if (strcmp(p->workloads[i].name, name) == 0) {
			*out = (uint32_t)i;
			return true;
		}
	return false;
}

static void
say_unknown(struct loader *l, const struct where *w, const char *name)
{
	const char *names[64];
	const char *near;
	size_t n = 0;

	for (; n < l->p->n_workloads && n < ARRAY_LEN(names); n++)
		names[n] = l->p->workloads[n].name;
	near = nearest_name(slice_of(name), names, n);
	if (near != NULL)
		load_error(l, w,
		    "no workload is called \"%.64s\"; did you mean \"%s\"?",
		    name, near);
	else
		load_error(l, w,
		    "no workload is called \"%.64s\"; define it under "
		    "\"workloads\"",
		    name);
}

void
load_workload_refs(struct loader *l, const struct jsonr_value *object,
    const struct where *w, const uint32_t **out, size_t *n_out)
{
	struct where list_at = where_key(w, "workloads");
	struct text_list names = { NULL, 0 };
	uint32_t *at;

	load_texts(l, object, "workloads", w, &names);
	if (names.n == 0)
		return;
	at = pool_alloc(&l->p->pool, names.n, sizeof *at);
	if (at == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < names.n; i++) {
		struct where where = where_at(&list_at, i);

		if (*names.at[i] != '\0' &&
		    !find_workload(l->p, names.at[i], &at[i]))
			say_unknown(l, &where, names.at[i]);
	}
	*out = at;
	*n_out = names.n;
}
