/* The policy's own tests, run. */
#include "tests/unit/policy/fixture.h"

#include <string.h>

#define POLICY(mode, tests)                                                        \
	"{\"version\":1,\"mode\":\"" mode                                          \
	"\",\"endpoints\":[\"10.20.0.0/16\"],"                                     \
	"\"workloads\":{\"alice\":{\"users\":[\"alice\"]},\"n\":{\"users\":[7]}}," \
	"\"rules\":[{\"id\":\"lake\",\"effect\":\"allow\",\"hosts\":"              \
	"[\"acct1.blob.core.windows.net\"]},{\"id\":\"a\",\"effect\":"             \
	"\"allow\",\"hosts\":[\"a.example.net\"],\"workloads\":[\"alice\"]},"      \
	"{\"id\":\"n\",\"effect\":\"allow\",\"hosts\":[\"n.example.net\"],"        \
	"\"workloads\":[\"n\"],\"expires\":\"2030-01-01T00:00:00Z\"},"             \
	"{\"id\":\"lit\",\"effect\":\"allow\",\"addresses\":[\"10.20.0.9\","       \
	"\"10.99.0.9\"]},{\"id\":\"m\",\"effect\":\"allow\",\"hosts\":"            \
	"[\"m.example.net\"],\"methods\":[\"GET\"]},{\"id\":\"m80\","              \
	"\"effect\":\"allow\",\"hosts\":[\"m80.example.net\"],\"ports\":"          \
	"[80],\"methods\":[\"GET\"]},{\"id\":\"m-any\",\"effect\":\"allow\","      \
	"\"hosts\":[\"m.example.net\"],\"sni\":\"any\"}],"                         \
	"\"tests\":[" tests "]}"
#define BLOB "\"url\":\"https://acct1.blob.core.windows.net/c\""
#define TEST(request, expect) \
	"{\"request\":{" request "},\"expect\":" expect "}"

static const struct {
	const char *text; /**< of one test */
	const char *why;  /**< "" passes */
} rows[] = {
	{ TEST(BLOB, "\"allow\""), "" },
	{ TEST(BLOB, "\"deny\""), "expected deny, got allow (rule lake)" },
	{ TEST(BLOB
	      ",\"resolves\":[\"acct1.privatelink.blob.core.windows.net\","
	      "\"10.20.0.5\"]",
	      "\"allow\",\"rule\":\"lake\""),
	    "" },
	{ TEST(BLOB, "\"allow\",\"rule\":\"sea\""),
	    "expected rule sea, got lake" },
	{ TEST(BLOB ",\"resolves\":[\"20.1.1.1\"]",
	      "\"deny\",\"code\":\"PUBLIC_ADDRESS\""),
	    "" },
	{ TEST(BLOB ",\"resolves\":[\"20.1.1.1\"]",
	      "\"deny\",\"code\":\"WRONG_ZONE\""),
	    "expected code WRONG_ZONE, got PUBLIC_ADDRESS" },
	{ TEST(BLOB ",\"resolves\":[\"20.1.1.1\"]", "\"allow\""),
	    "expected allow, got deny PUBLIC_ADDRESS (rule lake)" },
	{ TEST(BLOB ",\"sni\":\"evil.example\"",
	      "\"deny\",\"code\":\"SNI_MISMATCH\""),
	    "" },
	{ TEST(BLOB ",\"sni\":\"acct1.blob.core.windows.net\"", "\"allow\""),
	    "" },
	{ TEST("\"url\":\"http://acct1.blob.core.windows.net/c\"",
	      "\"deny\",\"code\":\"PLAINTEXT\""),
	    "" },
	{ TEST("\"connect\":\"a.example.net:443\",\"user\":\"alice\"",
	      "\"allow\",\"rule\":\"a\""),
	    "" },
	{ TEST("\"connect\":\"a.example.net:443\"",
	      "\"deny\",\"code\":\"WORKLOAD_NOT_ALLOWED\""),
	    "" },
	{ TEST("\"connect\":\"n.example.net:443\",\"user\":7,"
	       "\"at\":\"2029-12-31T23:59:59Z\"",
	      "\"allow\""),
	    "" },
	{ TEST("\"connect\":\"n.example.net:443\",\"user\":\"7\","
	       "\"at\":\"2030-01-01T00:00:00Z\"",
	      "\"deny\",\"code\":\"EXCEPTION_EXPIRED\""),
	    "" },
	{ TEST("\"connect\":\"10.20.0.9:443\"", "\"allow\""), "" },
	/* A tunnel is looked into, and its TLS has to be to that name. */
	{ TEST("\"connect\":\"m.example.net:443\"", "\"allow\""), "" },
	{ TEST("\"connect\":\"m.example.net:443\",\"sni\":\"x.example\"",
	      "\"deny\",\"code\":\"SNI_MISMATCH\""),
	    "" },
	{ TEST("\"url\":\"https://m.example.net/\",\"method\":\"GET\","
	       "\"sni\":\"x.example\"",
	      "\"deny\",\"code\":\"SNI_MISMATCH\""),
	    "" },
	{ TEST("\"connect\":\"m80.example.net:80\"",
	      "\"deny\",\"code\":\"METHOD_NOT_ALLOWED\""),
	    "" },
	{ TEST("\"connect\":\"10.99.0.9:443\"",
	      "\"deny\",\"code\":\"UNEXPECTED_PRIVATE\""),
	    "" },
};

static void
each_test_compares_effect_code_and_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[2048] = POLICY("enforce", "@");
		char *at = strchr(text, '@');
		struct policy_test_result r;
		struct policy *p;

		assert_true(slice_copy(slice_of(rows[i].text), at,
		    sizeof text - (size_t)(at - text) - 3));
		(void)strncat(text, "]}", 3);
		p = fixture_load(text);
		assert_int_equal(policy_test_count(p), 1);
		policy_test_run(p, 0, FIXTURE_NOW, &r);
		if (strcmp(r.why, rows[i].why) != 0 ||
		    r.passed != (*rows[i].why == '\0'))
			fail_msg("row %zu: %s", i, r.why);
		policy_unref(p);
	}
}

static void
report_mode_is_tested_by_the_enforce_verdict(void **state)
{
	struct policy *p = fixture_load(POLICY("report",
	    TEST(BLOB ",\"resolves\":[\"20.1.1.1\"]",
	        "\"deny\",\"code\":\"PUBLIC_ADDRESS\"") "," TEST("\"connect\":\"x.example.net:443\","
	                                                         "\"resolves\":[\"127.0.0.1\"]",
	        "\"deny\",\"code\":\"HOST_NOT_ALLOWED\"")));
	struct policy_test_result r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		policy_test_run(p, i, FIXTURE_NOW, &r);
		if (!r.passed)
			fail_msg("%zu: %s", i, r.why);
	}
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_test_compares_effect_code_and_rule),
		cmocka_unit_test(report_mode_is_tested_by_the_enforce_verdict),
	};
	return cmocka_run_group_tests_name("tests", tests, NULL, NULL);
}
