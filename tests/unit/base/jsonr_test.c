/* The JSON reader: values, refusals with their places, want of memory. */
#include "tests/unit/test.h"

#include "base/jsonr.h"

#include <stdio.h>
#include <stdlib.h>

/* The names are the linker's (--wrap). */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_realloc(void *p, size_t n);

/* Counts down; the allocation that finds it at 0 fails. Negative: never. */
static long fail_in = -1;
static bool failed;

static bool
fails_now(void)
{
	bool now = fail_in == 0;

	fail_in -= fail_in >= 0;
	failed |= now;
	return now;
}

void *
__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails_now() ? NULL : __real_realloc(p, n);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* Writes a value as the reader understood it: {key:value}, texts bare. */
static void
spell(const struct jsonr_value *v, char *out, size_t size)
{
	static const char *const words[] = { "null", "false", "true" };
	const struct jsonr_value *e = jsonr_first(v);
	bool object = jsonr_is(v, JSONR_OBJECT);
	size_t n = 0;

	if (jsonr_is(v, JSONR_TEXT)) {
		(void)snprintf(out, size, "%s", jsonr_text(v));
	} else if (jsonr_is(v, JSONR_INTEGER)) {
		(void)snprintf(out, size, "%lld", (long long)jsonr_integer(v));
	} else if (jsonr_is(v, JSONR_REAL)) {
		(void)snprintf(out, size, "real");
	} else if (!object && !jsonr_is(v, JSONR_LIST)) {
		(void)snprintf(out, size, "%s", words[v->head & 7]);
	} else {
		n = (size_t)snprintf(out, size, object ? "{" : "[");
		for (size_t i = 0; i < jsonr_count(v); i++) {
			if (object)
				n += (size_t)snprintf(
				    out + n, size - n, "%s:", jsonr_text(e++));
			spell(e, out + n, size - n);
			n += strlen(out + n);
			n += (size_t)snprintf(out + n, size - n, " ");
			e = jsonr_next(e);
		}
		(void)snprintf(out + n, size - n, object ? "}" : "]");
	}
}

static void
each_value_is_read_as_it_stands(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "[]", "[]" },
		{ " \t\r\n{ } \n", "{}" },
		{ "[null,true , false]", "[null true false ]" },
		{ "[0,-0,7,-12,1.0,-1.5e3,1E+2,2e-7]",
		    "[0 0 7 -12 real real real real ]" },
		{ "[9223372036854775807,-9223372036854775808]",
		    "[9223372036854775807 -9223372036854775808 ]" },
		{ "[1e999]", "[real ]" },
		{ "[\"\",\"a\",\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"]",
		    "[ a \xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\x7f ]" },
		{ "[\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\te\"]",
		    "[a\"b\\c/d\b\f\n\r\te ]" },
		{ "[\"\\u0041\\u00fC\\u20ac\\uD83D\\ude00!\"]",
		    "[A\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80! ]" },
		{ "{\"a\":{\"b\":[1,[2,{\"c\":3}]],\"d\":4},\"e\":[[]]}",
		    "{a:{b:[1 [2 {c:3 } ] ] d:4 } e:[[] ] }" },
		{ "{\"\":1,\"a\":{\"a\":{\"a\":2}},\"A\":3}",
		    "{:1 a:{a:{a:2 } } A:3 }" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jsonr_error e;
		struct jsonr doc;
		char got[256];

		if (jsonr_read(slice_of(rows[i].text), &doc, &e) != OK)
			fail_msg("%s: %s", rows[i].text, e.text);
		spell(doc.values, got, sizeof got);
		assert_string_equal(got, rows[i].want);
		jsonr_release(&doc);
	}
}

