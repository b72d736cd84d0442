/* Reading JSON values strictly, and saying where one is wrong. */
#include "policy/load.h"

#include "base/jsonpos.h"
#include "policy/rfc3339.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	MAX_WARNINGS = 32,
	POINTER_BYTES = 160,
	STEPS_MAX = 8, /* five are the most there are */
};

/* RFC 6901 3: "~" is "~0" and "/" is "~1". What does not fit is cut. */
static void
add_step(char *pointer, size_t size, const struct where *w)
{
	char number[24];
	const char *key = w->key;
	size_t n = strlen(pointer);

	if (key == NULL) {
		(void)snprintf(number, sizeof number, "%zu", w->index);
		key = number;
	}
	if (n + 2 < size)
		pointer[n++] = '/';
	for (; *key != '\0' && n + 3 < size; key++) {
		bool escape = *key == '~' || *key == '/';

		pointer[n++] = escape ? '~' : *key;
		if (escape)
			pointer[n++] = *key == '~' ? '0' : '1';
	}
	pointer[n] = '\0';
}

static void
make_pointer(const struct where *w, char pointer[POINTER_BYTES])
{
	const struct where *steps[STEPS_MAX];
	size_t n = 0;

	for (; w->up != NULL && n < STEPS_MAX; w = w->up)
		steps[n++] = w;
	pointer[0] = '\0';
	while (n > 0)
		add_step(pointer, POINTER_BYTES, steps[--n]);
}

static void ATTR_PRINTF(4, 0) note(struct loader *l, bool is_error,
    const struct where *w, const char *fmt, va_list ap)
{
	struct policy_issues *all = l->issues;
	struct policy_issue *issue;
	struct json_place place;
	char pointer[POINTER_BYTES];

	all->n_errors += is_error;
	if (all->n == ARRAY_LEN(all->at) ||
	    (!is_error && all->n >= MAX_WARNINGS))
		return;
	issue = &all->at[all->n++];
	issue->is_error = is_error;
	make_pointer(w, pointer);
	place = json_place(l->text, pointer, w->of_key);
	issue->line = place.line;
	issue->column = place.column;
	(void)snprintf(issue->pointer, sizeof issue->pointer, "%.*s",
	    (int)sizeof issue->pointer - 1, pointer);
	(void)vsnprintf(issue->text, sizeof issue->text, fmt, ap);
}

void
load_error(struct loader *l, const struct where *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(l, true, w, fmt, ap);
	va_end(ap);
	if (l->st == OK)
		l->st = E_INVALID;
}

void
load_warning(struct loader *l, const struct where *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(l, false, w, fmt, ap);
	va_end(ap);
}

void
load_no_memory(struct loader *l)
{
	l->st = E_NOMEM;
}

const char *
load_copy(struct loader *l, const char *s)
{
	const char *copy = pool_copy(&l->p->pool, slice_of(s));

	if (copy == NULL) {
		load_no_memory(l);
		return "";
	}
	return copy;
}

static bool
is_listed(const char *key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (key[0] == names[i][0] && strcmp(key, names[i]) == 0)
			return true;
	return false;
}

static void
check_key(struct loader *l, const char *key, const struct where *w,
    const struct key_set *keys)
{
	struct where at = where_key(w, key);
	const char *near;

	if (is_listed(key, keys->known, keys->n_known))
		return;
	at.of_key = true;
	near = nearest_name(slice_of(key), keys->known, keys->n_known);
	if (near != NULL)
		load_error(l, &at,
		    "%s has no key \"%.64s\"; did you mean \"%s\"?", keys->what,
		    key, near);
	else
		load_error(l, &at, "%s has no key \"%.64s\"", keys->what, key);
}

bool
load_object(struct loader *l, const struct jsonr_value *v,
    const struct where *w, const struct key_set *keys)
{
	const struct jsonr_value *key = jsonr_first(v);

	if (!jsonr_is(v, JSONR_OBJECT)) {
		load_error(l, w, "%s must be an object {...}", keys->what);
		return false;
	}
	for (size_t i = 0; i < jsonr_count(v); i++, key = jsonr_next(key + 1))
		check_key(l, key->u.text, w, keys);
	return true;
}

