/* Rules that look into requests: what is seen, and what is hidden. */
#include "tests/unit/policy/fixture.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define RULES \
	"{\"id\":\"lake\",\"effect\":\"allow\",\"hosts\":[\"lake.example.net\"]}," \
	"{\"id\":\"no-delete\",\"effect\":\"deny\",\"hosts\":[\"lake.example.net\"],\"methods\":[\"DELETE\"]}," \
	"{\"id\":\"no-keys\",\"effect\":\"deny\",\"hosts\":[\"lake.example.net\"],\"paths\":[\"/keys\",\"/keys/*\",\"/one/*/end\"]}," \
	"{\"id\":\"read\",\"effect\":\"allow\",\"hosts\":[\"blob.example.net\"],\"methods\":[\"GET\",\"HEAD\"],\"paths\":[\"/pub\",\"/pub/*\",\"/x/*/y\"]}," \
	"{\"id\":\"put\",\"effect\":\"allow\",\"hosts\":[\"blob.example.net\"],\"methods\":[\"PUT\"],\"paths\":[\"/in/*\"]}," \
	"{\"id\":\"nosas\",\"effect\":\"allow\",\"hosts\":[\"sas.example.net\"],\"deny_sas\":true}," \
	"{\"id\":\"ml\",\"effect\":\"allow\",\"hosts\":[\"*.ml.example.net\"],\"inject\":{\"identity\":\"host\",\"audience\":\"https://ml.example.net/\",\"placeholders\":[\"none\"]}}," \
	"{\"id\":\"exact\",\"effect\":\"allow\",\"hosts\":[\"b.ml.example.net\"]}," \
	"{\"id\":\"plain\",\"effect\":\"allow\",\"hosts\":[\"a.ml.example.net\"],\"ports\":[80]}," \
	"{\"id\":\"free\",\"effect\":\"allow\",\"hosts\":[\"free.example.net\"]}," \
	"{\"id\":\"seen\",\"effect\":\"allow\",\"hosts\":[\"seen.example.net\"],\"inspect\":true}"
#define POLICY(mode) "{\"version\":1,\"mode\":\"" mode "\",\"rules\":[" RULES "]}"

#define ALLOW REASON_NONE

