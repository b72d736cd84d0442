/* Reading JSON values strictly, and saying where one is wrong. */
#include "policy/load.h"

#include "base/jsonpos.h"
#include "policy/rfc3339.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_WARNINGS = 32 };

struct where
where_key(const struct where *w, const char *key)
{
	struct where child = *w;
	size_t n = strlen(child.pointer);

	if (n + 2 < sizeof child.pointer)
		child.pointer[n++] = '/';
	for (; *key != '\0' && n + 3 < sizeof child.pointer; key++) {
		/* RFC 6901 3: "~" is "~0" and "/" is "~1". */
		if (*key == '~' || *key == '/') {
			child.pointer[n++] = '~';
			child.pointer[n++] = *key == '~' ? '0' : '1';
		} else {
			child.pointer[n++] = *key;
		}
	}
	child.pointer[n] = '\0';
	return child;
}

struct where
where_at(const struct where *w, size_t index)
{
	char number[24];

	(void)snprintf(number, sizeof number, "%zu", index);
	return where_key(w, number);
}

static void ATTR_PRINTF(4, 0) note(struct loader *l, bool is_error,
    const struct where *w, const char *fmt, va_list ap)
{
	struct policy_issues *all = l->issues;
	struct policy_issue *issue;
	struct json_place place;

	all->n_errors += is_error;
	if (all->n == ARRAY_LEN(all->at) ||
	    (!is_error && all->n >= MAX_WARNINGS))
		return;
	issue = &all->at[all->n++];
	issue->is_error = is_error;
	place = json_place(l->text, w->pointer, w->of_key);
	issue->line = place.line;
	issue->column = place.column;
	(void)snprintf(issue->pointer, sizeof issue->pointer, "%.*s",
	    (int)sizeof issue->pointer - 1, w->pointer);
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
load_unsupported(struct loader *l, const struct where *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(l, true, w, fmt, ap);
	va_end(ap);
	if (l->st == OK)
		l->st = E_UNSUPPORTED;
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
		if (strcmp(key, names[i]) == 0)
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
	if (is_listed(key, keys->later, keys->n_later)) {
		load_unsupported(l, &at,
		    "\"%s\" is not in this version: it needs the plain "
		    "request, which is not read yet; take it out",
		    key);
		return;
	}
	near = nearest_name(slice_of(key), keys->known, keys->n_known);
	if (near != NULL)
		load_error(l, &at,
		    "%s has no key \"%.64s\"; did you mean \"%s\"?", keys->what,
		    key, near);
	else
		load_error(l, &at, "%s has no key \"%.64s\"", keys->what, key);
}

bool
load_object(struct loader *l, const json_t *v, const struct where *w,
    const struct key_set *keys)
{
	const char *key;
	json_t *object = json_incref((json_t *)(uintptr_t)v), *member;

	if (!json_is_object(v)) {
		json_decref(object);
		load_error(l, w, "%s must be an object {...}", keys->what);
		return false;
	}
	json_object_foreach(object, key, member) {
		check_key(l, key, w, keys);
	}
	json_decref(object);
	return true;
}

const char *
load_text(struct loader *l, const json_t *object, const char *key,
    const struct where *w)
{
	const json_t *v = json_object_get(object, key);
	struct where at = where_key(w, key);

	if (v == NULL)
		return NULL;
	if (!json_is_string(v)) {
		load_error(l, &at, "\"%s\" must be a string", key);
		return NULL;
	}
	if (json_string_length(v) == 0 ||
	    strlen(json_string_value(v)) != json_string_length(v)) {
		load_error(
		    l, &at, "\"%s\" must not be empty or hold a NUL", key);
		return NULL;
	}
	return json_string_value(v);
}

const char *
load_required_text(struct loader *l, const json_t *object, const char *key,
    const struct where *w)
{
	if (json_object_get(object, key) == NULL)
		load_error(l, w, "\"%s\" is missing", key);
	return load_text(l, object, key, w);
}

size_t
load_choice(struct loader *l, const json_t *object, const char *key,
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

const json_t *
load_list(
    struct loader *l, const json_t *object, const char *key, struct where *w)
{
	const json_t *v = json_object_get(object, key);

	*w = where_key(w, key);
	if (v == NULL)
		return NULL;
	if (!json_is_array(v)) {
		load_error(l, w, "\"%s\" must be a list [...]", key);
		return NULL;
	}
	if (json_array_size(v) == 0) {
		load_error(l, w,
		    "\"%s\" is an empty list; name at least one, or leave the "
		    "key out",
		    key);
		return NULL;
	}
	return v;
}

const char *
load_text_at(
    struct loader *l, const json_t *list, size_t index, const struct where *at)
{
	const json_t *v = json_array_get(list, index);

	if (json_is_string(v) && json_string_length(v) > 0 &&
	    strlen(json_string_value(v)) == json_string_length(v))
		return json_string_value(v);
	load_error(l, at, "must be a string that is not empty");
	return NULL;
}

void
load_texts(struct loader *l, const json_t *object, const char *key,
    const struct where *w, struct text_list *out)
{
	struct where list_at = *w;
	const json_t *list = load_list(l, object, key, &list_at);
	size_t n = json_array_size(list);
	const char **texts;

	if (list == NULL)
		return;
	texts = pool_alloc(&l->p->pool, n, sizeof *texts);
	if (texts == NULL) {
		load_no_memory(l);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct where at = where_at(&list_at, i);
		const char *text = load_text_at(l, list, i, &at);

		texts[i] = text == NULL ? "" : load_copy(l, text);
	}
	out->at = texts;
	out->n = n;
}

void
load_time(struct loader *l, const json_t *object, const char *key,
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

static const char id_bytes[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

const char *
load_id(struct loader *l, const json_t *object, const struct where *w)
{
	const char *id = load_required_text(l, object, "id", w);
	struct where at = where_key(w, "id");
	size_t n;

	if (id == NULL)
		return "";
	n = strlen(id);
	if (n > 64 || strspn(id, id_bytes) != n) {
		load_error(l, &at,
		    "\"%.64s\" is no id; use 1 to 64 letters, digits, '.', "
		    "'_' and '-'",
		    id);
		return "";
	}
	return load_copy(l, id);
}
