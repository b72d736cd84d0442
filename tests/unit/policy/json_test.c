/* RFC 8259 to the letter: what two readers could take for two policies, or
 * one of them could not read at all, is none. */
#include "tests/unit/policy/fixture.h"

#include <stdlib.h>
#include <string.h>

#define DOC(text)                      \
	{                              \
		text, sizeof(text) - 1 \
	}
#define NUMBERED(value) DOC("{\"version\":" value "}")
#define RULES(before, inside) \
	DOC("{\"version\":1" before ",\"rules\":[" inside "]}")
#define RULE(reason)                                                       \
	"{\"id\":\"a\",\"effect\":\"deny\",\"hosts\":[\"h.example.net\"]," \
	"\"reason\":" reason "}"
#define REASON(text) RULES("", RULE("\"" text "\""))

struct document {
	const char *p;
	size_t n;
};

static const struct document good[] = {
	NUMBERED("1"),
	DOC(" \t\r\n{ \"version\"\t:\r\n1 , \"rules\" : [ ] } \n\n"),
	DOC("{\"\\u0076ers\\u0069on\":1}"),
	REASON("\\\" \\\\ \\/ \\b \\f \\n \\r \\t"),
	REASON("\\u00e9 \\u20AC \\uD83d\\uDe00 \\uffff"),
	REASON("\x7f \xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80"),
	REASON("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf \xef\xbb\xbf"),
};

static const struct document bad[] = {
	/* Not an object, not one, or not all of one. */
	DOC(""),
	DOC(" \n"),
	DOC("1"),
	DOC("null"),
	DOC("\"version\""),
	DOC("[{\"version\":1}]"),
	DOC("{\"version\":1"),
	DOC("{\"version\":"),
	DOC("{\"version\""),
	DOC("{\"version"),
	DOC("\"version\":1}"),
	DOC("{\"version\":1}}"),
	DOC("{\"version\":1}{\"version\":1}"),
	DOC("{\"version\":1},"),
	DOC("{\"version\":1} x"),
	DOC("{\"version\":1}\0"),
	DOC("{\"version\":1]"),
	/* Commas and colons. */
	DOC("{\"version\":1,}"),
	DOC("{,\"version\":1}"),
	DOC("{\"version\":1,,\"rules\":[]}"),
	DOC("{\"version\":1 \"rules\":[]}"),
	DOC("{\"version\":1;\"rules\":[]}"),
	DOC("{\"version\" 1}"),
	DOC("{\"version\"::1}"),
	DOC("{\"version\"=1}"),
	DOC("{\"version\",1}"),
	RULES("", RULE("\"x\"") ","),
	RULES("", "," RULE("\"x\"")),
	RULES("", RULE("\"x\"") RULE("\"y\"")),
	/* Keys twice, also where an escape hides it, and keys that are none. */
	DOC("{\"version\":1,\"version\":1}"),
	DOC("{\"version\":1,\"\\u0076ersion\":1}"),
	RULES("", RULE("\"x\",\"effect\":\"allow\"")),
	DOC("{version:1}"),
	DOC("{'version':1}"),
	DOC("{1:1}"),
	DOC("{null:1}"),
	DOC("{\"version\\u0000\":1}"),
	DOC("{\"version\0\":1}"),
	DOC("{\"Version\":1}"),
	DOC("{\"version \":1}"),
	/* Remarks, and space that is none. */
	DOC("{\"version\":1/* */}"),
	DOC("{\"version\":1// \n}"),
	DOC("{\"version\":1# \n}"),
	DOC("\xef\xbb\xbf{\"version\":1}"),
	DOC("{\"version\":\f1}"),
	DOC("{\"version\":\v1}"),
	DOC("{\"version\":\xc2\xa0"
	    "1}"),
	DOC("{\"version\":\xe2\x80\xa8"
	    "1}"),
	DOC("{\"version\":\\n1}"),
	/* Numbers. */
	NUMBERED("01"),
	NUMBERED("+1"),
	NUMBERED("-01"),
	NUMBERED("1."),
	NUMBERED(".1"),
	NUMBERED("1.e0"),
	NUMBERED("1e"),
	NUMBERED("1e+"),
	NUMBERED("1.0"),
	NUMBERED("1e0"),
	NUMBERED("10E-1"),
	NUMBERED("0x1"),
	NUMBERED("1_0"),
	NUMBERED("1 0"),
	NUMBERED("1e400"),
	NUMBERED("99999999999999999999"),
	NUMBERED("-99999999999999999999"),
	NUMBERED("4294967297"),
	NUMBERED("18446744073709551617"),
	NUMBERED("NaN"),
	NUMBERED("Infinity"),
	NUMBERED("-Infinity"),
	NUMBERED("\xef\xbc\x91"),
	NUMBERED("\xd9\xa1"),
	/* Words. */
	NUMBERED("True"),
	NUMBERED("TRUE"),
	NUMBERED("nul"),
	NUMBERED("undefined"),
	NUMBERED("true"),
	NUMBERED("\"1\""),
	NUMBERED("[1]"),
	/* Texts. */
	RULES("", RULE("'x'")),
	RULES("", RULE("x")),
	RULES("", RULE("\"x")),
	RULES("", RULE("\"x\"\"y\"")),
	REASON("\n"),
	REASON("\t"),
	REASON("\x1f"),
	REASON("a\0b"),
	REASON("\\u0000"),
	REASON("\\0"),
	REASON("\\x41"),
	REASON("\\a"),
	REASON("\\'"),
	REASON("\\U00e9"),
	REASON("\\u00e"),
	REASON("\\u00eg"),
	REASON("\\u 0e9"),
	REASON("\\u{e9}"),
	REASON("\\\n"),
	REASON("\\"),
	REASON("\\ud800"),
	REASON("\\udc00"),
	REASON("\\ud800x"),
	REASON("\\ud800\\n"),
	REASON("\\ud800\\ud800"),
	REASON("\\udc00\\ud800"),
	REASON("\\ud800\\u0041"),
	/* Bytes that are no UTF-8. */
	REASON("\x80"),
	REASON("\xbf"),
	REASON("\xc0\xaf"),
	REASON("\xc1\xbf"),
	REASON("\xc3"),
	REASON("\xc3("),
	REASON("\xe0\x80\xaf"),
	REASON("\xe0\x9f\xbf"),
	REASON("\xe2\x82"),
	REASON("\xed\xa0\x80"),
	REASON("\xed\xbf\xbf"),
	REASON("\xf0\x80\x80\xaf"),
	REASON("\xf0\x8f\xbf\xbf"),
	REASON("\xf4\x90\x80\x80"),
	REASON("\xf5\x80\x80\x80"),
	REASON("\xf8\x88\x80\x80\x80"),
	REASON("\xfe"),
	REASON("\xff"),
	/* Other encodings of a good one. */
	DOC("{\0\"\0v\0\"\0:\0001\0}\0"),
	DOC("\0{\0\"\0v\0\"\0:\0001\0}"),
	DOC("\xff\xfe{\0}\0"),
	DOC("\xfe\xff\0{\0}"),
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
what_is_not_json_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		enum status st = load((struct slice){ bad[i].p, bad[i].n });

		if (st != E_SYNTAX && st != E_INVALID)
			fail_msg("row %zu: %d: %s", i, (int)st, bad[i].p);
		assert_true(issues.n_errors > 0);
		assert_true(issues.at[0].line > 0 && issues.at[0].column > 0);
		assert_true(issues.at[0].text[0] != '\0');
	}
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