static const struct {
	const char *host, *method, *path; /**< method NULL: a tunnel */
	const char *fields;               /**< "name: value", or NULL */
	enum reason code;
	const char *rule;
	bool soft;         /**< passes in report mode */
	const char *unmet; /**< of the explanation */
} rows[] = {
	/* deny rules by method and path */
	{ "lake.example.net", "GET", "/c/b", NULL, ALLOW, "lake", false, NULL },
	{ "lake.example.net", "DELETE", "/c/b", NULL, REASON_RULE_DENIES, "no-delete", true, "deny:" },
	{ "lake.example.net", "delete", "/c/b", NULL, REASON_RULE_DENIES, "no-delete", true, NULL },
	{ "lake.example.net", "POST", "/c/b", "X-HTTP-Method-Override: DELETE", REASON_RULE_DENIES, "no-delete", true, NULL },
	{ "lake.example.net", "POST", "/c/b", "X-HTTP-Method: a b", REASON_BAD_REQUEST, NULL, false, "path: it is malformed" },
	{ "lake.example.net", "GET", "/keys/1", NULL, REASON_RULE_DENIES, "no-keys", true, NULL },
	{ "lake.example.net", "GET", "/KEYS", NULL, REASON_RULE_DENIES, "no-keys", true, NULL },
	{ "lake.example.net", "GET", "/%6beys", NULL, REASON_RULE_DENIES, "no-keys", true, NULL },
	{ "lake.example.net", "GET", "//keys", NULL, REASON_RULE_DENIES, "no-keys", true, NULL },
	{ "lake.example.net", "GET", "/keys;v/1", NULL, REASON_RULE_DENIES, "no-keys", true, NULL },
	{ "lake.example.net", "GET", "/keys%2f1", NULL, REASON_RULE_DENIES, "no-keys", true, NULL },
	{ "lake.example.net", "GET", "/one/1%2f2/end", NULL, REASON_RULE_DENIES, "no-keys", true, NULL },
	{ "lake.example.net", "GET", "/one/1/2/end", NULL, ALLOW, "lake", false, NULL },
	{ "lake.example.net", "GET", "/a%2fkeys", NULL, ALLOW, "lake", false, NULL },
	{ "lake.example.net", "GET", "/c/../keys", NULL, REASON_BAD_REQUEST, NULL, false, NULL },
	{ "lake.example.net", NULL, NULL, NULL, REASON_METHOD_NOT_ALLOWED, "lake", true, "method: rule \"no-delete\" looks into requests, which a tunnel hides" },
	{ "lake.example.net", "POST", "/?comp=batch", NULL, REASON_METHOD_NOT_ALLOWED, "lake", true, "method: a batch hides" },
	{ "lake.example.net", "POST", "/$batch", NULL, REASON_METHOD_NOT_ALLOWED, "lake", true, "method: a batch hides" },
	/* allow rules by method and path */
	{ "blob.example.net", "GET", "/pub/a/b", NULL, ALLOW, "read", false, NULL },
	{ "blob.example.net", "GET", "/pub", NULL, ALLOW, "read", false, NULL },
	{ "blob.example.net", "GET", "/pub/", NULL, ALLOW, "read", false, NULL },
	{ "blob.example.net", "GET", "/x/1/y", NULL, ALLOW, "read", false, NULL },
	{ "blob.example.net", "PUT", "/in/a", NULL, ALLOW, "put", false, NULL },
	{ "blob.example.net", "GET", "/x/1/2/y", NULL, REASON_PATH_NOT_ALLOWED, NULL, true, "path: rule \"read\" does not cover \"/x/1/2/y\"" },
	{ "blob.example.net", "GET", "/public", NULL, REASON_PATH_NOT_ALLOWED, NULL, true, NULL },
	{ "blob.example.net", "GET", "/PUB/a", NULL, REASON_PATH_NOT_ALLOWED, NULL, true, NULL },
	{ "blob.example.net", "GET", "/pub%2fa", NULL, REASON_PATH_NOT_ALLOWED, NULL, true, "path: it can be read in two ways, \"/pub/a\" and \"/pub%2Fa\"" },
	{ "blob.example.net", "GET", "/pub/a%2fb", NULL, ALLOW, "read", false, NULL },
	{ "blob.example.net", "GET", "/x/1%2f2/y", NULL, REASON_PATH_NOT_ALLOWED, NULL, true, "two ways" },
	{ "blob.example.net", "PUT", "/pub/a", NULL, REASON_PATH_NOT_ALLOWED, NULL, true, "path: rule \"put\"" },
	{ "blob.example.net", "DELETE", "/pub/a", NULL, REASON_METHOD_NOT_ALLOWED, NULL, true, "method: rule \"put\" does not name DELETE" },
	{ "blob.example.net", "get", "/pub/a", NULL, REASON_METHOD_NOT_ALLOWED, NULL, true, NULL },
	{ "blob.example.net", "GET", "/pub/a", "X-HTTP-Method-Override: PUT", REASON_METHOD_NOT_ALLOWED, NULL, true, "does not name GET and PUT" },
	{ "blob.example.net", NULL, NULL, NULL, REASON_METHOD_NOT_ALLOWED, "put", true, "a tunnel hides" },
	{ "blob.example.net", "GET", "/pub/a?sig=x", NULL, ALLOW, "read", false, NULL },
	/* signatures */
	{ "sas.example.net", "GET", "/c?sv=1", NULL, ALLOW, "nosas", false, NULL },
	{ "sas.example.net", "GET", "/c?sv=1&%73ig=x", NULL, REASON_SAS_REFUSED, "nosas", false, "sas:" },
	{ "sas.example.net", "GET", "/c", "Authorization: SharedAccessSignature sig=x", REASON_SAS_REFUSED, "nosas", false, NULL },
	{ "sas.example.net", "PUT", "/c", "x-ms-copy-source: https://free.example.net/c?sig=x", REASON_SAS_REFUSED, "nosas", false, NULL },
	{ "sas.example.net", NULL, NULL, NULL, REASON_METHOD_NOT_ALLOWED, "nosas", false, "a tunnel hides" },
	/* sources */
	{ "free.example.net", "PUT", "/c", "x-ms-copy-source: https://free.example.net/d?sig=x", ALLOW, "free", false, NULL },
	{ "free.example.net", "PUT", "/c", "x-ms-copy-source: https://evil.example.com/d", REASON_COPY_SOURCE_REFUSED, "free", false, "source:" },
	{ "free.example.net", "PUT", "/c", "x-ms-copy-source: http://free.example.net/d", REASON_COPY_SOURCE_REFUSED, "free", false, NULL },
	{ "free.example.net", "PUT", "/c", "x-ms-copy-source: https://lake.example.net/keys/1", REASON_COPY_SOURCE_REFUSED, "free", false, NULL },
	{ "free.example.net", "PUT", "/c", "x-ms-copy-source: https://lake.example.net/c", ALLOW, "free", false, NULL },
	{ "free.example.net", "PUT", "/c", "x-ms-copy-source: https://blob.example.net/pub/c", ALLOW, "free", false, NULL },
	{ "free.example.net", "PUT", "/c", "x-ms-copy-source: https://blob.example.net/c", REASON_COPY_SOURCE_REFUSED, "free", false, NULL },
	{ "free.example.net", "PUT", "/c", "x-ms-copy-source: https://sas.example.net/c?sig=x", REASON_SAS_REFUSED, "free", false, NULL },
	{ "free.example.net", "PUT", "/c", "x-ms-rename-source: /d/e", ALLOW, "free", false, NULL },
	{ "lake.example.net", "PUT", "/c", "x-ms-rename-source: /d/e", REASON_COPY_SOURCE_REFUSED, "lake", false, NULL },
	{ "free.example.net", NULL, NULL, NULL, ALLOW, "free", false, NULL },
	/* credentials */
	{ "a.ml.example.net", "POST", "/api", NULL, ALLOW, "ml", false, NULL },
	{ "a.ml.example.net", "POST", "/api", "api-key: x", REASON_AUTHORIZATION_PRESENT, "ml", false, "inject:" },
	{ "a.ml.example.net", "POST", "/api?sig=x", NULL, REASON_SAS_REFUSED, "ml", false, NULL },
	{ "a.ml.example.net", "POST", "/?comp=batch", NULL, REASON_METHOD_NOT_ALLOWED, "ml", false, "a batch hides" },
	{ "a.ml.example.net", NULL, NULL, NULL, REASON_METHOD_NOT_ALLOWED, "ml", false, "inject: rule \"ml\" puts a credential into requests, which a tunnel hides" },
	{ "b.ml.example.net", NULL, NULL, NULL, ALLOW, "exact", false, NULL },
	{ "b.ml.example.net", "POST", "/api", NULL, ALLOW, "exact", false, NULL },
	/* for the records' sake */
	{ "seen.example.net", NULL, NULL, NULL, REASON_METHOD_NOT_ALLOWED, "seen", true, "a tunnel hides" },
	{ "seen.example.net", "DELETE", "/?sig=x", NULL, ALLOW, "seen", false, NULL },
	{ "x.example.net", "GET", "/", NULL, REASON_HOST_NOT_ALLOWED, NULL, true, "host:" },
};

