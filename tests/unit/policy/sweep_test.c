/* Each allocation of a load and of an explanation fails once. */
#include "tests/unit/policy/fixture.h"

#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *p, size_t n);

static long countdown = -1; /**< allocations until one fails; -1: never */
static bool failed;

static bool
fails_now(void)
{
	if (countdown < 0)
		return false;
	if (countdown-- > 0)
		return false;
	failed = true;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t bytes)
{
	return fails_now() ? NULL : __real_calloc(n, bytes);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails_now() ? NULL : __real_realloc(p, n);
}

static const char policy_text[] =
    "{\"version\":1,\"mode\":\"report\",\"endpoints\":[\"10.20.0.0/16\"],"
    "\"workloads\":{\"alice\":{\"users\":[\"alice\",7],\"groups\":[\"g\"]},"
    "\"jobs\":{\"units\":[\"job-*.service\"],\"exes\":[\"/usr/bin/*\"]}},"
    "\"rules\":[{\"id\":\"lake\",\"effect\":\"allow\","
    "\"hosts\":[\"acct1.blob.core.windows.net\",\"*.corp.example\"],"
    "\"ports\":[443,80],\"workloads\":[\"alice\",\"jobs\"],"
    "\"expires\":\"2030-01-01T00:00:00Z\"},"
    "{\"id\":\"lit\",\"effect\":\"allow\",\"addresses\":[\"10.20.0.9\"]}],"
    "\"tokens\":[{\"id\":\"t\",\"workloads\":[\"alice\"],"
    "\"audiences\":[\"https://a.example/\"],\"identities\":[\"i\"]}],"
    "\"tests\":[{\"request\":{\"url\":\"http://h.corp.example/x\","
    "\"user\":\"alice\",\"groups\":[\"g\",5],\"unit\":\"u.service\","
    "\"sni\":\"x\",\"resolves\":[\"a.example\",\"10.20.0.5\"]},"
    "\"expect\":\"deny\",\"rule\":\"lake\"}]}";

static void
a_load_fails_cleanly_wherever_memory_ends(void **state)
{
	static struct policy_issues issues;
	long at = 0;
	enum status st;

	(void)state;
	do {
		struct policy *p = NULL;

		failed = false;
		countdown = at++;
		st = policy_load(slice_of(policy_text), &p, &issues);
		countdown = -1;
		if (failed && (st != E_NOMEM || p != NULL))
			fail_msg("allocation %ld: %s %s", at, status_text(st),
			    issues.at[0].text);
		policy_unref(p);
	} while (failed);
	assert_int_equal(st, OK);
	/* Text, values, pool, tables, entries, ids. */
	assert_true(at > 10);
}

static void
an_explanation_does_without_its_rule(void **state)
{
	struct policy *p = fixture_load(policy_text);
	struct policy_explanation e;
	struct policy_verdict v;
	struct fixture f;
	long at = 0;

	(void)state;
	fixture_request(&f, "x.other.example", 443);
	policy_decide_name(p, &f.request, &v);
	do {
		failed = false;
		countdown = at++;
		policy_explain(p, &f.request, NULL, &v, &e);
		countdown = -1;
		assert_int_equal(e.fix_rule[0] == '\0', failed);
		assert_true(e.unmet[0] != '\0');
	} while (failed);
	policy_unref(p);
}

/* Decisions allocate nothing: they must not fail under load. */
static void
decisions_need_no_memory(void **state)
{
	struct policy *p = fixture_load(policy_text);
	struct policy_test_result r;
	struct policy_token_verdict t;
	struct fixture f;
	struct policy_token_request q = { .audience =
		                              SLICE("https://a.example") };

	(void)state;
	fixture_request(&f, "h.corp.example", 443);
	q.peer = &f.peer;
	failed = false;
	countdown = 0;
	policy_test_run(p, 0, FIXTURE_NOW, &r);
	policy_decide_token(p, &q, &t);
	countdown = -1;
	assert_false(failed);
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_load_fails_cleanly_wherever_memory_ends),
		cmocka_unit_test(an_explanation_does_without_its_rule),
		cmocka_unit_test(decisions_need_no_memory),
	};

	return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
