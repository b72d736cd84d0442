/* A policy is JSON to the letter (RFC 8259), or none. */
#include "tests/unit/policy/fixture.h"

#include <stdlib.h>
#include <string.h>

#define RULE(reason)                                                       \
	"{\"id\":\"a\",\"effect\":\"deny\",\"hosts\":[\"h.example.net\"]," \
	"\"reason\":" reason "}"
#define RULES(inside) DOC("{\"version\":1,\"rules\":[" inside "]}")
#define VALUE(reason) RULES(RULE(reason))

#include "tests/unit/json_rows.h"

static const struct document good[] = {
	NUMBERED("1"),
	DOC(" \t\r\n{ \"version\"\t:\r\n1 , \"rules\" : [ ] } \n\n"),
	DOC("{\"\\u0076ers\\u0069on\":1}"),
	TEXT("\\\" \\\\ \\/ \\b \\f \\n \\r \\t"),
	TEXT("\\u00e9 \\u20AC \\uD83d\\uDe00 \\uffff"),
	TEXT("\x7f \xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80"),
	TEXT("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf \xef\xbb\xbf"),
};

/* What is wrong in lists and in objects within. */
static const struct document bad[] = {
	DOC("{\"version\":1,,\"rules\":[]}"),
	DOC("{\"version\":1 \"rules\":[]}"),
	DOC("{\"version\":1;\"rules\":[]}"),
	RULES(RULE("\"x\"") ","),
	RULES("," RULE("\"x\"")),
	RULES(RULE("\"x\"") RULE("\"y\"")),
	RULES(RULE("\"x\",\"effect\":\"allow\"")),
};

static struct policy_issues issues;

static enum status
load(struct slice text)
{
	/* An exact block, so that a sanitizer sees a read too far. */
	char *copy = malloc(text.n + (text.n == 0));
	struct policy *p = NULL;
	enum status st;

	assert_non_null(copy);
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	st = policy_load((struct slice){ copy, text.n }, &p, &issues);
	assert_true((st == OK) == (p != NULL));
	policy_unref(p);
	free(copy);
	return st;
}

static void
what_is_json_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (load((struct slice){ good[i].p, good[i].n }) != OK)
			fail_msg("row %zu: %u:%u: %s", i, issues.at[0].line,
			    issues.at[0].column, issues.at[0].text);
}

static void
assert_refused(const struct document *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum status st = load((struct slice){ d[i].p, d[i].n });

		if (st != E_SYNTAX && st != E_INVALID)
			fail_msg("row %zu: %d: %s", i, (int)st, d[i].p);
		assert_true(issues.n_errors > 0);
		assert_true(issues.at[0].line > 0 && issues.at[0].column > 0);
		assert_true(issues.at[0].text[0] != '\0');
	}
}

static void
what_is_not_json_is_refused_with_its_place(void **state)
{
	(void)state;
	assert_refused(no_json, ARRAY_LEN(no_json));
	assert_refused(bad, ARRAY_LEN(bad));
}

/* However deep, it is refused: not by an end of the stack. */
static void
what_is_nested_without_end_is_refused(void **state)
{
	static const char *const openings[] = { "[",
		"{\"a\":", "{\"rules\":[" };

	enum { BYTES = 1 << 20 };

	char *text = malloc(BYTES);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
		size_t one = strlen(openings[i]), n = 0;

		for (; n + one <= BYTES; n += one)
			memcpy(text + n, openings[i], one);
		assert_int_equal(load((struct slice){ text, n }), E_SYNTAX);
		assert_true(issues.n_errors > 0);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json_is_taken),
		cmocka_unit_test(what_is_not_json_is_refused_with_its_place),
		cmocka_unit_test(what_is_nested_without_end_is_refused),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