/* clang-format on */

static void
ask(const struct policy *p, size_t row, struct fixture *f,
    struct fixture_sight *s, struct policy_verdict *v)
{
	const struct policy_case c = { .request = &f->request };

	fixture_request(f, rows[row].host, 443);
	if (rows[row].method != NULL)
		fixture_see(
		    f, s, rows[row].method, rows[row].path, rows[row].fields);
	policy_judge(p, &c, v);
}

static void
each_request_is_judged_by_what_is_seen_of_it(void **state)
{
	struct policy *p = fixture_load(POLICY("enforce"));
	static struct fixture_sight s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_explanation e;
		struct policy_verdict v;
		struct fixture f;
		const char *rule = rows[i].rule;

		ask(p, i, &f, &s, &v);
		policy_explain(p, &f.request, NULL, &v, &e);
		if (v.code != rows[i].code ||
		    (v.effect == POLICY_ALLOW) != (v.code == REASON_NONE) ||
		    (rule == NULL) != (v.rule == NULL) ||
		    (rule != NULL && strcmp(rule, v.rule) != 0) ||
		    (rows[i].unmet != NULL &&
		        strstr(e.unmet, rows[i].unmet) == NULL) ||
		    (v.effect == POLICY_DENY && e.fix[0] == '\0'))
			fail_msg("row %zu %s %s: %s by %s\n%s\n%s", i,
			    rows[i].host, rows[i].path, reason_code(v.code),
			    v.rule, e.unmet, e.fix);
	}
	policy_unref(p);
}

