/* What a request asks the policy, at its opening and again later. */
#include "proxy/request_inside.h"

#include <stdlib.h>
#include <string.h>

struct policy_request
request_question(const struct request *r, struct host *host)
{
	struct policy_request q = { .host = host,
		.port = r->port,
		.plaintext = r->plaintext,
		.peer = r->peer,
		.now_unix_s = clock_unix_s(worker_clock(r->worker)) };
	const struct addr *literal = request_literal(r);

	/* The text of the host ends where that of the method begins. */
	memcpy(host->name, request_host(r), r->method_at - r->host_at);
	host->kind = literal != NULL ? HOST_IP : HOST_NAME;
	host->addr = literal != NULL ? *literal : (struct addr){ 0 };
	/* A tunnel's own method and path are not to be seen. */
	q.inspects = !request_is_seen(r) && r->snapshot->inspection_ca != NULL;
	if (request_is_seen(r)) {
		q.method = slice_of(request_method(r));
		q.path = slice_of(request_path(r));
		q.target = r->target;
		q.bearer = request_phantom_bearer(r);
		q.bare = r->bare;
	}
	return q;
}

struct policy_answer
request_facts(const struct request *r)
{
	struct policy_answer a = { .failure = REASON_NONE };

	if (r->answer != NULL)
		return r->answer->facts;
	a.addresses = request_literal(r);
	a.n_addresses = a.addresses != NULL;
	return a;
}

struct slice
request_sni(const struct request *r)
{
	const char *p = r->sni_is_host ? request_host(r) : r->sni;

	return (struct slice){ .p = p, .n = r->sni_n };
}

/* It should be the host, which is there already. */
static enum status
request_keep_sni(struct request *r, struct slice sni)
{
	r->sni_is_host = slice_is(sni, request_host(r));
	if (!r->sni_is_host && sni.n > 0) {
		r->sni = malloc(sni.n);
		if (r->sni == NULL)
			return E_NOMEM;
		memcpy(r->sni, sni.p, sni.n);
	}
	r->sni_n = (uint8_t)sni.n;
	return OK;
}

enum reason
request_judge_hello(
    struct request *r, enum policy_hello hello, struct slice sni)
{
	struct host host;
	struct policy_request q = request_question(r, &host);
	enum status kept = request_keep_sni(r, sni);

	r->hello_seen = true;
	r->hello = (uint8_t)hello;
	policy_decide_hello(r->snapshot->policy, &q, hello, sni, &r->verdict);
	if (r->verdict.effect == POLICY_ALLOW && kept == OK)
		return REASON_NONE;
	r->code = kept != OK ? REASON_LIMIT_REACHED : r->verdict.code;
	r->outcome = REQUEST_DENIED;
	return r->code;
}

/* All its questions again, in the words of the new policy. */
static void
request_judge_again(const struct request *r, const struct proxy_snapshot *s,
    struct policy_verdict *v)
{
	struct host host;
	struct policy_request q = request_question(r, &host);
	struct policy_answer facts = request_facts(r);
	struct policy_bearer bearer;
	const struct policy_case c = { .request = &q,
		.answer = r->local ? NULL : &facts,
		.self = &s->self,
		/* A flight that nobody looked at counts as no TLS. */
		.has_hello = !request_is_seen(r) &&
		    (r->hello_seen || r->verdict.sni_any),
		.hello = (enum policy_hello)r->hello,
		.sni = request_sni(r) };

	q.inspects = !request_is_seen(r) && s->inspection_ca != NULL;
	q.bare = false; /* its answer is under way */
	if (q.bearer != NULL) {
		/* It was good when the request began, as a real one is. */
		bearer = *q.bearer;
		bearer.expires_unix_s = INT64_MAX;
		q.bearer = &bearer;
	}
	policy_judge(s->policy, &c, v);
}

bool
request_still_allowed(struct request *r)
{
	struct proxy_snapshot *s = worker_snapshot(r->worker);
	struct policy_verdict v = { .effect = POLICY_DENY };
	enum reason fault;

	/* What is still being judged hears of it at its end. */
	if (!r->ready || r->outcome == REQUEST_DENIED)
		return r->outcome != REQUEST_DENIED;
	request_judge_again(r, s, &v);
	fault = request_injection_fault(r, v.inject);
	/* One that nobody looks into has to be. */
	if (v.inspect && !r->inspected && !request_is_seen(r))
		fault = REASON_METHOD_NOT_ALLOWED;
	/* The verdict borrows from its policy: both change together. */
	r->verdict = v;
	if (s != r->snapshot) {
		proxy_snapshot_unref(r->snapshot);
		r->snapshot = proxy_snapshot_ref(s);
	}
	if (fault == REASON_NONE)
		fault = request_budget_join(r);
	if (v.effect != POLICY_ALLOW)
		r->code = v.code;
	else if (fault != REASON_NONE)
		r->code = fault;
	return v.effect == POLICY_ALLOW && fault == REASON_NONE;
}
