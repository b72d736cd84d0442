/* JSON pointers to lines and columns, and the nearest known name. */
#include "tests/unit/test.h"

#include "base/jsonpos.h"

static const char text[] = "{\n"
                           "  \"version\": 1,\n"
                           "  \"a/b\": { \"~\": true },\n"
                           "  \"esc\\u0061pe\\n\": null,\n"
                           "  \"rules\": [\n"
                           "    { \"id\": \"x]}\\\"\", \"n\": [[], {}] },\n"
                           "    { \"hosts\": [ -1.5e3, \"two\", 3 ],\n"
                           "      \"ports\" : [443] }\n"
                           "  ]\n"
                           "}\n";

static void
pointers_lead_to_values_and_keys(void **state)
{
	static const struct {
		const char *pointer;
		bool of_key;
		unsigned line, column;
	} cases[] = {
		{ "", false, 1, 1 },
		{ "/version", false, 2, 14 },
		{ "/version", true, 2, 3 },
		{ "/a~1b", true, 3, 3 },
		{ "/a~1b/~0", false, 3, 17 },
		{ "/escape\n", true, 4, 3 },
		{ "/rules", false, 5, 12 },
		{ "/rules/0/id", false, 6, 13 },
		{ "/rules/0/n/1", false, 6, 32 },
		{ "/rules/1", false, 7, 5 },
		{ "/rules/1/hosts/0", false, 7, 18 },
		{ "/rules/1/hosts/1", false, 7, 26 },
		{ "/rules/1/hosts/2", true, 7, 33 },
		{ "/rules/1/ports", false, 8, 17 },
		{ "/rules/1/ports", true, 8, 7 },
		{ "/rules/1/ports/0", false, 8, 18 },
		{ "/rules/2", false, 1, 1 },
		{ "/rules/x", false, 1, 1 },
		{ "/versio", false, 1, 1 },
		{ "/versionx", false, 1, 1 },
		{ "/version/0", false, 1, 1 },
		{ "/rules/1/ports/1", false, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_place p = json_place(
		    slice_of(text), cases[i].pointer, cases[i].of_key);
		if (p.line != cases[i].line || p.column != cases[i].column)
			fail_msg(
			    "%s: %u:%u", cases[i].pointer, p.line, p.column);
	}
}

static void
cut_text_is_walked_without_harm(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		struct slice cut = { text, n };
		struct json_place p =
		    json_place(cut, "/rules/1/ports/0", false);
		assert_true(p.line >= 1 && p.line <= 10);
	}
}

static void
near_misses_are_named_and_far_ones_are_not(void **state)
{
	const char *const names[] = { "hosts", "ports", "paths", "policy_file",
		"id" };

	(void)state;
	assert_string_equal(
	    nearest_name(SLICE("host"), names, ARRAY_LEN(names)), "hosts");
	assert_string_equal(
	    nearest_name(SLICE("Port"), names, ARRAY_LEN(names)), "ports");
	assert_string_equal(
	    nearest_name(SLICE("policyfile"), names, ARRAY_LEN(names)),
	    "policy_file");
	assert_string_equal(
	    nearest_name(SLICE("hsots"), names, ARRAY_LEN(names)), "hosts");
	assert_string_equal(
	    nearest_name(SLICE("policy"), names, ARRAY_LEN(names)),
	    "policy_file");
	assert_string_equal(
	    nearest_name(SLICE("hosts_of_it"), names, ARRAY_LEN(names)),
	    "hosts");
	assert_null(nearest_name(SLICE("identity"), names, ARRAY_LEN(names)));
	assert_null(nearest_name(SLICE(""), names, ARRAY_LEN(names)));
	assert_null(nearest_name(SLICE("hosts"), names, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers_lead_to_values_and_keys),
		cmocka_unit_test(cut_text_is_walked_without_harm),
		cmocka_unit_test(near_misses_are_named_and_far_ones_are_not),
	};
	return cmocka_run_group_tests_name("jsonpos", tests, NULL, NULL);
}
