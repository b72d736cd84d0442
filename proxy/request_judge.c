/* What a request asks the policy, at its opening and again later. */
#include "proxy/request_inside.h"

struct policy_request
request_question(const struct request *r)
{
	struct policy_request q = { .host = &r->host,
		.port = r->port,
		.plaintext = r->plaintext,
		.peer = r->peer,
		.now_unix_s = clock_unix_s(worker_clock(r->worker)) };

	/* A tunnel's own method and path are not to be seen. */
	if (r->protocol == REQUEST_FORWARD) {
		q.method = slice_of(r->method);
		q.path = slice_of(r->path);
	}
	return q;
}

struct policy_answer
request_facts(const struct request *r)
{
	struct policy_answer a = { .failure = REASON_NONE };

	if (r->answer != NULL)
		return r->answer->facts;
	if (r->host.kind == HOST_IP) {
		a.addresses = &r->host.addr;
		a.n_addresses = 1;
	}
	return a;
}

enum reason
request_judge_hello(
    struct request *r, enum policy_hello hello, struct slice sni)
{
	struct policy_request q = request_question(r);

	r->hello_seen = true;
	r->hello = hello;
	r->sni = request_copy_text(sni);
	r->sni_n = r->sni == NULL ? 0 : sni.n;
	policy_decide_hello(r->snapshot->policy, &q, hello, sni, &r->verdict);
	if (r->verdict.effect == POLICY_ALLOW && r->sni != NULL)
		return REASON_NONE;
	r->code = r->sni == NULL ? REASON_LIMIT_REACHED : r->verdict.code;
	r->outcome = REQUEST_DENIED;
	return r->code;
}

/* All its questions again, in the words of the new policy. */
static void
request_judge_again(const struct request *r, const struct proxy_snapshot *s,
    struct policy_verdict *v)
{
	struct policy_request q = request_question(r);
	struct policy_answer facts = request_facts(r);
	const struct slice sni = { .p = r->sni, .n = r->sni_n };

	policy_decide_name(s->policy, &q, v);
	if (r->local)
		return;
	if (v->effect == POLICY_ALLOW)
		policy_decide_route(s->policy, &q, &facts, &s->self, v);
	/* A flight that nobody looked at counts as no TLS. */
	if (v->effect == POLICY_ALLOW && !v->sni_any &&
	    r->protocol != REQUEST_FORWARD &&
	    (r->hello_seen || r->verdict.sni_any))
		policy_decide_hello(s->policy, &q, r->hello, sni, v);
}

bool
request_still_allowed(struct request *r)
{
	struct proxy_snapshot *s = worker_snapshot(r->worker);
	struct policy_verdict v = { .effect = POLICY_DENY };

	/* What is still being judged hears of it at its end. */
	if (!r->ready || r->outcome == REQUEST_DENIED)
		return r->outcome != REQUEST_DENIED;
	request_judge_again(r, s, &v);
	/* The verdict borrows from its policy: both change together. */
	r->verdict = v;
	if (s != r->snapshot) {
		proxy_snapshot_unref(r->snapshot);
		r->snapshot = proxy_snapshot_ref(s);
	}
	if (v.effect == POLICY_ALLOW)
		return true;
	r->code = v.code;
	return false;
}