static const struct {
	struct slice text;
	const char *want;
} refused[] = {

#define ROW(text, want)                \
	{                              \
		SLICE_INIT(text), want \
	}
	ROW("", "1:1 '[' or '{' expected near end of file"),
	ROW(" \n ", "2:1 '[' or '{' expected near end of file"),
	ROW("1", "1:1 '[' or '{' expected near '1'"),
	ROW("\xef\xbb\xbf{}", "1:1 '[' or '{' expected"),
	ROW("[1,]", "1:4 invalid token near ']'"),
	ROW("[,1]", "1:2 invalid token near ','"),
	ROW("[1 2]", "1:4 ']' expected near '2'"),
	ROW("[1}", "1:3 ']' expected near '}'"),
	ROW("[\n1", "2:1 ']' expected near end of file"),
	ROW("[", "1:1 invalid token near end of file"),
	ROW("{]", "1:2 string or '}' expected near ']'"),
	ROW("{\"a\":1,}", "1:8 string or '}' expected near '}'"),
	ROW("{a:1}", "1:2 string or '}' expected near 'a'"),
	ROW("{\"a\"}", "1:5 ':' expected near '}'"),
	ROW("{\"a\":}", "1:6 invalid token near '}'"),
	ROW("{\"a\":1 \"b\"", "1:8 '}' expected near '\"'"),
	ROW("[] x", "1:4 end of file expected near 'x'"),
	ROW("[]\0", "1:3 end of file expected"),
	ROW("[tru]", "1:4 invalid token near 'tru'"),
	ROW("[truE]", "1:5 invalid token near 'truE'"),
	ROW("[nulls]", "1:6 invalid token near 'nulls'"),
	ROW("[NaN]", "1:4 invalid token near 'NaN'"),
	ROW("['a']", "1:2 invalid token near '''"),
	ROW("[\x01]", "1:2 invalid token"),
	ROW("[01]", "1:3 invalid token near '01'"),
	ROW("[-]", "1:2 invalid token near '-'"),
	ROW("[+1]", "1:3 invalid token near '+1'"),
	ROW("[1.]", "1:3 invalid token near '1.'"),
	ROW("[.5]", "1:3 invalid token near '.5'"),
	ROW("[1e]", "1:3 invalid token near '1e'"),
	ROW("[1e+]", "1:4 invalid token near '1e+'"),
	ROW("[0x1]", "1:4 invalid token near '0x1'"),
	ROW("[9223372036854775808]",
	    "1:20 too big integer near '9223372036854775808'"),
	ROW("[-9223372036854775809]",
	    "1:21 too big integer near '-9223372036854775809'"),
	ROW("[123456789012345678901]", "1:22 too big integer"),
	ROW("[\"a",
	    "1:3 a text does not end: '\"' expected near end "
	    "of file"),
	ROW("[\"a\n\"]", "1:4 a text does not end: '\"' expected"),
	ROW("[\"\t\"]", "1:3 a control character must be escaped"),
	ROW("[\"\0\"]", "1:3 a control character must be escaped"),
	ROW("[\"\\x\"]", "1:4 invalid escape near '\\x'"),
	ROW("[\"\\", "1:3 invalid escape near '\\'"),
	ROW("[\"\\u12g4\"]", "1:4 four hex digits expected near '\\u'"),
	ROW("[\"\\u0000\"]", "1:8 \\u0000 is not allowed near '\\u0000'"),
	ROW("[\"\\ud800\"]", "1:8 half a surrogate pair near '\\ud800'"),
	ROW("[\"\\ud800\\u0041\"]", "1:8 half a surrogate pair near '\\ud800'"),
	ROW("[\"\\udc00\\udc00\"]", "1:8 half a surrogate pair near '\\udc00'"),
	ROW("[\"\xc0\x80\"]", "1:3 not UTF-8"),
	ROW("[\"\xed\xa0\x80\"]", "1:3 not UTF-8"),
	ROW("[\"a\xc3\"]", "1:4 not UTF-8"),
	ROW("[\"\xf4\x90\x80\x80\"]", "1:3 not UTF-8"),
	ROW("{\"a\":1,\"b\":2,\"a\":3}",
	    "1:16 duplicate object key near '\"a\"'"),
	ROW("{\"a\":1,\n\"\\u0061\":2}",
	    "2:8 duplicate object key near '\"\\u0061\"'"),
	ROW("{\"\\n\\\"\":1,\"\\n\\\"\":2}",
	    "1:16 duplicate object key near '\"\\n\\\"\"'"),
	ROW("[{\"x\":{\"\":1,\"\":2}}]",
	    "1:14 duplicate object key near '\"\"'"),
#undef ROW
};

static void
what_is_no_json_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct jsonr_error e;
		struct jsonr doc;
		char got[160];

		assert_int_equal(
		    jsonr_read(refused[i].text, &doc, &e), E_SYNTAX);
		(void)snprintf(
		    got, sizeof got, "%u:%u %s", e.line, e.column, e.text);
		assert_string_equal(got, refused[i].want);
	}
}

