/* Suggested rules: enough for the request, and for no other; else none. */
#include "tests/unit/policy/fixture.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define ALICE ",\"alice\":{\"users\":[\"alice\"]}"
#define RULES \
	"{\"id\":\"read\",\"effect\":\"allow\",\"hosts\":[\"blob.example.net\"],\"methods\":[\"GET\",\"HEAD\"],\"paths\":[\"/pub\",\"/pub/*\"],\"deny_sas\":true}," \
	"{\"id\":\"bob\",\"effect\":\"allow\",\"hosts\":[\"bob.example.net\"],\"workloads\":[\"bob\"],\"methods\":[\"GET\"],\"route\":\"private-address\"}," \
	"{\"id\":\"old\",\"effect\":\"allow\",\"hosts\":[\"old.example.net\"],\"paths\":[\"/a/*\"],\"expires\":\"2026-01-01T00:00:00Z\"}," \
	"{\"id\":\"https\",\"effect\":\"allow\",\"hosts\":[\"https.example.net\"],\"methods\":[\"GET\"]}," \
	"{\"id\":\"open\",\"effect\":\"allow\",\"hosts\":[\"open.example.net\"],\"workloads\":[\"bob\"]}," \
	"{\"id\":\"ml\",\"effect\":\"allow\",\"hosts\":[\"ml.example.net\"],\"methods\":[\"GET\"],\"inject\":{\"identity\":\"secret-name\",\"audience\":\"https://a.net/\"}}," \
	"{\"id\":\"bml\",\"effect\":\"allow\",\"hosts\":[\"bml.example.net\"],\"workloads\":[\"bob\"],\"inject\":{\"identity\":\"secret-name\",\"audience\":\"https://a.net/\"}}"
#define POLICY(workloads, more) "{\"version\":1,\"workloads\":{\"bob\":{\"users\":[\"bob\"]}" workloads "},\"rules\":[" RULES more

static const struct {
	const char *host, *method, *path;
	bool plain;
	enum reason code;
	bool suggests;
	const char *other, *other_path; /* stays refused; NULL: none */
} rows[] = {
	{ "blob.example.net", "DELETE", "/pub/%61", false, REASON_METHOD_NOT_ALLOWED, true, "DELETE", "/pub/b" },
	{ "blob.example.net", "GET", "/in/a", false, REASON_PATH_NOT_ALLOWED, true, "GET", "/in/b" },
	{ "blob.example.net", "GET", "/in/a", false, REASON_PATH_NOT_ALLOWED, true, "GET", "/in/a?sig=x" },
	/* what a rule cannot say */
	{ "blob.example.net", "GET", "/in/*", false, REASON_PATH_NOT_ALLOWED, false, NULL, NULL },
	{ "blob.example.net", "PUT", "/pub/*", false, REASON_METHOD_NOT_ALLOWED, false, NULL, NULL },
	{ "blob.example.net", "GET", "/a;v/b", false, REASON_PATH_NOT_ALLOWED, false, NULL, NULL },
	{ "blob.example.net", "GET", "/a%2fb", false, REASON_PATH_NOT_ALLOWED, false, NULL, NULL },
	{ "blob.example.net", "get", "/pub/a", false, REASON_METHOD_NOT_ALLOWED, false, NULL, NULL },
	{ "blob.example.net", "M_X", "/pub/a", false, REASON_METHOD_NOT_ALLOWED, false, NULL, NULL },
	{ "blob.example.net", "TRACE", "/pub/a", false, REASON_METHOD_NOT_ALLOWED, false, NULL, NULL },
	/* a rule with conditions keeps them for whom it is widened */
	{ "bob.example.net", "GET", "/a", false, REASON_WORKLOAD_NOT_ALLOWED, true, "GET", "/b" },
	{ "bob.example.net", "GET", "/a", false, REASON_WORKLOAD_NOT_ALLOWED, true, "PUT", "/a" },
	{ "old.example.net", "GET", "/a/b", false, REASON_EXCEPTION_EXPIRED, true, "GET", "/a/c" },
	{ "https.example.net", "GET", "/a", true, REASON_PLAINTEXT, true, "GET", "/b" },
	{ "open.example.net", "GET", "/a", false, REASON_WORKLOAD_NOT_ALLOWED, true, NULL, NULL },
	/* beside one that injects another would go bare */
	{ "ml.example.net", "POST", "/a", false, REASON_METHOD_NOT_ALLOWED, false, NULL, NULL },
	{ "ml.example.net", "GET", "/a", true, REASON_PLAINTEXT, false, NULL, NULL },
	{ "bml.example.net", "GET", "/a", false, REASON_WORKLOAD_NOT_ALLOWED, false, NULL, NULL },
	{ "bml.example.net", NULL, NULL, false, REASON_WORKLOAD_NOT_ALLOWED, false, NULL, NULL },
};

