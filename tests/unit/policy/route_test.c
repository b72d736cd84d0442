/* The route verdict: every shape of resolution, each with its code. */
#include "tests/unit/policy/fixture.h"

static const char policy_text[] =
    "{\"version\":1,\"endpoints\":[\"10.20.0.0/16\",\"52.0.0.0/24\","
    "\"fd00:20::/64\"],"
    "\"rules\":["
    "{\"id\":\"lake\",\"effect\":\"allow\","
    "\"hosts\":[\"acct1.blob.core.windows.net\",\"acct1.z12.blob.storage."
    "azure.net\",\"kv1.vault.azure.net\",\"reg.azurecr.io\","
    "\"reg.westeurope.data.azurecr.io\",\"c.westeurope.kusto.windows.net\","
    "\"management.azure.com\",\"srv.database.windows.net\"]},"
    "{\"id\":\"db\",\"effect\":\"allow\",\"hosts\":[\"db.corp.example\"],"
    "\"route\":\"private-address\"},"
    "{\"id\":\"odd\",\"effect\":\"allow\",\"hosts\":[\"db2.corp.example\"]},"
    "{\"id\":\"entra\",\"effect\":\"allow\","
    "\"hosts\":[\"login.microsoftonline.com\"],\"route\":\"public\","
    "\"reason\":\"none\"},"
    "{\"id\":\"literal\",\"effect\":\"allow\",\"addresses\":"
    "[\"10.20.0.9\",\"10.99.0.9\"]}"
    "]}";

struct row {
	const char *label;
	const char *host;
	const char *resolves; /**< names in order, then addresses */
	enum reason code;
};

#define STAMP  "blob.ams01.store.core.windows.net"
#define PLBLOB "acct1.privatelink.blob.core.windows.net"
#define BLOB   "acct1.blob.core.windows.net"

