/* Phantoms: who is granted one, and where it is good. */
#include "tests/unit/policy/fixture.h"

#include "policy/target.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define INJECT(id, host, audience) \
	"{\"id\":\"" id "\",\"effect\":\"allow\",\"hosts\":[\"" host "\"],\"inject\":{\"identity\":\"host\",\"audience\":\"" audience "\"}}"
#define GRANT(id, who, audience, more) \
	"{\"id\":\"" id "\",\"workloads\":[\"" who "\"],\"audiences\":[\"" audience "\"]" more "}"
#define PHANTOM ",\"form\":\"phantom\""
#define WORKLOADS \
	"\"workloads\":{\"alice\":{\"users\":[\"alice\"]},\"jobs\":{\"units\":[\"job-*.service\"]},\"bob\":{\"users\":[\"bob\"]}}"
#define POLICY(mode, tokens) \
	"{\"version\":1,\"mode\":\"" mode "\"," WORKLOADS ",\"rules\":[" \
	INJECT("lake", "lake.example.net", "https://Storage.example.net/") "," \
	INJECT("ml", "ml.example.net", "https://ml.example.net") "," \
	"{\"id\":\"bare\",\"effect\":\"allow\",\"hosts\":[\"bare.example.net\"]}," \
	"{\"id\":\"plain\",\"effect\":\"allow\",\"hosts\":[\"plain.example.net\"],\"ports\":[80]}" \
	"],\"tokens\":[" tokens "]}"
/* clang-format on */

#define STORAGE "https://storage.example.net"
#define GRANTS                                                          \
	GRANT("g1", "jobs", STORAGE "/", PHANTOM)                       \
	"," GRANT("other", "alice", "https://x.example", "") "," GRANT( \
	    "named", "alice", STORAGE, PHANTOM ",\"identities\":[\"a\"]")

static struct policy_bearer
good(void)
{
	return (struct policy_bearer){ .sound = true,
		.uid = 1000,
		.unit = "job-1.service",
		.audience = STORAGE "/",
		.identity = "host",
		.grant = "g1",
		.expires_unix_s = FIXTURE_NOW + 60 };
}

struct asked {
	struct fixture f;
	struct policy_target target;
};

static void
ask(struct asked *a, const char *host, const struct policy_bearer *b)
{
	fixture_request(&a->f, host, 443);
	a->target = (struct policy_target){
		.method = SLICE("GET"), .path = SLICE("/"), .other = SLICE("/")
	};
	a->target.other = a->target.path;
	a->f.request.target = &a->target;
	a->f.request.method = a->target.method;
	a->f.request.path = a->target.path;
	a->f.request.bearer = b;
}

static struct policy_verdict
judge(const struct policy *p, const struct asked *a)
{
	struct policy_verdict v;
	const struct policy_case c = { .request = &a->f.request };

	policy_judge(p, &c, &v);
	return v;
}

static enum reason
verdict_of(const char *text, const char *host, const struct policy_bearer *b)
{
	struct policy *p = fixture_load(text);
	struct policy_verdict v;
	struct asked a;

	ask(&a, host, b);
	v = judge(p, &a);
	/* Both modes refuse it. */
	assert_int_equal(
	    v.effect, v.code == REASON_NONE ? POLICY_ALLOW : POLICY_DENY);
	assert_false(v.would_deny);
	policy_unref(p);
	return v.code;
}

static enum reason
verdict(const char *host, const struct policy_bearer *b)
{
	enum reason code = verdict_of(POLICY("enforce", GRANTS), host, b);

	assert_int_equal(verdict_of(POLICY("report", GRANTS), host, b), code);
	return code;
}

static void
passes_where_its_audience_is_injected(void **state)
{
	struct policy_bearer b = good();

	(void)state;
	assert_int_equal(verdict("lake.example.net", &b), REASON_NONE);
	assert_int_equal(verdict("lake.example.net", NULL), REASON_NONE);
	b.audience = "HTTPS://STORAGE.example.net";
	assert_int_equal(verdict("lake.example.net", &b), REASON_NONE);
}

static void
is_refused_at_other_destinations(void **state)
{
	static const char *const hosts[] = { "ml.example.net",
		"bare.example.net" };
	struct policy_bearer b = good();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		assert_int_equal(verdict(hosts[i], &b), REASON_TOKEN_AUDIENCE);
	b.audience = "https://ml.example.net";
	assert_int_equal(
	    verdict("lake.example.net", &b), REASON_TOKEN_AUDIENCE);
}