static void
report_mode_lets_pass_what_its_list_has_and_no_more(void **state)
{
	struct policy *p = fixture_load(POLICY("report"));
	static struct fixture_sight s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_verdict v;
		struct fixture f;

		ask(p, i, &f, &s, &v);
		if (v.code != rows[i].code ||
		    (v.effect == POLICY_ALLOW) !=
		        (v.code == REASON_NONE || rows[i].soft) ||
		    v.would_deny != rows[i].soft)
			fail_msg("row %zu %s: %s, effect %d, would %d", i,
			    rows[i].path, reason_code(v.code), (int)v.effect,
			    v.would_deny);
	}
	policy_unref(p);
}

static void
the_deciding_rule_gives_the_credential(void **state)
{
	struct policy *p = fixture_load(POLICY("enforce"));
	static struct fixture_sight s;
	struct policy_verdict v;
	struct fixture f;
	const char *const *names;

	(void)state;
	fixture_request(&f, "a.ml.example.net", 443);
	fixture_see(&f, &s, "GET", "/", NULL);
	policy_decide_name(p, &f.request, &v);
	assert_non_null(v.inject);
	assert_string_equal(v.inject->identity, "host");
	assert_string_equal(v.inject->audience, "https://ml.example.net/");
	assert_int_equal(v.inject->n_placeholders, 1);
	assert_string_equal(v.inject->placeholders[0], "none");
	fixture_request(&f, "b.ml.example.net", 443);
	fixture_see(&f, &s, "GET", "/", NULL);
	policy_decide_name(p, &f.request, &v);
	assert_null(v.inject);
	/* Plain HTTP is another rule's, and that has none. */
	fixture_request(&f, "a.ml.example.net", 80);
	fixture_see(&f, &s, "GET", "/", NULL);
	f.request.plaintext = true;
	policy_decide_name(p, &f.request, &v);
	assert_int_equal(v.effect, POLICY_ALLOW);
	assert_string_equal(v.rule, "plain");
	assert_null(v.inject);
	assert_int_equal(policy_identity_names(p, &names), 1);
	assert_string_equal(names[0], "host");
	policy_unref(p);
}

/* One reading in each of two rules is in neither. */
static void
both_readings_are_for_one_rule(void **state)
{
	struct policy *p = fixture_load(
	    "{\"version\":1,\"rules\":[{\"id\":\"a\",\"effect\":\"allow\","
	    "\"hosts\":[\"h.example.net\"],\"paths\":[\"/a/b\"]},{\"id\":\"b\","
	    "\"effect\":\"allow\",\"hosts\":[\"h.example.net\"],\"paths\":"
	    "[\"/*\"],\"methods\":[\"PUT\"]}]}");
	static struct fixture_sight s;
	struct policy_verdict v;
	struct fixture f;

	(void)state;
	fixture_request(&f, "h.example.net", 443);
	fixture_see(&f, &s, "GET", "/a;x/b", NULL);
	policy_decide_name(p, &f.request, &v);
	assert_int_equal(v.code, REASON_PATH_NOT_ALLOWED);
	fixture_see(&f, &s, "PUT", "/a;x/b", NULL);
	policy_decide_name(p, &f.request, &v);
	assert_int_equal(v.effect, POLICY_ALLOW);
	policy_unref(p);
}

/* clang-format off */
#define INJECT "\"inject\":{\"identity\":\"host\",\"audience\":\"https://a.net/\"}"
#define CREDENTIALS "{\"version\":1,\"mode\":\"report\",\"endpoints\":[\"10.20.0.0/16\"],\"workloads\":{\"root\":{\"users\":[0]}},\"rules\":[" \
	"{\"id\":\"ml\",\"effect\":\"allow\",\"hosts\":[\"ml.blob.core.windows.net\"],\"methods\":[\"GET\"],\"paths\":[\"/a/*\"]," INJECT "}," \
	"{\"id\":\"no\",\"effect\":\"deny\",\"hosts\":[\"ml.blob.core.windows.net\"],\"paths\":[\"/a/no\",\"/no\"]}," \
	"{\"id\":\"root\",\"effect\":\"allow\",\"hosts\":[\"root.example.net\"],\"workloads\":[\"root\"]," INJECT "}," \
	"{\"id\":\"old\",\"effect\":\"allow\",\"hosts\":[\"old.example.net\"],\"expires\":\"2020-01-01T00:00:00Z\"," INJECT "}]}"
