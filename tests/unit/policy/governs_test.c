/* Which suffixes hold hosts that some rule names. */
#include "tests/unit/policy/fixture.h"

static void
a_suffix_is_governed_where_a_rule_names_a_host_of_it(void **state)
{
	static const char *const governed[] = { "h.a.example", "a.example",
		"example", "b.test", "deep.down.b.test", "test", "c.test",
		"x.c.test" };
	static const char *const free_ones[] = { "x.h.a.example", "g.a.example",
		"other.example", "ample", "a.exampl", "net" };
	struct policy *p = fixture_load(
	    "{\"version\":1,\"rules\":["
	    "{\"id\":\"a\",\"effect\":\"allow\",\"hosts\":[\"h.a.example\"]},"
	    "{\"id\":\"b\",\"effect\":\"allow\",\"hosts\":[\"*.b.test\"]},"
	    "{\"id\":\"c\",\"effect\":\"deny\",\"hosts\":[\"*.c.test\"]}]}");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(governed); i++)
		if (!policy_governs(p, governed[i]))
			fail_msg("not governed: %s", governed[i]);
	for (size_t i = 0; i < ARRAY_LEN(free_ones); i++)
		if (policy_governs(p, free_ones[i]))
			fail_msg("governed: %s", free_ones[i]);
	policy_unref(p);
}

static void
an_empty_policy_governs_nothing(void **state)
{
	struct policy *p = fixture_load("{\"version\":1,\"rules\":[]}");

	(void)state;
	assert_false(policy_governs(p, "example"));
	assert_false(policy_governs(p, "h.a.example"));
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_suffix_is_governed_where_a_rule_names_a_host_of_it),
		cmocka_unit_test(an_empty_policy_governs_nothing),
	};
	return cmocka_run_group_tests_name("governs", tests, NULL, NULL);
}
