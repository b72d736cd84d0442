/* The name verdict: which rule speaks, and which code when none does. */
#include "tests/unit/policy/fixture.h"

#include <stdio.h>
#include <string.h>

#define POLICY(rules)                                                       \
	"{\"version\":1,\"endpoints\":[\"10.20.0.0/16\"],\"workloads\":{"   \
	"\"alice\":{\"users\":[\"alice\"]},\"bob\":{\"users\":[\"bob\"]},"  \
	"\"thousand\":{\"users\":[1000]},\"data\":{\"groups\":[\"data\"]}," \
	"\"gid\":{\"groups\":[2000]},"                                      \
	"\"jobs\":{\"units\":[\"job-*.service\"]},"                         \
	"\"slice\":{\"cgroups\":[\"/system.slice/*\"]},"                    \
	"\"both\":{\"users\":[\"alice\"],\"units\":[\"web-*.service\"]},"   \
	"\"python\":{\"exes\":[\"/usr/bin/python*\"]}},\"rules\":[" rules "]}"
#define ALLOW(id, more) \
	"{\"id\":\"" id \
	"\",\"effect\":\"allow\",\"hosts\":[\"h.a.example\"]" more "}"
#define DENY(id, more)  \
	"{\"id\":\"" id \
	"\",\"effect\":\"deny\",\"hosts\":[\"h.a.example\"]" more "}"
#define WHO(name) ",\"workloads\":[\"" name "\"]"

struct row {
	const char *policy;
	const char *target; /**< "host:port", "http:" before it if plain */
	enum reason code;
	const char *rule;
};

