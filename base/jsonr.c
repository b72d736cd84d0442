/* Reads JSON in one pass over a copy of the text. */
#include "base/jsonr.h"

#include "base/jsonr_reader.h"

#include <stdlib.h>

enum {
	FIRST_VALUES = 16,
	BYTES_A_VALUE = 16, /* of usual text, for the first allocation */
	PAIRS_MAX = 16,     /* keys that are compared each with each */
	PAD_BYTES = 8,
};

static enum jsonr_kind
kind_of(const struct jsonr_value *v)
{
	return (enum jsonr_kind)(v->head & 7);
}

/* One more value; NULL (said in r->st) without memory. */
struct jsonr_value *
jsonr_add(struct jsonr_reader *r, enum jsonr_kind kind)
{
	struct jsonr_value *v;

	if (r->doc.n_values == r->cap_values) {
		size_t cap = r->cap_values * 2;

		v = realloc(r->doc.values, cap * sizeof *v);
		if (v == NULL) {
			r->st = E_NOMEM;
			return NULL;
		}
		r->doc.values = v;
		r->cap_values = cap;
	}
	v = &r->doc.values[r->doc.n_values++];
	*v = (struct jsonr_value){ .head = jsonr_head(kind, 1) };
	return v;
}

static void
skip_space(struct jsonr_reader *r)
{
	while (
	    *r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')
		r->at++;
}

/* A key and its colon. */
static bool
read_key(struct jsonr_reader *r)
{
	skip_space(r);
	if (*r->at != '"')
		return jsonr_fail_here(r, "string or '}' expected");
	if (!jsonr_read_text(r))
		return false;
	r->doc.values[r->open].n++;
	skip_space(r);
	if (*r->at != ':')
		return jsonr_fail_here(r, "':' expected");
	r->at++;
	return true;
}

/* Whether a value (or a key, which is read) follows inside. */
static bool
open_container(struct jsonr_reader *r, enum jsonr_kind kind)
{
	struct jsonr_value *v;

	if (r->depth == JSONR_DEPTH_MAX)
		return jsonr_fail_here(r, "nested too deep");
	v = jsonr_add(r, kind);
	if (v == NULL)
		return false;
	v->u.integer = r->open;
	r->open = (uint32_t)(v - r->doc.values);
	r->depth++;
	r->at++;
	skip_space(r);
	if (kind == JSONR_LIST)
		return *r->at != ']';
	return *r->at != '}' && read_key(r);
}

/* Whether another value must follow before anything else may. */
static bool
read_value(struct jsonr_reader *r)
{
	skip_space(r);
	if (r->open != JSONR_NONE &&
	    kind_of(&r->doc.values[r->open]) == JSONR_LIST)
		r->doc.values[r->open].n++;
	if (*r->at == '{')
		return open_container(r, JSONR_OBJECT);
	if (*r->at == '[')
		return open_container(r, JSONR_LIST);
	if (*r->at == '"')
		(void)jsonr_read_text(r);
	else
		(void)jsonr_read_plain(r);
	return false;
}

static bool
same_text(const struct jsonr_value *a, const struct jsonr_value *b)
{
	return a->n == b->n && memcmp(a->u.text, b->u.text, a->n) == 0;
}

static bool
fail_twice(struct jsonr_reader *r, const struct jsonr_value *key)
{
	const char *from = key->u.text - 1, *to = key->u.text;

	/* Where it ends as it is spelled: the copy holds it decoded. */
	for (;; to++) {
		char c = r->text.p[to - r->doc.text];

		if (c == '"')
			return jsonr_fail(
			    r, from, to + 1, "duplicate object key");
		to += c == '\\';
	}
}

static int
compare_keys(const void *a, const void *b)
{
	const struct jsonr_value *x = *(const struct jsonr_value *const *)a;
	const struct jsonr_value *y = *(const struct jsonr_value *const *)b;
	int by_text;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	by_text = memcmp(x->u.text, y->u.text, x->n);
	if (by_text != 0)
		return by_text;
	return x < y ? -1 : x > y;
}

/* A large object's keys, sorted; the first that was there before. */
static bool
check_many_keys(struct jsonr_reader *r, const struct jsonr_value *object)
{
	const struct jsonr_value **keys = malloc(object->n * sizeof *keys);
	const struct jsonr_value *key = jsonr_first(object), *twice = NULL;

	if (keys == NULL) {
		r->st = E_NOMEM;
		return false;
	}
	for (size_t i = 0; i < object->n; i++, key = jsonr_next(key + 1))
		keys[i] = key;
	qsort(keys, object->n, sizeof *keys, compare_keys);
	for (size_t i = 1; i < object->n; i++)
		if (same_text(keys[i - 1], keys[i]) &&
		    (twice == NULL || keys[i] < twice))
			twice = keys[i];
	free(keys);
	return twice == NULL || fail_twice(r, twice);
}

/* No key may stand twice: readers differ in which one they take. */
static bool
check_keys(struct jsonr_reader *r, const struct jsonr_value *object)
{
	const struct jsonr_value *key = jsonr_first(object), *keys[PAIRS_MAX];

	if (object->n > PAIRS_MAX)
		return check_many_keys(r, object);
	for (size_t i = 0; i < object->n; i++, key = jsonr_next(key + 1)) {
		keys[i] = key;
		for (size_t k = 0; k < i; k++)
			if (same_text(keys[k], key))
				return fail_twice(r, key);
	}
	return true;
}

static bool
close_container(struct jsonr_reader *r)
{
	struct jsonr_value *v = &r->doc.values[r->open];
	uint32_t span = (uint32_t)r->doc.n_values - r->open;

	r->at++;
	r->depth--;
	r->open = (uint32_t)v->u.integer;
	v->head = jsonr_head(kind_of(v), span);
	return kind_of(v) == JSONR_LIST || check_keys(r, v);
}

/* Behind a value: closes what ends, until another value follows. */
static bool
read_on(struct jsonr_reader *r)
{
	while (r->open != JSONR_NONE) {
		bool list = kind_of(&r->doc.values[r->open]) == JSONR_LIST;

		skip_space(r);
		if (*r->at == ',') {
			r->at++;
			return list || read_key(r);
		}
		if (*r->at != (list ? ']' : '}'))
			return jsonr_fail_here(
			    r, list ? "']' expected" : "'}' expected");
		if (!close_container(r))
			return false;
	}
	return false;
}

static void
read_document(struct jsonr_reader *r)
{
	bool more = true;

	skip_space(r);
	if (*r->at != '{' && *r->at != '[') {
		(void)jsonr_fail_here(r, "'[' or '{' expected");
		return;
	}
	while (more && r->st == OK) {
		more = read_value(r);
		if (!more && r->st == OK)
			more = read_on(r);
	}
	skip_space(r);
	if (r->st == OK && r->at != r->end)
		(void)jsonr_fail_here(r, "end of file expected");
}

enum status
jsonr_read(struct slice text, struct jsonr *out, struct jsonr_error *error)
{
	struct jsonr_reader r = {
		.text = text, .open = JSONR_NONE, .error = error
	};

	if (text.n > JSONR_BYTES_MAX)
		return E_LIMIT;
	r.cap_values = FIRST_VALUES + text.n / BYTES_A_VALUE;
	r.doc.text = malloc(text.n + PAD_BYTES);
	r.doc.values = malloc(r.cap_values * sizeof *r.doc.values);
	if (r.doc.text == NULL || r.doc.values == NULL) {
		jsonr_release(&r.doc);
		return E_NOMEM;
	}
	if (text.n > 0)
		memcpy(r.doc.text, text.p, text.n);
	memset(r.doc.text + text.n, 0, PAD_BYTES);
	r.at = r.doc.text;
	r.end = r.doc.text + text.n;
	read_document(&r);
	if (r.st != OK) {
		jsonr_release(&r.doc);
		return r.st;
	}
	*out = r.doc;
	return OK;
}

void
jsonr_release(struct jsonr *doc)
{
	free(doc->text);
	free(doc->values);
	*doc = (struct jsonr){ .text = NULL };
}

const struct jsonr_value *
jsonr_member(const struct jsonr_value *object, const char *key)
{
	const struct jsonr_value *k;

	if (!jsonr_is(object, JSONR_OBJECT))
		return NULL;
	k = jsonr_first(object);
	for (size_t i = 0; i < object->n; i++, k = jsonr_next(k + 1))
		/* Most keys differ in their first letter. */
		if (k->u.text[0] == key[0] && strcmp(k->u.text, key) == 0)
			return k + 1;
	return NULL;
}