/* clang-format on */

#define BLOB  "ml.blob.core.windows.net"
#define CHAIN "ml.privatelink.blob.core.windows.net "

/* What only report mode would let pass gets no credential, and what needs one
 * does not go without. */
static void
report_mode_neither_leads_a_credential_astray_nor_leaves_it_out(void **state)
{
	static const struct {
		const char *host, *method, *path, *resolves;
		enum reason code;
	} faults[] = {
		{ BLOB, "GET", "/a/b", CHAIN "10.20.0.5", REASON_NONE },
		{ BLOB, "GET", "/a/b", CHAIN "20.1.2.3",
		    REASON_PUBLIC_ADDRESS },
		{ BLOB, "GET", "/a/b", CHAIN "10.20.0.5 20.1.2.3",
		    REASON_MIXED_ADDRESSES },
		{ BLOB, "GET", "/a/b", CHAIN "10.30.0.5",
		    REASON_UNEXPECTED_PRIVATE },
		{ BLOB, "GET", "/a/b", "10.20.0.5", REASON_NO_PRIVATE_ZONE },
		{ BLOB, "GET", "/a/b",
		    "ml.privatelink.vaultcore.azure.net 10.20.0.5",
		    REASON_WRONG_ZONE },
		{ BLOB, "GET", "/a/no", CHAIN "10.20.0.5", REASON_RULE_DENIES },
		{ BLOB, "POST", "/no", CHAIN "10.20.0.5", REASON_RULE_DENIES },
		{ BLOB, "PUT", "/a/b", CHAIN "10.20.0.5",
		    REASON_METHOD_NOT_ALLOWED },
		{ BLOB, "GET", "/b", CHAIN "10.20.0.5",
		    REASON_PATH_NOT_ALLOWED },
		{ "root.example.net", "GET", "/", "10.20.0.5",
		    REASON_WORKLOAD_NOT_ALLOWED },
		{ "old.example.net", "GET", "/", "10.20.0.5",
		    REASON_EXCEPTION_EXPIRED },
	};
	struct policy *p = fixture_load(CREDENTIALS);
	static struct fixture_sight s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct policy_verdict v;
		struct fixture f;
		struct policy_case c = { .request = &f.request,
			.answer = &f.answer };

		fixture_request(&f, faults[i].host, 443);
		fixture_resolves(&f, faults[i].resolves);
		fixture_see(&f, &s, faults[i].method, faults[i].path, NULL);
		policy_judge(p, &c, &v);
		if (v.code != faults[i].code || v.would_deny ||
		    (v.effect == POLICY_ALLOW) != (v.code == REASON_NONE))
			fail_msg("fault %zu: %s, effect %d, would %d", i,
			    reason_code(v.code), (int)v.effect, v.would_deny);
	}
	policy_unref(p);
}

/* Where TLS could end here a tunnel passes, but only to be looked into. */
static void
a_tunnel_that_hides_what_matters_is_inspected(void **state)
{
	static const char *const modes[] = { POLICY("enforce"),
		POLICY("report") };
	static struct fixture_sight s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		size_t row = i / 2;
		struct policy *p = fixture_load(modes[i % 2]);
		struct policy_verdict v;
		struct fixture f;
		struct policy_case c = { .request = &f.request,
			.has_hello = true,
			.hello = POLICY_HELLO_OK,
			.sni = slice_of(rows[row].host) };
		bool hidden =
		    rows[row].method == NULL && rows[row].code != REASON_NONE;

		ask(p, row, &f, &s, &v);
		assert_false(v.inspect);
		f.request.inspects = true;
		policy_judge(p, &c, &v);
		if (rows[row].method == NULL &&
		    (v.inspect != hidden || v.code != REASON_NONE ||
		        v.effect != POLICY_ALLOW || v.inject != NULL))
			fail_msg("row %zu: %s, inspect %d", row,
			    reason_code(v.code), v.inspect);
		/* What is seen is judged as it is without. */
		if (rows[row].method != NULL && v.code != rows[row].code)
			fail_msg("row %zu: %s", row, reason_code(v.code));
		policy_unref(p);
	}
}