/* clang-format off */
static const struct row rows[] = {
	{ POLICY(ALLOW("a", "")), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(""), "h.a.example:443", REASON_HOST_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", "")), "g.a.example:443", REASON_HOST_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", "")), "h.a.example.evil.example:443", REASON_HOST_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", "")), "a.example:443", REASON_HOST_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", "")), "xh.a.example:443", REASON_HOST_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", "")), "localhost:443", REASON_HOST_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", "")), "h.a.example:8443", REASON_PORT_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", ",\"ports\":[443,8443]")), "h.a.example:8443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", ",\"ports\":[80]")), "h.a.example:443", REASON_PORT_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", WHO("bob"))), "h.a.example:443", REASON_WORKLOAD_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", WHO("bob"))), "h.a.example:444", REASON_PORT_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", ",\"workloads\":[\"bob\",\"alice\"]")), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", WHO("thousand"))), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", WHO("data"))), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", WHO("gid"))), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", WHO("jobs"))), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", WHO("slice"))), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", WHO("both"))), "h.a.example:443", REASON_WORKLOAD_NOT_ALLOWED, NULL },
	{ POLICY(ALLOW("a", WHO("python"))), "h.a.example:443", REASON_NONE, "a" },

	/* Deny wins, whatever stands before it. */
	{ POLICY(ALLOW("a", "") "," DENY("d", "")), "h.a.example:443", REASON_RULE_DENIES, "d" },
	{ POLICY(DENY("d", "") "," ALLOW("a", "")), "h.a.example:443", REASON_RULE_DENIES, "d" },
	{ POLICY(ALLOW("a", "") "," DENY("e", "") "," DENY("d", "")), "h.a.example:443", REASON_RULE_DENIES, "d" },
	{ POLICY(ALLOW("a", "") "," DENY("d", WHO("bob"))), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", "") "," DENY("d", ",\"ports\":[22]")), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", "") "," DENY("d", ",\"expires\":\"2026-11-22T00:00:00Z\"")), "h.a.example:443", REASON_NONE, "a" },

	/* Exceptions end. */
	{ POLICY(ALLOW("a", ",\"expires\":\"2026-11-23T00:00:01Z\"")), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", ",\"expires\":\"2026-11-23T00:00:00Z\"")), "h.a.example:443", REASON_EXCEPTION_EXPIRED, NULL },
	{ POLICY(ALLOW("a", ",\"expires\":\"2026-11-23T00:00:00Z\"") "," ALLOW("b", "")), "h.a.example:443", REASON_NONE, "b" },

	/* Which of several gives the rule. */
	{ POLICY(ALLOW("b", "") "," ALLOW("a", "")), "h.a.example:443", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", "") "," ALLOW("b", WHO("alice"))), "h.a.example:443", REASON_NONE, "b" },
	{ POLICY(ALLOW("a", ",\"workloads\":[\"alice\",\"bob\"]") "," ALLOW("b", WHO("alice"))), "h.a.example:443", REASON_NONE, "b" },
	{ POLICY("{\"id\":\"a\",\"effect\":\"allow\",\"hosts\":[\"*.a.example\"],\"workloads\":[\"alice\"]}," ALLOW("b", "")), "h.a.example:443", REASON_NONE, "b" },
	{ POLICY("{\"id\":\"a\",\"effect\":\"allow\",\"hosts\":[\"*.a.example\"]},{\"id\":\"b\",\"effect\":\"allow\",\"hosts\":[\"*.b.a.example\"]}"), "h.b.a.example:443", REASON_NONE, "b" },

	/* Wildcards: one or more labels, at a label's edge. */
	{ POLICY("{\"id\":\"a\",\"effect\":\"allow\",\"hosts\":[\"*.a.example\"]}"), "h.b.a.example:443", REASON_NONE, "a" },
	{ POLICY("{\"id\":\"a\",\"effect\":\"allow\",\"hosts\":[\"*.a.example\"]}"), "a.example:443", REASON_HOST_NOT_ALLOWED, NULL },
	{ POLICY("{\"id\":\"a\",\"effect\":\"allow\",\"hosts\":[\"*.a.example\"]}"), "ha.example:443", REASON_HOST_NOT_ALLOWED, NULL },

	/* Plain HTTP needs a rule that names port 80. */
	{ POLICY(ALLOW("a", "")), "http:h.a.example:80", REASON_PLAINTEXT, NULL },
	{ POLICY(ALLOW("a", ",\"ports\":[80]")), "http:h.a.example:80", REASON_NONE, "a" },
	{ POLICY(ALLOW("a", ",\"ports\":[443,8080]")), "http:h.a.example:8080", REASON_PLAINTEXT, NULL },
	{ POLICY(ALLOW("a", ",\"ports\":[80]")), "http:h.a.example:8080", REASON_PORT_NOT_ALLOWED, NULL },

	/* Addresses, and names that are none of ours. */
	{ POLICY(ALLOW("a", "")), "10.20.0.9:443", REASON_IP_LITERAL, NULL },
	{ POLICY("{\"id\":\"a\",\"effect\":\"allow\",\"addresses\":[\"10.20.0.9\"]}"), "10.20.0.9:443", REASON_NONE, "a" },
	{ POLICY("{\"id\":\"a\",\"effect\":\"allow\",\"addresses\":[\"fd00:20::9\"]}"), "fd00:20::9:443", REASON_NONE, "a" },
	{ POLICY("{\"id\":\"a\",\"effect\":\"allow\",\"addresses\":[\"10.20.0.9\"]}"), "10.20.0.9:22", REASON_PORT_NOT_ALLOWED, NULL },
	{ POLICY(""), "169.254.169.254:80", REASON_RESERVED_ADDRESS, NULL },
	{ POLICY(""), "http:169.254.169.254:80", REASON_METADATA_PROXIED, NULL },
	{ POLICY(""), "http:169.254.169.253:80", REASON_RESERVED_ADDRESS, NULL },
	{ POLICY(""), "168.63.129.16:32526", REASON_RESERVED_ADDRESS, NULL },
	{ POLICY(""), "::ffff:169.254.169.254:80", REASON_RESERVED_ADDRESS, NULL },
	{ POLICY(""), "64:ff9b::808:808:443", REASON_RESERVED_ADDRESS, NULL },
	{ POLICY(""), "2002:a9fe:a9fe:::80", REASON_RESERVED_ADDRESS, NULL },
	{ POLICY(""), "fd00:ec2::254:80", REASON_RESERVED_ADDRESS, NULL },
	{ POLICY(""), "0.0.0.0:443", REASON_RESERVED_ADDRESS, NULL },
	{ POLICY(""), "8.8.8.8:443", REASON_IP_LITERAL, NULL },
	{ POLICY("{\"id\":\"a\",\"effect\":\"allow\",\"hosts\":[\"*.vaultcore.azure.net\"]}"), "kv1.privatelink.vaultcore.azure.net:443", REASON_PRIVATELINK_NAME, NULL },
};