/* clang-format off */
static const struct row rows[] = {
	/* Reference 1.1. R4 is a failure and has its own test. */
	{ "R1", BLOB, STAMP " 20.38.104.164", REASON_PUBLIC_ADDRESS },
	{ "R2 and R5", BLOB, PLBLOB " " STAMP " 20.38.104.164", REASON_PUBLIC_ADDRESS },
	{ "R3", BLOB, PLBLOB " 10.20.0.5", REASON_NONE },
	{ "R6", BLOB, "20.38.104.164", REASON_PUBLIC_ADDRESS },
	{ "R7", BLOB, "10.20.0.5", REASON_NO_PRIVATE_ZONE },
	{ "R9", BLOB, PLBLOB " 10.20.0.5 10.20.1.5", REASON_NONE },
	{ "R9, not ours", BLOB, PLBLOB " 10.77.0.5", REASON_UNEXPECTED_PRIVATE },
	{ "R10", "management.azure.com", "management.privatelink.azure.com arm.trafficmanager.net 4.150.240.10", REASON_PUBLIC_ADDRESS },
	{ "R10, zone linked", "management.azure.com", "management.privatelink.azure.com 10.20.3.3", REASON_NONE },

	{ "mixed", BLOB, PLBLOB " 10.20.0.5 20.38.104.164", REASON_MIXED_ADDRESSES },
	{ "mixed, other order", BLOB, PLBLOB " 20.38.104.164 10.20.0.5", REASON_MIXED_ADDRESSES },
	{ "mixed families", BLOB, PLBLOB " 10.20.0.5 2603:1030::5", REASON_MIXED_ADDRESSES },
	{ "mixed with a foreign private", BLOB, PLBLOB " 10.77.0.5 20.38.104.164", REASON_MIXED_ADDRESSES },
	{ "one inside, one outside", BLOB, PLBLOB " 10.20.0.5 10.77.0.5", REASON_UNEXPECTED_PRIVATE },
	{ "public space that is ours", BLOB, PLBLOB " 52.0.0.7", REASON_NONE },
	{ "our IPv6", BLOB, PLBLOB " fd00:20::5", REASON_NONE },
	{ "their IPv6", BLOB, PLBLOB " fd00:21::5", REASON_UNEXPECTED_PRIVATE },

	{ "never: IMDS", BLOB, PLBLOB " 169.254.169.254", REASON_RESERVED_ADDRESS },
	{ "never: loopback", BLOB, PLBLOB " 127.0.0.1", REASON_RESERVED_ADDRESS },
	{ "never: this", BLOB, PLBLOB " 0.0.0.0", REASON_RESERVED_ADDRESS },
	{ "never: platform", BLOB, PLBLOB " 168.63.129.16", REASON_RESERVED_ADDRESS },
	{ "never: NAT64", BLOB, PLBLOB " 64:ff9b::a14:5", REASON_RESERVED_ADDRESS },
	{ "never: mapped in AAAA", BLOB, PLBLOB " ::ffff:10.20.0.5", REASON_RESERVED_ADDRESS },
	{ "never beats mixed", BLOB, PLBLOB " 10.20.0.5 20.38.104.164 127.0.0.1", REASON_RESERVED_ADDRESS },
	{ "self: interface", BLOB, PLBLOB " 10.20.0.4", REASON_SELF },
	{ "self beats mixed", BLOB, PLBLOB " 10.20.0.4 20.38.104.164", REASON_SELF },

	{ "another service's zone", BLOB, "acct1.privatelink.file.core.windows.net 10.20.0.5", REASON_WRONG_ZONE },
	{ "a zone's name inside another", BLOB, "x.privatelink.blob.core.windows.net.evil.example 10.20.0.5", REASON_WRONG_ZONE },
	{ "a label that only begins like it", BLOB, "x.notprivatelink.blob.core.windows.net 10.20.0.5", REASON_NO_PRIVATE_ZONE },
	{ "unexpected private beats zone", BLOB, "10.77.0.5", REASON_UNEXPECTED_PRIVATE },

	{ "storage partition", "acct1.z12.blob.storage.azure.net", PLBLOB " 10.20.0.5", REASON_NONE },
	{ "key vault", "kv1.vault.azure.net", "kv1.privatelink.vaultcore.azure.net 10.20.0.6", REASON_NONE },
	{ "registry", "reg.azurecr.io", "reg.privatelink.azurecr.io 10.20.0.6", REASON_NONE },
	{ "registry data", "reg.westeurope.data.azurecr.io", "reg.westeurope.data.privatelink.azurecr.io 10.20.0.6", REASON_NONE },
	{ "kusto", "c.westeurope.kusto.windows.net", "c.privatelink.westeurope.kusto.windows.net 10.20.0.6", REASON_NONE },
	{ "kusto of another region", "c.westeurope.kusto.windows.net", "c.privatelink.eastus.kusto.windows.net 10.20.0.6", REASON_WRONG_ZONE },
	{ "sql", "srv.database.windows.net", "srv.privatelink.database.windows.net 10.20.0.6", REASON_NONE },

	{ "private-address needs no zone", "db.corp.example", "10.20.0.7", REASON_NONE },
	{ "private-address still is private", "db.corp.example", "20.1.1.1", REASON_PUBLIC_ADDRESS },
	{ "no service known, no zone", "db2.corp.example", "10.20.0.7", REASON_NO_PRIVATE_ZONE },
	{ "no service known, some zone", "db2.corp.example", PLBLOB " 10.20.0.7", REASON_WRONG_ZONE },

	{ "public", "login.microsoftonline.com", "www.tm.a.prd.aadg.trafficmanager.net 20.190.160.1 2603:1006:2000::1", REASON_NONE },
	{ "public, but private", "login.microsoftonline.com", "10.20.0.7", REASON_UNEXPECTED_PRIVATE },
	{ "public, but mixed", "login.microsoftonline.com", "20.190.160.1 10.20.0.7", REASON_MIXED_ADDRESSES },
	{ "public, but never", "login.microsoftonline.com", "169.254.169.254", REASON_RESERVED_ADDRESS },

	{ "literal", "10.20.0.9", "10.20.0.9", REASON_NONE },
	{ "literal outside the endpoints", "10.99.0.9", "10.99.0.9", REASON_UNEXPECTED_PRIVATE },
	{ "nothing", BLOB, PLBLOB, REASON_DNS_NODATA },
};