/* No first flight gets by for another rule's sake, and no certificate is made
 * for an address. */
static void
an_inspected_tunnel_has_to_be_one_of_tls_to_its_name(void **state)
{
	struct policy *p = fixture_load(
	    "{\"version\":1,\"endpoints\":[\"10.0.0.0/8\"],\"rules\":["
	    "{\"id\":\"any\",\"effect\":\"allow\",\"hosts\":["
	    "\"h.example.net\",\"free.example.net\"],\"sni\":\"any\"},"
	    "{\"id\":\"ip\",\"effect\":\"allow\",\"addresses\":["
	    "\"10.1.1.1\"],\"methods\":[\"GET\"]},"
	    "{\"id\":\"no\",\"effect\":\"deny\",\"hosts\":["
	    "\"h.example.net\"],\"methods\":[\"PUT\"]}]}");
	struct policy_verdict v;
	struct fixture f;

	(void)state;
	fixture_request(&f, "h.example.net", 443);
	f.request.inspects = true;
	policy_decide_name(p, &f.request, &v);
	assert_true(v.inspect);
	policy_decide_hello(p, &f.request, POLICY_HELLO_NOT_TLS, SLICE(""), &v);
	assert_int_equal(v.code, REASON_NOT_TLS);
	policy_decide_name(p, &f.request, &v);
	policy_decide_hello(
	    p, &f.request, POLICY_HELLO_OK, SLICE("x.example.net"), &v);
	assert_int_equal(v.code, REASON_SNI_MISMATCH);
	fixture_request(&f, "free.example.net", 443);
	f.request.inspects = true;
	policy_decide_name(p, &f.request, &v);
	assert_false(v.inspect);
	policy_decide_hello(p, &f.request, POLICY_HELLO_NOT_TLS, SLICE(""), &v);
	assert_int_equal(v.effect, POLICY_ALLOW);
	fixture_request(&f, "10.1.1.1", 443);
	f.request.inspects = true;
	policy_decide_name(p, &f.request, &v);
	assert_int_equal(v.code, REASON_METHOD_NOT_ALLOWED);
	assert_false(v.inspect);
	policy_unref(p);
}

static void
a_policy_knows_whether_it_needs_to_look_into_tunnels(void **state)
{
	static const struct {
		const char *member;
		bool inspects;
	} needs[] = {
		{ "", false },
		{ ",\"deny_sas\":false", false },
		{ ",\"deny_sas\":true", true },
		{ ",\"inspect\":false", false },
		{ ",\"inspect\":true", true },
		{ ",\"methods\":[\"GET\"]", true },
		{ ",\"methods\":[\"GET\"],\"ports\":[80]", false },
		{ ",\"methods\":[\"GET\"],\"ports\":[80,443]", true },
		{ ",\"paths\":[\"/a\"]", true },
		{ ",\"inject\":{\"identity\":\"i\",\"audience\":"
		  "\"https://a.net/\"}",
		    true },
	};

	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
		struct policy *p;

		(void)snprintf(text, sizeof text,
		    "{\"version\":1,\"rules\":[{\"id\":\"a\",\"effect\":"
		    "\"allow\",\"hosts\":[\"h.example.net\"]%s}]}",
		    needs[i].member);
		p = fixture_load(text);
		assert_int_equal(policy_inspects(p), needs[i].inspects);
		policy_unref(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_is_judged_by_what_is_seen_of_it),
		cmocka_unit_test(
		    report_mode_lets_pass_what_its_list_has_and_no_more),
		cmocka_unit_test(the_deciding_rule_gives_the_credential),
		cmocka_unit_test(both_readings_are_for_one_rule),
		cmocka_unit_test(a_tunnel_that_hides_what_matters_is_inspected),
		cmocka_unit_test(
		    an_inspected_tunnel_has_to_be_one_of_tls_to_its_name),
		cmocka_unit_test(
		    a_policy_knows_whether_it_needs_to_look_into_tunnels),
		cmocka_unit_test(
		    report_mode_neither_leads_a_credential_astray_nor_leaves_it_out),
	};
	return cmocka_run_group_tests_name("inside", tests, NULL, NULL);
}
