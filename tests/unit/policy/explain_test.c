/* Explanations: the suggested rule works, and nothing is given away. */
#include "tests/unit/policy/fixture.h"

#include "policy/zones.h"

#include <stdio.h>
#include <string.h>

#define HEAD                                                              \
	"{\"version\":1,\"endpoints\":[\"10.20.0.0/16\"],\"workloads\":{" \
	"\"bob\":{\"users\":[\"bob\"]}%s},\"rules\":["
#define RULES                                                                    \
	"{\"id\":\"lake\",\"effect\":\"allow\","                                 \
	"\"hosts\":[\"acct1.blob.core.windows.net\"]},"                          \
	"{\"id\":\"vault\",\"effect\":\"allow\","                                \
	"\"hosts\":[\"kv1.vault.azure.net\"],\"workloads\":[\"bob\"]},"          \
	"{\"id\":\"old\",\"effect\":\"allow\",\"hosts\":[\"old.corp.example\"]," \
	"\"route\":\"private-address\",\"expires\":\"2026-01-01T00:00:00Z\"},"   \
	"{\"id\":\"no\",\"effect\":\"deny\",\"hosts\":[\"no.corp.example\"]},"   \
	"{\"id\":\"bare\",\"effect\":\"allow\",\"hosts\":[\"b.corp.example\"]}," \
	"{\"id\":\"pub\",\"effect\":\"allow\",\"hosts\":[\"p.corp.example\"],"   \
	"\"route\":\"public\",\"reason\":\"x\"}"

#define BLOB   "acct1.blob.core.windows.net"
#define PLBLOB "acct1.privatelink.blob.core.windows.net"
#define ZONE   "\"privatelink.blob.core.windows.net\""

struct row {
	const char *host;
	uint16_t port;
	bool plain;
	const char *resolves; /**< NULL: name phase */
	enum reason failure;
	enum reason code;
	const char *near, *unmet, *fix; /**< parts of them */
};

