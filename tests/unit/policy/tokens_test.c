/* Grants: who may have which token, as whom. */
#include "tests/unit/policy/fixture.h"

#include <string.h>

#define STORAGE "https://storage.azure.com/"
#define VAULT   "https://vault.azure.net"

static const char policy_text[] =
    "{\"version\":1,\"workloads\":{\"alice\":{\"users\":[\"alice\"]},"
    "\"jobs\":{\"units\":[\"job-*.service\"]},\"bob\":{\"users\":[\"bob\"]}},"
    "\"tokens\":["
    "{\"id\":\"storage\",\"workloads\":[\"alice\"],"
    "\"audiences\":[\"" STORAGE "\"],\"identities\":[\"a\",\"b\"]},"
    "{\"id\":\"any\",\"workloads\":[\"jobs\"],\"audiences\":[\"" VAULT "\"]},"
    "{\"id\":\"bobs\",\"workloads\":[\"bob\"],"
    "\"audiences\":[\"https://bob.example\"]},"
    "{\"id\":\"g1\",\"workloads\":[\"alice\"],"
    "\"audiences\":[\"https://two.example\"],\"identities\":[\"a\"]},"
    "{\"id\":\"g2\",\"workloads\":[\"jobs\"],"
    "\"audiences\":[\"https://two.example\"],\"identities\":[\"b\",\"a\"]},"
    "{\"id\":\"h2\",\"workloads\":[\"alice\"],"
    "\"audiences\":[\"https://same.example\"],\"identities\":[\"a\",\"b\"]},"
    "{\"id\":\"h1\",\"workloads\":[\"jobs\"],"
    "\"audiences\":[\"https://same.example\"],\"identities\":[\"a\"]},"
    "{\"id\":\"k1\",\"workloads\":[\"alice\"],"
    "\"audiences\":[\"https://open.example\"]},"
    "{\"id\":\"k2\",\"workloads\":[\"alice\"],"
    "\"audiences\":[\"https://open.example\"],\"identities\":[\"a\"]}"
    "]}";

static const struct {
	const char *audience, *identity;
	const char *grant; /**< NULL: refused */
	const char *as;    /**< NULL: the first configured */
} rows[] = {
	{ STORAGE, NULL, "storage", "a" },
	{ "https://storage.azure.com", NULL, "storage", "a" },
	{ "HTTPS://STORAGE.azure.com/", NULL, "storage", "a" },
	{ "https://storage.azure.com//", NULL, NULL, NULL },
	{ "https://storage.azure.com/x", NULL, NULL, NULL },
	{ "https://storage.azure.com.evil.example/", NULL, NULL, NULL },
	{ STORAGE, "a", "storage", "a" },
	{ STORAGE, "b", "storage", "b" },
	{ STORAGE, "c", NULL, NULL },
	{ VAULT, NULL, "any", NULL },
	{ VAULT "/", "whoever", "any", "whoever" },
	{ "https://bob.example", NULL, NULL, NULL },
	{ "", NULL, NULL, NULL },
	{ "https://two.example", NULL, NULL, NULL },
	{ "https://two.example", "a", "g1", "a" },
	{ "https://two.example", "b", "g2", "b" },
	{ "https://same.example", NULL, "h1", "a" },
	{ "https://same.example", "b", "h2", "b" },
	{ "https://open.example", NULL, NULL, NULL },
	{ "https://open.example", "a", "k1", "a" },
	{ "https://open.example", "z", "k1", "z" },
};

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
grants_are_by_workload_audience_and_identity(void **state)
{
	struct policy *p = fixture_load(policy_text);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_token_verdict v;
		struct fixture f;
		struct policy_token_request r = { .audience = slice_of(
			                              rows[i].audience),
			.identity = rows[i].identity };

		fixture_request(&f, "h.example", 443);
		r.peer = &f.peer;
		policy_decide_token(p, &r, &v);
		if (!same(v.grant, rows[i].grant) ||
		    !same(v.identity, rows[i].as) ||
		    (v.effect == POLICY_ALLOW) != (rows[i].grant != NULL) ||
		    v.code !=
		        (rows[i].grant != NULL ? REASON_NONE
		                               : REASON_TOKEN_NOT_ALLOWED))
			fail_msg("row %zu: %s as %s: %s", i,
			    v.grant == NULL ? "-" : v.grant,
			    v.identity == NULL ? "-" : v.identity, v.detail);
	}
	policy_unref(p);
}

static void
an_ambiguity_names_both_grants(void **state)
{
	struct policy *p = fixture_load(policy_text);
	struct policy_token_verdict v;
	struct fixture f;
	struct policy_token_request r = { .audience =
		                              SLICE("https://two.example/") };

	(void)state;
	fixture_request(&f, "h.example", 443);
	r.peer = &f.peer;
	policy_decide_token(p, &r, &v);
	assert_string_equal(v.detail,
	    "grants \"g1\" (a) and \"g2\" (b) both fit; say which identity");
	r.audience = SLICE("https://open.example");
	policy_decide_token(p, &r, &v);
	assert_non_null(strstr(v.detail, "(the first configured identity)"));
	policy_unref(p);
}

static void
unknown_clients_get_no_token(void **state)
{
	struct policy *p = fixture_load(policy_text);
	struct policy_token_verdict v;
	struct fixture f;
	struct policy_token_request r = { .audience = SLICE(STORAGE) };

	(void)state;
	fixture_request(&f, "h.example", 443);
	r.peer = &f.peer;
	f.peer.known = false;
	policy_decide_token(p, &r, &v);
	assert_int_equal(v.effect, POLICY_DENY);
	policy_unref(p);
}

static void
the_configuration_learns_which_identities_are_named(void **state)
{
	struct policy *p = fixture_load(policy_text);
	const char *const *names;

	(void)state;
	assert_int_equal(policy_identity_names(p, &names), 2);
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b");
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grants_are_by_workload_audience_and_identity),
		cmocka_unit_test(an_ambiguity_names_both_grants),
		cmocka_unit_test(unknown_clients_get_no_token),
		cmocka_unit_test(
		    the_configuration_learns_which_identities_are_named),
	};
	return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
