/* All phases at once are the phases one by one. */
#include "tests/unit/policy/fixture.h"

#include <string.h>

#define HOST    "acct1.blob.core.windows.net"
#define PRIVATE "acct1.privatelink.blob.core.windows.net 10.20.0.5"
#define POLICY(mode)                                              \
	"{\"version\":1,\"mode\":\"" mode                         \
	"\",\"endpoints\":[\"10.20.0.0/16\"],\"rules\":[{\"id\":" \
	"\"lake\",\"effect\":\"allow\",\"hosts\":[\"" HOST "\"]}]}"

static const struct {
	const char *policy, *host, *resolves, *sni;
	bool stop_at_would;
	enum policy_effect effect;
	enum reason code;
} rows[] = {
	{ POLICY("enforce"), HOST, NULL, NULL, false, POLICY_ALLOW,
	    REASON_NONE },
	{ POLICY("enforce"), HOST, PRIVATE, HOST, false, POLICY_ALLOW,
	    REASON_NONE },
	{ POLICY("enforce"), HOST, PRIVATE, "x.example", false, POLICY_DENY,
	    REASON_SNI_MISMATCH },
	{ POLICY("enforce"), HOST, NULL, "x.example", false, POLICY_DENY,
	    REASON_SNI_MISMATCH },
	{ POLICY("enforce"), HOST, "20.1.1.1", "x.example", false, POLICY_DENY,
	    REASON_PUBLIC_ADDRESS },
	{ POLICY("enforce"), "x.example.net", "127.0.0.1", NULL, false,
	    POLICY_DENY, REASON_HOST_NOT_ALLOWED },
	/* What report mode lets pass may yet come to what it does not. */
	{ POLICY("report"), "x.example.net", "127.0.0.1", NULL, false,
	    POLICY_DENY, REASON_RESERVED_ADDRESS },
	{ POLICY("report"), "x.example.net", "127.0.0.1", NULL, true,
	    POLICY_ALLOW, REASON_HOST_NOT_ALLOWED },
	{ POLICY("report"), HOST, "20.1.1.1", "x.example", true, POLICY_ALLOW,
	    REASON_PUBLIC_ADDRESS },
	{ POLICY("report"), HOST, PRIVATE, "x.example", true, POLICY_ALLOW,
	    REASON_SNI_MISMATCH },
};

static void
each_phase_is_judged_as_far_as_there_are_facts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy *p = fixture_load(rows[i].policy);
		struct policy_verdict v;
		struct fixture f;
		struct policy_case c = { .request = &f.request,
			.self = &fixture_self,
			.stop_at_would = rows[i].stop_at_would };

		fixture_request(&f, rows[i].host, 443);
		if (rows[i].resolves != NULL) {
			fixture_resolves(&f, rows[i].resolves);
			c.answer = &f.answer;
		}
		c.has_hello = rows[i].sni != NULL;
		if (c.has_hello)
			c.sni = slice_of(rows[i].sni);
		policy_judge(p, &c, &v);
		if (v.effect != rows[i].effect || v.code != rows[i].code)
			fail_msg("row %zu: %s", i, reason_code(v.code));
		assert_int_equal(v.would_deny,
		    v.effect == POLICY_ALLOW && v.code != REASON_NONE);
		policy_unref(p);
	}
}

static void
a_flight_that_is_no_tls_is_judged_too(void **state)
{
	struct policy *p = fixture_load(POLICY("enforce"));
	struct policy_verdict v;
	struct fixture f;
	struct policy_case c = { .request = &f.request,
		.answer = &f.answer,
		.has_hello = true,
		.hello = POLICY_HELLO_NOT_TLS };

	(void)state;
	fixture_request(&f, HOST, 443);
	fixture_resolves(&f, PRIVATE);
	policy_judge(p, &c, &v);
	assert_int_equal(v.code, REASON_NOT_TLS);
	assert_int_equal(v.effect, POLICY_DENY);
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_phase_is_judged_as_far_as_there_are_facts),
		cmocka_unit_test(a_flight_that_is_no_tls_is_judged_too),
	};
	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
