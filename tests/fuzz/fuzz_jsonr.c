/* The JSON reader says of any text what another one, jansson, says of it. */
#include "base/jsonr.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct jsonr_value *v, json_t *want);

static bool
same_list(const struct jsonr_value *v, json_t *want)
{
	const struct jsonr_value *e = jsonr_first(v);

	if (!jsonr_is(v, JSONR_LIST) || jsonr_count(v) != json_array_size(want))
		return false;
	for (size_t i = 0; i < jsonr_count(v); i++, e = jsonr_next(e))
		if (!same(e, json_array_get(want, i)))
			return false;
	return true;
}

static bool
same_object(const struct jsonr_value *v, json_t *want)
{
	const struct jsonr_value *key = jsonr_first(v);

	if (!jsonr_is(v, JSONR_OBJECT) ||
	    jsonr_count(v) != json_object_size(want))
		return false;
	for (size_t i = 0; i < jsonr_count(v); i++, key = jsonr_next(key + 1))
		if (strlen(jsonr_text(key)) != key->n ||
		    jsonr_member(v, jsonr_text(key)) != key + 1 ||
		    !same(key + 1, json_object_get(want, jsonr_text(key))))
			return false;
	return true;
}

static bool
same(const struct jsonr_value *v, json_t *want)
{
	if (want == NULL)
		return false;
	switch (json_typeof(want)) {
	case JSON_OBJECT:
		return same_object(v, want);
	case JSON_ARRAY:
		return same_list(v, want);
	case JSON_STRING:
		return jsonr_text(v) != NULL &&
		    v->n == json_string_length(want) &&
		    memcmp(jsonr_text(v), json_string_value(want), v->n + 1) ==
		    0;
	case JSON_INTEGER:
		return jsonr_is(v, JSONR_INTEGER) &&
		    jsonr_integer(v) == json_integer_value(want);
	case JSON_REAL:
		return jsonr_is(v, JSONR_REAL);
	case JSON_TRUE:
		return jsonr_is(v, JSONR_TRUE);
	case JSON_FALSE:
		return jsonr_is(v, JSONR_FALSE);
	case JSON_NULL:
		return jsonr_is(v, JSONR_NULL);
	}
	return false;
}

static void
check_error(const struct jsonr_error *e)
{
	if (e->line == 0 || e->column == 0 || e->text[0] == '\0' ||
	    memchr(e->text, 0, sizeof e->text) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct jsonr_error error;
	struct jsonr doc;
	json_error_t why = { .text = "" };
	json_t *want = json_loadb(
	    size == 0 ? "" : text.p, size, JSON_REJECT_DUPLICATES, &why);
	enum status st = jsonr_read(text, &doc, &error);

	if (st != OK)
		check_error(&error);
	if (st == OK && want != NULL) {
		if (!same(doc.values, want))
			abort();
	} else if (st == OK) {
		/* The value of a real is not kept, nor what is too large. */
		if (json_error_code(&why) != json_error_numeric_overflow)
			abort();
	} else if (want != NULL) {
		/* We stop at a smaller depth; jansson 2.14 overlooks a NUL
		 * behind a number or a word. */
		if (strncmp(error.text, "nested", 6) != 0 &&
		    (size == 0 || memchr(data, 0, size) == NULL))
			abort();
	}
	if (st == OK)
		jsonr_release(&doc);
	json_decref(want);
	return 0;
}