/* clang-format on */

static struct policy_verdict
ask(const struct policy *p, const char *target)
{
	bool plain = strncmp(target, "http:", 5) == 0;
	const char *host = plain ? target + 5 : target;
	const char *colon = strrchr(host, ':');
	struct policy_verdict v;
	struct fixture f;
	char name[300];
	uint64_t port;

	(void)snprintf(name, sizeof name, "%.*s", (int)(colon - host), host);
	assert_true(slice_to_u64(slice_of(colon + 1), 65535, &port));
	fixture_request(&f, name, (uint16_t)port);
	f.request.plaintext = plain;
	policy_decide_name(p, &f.request, &v);
	return v;
}

static void
judges_host_port_workload_and_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy *p = fixture_load(rows[i].policy);
		struct policy_verdict v = ask(p, rows[i].target);
		const char *want = rows[i].rule == NULL ? "" : rows[i].rule;
		const char *got = v.rule == NULL ? "" : v.rule;

		if (v.code != rows[i].code || strcmp(got, want) != 0 ||
		    (v.effect == POLICY_ALLOW) != (v.code == REASON_NONE))
			fail_msg("%s %s: %s \"%s\"", rows[i].policy,
			    rows[i].target, reason_code(v.code), got);
		policy_unref(p);
	}
}

static void
unknown_clients_are_denied_in_both_modes(void **state)
{
	static const char *const modes[] = { "enforce", "report" };
	char text[300];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct policy *p;
		struct policy_verdict v;
		struct fixture f;

		(void)snprintf(text, sizeof text,
		    "{\"version\":1,\"mode\":\"%s\",\"rules\":[%s]}", modes[i],
		    ALLOW("a", ""));
		p = fixture_load(text);
		fixture_request(&f, "h.a.example", 443);
		f.peer.known = false;
		policy_decide_name(p, &f.request, &v);
		assert_int_equal(v.effect, POLICY_DENY);
		assert_int_equal(v.code, REASON_WORKLOAD_NOT_ALLOWED);
		f.peer.known = true;
		f.peer.uid = 65534;
		policy_decide_name(p, &f.request, &v);
		assert_int_equal(v.effect, POLICY_DENY);
		policy_unref(p);
	}
}

/* Where the kernel does not say the unit or the program, allow rules that
 * name one do not match, and deny rules that name one do. */
static void
what_could_not_be_found_out_counts_against_the_client(void **state)
{
	static const struct {
		const char *policy;
		bool cgroup, exe; /**< unknown */
		enum reason code;
	} want[] = {

#define FREE_BUT(name) POLICY(ALLOW("a", "") "," DENY("d", WHO(name)))
		{ FREE_BUT("jobs"), true, false, REASON_RULE_DENIES },
		{ FREE_BUT("slice"), true, false, REASON_RULE_DENIES },
		{ FREE_BUT("both"), true, false, REASON_RULE_DENIES },
		{ FREE_BUT("bob"), true, true, REASON_NONE },
		{ FREE_BUT("jobs"), false, true, REASON_NONE },
		{ FREE_BUT("python"), false, true, REASON_RULE_DENIES },
		{ FREE_BUT("python"), true, false, REASON_NONE },
		{ POLICY(ALLOW("a", WHO("jobs"))), true, true,
		    REASON_WORKLOAD_NOT_ALLOWED },
		{ POLICY(ALLOW("a", WHO("slice"))), true, true,
		    REASON_WORKLOAD_NOT_ALLOWED },
		{ POLICY(ALLOW("a", WHO("python"))), true, true,
		    REASON_WORKLOAD_NOT_ALLOWED },
		{ POLICY(ALLOW("a", WHO("alice"))), true, true, REASON_NONE },
#undef FREE_BUT
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct policy *p = fixture_load(want[i].policy);
		struct policy_verdict v;
		struct fixture f;

		fixture_request(&f, "h.a.example", 443);
		f.peer.cgroup = f.peer.unit = f.peer.exe = "";
		f.peer.cgroup_unknown = want[i].cgroup;
		f.peer.exe_unknown = want[i].exe;
		policy_decide_name(p, &f.request, &v);
		if (v.code != want[i].code)
			fail_msg("row %zu: %s", i, reason_code(v.code));
		policy_unref(p);
	}
}

