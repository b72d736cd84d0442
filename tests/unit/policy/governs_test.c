/* What rules ask for: which suffixes, and whose unit. */
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

/* policy_asks_unit() of alice, who is in no unit. */
static const char *
asks_unit(const struct policy *p, const char *host)
{
	struct fixture f;

	fixture_request(&f, host, 443);
	f.peer.unit = "";
	f.peer.cgroup = "";
	return policy_asks_unit(p, &f.request);
}

static void
a_unit_counts_where_all_else_holds(void **state)
{
	struct policy *p = fixture_load(
	    "{\"version\":1,\"workloads\":{"
	    "\"jobs\":{\"units\":[\"job-*.service\"]},"
	    "\"bobs\":{\"users\":[\"bob\"],\"units\":[\"x.service\"]},"
	    "\"slice\":{\"cgroups\":[\"/system.slice/*\"]},"
	    "\"alice\":{\"users\":[\"alice\"]}},\"rules\":["
	    "{\"id\":\"j\",\"effect\":\"allow\",\"hosts\":[\"j.a.test\"],"
	    "\"workloads\":[\"jobs\"]},"
	    "{\"id\":\"b\",\"effect\":\"allow\",\"hosts\":[\"b.a.test\"],"
	    "\"workloads\":[\"bobs\"]},"
	    "{\"id\":\"s\",\"effect\":\"deny\",\"hosts\":[\"s.a.test\"],"
	    "\"workloads\":[\"slice\"]},"
	    "{\"id\":\"p\",\"effect\":\"allow\",\"hosts\":[\"p.a.test\"],"
	    "\"ports\":[22],\"workloads\":[\"jobs\"]},"
	    "{\"id\":\"a\",\"effect\":\"allow\",\"hosts\":[\"a.a.test\"],"
	    "\"workloads\":[\"alice\"]},"
	    "{\"id\":\"n\",\"effect\":\"allow\",\"hosts\":[\"n.a.test\"]}]}");

	(void)state;
	assert_string_equal(asks_unit(p, "j.a.test"), "j");
	assert_string_equal(asks_unit(p, "s.a.test"), "s");
	assert_null(asks_unit(p, "b.a.test"));
	assert_null(asks_unit(p, "p.a.test"));
	assert_null(asks_unit(p, "a.a.test"));
	assert_null(asks_unit(p, "n.a.test"));
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_suffix_is_governed_where_a_rule_names_a_host_of_it),
		cmocka_unit_test(an_empty_policy_governs_nothing),
		cmocka_unit_test(a_unit_counts_where_all_else_holds),
	};
	return cmocka_run_group_tests_name("governs", tests, NULL, NULL);
}
