/* Tenant restrictions: where they hold, and that nothing slips by them. */
#include "tests/unit/policy/fixture.h"

#include "policy/tenants.h"

#include <string.h>

/* clang-format off */
#define TID "72f988bf-86f1-41af-91ab-2d7cd011db47"
#define V1  "\"context\":\"" TID "\",\"tenants\":[\"contoso.com\",\"" TID "\"]"
#define V2  "\"policy\":\"" TID ":" TID "\""
#define POLICY(mode, members) \
	"{\"version\":1,\"mode\":\"" mode "\",\"tenant_restrictions\":{" members "},\"rules\":[" \
	"{\"id\":\"entra\",\"effect\":\"allow\",\"hosts\":[\"login.microsoftonline.com\",\"weu.login.microsoft.com\"],\"ports\":[80,443],\"route\":\"public\",\"reason\":\"x\",\"sni\":\"any\"}," \
	"{\"id\":\"graph\",\"effect\":\"allow\",\"hosts\":[\"graph.microsoft.com\"],\"route\":\"public\",\"reason\":\"x\"}]}"

/* clang-format on */

static void
login_hosts_are_told_and_no_others(void **state)
{
	struct policy *p = fixture_load(POLICY("enforce", V1 "," V2));
	const struct policy_tenants *t =
	    policy_tenants_of(p, "login.microsoftonline.com");

	(void)state;
	assert_non_null(t);
	assert_string_equal(t->context, TID);
	assert_string_equal(t->allowed, "contoso.com," TID);
	assert_string_equal(t->policy, TID ":" TID);
	assert_ptr_equal(policy_tenants_of(p, "weu.login.microsoft.com"), t);
	assert_ptr_equal(policy_tenants_of(p, "login.windows.net"), t);
	/* No consumer's account is one of a tenant. */
	t = policy_tenants_of(p, "login.live.com");
	assert_non_null(t);
	assert_string_equal(t->policy, "restrict-msa");
	assert_null(t->context);
	assert_null(t->allowed);
	assert_null(policy_tenants_of(p, "graph.microsoft.com"));
	assert_null(policy_tenants_of(p, "evillogin.microsoft.com"));
	assert_true(policy_inspects(p));
	policy_unref(p);
	p = fixture_load(POLICY("enforce", V2));
	t = policy_tenants_of(p, "login.windows.net");
	assert_non_null(t);
	assert_null(t->context);
	assert_null(t->allowed);
	policy_unref(p);
	p = fixture_load("{\"version\":1}");
	assert_null(policy_tenants_of(p, "login.microsoftonline.com"));
	policy_unref(p);
}

static void
a_tunnel_to_a_login_host_is_inspected_or_refused(void **state)
{
	static const char *const modes[] = { POLICY("enforce", V1),
		POLICY("report", V1) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct policy *p = fixture_load(modes[i]);
		struct policy_explanation e;
		struct policy_verdict v;
		struct fixture_sight s;
		struct fixture f;

		fixture_request(&f, "login.microsoftonline.com", 443);
		policy_decide_name(p, &f.request, &v);
		assert_int_equal(v.effect, POLICY_DENY);
		assert_int_equal(v.code, REASON_METHOD_NOT_ALLOWED);
		policy_explain(p, &f.request, NULL, &v, &e);
		assert_non_null(strstr(e.unmet, "tenant_restrictions"));
		f.request.inspects = true;
		policy_decide_name(p, &f.request, &v);
		assert_int_equal(v.effect, POLICY_ALLOW);
		assert_true(v.inspect);
		policy_decide_hello(
		    p, &f.request, POLICY_HELLO_NOT_TLS, SLICE(""), &v);
		assert_int_equal(v.code, REASON_NOT_TLS);
		/* A request that is seen is told of them. */
		fixture_see(&f, &s, "POST", "/common/oauth2/token", NULL);
		policy_decide_name(p, &f.request, &v);
		assert_int_equal(v.code, REASON_NONE);
		fixture_request(&f, "graph.microsoft.com", 443);
		f.request.inspects = true;
		policy_decide_name(p, &f.request, &v);
		assert_int_equal(v.effect, POLICY_ALLOW);
		assert_false(v.inspect);
		policy_unref(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_hosts_are_told_and_no_others),
		cmocka_unit_test(
		    a_tunnel_to_a_login_host_is_inspected_or_refused),
	};
	return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}