/* clang-format on */

static void
judges_every_shape_of_resolution(void **state)
{
	struct policy *p = fixture_load(policy_text);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_verdict v =
		    fixture_route(p, rows[i].host, rows[i].resolves);

		if (v.code != rows[i].code ||
		    (v.effect == POLICY_ALLOW) != (v.code == REASON_NONE))
			fail_msg("%s: %s", rows[i].label, reason_code(v.code));
	}
	policy_unref(p);
}

static void
a_failed_resolution_gives_its_own_code(void **state)
{
	static const enum reason codes[] = { REASON_DNS_NXDOMAIN,
		REASON_DNS_SERVFAIL, REASON_DNS_TIMEOUT, REASON_CHAIN_BROKEN };
	struct policy *p = fixture_load(policy_text);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct fixture f;
		struct policy_verdict v;

		fixture_request(&f, BLOB, 443);
		fixture_resolves(&f, PLBLOB);
		f.answer.failure = codes[i];
		policy_decide_name(p, &f.request, &v);
		assert_int_equal(v.effect, POLICY_ALLOW);
		policy_decide_route(p, &f.request, &f.answer, NULL, &v);
		assert_int_equal(v.effect, POLICY_DENY);
		assert_int_equal(v.code, codes[i]);
	}
	policy_unref(p);
}

static void
names_the_zone_that_proved_the_route(void **state)
{
	struct policy *p = fixture_load(policy_text);
	struct policy_verdict v;
	struct fixture f;

	(void)state;
	fixture_request(&f, "c.westeurope.kusto.windows.net", 443);
	fixture_resolves(
	    &f, "c.privatelink.westeurope.kusto.windows.net 10.20.0.6");
	policy_decide_name(p, &f.request, &v);
	policy_decide_route(p, &f.request, &f.answer, &fixture_self, &v);
	assert_string_equal(v.zone, "privatelink.westeurope.kusto.windows.net");
	assert_string_equal(v.rule, "lake");
	policy_unref(p);
}

/* The resolver keeps what its chains were found to show. */
static void
a_chain_that_was_judged_before_gives_the_same_verdict(void **state)
{
	struct policy *p = fixture_load(policy_text);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_chain kept = { .host = "" };
		struct policy_verdict first, v;
		struct fixture f;

		fixture_request(&f, rows[i].host, 443);
		fixture_resolves(&f, rows[i].resolves);
		policy_decide_name(p, &f.request, &v);
		first = v;
		policy_decide_route(
		    p, &f.request, &f.answer, &fixture_self, &first);
		f.answer.judged = &kept;
		for (int again = 0; again < 2; again++) {
			struct policy_verdict next = v;

			policy_decide_route(
			    p, &f.request, &f.answer, &fixture_self, &next);
			assert_int_equal(next.effect, first.effect);
			assert_int_equal(next.code, first.code);
			assert_ptr_equal(next.zone, first.zone);
		}
	}
	policy_unref(p);
}

static void
what_a_chain_showed_for_one_host_is_not_said_of_another(void **state)
{
	static const struct {
		const char *host;
		enum reason code;
	} asked[] = { { BLOB, REASON_NONE },
		{ "db2.corp.example", REASON_WRONG_ZONE },
		{ BLOB, REASON_NONE } };
	struct policy *p = fixture_load(policy_text);
	struct policy_chain kept = { .host = "" };
	struct policy_verdict v;
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		fixture_request(&f, asked[i].host, 443);
		fixture_resolves(&f, PLBLOB " 10.20.0.5");
		f.answer.judged = &kept;
		policy_decide_name(p, &f.request, &v);
		policy_decide_route(
		    p, &f.request, &f.answer, &fixture_self, &v);
		assert_int_equal(v.code, asked[i].code);
	}
	policy_unref(p);
}