static void
is_refused_from_anybody_else(void **state)
{
	struct policy_bearer b = good();

	(void)state;
	b.uid = 1001;
	assert_int_equal(verdict("lake.example.net", &b), REASON_TOKEN_INVALID);
	b = good();
	b.unit = "job-2.service";
	assert_int_equal(verdict("lake.example.net", &b), REASON_TOKEN_INVALID);
	b.unit = "";
	assert_int_equal(verdict("lake.example.net", &b), REASON_TOKEN_INVALID);
	b = good();
	b.sound = false;
	assert_int_equal(verdict("lake.example.net", &b), REASON_TOKEN_INVALID);
	b = good();
	b.expires_unix_s = FIXTURE_NOW;
	assert_int_equal(verdict("lake.example.net", &b), REASON_TOKEN_INVALID);
}

static void
is_refused_where_the_unit_is_not_known(void **state)
{
	struct policy *p = fixture_load(POLICY("enforce", GRANTS));
	struct policy_bearer b = good();
	struct asked a;

	(void)state;
	b.unit = "";
	b.grant = "named";
	b.identity = "a";
	ask(&a, "lake.example.net", &b);
	a.f.peer.unit = "";
	assert_int_equal(judge(p, &a).code, REASON_NONE);
	a.f.peer.cgroup_unknown = true;
	assert_int_equal(judge(p, &a).code, REASON_TOKEN_INVALID);
	policy_unref(p);
}