/* clang-format on */

struct asked {
	struct fixture f;
	struct policy_verdict v;
	struct policy_explanation e;
};

static void
ask(const struct policy *p, size_t row, const char *method, const char *path,
    struct asked *out)
{
	static struct fixture_sight sight;
	const struct policy_case c = { .request = &out->f.request };

	fixture_request(&out->f, rows[row].host, rows[row].plain ? 80 : 443);
	out->f.request.plaintext = rows[row].plain;
	if (method != NULL)
		fixture_see(&out->f, &sight, method, path, NULL);
	policy_judge(p, &c, &out->v);
	policy_explain(p, &out->f.request, NULL, &out->v, &out->e);
}

static void
check_row(const struct policy *p, size_t row)
{
	static struct asked was, is;
	static char text[8192];
	struct policy *mended;

	ask(p, row, rows[row].method, rows[row].path, &was);
	if (was.v.code != rows[row].code || was.e.fix[0] == '\0' ||
	    (was.e.fix_rule[0] != '\0') != rows[row].suggests ||
	    strstr(was.e.fix, "secret-name") != NULL)
		fail_msg(
		    "row %zu: %s, %s", row, reason_code(was.v.code), was.e.fix);
	if (!rows[row].suggests)
		return;
	(void)snprintf(
	    text, sizeof text, "%s%s]}", POLICY(ALICE, ","), was.e.fix_rule);
	mended = fixture_load(text);
	ask(mended, row, rows[row].method, rows[row].path, &is);
	if (is.v.effect != POLICY_ALLOW)
		fail_msg("row %zu: %s does not help: %s", row, was.e.fix_rule,
		    is.e.unmet);
	if (rows[row].other != NULL)
		ask(mended, row, rows[row].other, rows[row].other_path, &is);
	if (rows[row].other != NULL && is.v.effect == POLICY_ALLOW)
		fail_msg("row %zu: %s is for more", row, was.e.fix_rule);
	policy_unref(mended);
}

static void
a_suggested_rule_is_for_this_request_alone_or_there_is_none(void **state)
{
	struct policy *p = fixture_load(POLICY("", "") "]}");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(p, i);
	policy_unref(p);
}

/* The rest of a rule would be lost, and its clients are nobody's business. */
static void
a_rule_with_conditions_is_not_suggested_with_another_route(void **state)
{
	static const char *const more[] = { "",
		",\"workloads\":[\"w\",\"bob\"]", ",\"deny_sas\":true",
		",\"ports\":[443,8443]" };
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		struct policy_explanation e;
		struct policy_verdict v;
		struct policy *p;
		struct fixture f;
		struct policy_case c = { .request = &f.request,
			.answer = &f.answer };

		(void)snprintf(text, sizeof text,
		    "{\"version\":1,\"endpoints\":[\"10.20.0.0/16\"],"
		    "\"workloads\":{\"w\":{\"users\":[\"alice\"]},\"bob\":"
		    "{\"users\":[\"bob\"]}},\"rules\":[{\"id\":\"a\","
		    "\"effect\":\"allow\",\"hosts\":[\"h.corp.example\"]%s}]}",
		    more[i]);
		p = fixture_load(text);
		fixture_request(&f, "h.corp.example", 443);
		f.request.inspects = true;
		fixture_resolves(&f, "10.20.0.5");
		policy_judge(p, &c, &v);
		policy_explain(p, &f.request, &f.answer, &v, &e);
		assert_int_equal(v.code, REASON_NO_PRIVATE_ZONE);
		assert_int_equal(e.fix_rule[0] != '\0', i == 0);
		assert_non_null(strstr(e.fix, "\"a\""));
		assert_non_null(strstr(e.fix, "private-address"));
		assert_null(strstr(e.fix, "bob"));
		policy_unref(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_suggested_rule_is_for_this_request_alone_or_there_is_none),
		cmocka_unit_test(
		    a_rule_with_conditions_is_not_suggested_with_another_route),
	};
	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