const char *
load_text(struct loader *l, const struct jsonr_value *object, const char *key,
    const struct where *w)
{
	const struct jsonr_value *v = jsonr_member(object, key);
	struct where at = where_key(w, key);

	if (v == NULL)
		return NULL;
	if (!jsonr_is(v, JSONR_TEXT)) {
		load_error(l, &at, "\"%s\" must be a string", key);
		return NULL;
	}
	if (v->n == 0) {
		load_error(
		    l, &at, "\"%s\" must not be empty or hold a NUL", key);
		return NULL;
	}
	return jsonr_text(v);
}

const char *
load_required_text(struct loader *l, const struct jsonr_value *object,
    const char *key, const struct where *w)
{
	if (jsonr_member(object, key) == NULL)
		load_error(l, w, "\"%s\" is missing", key);
	return load_text(l, object, key, w);
}

size_t
load_choice(struct loader *l, const struct jsonr_value *object, const char *key,
    const struct where *w, const struct text_list *names, size_t otherwise)
{
	const char *text = load_text(l, object, key, w);
	struct where at = where_key(w, key);
	char list[128] = "";
	size_t n = 0;

	if (text == NULL)
		return otherwise;
	for (size_t i = 0; i < names->n; i++) {
		if (strcmp(text, names->at[i]) == 0)
			return i;
		if (n < sizeof list)
			n += (size_t)snprintf(list + n, sizeof list - n,
			    "%s\"%s\"", i == 0 ? "" : " or ", names->at[i]);
	}
	load_error(
	    l, &at, "\"%s\" is \"%.64s\", but must be %s", key, text, list);
	return otherwise;
}

const struct jsonr_value *
load_list(struct loader *l, const struct jsonr_value *object, const char *key,
    const struct where *at)
{
	const struct jsonr_value *v = jsonr_member(object, key);

	if (v == NULL)
		return NULL;
	if (!jsonr_is(v, JSONR_LIST)) {
		load_error(l, at, "\"%s\" must be a list [...]", key);
		return NULL;
	}
	if (jsonr_count(v) == 0) {
		load_error(l, at,
		    "\"%s\" is an empty list; name at least one, or leave the "
		    "key out",
		    key);
		return NULL;
	}
	return v;
}

const char *
load_element(
    struct loader *l, const struct jsonr_value *v, const struct where *at)
{
	if (jsonr_is(v, JSONR_TEXT) && v->n > 0)
		return jsonr_text(v);
	load_error(l, at, "must be a string that is not empty");
	return NULL;
}

void
load_texts(struct loader *l, const struct jsonr_value *object, const char *key,
    const struct where *w, struct text_list *out)
{
	struct where list_at = where_key(w, key);
	const struct jsonr_value *list = load_list(l, object, key, &list_at);
	const struct jsonr_value *v = jsonr_first(list);
	size_t n = jsonr_count(list);
	const char **texts;

	if (list == NULL)
		return;
	texts = pool_alloc(&l->p->pool, n, sizeof *texts);
	if (texts == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < n; i++, v = jsonr_next(v)) {
		struct where at = where_at(&list_at, i);
		const char *text = load_element(l, v, &at);

		texts[i] = text == NULL ? "" : load_copy(l, text);
	}
	out->at = texts;
	out->n = n;
}

void
load_time(struct loader *l, const struct jsonr_value *object, const char *key,
    const struct where *w, int64_t *unix_s)
{
	const char *text = load_text(l, object, key, w);
	struct where at = where_key(w, key);

	if (text != NULL && rfc3339_parse(slice_of(text), unix_s) != OK)
		load_error(l, &at,
		    "\"%.40s\" is not a time; write RFC 3339, as in "
		    "\"2026-12-31T23:59:59Z\"",
		    text);
}

static bool
is_id(const char *id)
{
	size_t n = 0;

	for (; n <= 64 && id[n] != '\0'; n++)
		if (!ascii_is_alnum(id[n]) && id[n] != '.' && id[n] != '_' &&
		    id[n] != '-')
			return false;
	return n >= 1 && n <= 64;
}

const char *
load_id(
    struct loader *l, const struct jsonr_value *object, const struct where *w)
{
	const char *id = load_required_text(l, object, "id", w);
	struct where at = where_key(w, "id");

	if (id == NULL)
		return "";
	if (!is_id(id)) {
		load_error(l, &at,
		    "\"%.64s\" is no id; use 1 to 64 letters, digits, '.', "
		    "'_' and '-'",
		    id);
		return "";
	}
	return load_copy(l, id);
}