/* clang-format off */
static const struct row rows[] = {
	{ "acct2.blob.core.windows.net", 443, false, NULL, 0, REASON_HOST_NOT_ALLOWED, "lake", "host: the nearest rule \"lake\"", "add to \"rules\"" },
	{ "x.other.example", 443, false, NULL, 0, REASON_HOST_NOT_ALLOWED, "", "host: no rule names", "private-address" },
	{ "graph.microsoft.com", 443, false, NULL, 0, REASON_HOST_NOT_ALLOWED, "", "host:", "\"route\":\"public\",\"reason\":\"Microsoft Graph" },
	{ BLOB, 8443, false, NULL, 0, REASON_PORT_NOT_ALLOWED, "lake", "port: rule \"lake\" does not name port 8443", "\"ports\":[8443]" },
	{ "kv1.vault.azure.net", 443, false, NULL, 0, REASON_WORKLOAD_NOT_ALLOWED, "vault", "workload: user \"alice\", unit \"job-1.service\"", "\"alice\": {\"users\": [\"alice\"]}" },
	{ "old.corp.example", 443, false, NULL, 0, REASON_EXCEPTION_EXPIRED, "old", "ended at 2026-01-01T00:00:00Z", "\"expires\":\"2026-11-24T00:00:00Z\"" },
	{ "no.corp.example", 443, false, NULL, 0, REASON_RULE_DENIES, "no", "deny: rule \"no\"", "narrow or remove the deny rule \"no\"" },
	{ BLOB, 80, true, NULL, 0, REASON_PLAINTEXT, "lake", "does not name port 80", "use https" },
	{ "10.20.0.9", 22, false, NULL, 0, REASON_IP_LITERAL, "", "host: an address", "\"addresses\":[\"10.20.0.9\"]" },
	{ "169.254.169.254", 80, false, NULL, 0, REASON_RESERVED_ADDRESS, "", "address:", "no rule allows this" },
	{ "kv1.privatelink.vaultcore.azure.net", 443, false, NULL, 0, REASON_PRIVATELINK_NAME, "", "host:", "use the public name \"kv1.vault.azure.net\"" },

	{ BLOB, 443, false, "20.38.104.164", 0, REASON_PUBLIC_ADDRESS, "lake", "route:", "create a private endpoint (Azure Storage, group blob" },
	{ BLOB, 443, false, PLBLOB " 20.38.104.164", 0, REASON_PUBLIC_ADDRESS, "lake", "route:", "link the private DNS zone " ZONE },
	{ BLOB, 443, false, PLBLOB, REASON_DNS_NXDOMAIN, REASON_DNS_NXDOMAIN, "lake", "the record \"acct1\" is missing in the private DNS zone " ZONE, "add the record \"acct1\"" },
	{ BLOB, 443, false, "a.b.example", REASON_DNS_NXDOMAIN, REASON_DNS_NXDOMAIN, "lake", "does not exist", "check the name" },
	{ BLOB, 443, false, "10.20.0.5", 0, REASON_NO_PRIVATE_ZONE, "lake", "route:", "put the record \"acct1\" into the private DNS zone " ZONE },
	{ BLOB, 443, false, "acct1.privatelink.file.core.windows.net 10.20.0.5", 0, REASON_WRONG_ZONE, "lake", "another service's", "the record \"acct1\" in the private DNS zone " ZONE },
	{ BLOB, 443, false, PLBLOB " 10.20.0.5 20.38.104.164", 0, REASON_MIXED_ADDRESSES, "lake", "private and public", "leave only the private endpoint's address" },
	{ BLOB, 443, false, PLBLOB " 10.77.0.5", 0, REASON_UNEXPECTED_PRIVATE, "lake", "private address", "add its subnet to \"endpoints\"" },
	{ BLOB, 443, false, PLBLOB " 127.0.0.1", 0, REASON_RESERVED_ADDRESS, "lake", "address:", "no rule allows this" },
	{ BLOB, 443, false, PLBLOB " 10.20.0.4", 0, REASON_SELF, "lake", "address:", "without the proxy" },
	{ BLOB, 443, false, PLBLOB, 0, REASON_DNS_NODATA, "lake", "dns:", "give the record \"acct1\" in the private DNS zone " ZONE },
	{ BLOB, 443, false, PLBLOB, REASON_DNS_TIMEOUT, REASON_DNS_TIMEOUT, "lake", "dns:", "\"dns\" in wayleave.json" },
	{ BLOB, 443, false, PLBLOB, REASON_CHAIN_BROKEN, REASON_CHAIN_BROKEN, "lake", "dns:", "mend the zone" },
	{ "b.corp.example", 443, false, "10.20.0.5", 0, REASON_NO_PRIVATE_ZONE, "bare", "route:", "\"route\":\"private-address\"" },
	{ "b.corp.example", 443, false, "20.1.1.1", 0, REASON_PUBLIC_ADDRESS, "bare", "route:", "\"route\":\"public\"" },
	{ "p.corp.example", 443, false, "10.20.0.5", 0, REASON_UNEXPECTED_PRIVATE, "pub", "route:", "take \"route\" out" },
};

/* clang-format on */

static void
ask(const struct policy *p, const struct row *row, struct fixture *f,
    struct policy_verdict *v, struct policy_explanation *e)
{
	fixture_request(f, row->host, row->port);
	f->request.plaintext = row->plain;
	policy_decide_name(p, &f->request, v);
	if (row->resolves != NULL) {
		fixture_resolves(f, row->resolves);
		f->answer.failure = row->failure;
		policy_decide_route(
		    p, &f->request, &f->answer, &fixture_self, v);
	}
	policy_explain(
	    p, &f->request, row->resolves == NULL ? NULL : &f->answer, v, e);
}

static struct policy *
load(const char *workload, const char *more)
{
	char text[4096];

	(void)snprintf(text, sizeof text, HEAD "%s%s%s]}", workload, RULES,
	    *more == '\0' ? "" : ",", more);
	return fixture_load(text);
}

