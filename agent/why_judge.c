/* The verdict of `why`, from the policy alone. */
#include "agent/why_judge.h"

#include "agent/policy_file.h"

#include <string.h>

void
why_judge(
    const struct policy *p, struct why_request *w, struct why_judgement *out)
{
	struct policy_verdict *v = &out->verdict;
	const struct policy_answer *a = w->has_resolves ? &w->answer : NULL;
	struct policy_case c = { .request = &w->request,
		.has_hello = w->has_sni,
		.hello = POLICY_HELLO_OK,
		.sni = slice_of(w->sni),
		.stop_at_would = true };

	if (w->host.kind == HOST_IP) {
		w->addresses[0] = w->host.addr;
		w->answer.n_addresses = 1;
		w->answer.n_chain = 0;
		a = &w->answer;
	}
	c.answer = a;
	policy_judge(p, &c, v);
	/* What the name denies needs no addresses; an SNI is judged last. */
	out->whole = a != NULL ||
	    (v->code != REASON_NONE && v->code != REASON_SNI_MISMATCH);
	/* In report mode `why` still gives the enforce verdict. */
	if (v->would_deny) {
		v->effect = POLICY_DENY;
		v->would_deny = false;
	}
	policy_explain(p, &w->request, a, v, &out->explanation);
}

static const char *
route_name(const struct policy_verdict *v)
{
	static const char *const names[] = { "private", "private-address",
		"public" };

	return v->rule == NULL || v->code == REASON_RULE_DENIES
	    ? NULL
	    : names[v->route];
}

json_t *
why_resolved_json(const struct policy_answer *a)
{
	json_t *chain = json_array(), *addresses = json_array();
	char text[ADDR_TEXT_BYTES];

	for (size_t i = 0; i < a->n_chain; i++)
		(void)json_array_append_new(chain, json_string(a->chain[i]));
	for (size_t i = 0; i < a->n_addresses; i++)
		(void)json_array_append_new(
		    addresses, json_string(addr_text(&a->addresses[i], text)));
	return json_pack("{s:o, s:o}", "chain", chain, "addresses", addresses);
}

void
why_put_inside(json_t *reply, const struct policy_verdict *v)
{
	(void)json_object_set_new(reply, "inspect",
	    json_boolean(v->inspect && v->effect == POLICY_ALLOW));
	if (v->inject != NULL && v->effect == POLICY_ALLOW && !v->would_deny)
		(void)json_object_set_new(reply, "inject",
		    json_pack("{s:s, s:s}", "identity", v->inject->identity,
		        "audience", v->inject->audience));
}

void
why_note_unit(
    json_t *reply, const struct policy *p, const struct policy_request *r)
{
	const char *rule = policy_asks_unit(p, r);

	if (rule != NULL)
		(void)json_object_set_new(reply, "note",
		    json_sprintf("judged as a client in no unit; rule \"%s\" "
		                 "is for clients in some: give --unit",
		        rule));
}

json_t *
why_json(const struct policy *p, const struct why_request *w,
    const struct why_judgement *j)
{
	const struct policy_verdict *v = &j->verdict;
	bool report = policy_mode(p) == POLICY_REPORT;
	json_t *out = json_pack(
	    "{s:s, s:b, s:s, s:s, s:s, s:s, s:i, s:s?, s:s?, s:s?, s:s, s:s, "
	    "s:s, s:s}",
	    "verdict", v->effect == POLICY_ALLOW ? "allow" : "deny", "would",
	    report && v->effect == POLICY_DENY, "mode",
	    report ? "report" : "enforce", "code", reason_code(v->code),
	    "reason", v->code == REASON_NONE ? "" : reason_info(v->code)->text,
	    "host", w->host.name, "port", (int)w->request.port, "rule", v->rule,
	    "route", route_name(v), "zone", v->zone, "rule_near",
	    j->explanation.rule_near, "unmet", j->explanation.unmet, "fix",
	    j->explanation.fix, "fix_rule", j->explanation.fix_rule);

	if (out == NULL)
		return NULL;
	why_put_inside(out, v);
	(void)json_object_set_new(
	    out, "phase", json_string(j->whole ? "whole" : "name"));
	if (w->unit[0] == '\0' && w->cgroup[0] == '\0')
		why_note_unit(out, p, &w->request);
	if (w->has_resolves)
		(void)json_object_set_new(
		    out, "resolved", why_resolved_json(&w->answer));
	return out;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

static void
print_member(const json_t *o, const char *key, const char *label)
{
	const char *text = text_of(o, key);

	if (*text == '\0')
		return;
	(void)printf("  %-10s ", label);
	policy_file_put_safe(stdout, text);
	(void)fputc('\n', stdout);
}

static void
print_inject(const json_t *inject)
{
	if (inject == NULL)
		return;
	(void)fputs("  inject     ", stdout);
	policy_file_put_safe(stdout, text_of(inject, "identity"));
	(void)fputs(" for ", stdout);
	policy_file_put_safe(stdout, text_of(inject, "audience"));
	(void)fputc('\n', stdout);
}

/* A past denial of a token has an audience in place of a host. */
static void
print_destination(const json_t *reply)
{
	const char *host = text_of(reply, "host");
	const char *audience =
	    text_of(json_object_get(reply, "injected"), "audience");

	if (*host == '\0') {
		policy_file_put_safe(
		    stdout, *audience != '\0' ? audience : "-");
		return;
	}
	policy_file_put_safe(stdout, host);
	(void)printf(
	    ":%d", (int)json_integer_value(json_object_get(reply, "port")));
}

void
why_print(const json_t *reply)
{
	const char *code = text_of(reply, "code");

	(void)printf("%s  ", text_of(reply, "verdict"));
	print_destination(reply);
	(void)printf("%s%s\n", *code == '\0' ? "" : "  ", code);
	print_member(reply, "reason", "because");
	print_member(reply, "rule", "rule");
	print_member(reply, "route", "route");
	print_member(reply, "zone", "zone");
	print_inject(json_object_get(reply, "inject"));
	if (json_is_true(json_object_get(reply, "inspect")))
		(void)puts("  inspect    its TLS ends in the agent, and each "
		           "request in it is judged");
	if (strcmp(text_of(reply, "rule"), text_of(reply, "rule_near")) != 0)
		print_member(reply, "rule_near", "near rule");
	print_member(reply, "unmet", "unmet");
	print_member(reply, "fix", "fix");
	if (strcmp(text_of(reply, "mode"), "report") == 0)
		(void)puts("  mode       report: what this verdict denies "
		           "passes, and is recorded");
	else
		print_member(reply, "mode", "mode");
	print_member(reply, "note", "note");
	if (strcmp(text_of(reply, "phase"), "name") == 0)
		(void)puts("  note       name, port and workload only: nothing "
		           "was resolved; give --resolves, or start the "
		           "daemon");
}