static void
report_mode_passes_what_it_lists_and_no_more(void **state)
{
	static const struct {
		const char *target;
		enum reason code;
		bool passes;
	} want[] = {
		{ "h.a.example:443", REASON_NONE, true },
		{ "g.a.example:443", REASON_HOST_NOT_ALLOWED, true },
		{ "h.a.example:22", REASON_PORT_NOT_ALLOWED, true },
		{ "no.a.example:443", REASON_RULE_DENIES, true },
		{ "w.a.example:443", REASON_WORKLOAD_NOT_ALLOWED, true },
		{ "old.a.example:443", REASON_EXCEPTION_EXPIRED, true },
		{ "http:h.a.example:80", REASON_PLAINTEXT, false },
		{ "10.20.0.9:443", REASON_IP_LITERAL, false },
		{ "169.254.169.254:80", REASON_RESERVED_ADDRESS, false },
		{ "a.privatelink.blob.core.windows.net:443",
		    REASON_PRIVATELINK_NAME, false },
	};
	struct policy *p = fixture_load(
	    "{\"version\":1,\"mode\":\"report\",\"workloads\":{\"bob\":{"
	    "\"users\":[\"bob\"]}},\"rules\":[" ALLOW("a",
	        "") ","
	            "{\"id\":\"n\",\"effect\":\"deny\",\"hosts\":[\"no.a.example\"]},"
	            "{\"id\":\"w\",\"effect\":\"allow\",\"hosts\":[\"w.a.example\"],"
	            "\"workloads\":[\"bob\"]},"
	            "{\"id\":\"o\",\"effect\":\"allow\",\"hosts\":[\"old.a.example\"],"
	            "\"expires\":\"2020-01-01T00:00:00Z\"}]}");

	(void)state;
	assert_int_equal(policy_mode(p), POLICY_REPORT);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct policy_verdict v = ask(p, want[i].target);

		if (v.code != want[i].code ||
		    (v.effect == POLICY_ALLOW) != want[i].passes ||
		    v.would_deny != (want[i].passes && v.code != REASON_NONE))
			fail_msg("%s: %s", want[i].target, reason_code(v.code));
	}
	policy_unref(p);
}

static void
report_mode_still_keeps_reserved_addresses_and_itself_out(void **state)
{
	static const struct {
		const char *resolves;
		enum reason code;
		bool passes;
	} want[] = {
		{ "20.1.1.1", REASON_HOST_NOT_ALLOWED, true },
		{ "10.20.0.5 20.1.1.1", REASON_HOST_NOT_ALLOWED, true },
		{ "127.0.0.1", REASON_RESERVED_ADDRESS, false },
		{ "10.20.0.4", REASON_SELF, false },
		{ "a.b.example", REASON_DNS_NODATA, false },
	};
	struct policy *p = fixture_load(
	    "{\"version\":1,\"mode\":\"report\",\"endpoints\":[\"10.20.0.0/16\"]"
	    ",\"rules\":[" ALLOW("a", "") "]}");
	struct policy_verdict v = fixture_route(p, "h.a.example", "20.1.1.1");

	(void)state;
	assert_int_equal(v.code, REASON_PUBLIC_ADDRESS);
	assert_int_equal(v.effect, POLICY_ALLOW);
	assert_true(v.would_deny);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		v = fixture_route(p, "g.a.example", want[i].resolves);
		assert_int_equal(v.code, want[i].code);
		assert_int_equal(v.effect == POLICY_ALLOW, want[i].passes);
		assert_int_equal(v.would_deny, want[i].passes);
	}
	policy_unref(p);
}

