/* Runs the policy's own tests, by the enforce verdict in either mode. */
#include "policy/model.h"

#include <stdio.h>
#include <string.h>

size_t
policy_test_count(const struct policy *p)
{
	return p->n_tests;
}

static void
run(const struct policy *p, const struct test_case *t, int64_t now_unix_s,
    struct policy_verdict *v)
{
	const struct policy_request r = { .host = &t->host,
		.port = t->port,
		.plaintext = t->plaintext,
		.method = t->method,
		.path = t->path,
		.target = t->target,
		.inspects = !t->plaintext,
		.peer = &t->peer,
		.now_unix_s = t->has_at ? t->at_unix_s : now_unix_s };
	struct policy_answer literal = { .addresses = &t->host.addr,
		.n_addresses = 1 };
	struct policy_case c = { .request = &r,
		.has_hello = t->has_sni,
		.hello = POLICY_HELLO_OK,
		.sni = t->sni,
		.stop_at_would = true };

	if (t->host.kind == HOST_IP)
		c.answer = &literal;
	else if (t->has_resolves)
		c.answer = &t->answer;
	policy_judge(p, &c, v);
	/* In report mode the would-be denial is what enforce would say. */
	if (v->would_deny) {
		v->effect = POLICY_DENY;
		v->would_deny = false;
	}
}

static void
compare(const struct test_case *t, struct policy_test_result *out)
{
	const struct policy_verdict *v = &out->verdict;
	const char *rule = v->rule == NULL ? "none" : v->rule;

	out->passed = false;
	if (v->effect != t->expect)
		(void)snprintf(out->why, sizeof out->why,
		    "expected %s, got %s%s%s (rule %.64s)",
		    t->expect == POLICY_ALLOW ? "allow" : "deny",
		    v->effect == POLICY_ALLOW ? "allow" : "deny",
		    v->code == REASON_NONE ? "" : " ", reason_code(v->code),
		    rule);
	else if (t->code != REASON_NONE && t->code != v->code)
		(void)snprintf(out->why, sizeof out->why,
		    "expected code %s, got %s", reason_code(t->code),
		    reason_code(v->code));
	else if (t->rule != NULL && strcmp(t->rule, rule) != 0)
		(void)snprintf(out->why, sizeof out->why,
		    "expected rule %.64s, got %.64s", t->rule, rule);
	else
		out->passed = true;
}

void
policy_test_run(const struct policy *p, size_t index, int64_t now_unix_s,
    struct policy_test_result *out)
{
	const struct test_case *t = &p->tests[index];

	*out = (struct policy_test_result){ .name = t->name };
	run(p, t, now_unix_s, &out->verdict);
	compare(t, out);
}