static void
our_own_listener_is_self_on_its_port_only(void **state)
{
	struct policy *p = fixture_load(
	    "{\"version\":1,\"endpoints\":[\"10.20.0.0/16\"],\"rules\":["
	    "{\"id\":\"a\",\"effect\":\"allow\",\"hosts\":[\"h.corp.example\"],"
	    "\"ports\":[443,3180],\"route\":\"private-address\"}]}");
	static const struct policy_listener at = {
		.addr = { ADDR_V4, { 10, 20, 0, 8 } }, .port = 3180
	};
	static const struct policy_self self = { .listeners = &at,
		.n_listeners = 1 };

	static const struct {
		uint16_t port;
		enum reason code;
	} want[] = { { 3180, REASON_SELF }, { 443, REASON_NONE } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct policy_verdict v;
		struct fixture f;

		fixture_request(&f, "h.corp.example", want[i].port);
		fixture_resolves(&f, "10.20.0.8");
		policy_decide_name(p, &f.request, &v);
		policy_decide_route(p, &f.request, &f.answer, &self, &v);
		assert_int_equal(v.code, want[i].code);
	}
	policy_unref(p);
}

static void
the_strictest_route_of_matching_rules_applies(void **state)
{
	struct policy *p = fixture_load(
	    "{\"version\":1,\"endpoints\":[\"10.20.0.0/16\"],\"rules\":["
	    "{\"id\":\"wide\",\"effect\":\"allow\",\"hosts\":[\"*.corp.example\"],"
	    "\"route\":\"private-address\"},"
	    "{\"id\":\"exact\",\"effect\":\"allow\",\"hosts\":[\"h.corp.example\"],"
	    "\"route\":\"public\",\"reason\":\"x\"}]}");
	struct policy_verdict v =
	    fixture_route(p, "h.corp.example", "20.1.1.1");

	(void)state;
	assert_int_equal(v.code, REASON_PUBLIC_ADDRESS);
	assert_int_equal(v.route, ROUTE_PRIVATE_ADDRESS);
	assert_string_equal(v.rule, "exact");
	policy_unref(p);
}

/* A rule that plain HTTP may not use still says where the host may lie. */
static void
the_strictest_route_holds_for_plain_http_too(void **state)
{
	struct policy *p = fixture_load(
	    "{\"version\":1,\"endpoints\":[\"10.20.0.0/16\"],\"rules\":["
	    "{\"id\":\"strict\",\"effect\":\"allow\","
	    "\"hosts\":[\"acct1.blob.core.windows.net\"]},"
	    "{\"id\":\"lax\",\"effect\":\"allow\",\"ports\":[80,443],"
	    "\"hosts\":[\"acct1.blob.core.windows.net\"],"
	    "\"route\":\"private-address\"}]}");
	struct policy_verdict v;
	struct fixture f;

	(void)state;
	fixture_request(&f, BLOB, 443);
	fixture_resolves(&f, "10.20.0.5");
	for (int plain = 0; plain < 2; plain++) {
		f.request.plaintext = plain == 1;
		policy_decide_name(p, &f.request, &v);
		assert_int_equal(v.effect, POLICY_ALLOW);
		assert_int_equal(v.route, ROUTE_PRIVATE);
		policy_decide_route(
		    p, &f.request, &f.answer, &fixture_self, &v);
		assert_int_equal(v.code, REASON_NO_PRIVATE_ZONE);
	}
	/* On port 80 it is the only rule that speaks. */
	f.request.port = 80;
	policy_decide_name(p, &f.request, &v);
	assert_int_equal(v.route, ROUTE_PRIVATE_ADDRESS);
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_every_shape_of_resolution),
		cmocka_unit_test(a_failed_resolution_gives_its_own_code),
		cmocka_unit_test(names_the_zone_that_proved_the_route),
		cmocka_unit_test(
		    a_chain_that_was_judged_before_gives_the_same_verdict),
		cmocka_unit_test(
		    what_a_chain_showed_for_one_host_is_not_said_of_another),
		cmocka_unit_test(our_own_listener_is_self_on_its_port_only),
		cmocka_unit_test(the_strictest_route_of_matching_rules_applies),
		cmocka_unit_test(the_strictest_route_holds_for_plain_http_too),
	};
	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