static void
each_denial_says_what_is_unmet_and_how_to_mend_it(void **state)
{
	struct policy *p = load("", "");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_explanation e;
		struct policy_verdict v;
		struct fixture f;

		ask(p, &rows[i], &f, &v, &e);
		if (v.code != rows[i].code ||
		    strcmp(e.rule_near, rows[i].near) != 0 ||
		    strstr(e.unmet, rows[i].unmet) == NULL ||
		    strstr(e.fix, rows[i].fix) == NULL)
			fail_msg("row %zu: %s near \"%s\"\n%s\n%s", i,
			    reason_code(v.code), e.rule_near, e.unmet, e.fix);
	}
	policy_unref(p);
}

#define PROGRAM_UNKNOWN "the client's program could not be found out"
#define BY_SOCKET       "connect by a Unix socket, where the program is known;"

static void
a_deny_rule_that_only_may_match_says_what_is_not_known(void **state)
{
	struct policy *p = fixture_load(
	    "{\"version\":1,\"workloads\":{\"jobs\":{\"units\":[\"job-*\"]},"
	    "\"py\":{\"exes\":[\"/usr/bin/python*\"]},"
	    "\"both\":{\"cgroups\":[\"/x\"],\"exes\":[\"/y\"]}},\"rules\":["
	    "{\"id\":\"d\",\"effect\":\"deny\",\"hosts\":[\"a.x.example\"],"
	    "\"workloads\":[\"jobs\"]},"
	    "{\"id\":\"e\",\"effect\":\"deny\",\"hosts\":[\"b.x.example\"],"
	    "\"workloads\":[\"py\"]},"
	    "{\"id\":\"f\",\"effect\":\"deny\",\"hosts\":[\"c.x.example\"],"
	    "\"workloads\":[\"jobs\",\"py\"]},"
	    "{\"id\":\"g\",\"effect\":\"deny\",\"hosts\":[\"d.x.example\"],"
	    "\"workloads\":[\"both\"]}]}");

	static const struct {
		const char *host;
		bool no_cgroup;
		const char *unmet, *fix;
	} want[] = {
		{ "a.x.example", true,
		    "rule \"d\" may match, and deny wins: the "
		    "client's cgroup could not be found out",
		    "mount cgroup2" },
		{ "b.x.example", false, PROGRAM_UNKNOWN, BY_SOCKET },
		{ "b.x.example", true, PROGRAM_UNKNOWN, BY_SOCKET },
		{ "c.x.example", false, PROGRAM_UNKNOWN, BY_SOCKET },
		{ "c.x.example", true, "the client's cgroup and program could",
		    "are known, and connect by a Unix socket" },
		{ "d.x.example", true, "the client's cgroup could",
		    "mount cgroup2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct policy_explanation e;
		struct policy_verdict v;
		struct fixture f;

		fixture_request(&f, want[i].host, 443);
		f.peer.unit = f.peer.cgroup = f.peer.exe = "";
		f.peer.cgroup_unknown = want[i].no_cgroup;
		f.peer.exe_unknown = true;
		policy_decide_name(p, &f.request, &v);
		policy_explain(p, &f.request, NULL, &v, &e);
		assert_int_equal(v.code, REASON_RULE_DENIES);
		assert_non_null(strstr(e.unmet, want[i].unmet));
		assert_non_null(strstr(e.fix, want[i].fix));
	}
	policy_unref(p);
}

/* Contract 5: the addresses of the answer and the ranges of the policy are
 * for operators; other workloads are nobody's business. */
static void
no_address_range_or_other_workload_is_told(void **state)
{
	static const char *const secrets[] = { "10.20.0.5", "10.20.0.4",
		"10.20.0.0", "20.38.104.164", "10.77", "127.0.0.1", "20.1.1.1",
		"bob" };
	struct policy *p = load("", "");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_explanation e;
		struct policy_verdict v;
		struct fixture f;

		ask(p, &rows[i], &f, &v, &e);
		for (size_t k = 0; k < ARRAY_LEN(secrets); k++)
			if (strstr(e.unmet, secrets[k]) != NULL ||
			    strstr(e.fix, secrets[k]) != NULL ||
			    strstr(e.fix_rule, secrets[k]) != NULL)
				fail_msg("row %zu tells %s: %s | %s", i,
				    secrets[k], e.unmet, e.fix);
	}
	policy_unref(p);
}