static void
a_key_that_stands_twice_is_found_among_many(void **state)
{
	struct jsonr_error e;
	struct jsonr doc;
	char text[4096] = "{";
	size_t n = 1;

	(void)state;
	for (int i = 0; i < 200; i++)
		n += (size_t)snprintf(
		    text + n, sizeof text - n, "\"k%d\":[%d],\n", i, i);
	(void)snprintf(text + n, sizeof text - n, "\"k200\":0}");
	assert_int_equal(jsonr_read(slice_of(text), &doc, &e), OK);
	assert_int_equal(jsonr_count(doc.values), 201);
	for (int i = 0; i < 200; i++) {
		char key[8];

		(void)snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(
		    jsonr_integer(jsonr_first(jsonr_member(doc.values, key))),
		    i);
	}
	assert_null(jsonr_member(doc.values, "k201"));
	assert_null(jsonr_member(doc.values, "k"));
	jsonr_release(&doc);
	(void)snprintf(text + n, sizeof text - n,
	    "\"k150\":0,\"k7\":0,\"k150\":0,\"k3\":0}");
	assert_int_equal(jsonr_read(slice_of(text), &doc, &e), E_SYNTAX);
	assert_string_equal(e.text, "duplicate object key near '\"k150\"'");
	assert_int_equal(e.line, 201);
	assert_int_equal(e.column, 6);
}

static void
depth_has_an_end(void **state)
{
	struct jsonr_error e;
	struct jsonr doc;
	char text[2 * JSONR_DEPTH_MAX + 3];
	size_t n = JSONR_DEPTH_MAX;

	(void)state;
	memset(text, '[', n);
	memset(text + n, ']', n);
	text[2 * n] = '\0';
	assert_int_equal(jsonr_read(slice_of(text), &doc, &e), OK);
	assert_int_equal(doc.n_values, n);
	jsonr_release(&doc);
	memset(text, '[', n + 1);
	memset(text + n + 1, ']', n + 1);
	assert_int_equal(
	    jsonr_read((struct slice){ text, 2 * n + 2 }, &doc, &e), E_SYNTAX);
	assert_string_equal(e.text, "nested too deep near '['");
	assert_int_equal(e.column, n + 1);
}

static void
what_is_not_there_is_nothing(void **state)
{
	struct jsonr_error e;
	struct jsonr doc;

	(void)state;
	assert_false(jsonr_is(NULL, JSONR_NULL));
	assert_null(jsonr_text(NULL));
	assert_int_equal(jsonr_integer(NULL), 0);
	assert_int_equal(jsonr_count(NULL), 0);
	assert_null(jsonr_first(NULL));
	assert_null(jsonr_member(NULL, "a"));
	assert_int_equal(jsonr_read(SLICE("[1]"), &doc, &e), OK);
	assert_null(jsonr_member(doc.values, "a"));
	assert_null(jsonr_text(jsonr_first(doc.values)));
	assert_int_equal(jsonr_count(jsonr_first(doc.values)), 0);
	assert_int_equal(jsonr_integer(doc.values), 0);
	jsonr_release(&doc);
	assert_int_equal(
	    jsonr_read(
	        (struct slice){ "", (size_t)JSONR_BYTES_MAX + 1 }, &doc, &e),
	    E_LIMIT);
}

/* Every cut of a text is no text, whatever stands behind it. */
static void
a_text_cut_short_is_refused(void **state)
{
	static const char text[] =
	    "{\"a\":[1.5e3,-2,\"\\ud83d\\ude00\xc3\xbc\",true,null],\"b\":{}}";

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		/* Its own block: a read past it would be seen. */
		char *cut = malloc(n == 0 ? 1 : n);
		struct jsonr_error e;
		struct jsonr doc;

		assert_non_null(cut);
		memcpy(cut, text, n);
		assert_int_equal(
		    jsonr_read((struct slice){ cut, n }, &doc, &e), E_SYNTAX);
		free(cut);
	}
}

static void
a_reading_fails_cleanly_wherever_memory_ends(void **state)
{
	char text[600] = "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,{\"x\":0";
	size_t n = strlen(text);
	enum status st;
	long at = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(
		    text + n, sizeof text - n, ",\"%d\":{}", i);
	(void)snprintf(text + n, sizeof text - n, "}]");
	do {
		struct jsonr_error e;
		struct jsonr doc = { .text = NULL };

		failed = false;
		fail_in = at++;
		st = jsonr_read(slice_of(text), &doc, &e);
		fail_in = -1;
		assert_int_equal(st, failed ? E_NOMEM : OK);
		assert_true(failed == (doc.text == NULL));
		jsonr_release(&doc);
	} while (failed);
	/* Copy and values, the values again, the keys to sort. */
	assert_true(at >= 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_is_read_as_it_stands),
		cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
		cmocka_unit_test(a_key_that_stands_twice_is_found_among_many),
		cmocka_unit_test(depth_has_an_end),
		cmocka_unit_test(what_is_not_there_is_nothing),
		cmocka_unit_test(a_text_cut_short_is_refused),
		cmocka_unit_test(a_reading_fails_cleanly_wherever_memory_ends),
	};

	return cmocka_run_group_tests_name("jsonr", tests, NULL, NULL);
}