static void
the_first_flight_must_name_the_host(void **state)
{
	static const struct {
		enum policy_hello hello;
		const char *sni;
		enum reason code;
	} want[] = {
		{ POLICY_HELLO_OK, "h.a.example", REASON_NONE },
		{ POLICY_HELLO_OK, "H.A.Example", REASON_NONE },
		{ POLICY_HELLO_OK, "h.a.example.", REASON_SNI_MISMATCH },
		{ POLICY_HELLO_OK, "g.a.example", REASON_SNI_MISMATCH },
		{ POLICY_HELLO_OK, "", REASON_SNI_MISMATCH },
		{ POLICY_HELLO_NO_SNI, "", REASON_SNI_MISSING },
		{ POLICY_HELLO_NOT_TLS, "", REASON_NOT_TLS },
		{ POLICY_HELLO_ECH, "h.a.example", REASON_ECH_REFUSED },
	};
	struct policy *p = fixture_load(POLICY(ALLOW("a", "")));
	struct policy *any =
	    fixture_load(POLICY(ALLOW("a", ",\"sni\":\"any\"")));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct policy_verdict v, w;
		struct fixture f;

		fixture_request(&f, "h.a.example", 443);
		policy_decide_name(p, &f.request, &v);
		policy_decide_hello(
		    p, &f.request, want[i].hello, slice_of(want[i].sni), &v);
		assert_int_equal(v.code, want[i].code);
		policy_decide_name(any, &f.request, &w);
		policy_decide_hello(
		    any, &f.request, want[i].hello, slice_of(want[i].sni), &w);
		assert_int_equal(w.effect, POLICY_ALLOW);
	}
	policy_unref(p);
	policy_unref(any);
}

static void
says_what_the_rest_of_the_process_must_look_up(void **state)
{
	struct policy *p = fixture_load(POLICY(ALLOW("a", "")));
	struct policy *plain = fixture_load("{\"version\":1}");
	const char *const *names;
	const char *mine[16];
	struct fixture f;

	(void)state;
	assert_int_equal(policy_user_names(p, &names), 2);
	assert_string_equal(names[0], "alice");
	assert_string_equal(names[1], "bob");
	assert_int_equal(policy_group_names(p, &names), 1);
	assert_true(policy_uses_exes(p));
	assert_false(policy_uses_exes(plain));
	assert_int_equal(policy_rule_count(p), 1);
	assert_string_equal(policy_rule_id(p, 0), "a");
	assert_null(policy_rule_id(p, 1));
	assert_string_equal(policy_sha256(plain),
	    "2430f1a2ad2982d0067885488a4c89e21ad1d7c83b115ba8f1b20acc88dfaea8");
	fixture_request(&f, "h.a.example", 443);
	assert_int_equal(policy_workload_names(p, &f.peer, mine, 16), 7);
	assert_int_equal(policy_workload_names(p, &f.peer, mine, 2), 2);
	policy_unref(p);
	policy_unref(plain);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_host_port_workload_and_time),
		cmocka_unit_test(unknown_clients_are_denied_in_both_modes),
		cmocka_unit_test(
		    what_could_not_be_found_out_counts_against_the_client),
		cmocka_unit_test(report_mode_passes_what_it_lists_and_no_more),
		cmocka_unit_test(
		    report_mode_still_keeps_reserved_addresses_and_itself_out),
		cmocka_unit_test(the_first_flight_must_name_the_host),
		cmocka_unit_test(
		    says_what_the_rest_of_the_process_must_look_up),
	};
	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