static void
the_suggested_rule_allows_exactly_this_request(void **state)
{
	struct policy *p = load("", "");
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_explanation e, after;
		struct policy_verdict v;
		struct policy *mended;
		struct fixture f;
		struct row other = rows[i];

		ask(p, &rows[i], &f, &v, &e);
		if (e.fix_rule[0] == '\0' || rows[i].resolves != NULL)
			continue;
		mended = load(",\"alice\":{\"users\":[\"alice\"]}", e.fix_rule);
		ask(mended, &rows[i], &f, &v, &after);
		if (v.effect != POLICY_ALLOW)
			fail_msg("row %zu: %s does not help", i, e.fix_rule);
		other.port = 4711;
		ask(mended, &other, &f, &v, &after);
		assert_int_equal(v.effect, POLICY_DENY);
		/* Nor is it for others, where who asks was what is wrong. */
		fixture_request(&f, rows[i].host, rows[i].port);
		f.peer.uid = 4711;
		f.peer.user = "carol";
		policy_decide_name(mended, &f.request, &v);
		if (rows[i].code == REASON_WORKLOAD_NOT_ALLOWED &&
		    v.effect == POLICY_ALLOW)
			fail_msg("row %zu: %s is for all (%s)", i, e.fix_rule,
			    v.rule);
		/* Where a zone can prove the route, no less will do. */
		if (zones_public_reason(rows[i].host) == NULL &&
		    strstr(rows[i].host, ".core.windows.net") != NULL &&
		    strstr(e.fix_rule, "\"route\"") != NULL)
			fail_msg("row %zu: %s is too lax", i, e.fix_rule);
		policy_unref(mended);
		n++;
	}
	assert_int_equal(n, 8);
	policy_unref(p);
}

static void
an_allowed_request_cites_its_rule(void **state)
{
	static const struct row row = { BLOB, 443, false, PLBLOB " 10.20.0.5",
		0, 0, "", "", "" };
	struct policy *p = load("", "");
	struct policy_explanation e;
	struct policy_verdict v;
	struct fixture f;

	(void)state;
	ask(p, &row, &f, &v, &e);
	assert_int_equal(v.effect, POLICY_ALLOW);
	assert_string_equal(e.rule_near, "lake");
	assert_string_equal(e.unmet, "");
	assert_string_equal(e.fix, "");
	policy_unref(p);
}

static void
long_names_are_cut_and_not_overrun(void **state)
{
	struct policy *p = load("", "");
	struct policy_explanation e;
	struct policy_verdict v;
	char host[HOST_BYTES];
	struct row row = { host, 443, false, NULL, 0, 0, "", "", "" };
	struct fixture f;

	(void)state;
	memset(host, 'a', sizeof host);
	for (size_t i = 60; i < sizeof host; i += 61)
		host[i] = '.';
	host[253] = '\0';
	ask(p, &row, &f, &v, &e);
	assert_int_equal(v.code, REASON_HOST_NOT_ALLOWED);
	assert_non_null(strstr(e.fix_rule, host));
	policy_unref(p);
}

static void
the_hello_is_explained(void **state)
{
	struct policy *p = load("", "");
	struct policy_explanation e;
	struct policy_verdict v;
	struct fixture f;

	(void)state;
	fixture_request(&f, BLOB, 443);
	policy_decide_name(p, &f.request, &v);
	policy_decide_hello(
	    p, &f.request, POLICY_HELLO_OK, SLICE("x.example"), &v);
	policy_explain(p, &f.request, NULL, &v, &e);
	assert_string_equal(e.rule_near, "lake");
	assert_non_null(strstr(e.fix, "\"sni\": \"any\" in rule \"lake\""));
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_denial_says_what_is_unmet_and_how_to_mend_it),
		cmocka_unit_test(
		    a_deny_rule_that_only_may_match_says_what_is_not_known),
		cmocka_unit_test(no_address_range_or_other_workload_is_told),
		cmocka_unit_test(
		    the_suggested_rule_allows_exactly_this_request),
		cmocka_unit_test(an_allowed_request_cites_its_rule),
		cmocka_unit_test(long_names_are_cut_and_not_overrun),
		cmocka_unit_test(the_hello_is_explained),
	};
	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