static void
is_refused_when_its_grant_is_gone(void **state)
{
	struct policy_bearer b = good();
	/* Without g1, with g1 for others, for another audience, as another. */
	static const char *const texts[] = {
		POLICY("enforce", GRANT("g2", "jobs", STORAGE, PHANTOM)),
		POLICY("enforce", GRANT("g1", "bob", STORAGE, PHANTOM)),
		POLICY("enforce",
		    GRANT("g1", "jobs", "https://ml.example.net", PHANTOM)),
		POLICY("enforce",
		    GRANT("g1", "jobs", STORAGE,
		        PHANTOM ",\"identities\":[\"a\"]"))
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(verdict_of(texts[i], "lake.example.net", &b),
		    REASON_TOKEN_NOT_ALLOWED);
	/* It never gave more than the token itself would. */
	assert_int_equal(
	    verdict_of(POLICY("enforce", GRANT("g1", "jobs", STORAGE, "")),
	        "lake.example.net", &b),
	    REASON_NONE);
}

/* Key Vault's clients ask first what they have to bring. */
static void
a_vaults_client_hears_what_to_bring(void **state)
{
#define VAULT "https://vault.azure.net"
	static const char form[] =
	    "{\"version\":1," WORKLOADS ",\"rules\":[" INJECT(
	        "kv", "*.azure.net", VAULT) "],\"tokens\":[%s]}";

	static const struct {
		const char *grant, *host;
		bool bare, told;
	} rows[] = {
		{ GRANT("g1", "jobs", VAULT "/", PHANTOM),
		    "kv1.vault.azure.net", true, true },
		{ GRANT("g1", "jobs", VAULT, PHANTOM), "kv1.vault.azure.net",
		    false, false },
		/* Who has none to bring is not sent for one. */
		{ GRANT("g1", "bob", VAULT, PHANTOM) "," GRANT(
		      "g2", "jobs", VAULT, ""),
		    "kv1.vault.azure.net", true, false },
		/* Other services' clients send what they have at once. */
		{ GRANT("g1", "jobs", VAULT, PHANTOM), "x.other.azure.net",
		    true, false },
		{ GRANT("g1", "jobs", VAULT, PHANTOM), "vault.azure.net", true,
		    false },
		{ GRANT("g1", "jobs", VAULT, PHANTOM), "evilvault.azure.net",
		    true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_explanation why;
		struct policy_verdict v;
		struct policy *p;
		struct asked a;
		char text[4096];

		(void)snprintf(text, sizeof text, form, rows[i].grant);
		p = fixture_load(text);
		ask(&a, rows[i].host, NULL);
		a.f.request.bare = rows[i].bare;
		v = judge(p, &a);
		assert_int_equal(
		    v.code, rows[i].told ? REASON_TOKEN_INVALID : REASON_NONE);
		assert_int_equal(v.challenge != NULL, rows[i].told);
		if (rows[i].told) {
			assert_string_equal(v.challenge, VAULT);
			policy_explain(p, &a.f.request, NULL, &v, &why);
			assert_non_null(strstr(why.unmet, "brings none"));
		}
		policy_unref(p);
	}
}

static void
says_why_it_is_refused(void **state)
{
	static const struct {
		const char *host, *grant;
		bool sound;
		const char *unmet;
	} rows[] = {
		{ "lake.example.net", "g1", false, "was not given to this" },
		{ "ml.example.net", "g1", true,
		    "for \"https://storage.example.net/\", and rule \"ml\" "
		    "injects \"https://ml.example.net\"" },
		{ "bare.example.net", "g1", true, "\"bare\" injects nothing" },
		{ "lake.example.net", "gone", true, "does not give it" },
	};
	struct policy *p = fixture_load(POLICY("enforce", GRANTS));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_explanation why;
		struct policy_bearer b = good();
		struct policy_verdict v;
		struct asked a;

		b.sound = rows[i].sound;
		b.grant = rows[i].grant;
		ask(&a, rows[i].host, &b);
		v = judge(p, &a);
		policy_explain(p, &a.f.request, NULL, &v, &why);
		if (strstr(why.unmet, rows[i].unmet) == NULL)
			fail_msg("row %zu: %s", i, why.unmet);
		assert_string_not_equal(why.fix, "");
	}
	policy_unref(p);
}

static bool
is_given_a_phantom(const char *text)
{
	struct policy *p = fixture_load(text);
	struct policy_token_request r = { .audience = SLICE(STORAGE) };
	struct policy_token_verdict v;
	struct fixture f;

	fixture_request(&f, "h.example", 443);
	r.peer = &f.peer;
	policy_decide_token(p, &r, &v);
	assert_int_equal(v.effect, POLICY_ALLOW);
	policy_unref(p);
	return v.phantom;
}

static void
goes_before_the_token_itself(void **state)
{
	static const char one[] =
	    POLICY("enforce", GRANT("g1", "jobs", STORAGE, PHANTOM));
	static const char none[] =
	    POLICY("enforce", GRANT("g1", "jobs", STORAGE, ""));
	static const char last[] = POLICY("enforce",
	    GRANT("a", "alice", STORAGE, "") "," GRANT(
	        "z", "jobs", STORAGE, PHANTOM));
	static const char first[] = POLICY("enforce",
	    GRANT("a", "jobs", STORAGE, PHANTOM) "," GRANT(
	        "z", "alice", STORAGE, ""));
	static const char another[] = POLICY("enforce",
	    GRANT("a", "alice", STORAGE, "") "," GRANT(
	        "z", "bob", STORAGE, PHANTOM));

	(void)state;
	assert_true(is_given_a_phantom(one));
	assert_false(is_given_a_phantom(none));
	/* Whatever their ids and their order. */
	assert_true(is_given_a_phantom(last));
	assert_true(is_given_a_phantom(first));
	assert_false(is_given_a_phantom(another));
}

static void
loads_with_a_warning_where_it_hides_a_grant(void **state)
{
	static const char text[] = POLICY("enforce",
	    GRANT("a", "alice", STORAGE, "") "," GRANT(
	        "z", "alice", STORAGE, PHANTOM));
	struct policy_issues issues;
	struct policy *p;

	(void)state;
	assert_int_equal(policy_load(slice_of(text), &p, &issues), OK);
	assert_int_equal(issues.n, 1);
	assert_string_equal(issues.at[0].pointer, "/tokens/0");
	assert_non_null(strstr(issues.at[0].text, "grant \"z\" gives"));
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_where_its_audience_is_injected),
		cmocka_unit_test(is_refused_at_other_destinations),
		cmocka_unit_test(is_refused_from_anybody_else),
		cmocka_unit_test(is_refused_where_the_unit_is_not_known),
		cmocka_unit_test(is_refused_when_its_grant_is_gone),
		cmocka_unit_test(a_vaults_client_hears_what_to_bring),
		cmocka_unit_test(says_why_it_is_refused),
		cmocka_unit_test(goes_before_the_token_itself),
		cmocka_unit_test(loads_with_a_warning_where_it_hides_a_grant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
