/* The steps of one request: name, answer, route, socket, record. */
#include "proxy/request_inside.h"

#include "base/metrics.h"
#include "proxy/close.h"

#include <unistd.h>

enum { DIAL_ADDRESSES_MAX = 32 };

int64_t
request_now(const struct request *r)
{
	return clock_boot_ms(worker_clock(r->worker));
}

/* The owner hears of it from the loop, with nothing of ours on the stack. */
static void
request_tell_denied(struct request *r)
{
	r->outcome = REQUEST_DENIED;
	event_active(&r->asking->turn, EV_TIMEOUT, 1);
}

static void
request_set_denied(struct request *r, enum reason code)
{
	r->code = code;
	r->outcome = REQUEST_DENIED;
	if (r->fd >= 0)
		(void)close(r->fd);
	r->fd = -1;
	request_secure_rest(r);
	request_name_refusal(r);
}

/* Whose record it was that is waited for no longer. */
static struct request *
request_waits(struct proxy_wait *w)
{
	void *at = (char *)w - offsetof(struct request_asking, audit_wait);
	struct request_asking *a = at;

	a->audit_waits = false;
	return a->request;
}

static void
request_on_closed(struct proxy_wait *w, enum status st)
{
	struct request *r = request_waits(w);

	if (st == E_TIMEOUT) {
		/* It may yet be written, under the id that the client hears:
		 * a second record would be one too many. */
		r->code = REASON_AUDIT_UNAVAILABLE;
	} else if (st != OK) {
		/* request_finish() tries once more, and counts what is lost. */
		r->closed = false;
		request_set_denied(r, REASON_AUDIT_UNAVAILABLE);
	}
	request_tell_denied(r);
}

static void
request_await(struct request *r)
{
	r->asking->audit_waits = true;
	r->asking->audit_until_ms = request_now(r) + RECORD_WAIT_MS;
}

/* Contract 6: no record, no bytes; a refusal's are no other. */
static void
request_close(struct request *r, const struct request_end *end)
{
	struct proxy_wait *wait = &r->asking->audit_wait;

	wait->done = request_on_closed;
	if (r->code != REASON_AUDIT_UNAVAILABLE &&
	    request_record(r, RECORD_REQUEST, end, wait) == OK) {
		request_await(r);
		r->closed = true;
		return;
	}
	/* What can be written of this one is, without being waited for. */
	if (r->code != REASON_AUDIT_UNAVAILABLE)
		request_set_denied(r, REASON_AUDIT_UNAVAILABLE);
	request_tell_denied(r);
}

void
request_fail(struct request *r, enum reason code)
{
	struct request_end end = { .close = close_word(CLOSE_DENIED) };

	request_set_denied(r, code);
	if (r->protocol != REQUEST_SOCKS5 || request_is_seen(r))
		end.status = request_status(r);
	request_close(r, &end);
}

void
request_record_refusal(struct request *r, const struct request_end *end,
    void (*done)(void *arg, enum request_outcome outcome), void *arg)
{
	r->asking->done = done;
	r->asking->arg = arg;
	request_close(r, end);
}

/* While we waited a reload may have come, or an end of the rule's time: they
 * have the last word. */
static bool
request_holds(struct request *r)
{
	int64_t end = r->verdict.expires_unix_s;
	bool over = end != 0 && clock_unix_s(worker_clock(r->worker)) >= end;

	if ((over || r->snapshot != worker_snapshot(r->worker)) &&
	    !request_still_allowed(r)) {
		request_fail(r, r->code);
		return false;
	}
	if (!request_trust_holds(r)) {
		request_fail(r, REASON_NOT_READY);
		return false;
	}
	return request_credential_holds(r);
}

void
request_say(struct request *r)
{
	if (r->outcome == REQUEST_READY) {
		r->ready = true;
		if (!request_holds(r))
			return;
		metric_add(METRIC_REQUESTS_ALLOWED_TOTAL, 1);
		if (r->verdict.would_deny)
			metric_add(METRIC_REQUESTS_WOULD_DENY_TOTAL, 1);
	} else {
		request_count_refusal(r);
	}
	r->asking->done(r->asking->arg, (enum request_outcome)r->outcome);
}

static void
request_on_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	request_say(arg);
}

/* False when the verdict so far denies; then the owner will be told. */
static bool
request_passes(struct request *r)
{
	if (r->verdict.effect == POLICY_ALLOW)
		return true;
	request_fail(r, r->verdict.code);
	return false;
}

static void
request_on_recorded(struct proxy_wait *w, enum status st)
{
	struct request *r = request_waits(w);

	if (st != OK) {
		request_fail(r, REASON_AUDIT_UNAVAILABLE);
		return;
	}
	/* The port calls from the loop, with nothing of ours on the stack. */
	r->outcome = REQUEST_READY;
	request_say(r);
}

/* Contract 6: no bytes before write(2) of the `open` record returned. */
void
request_open(struct request *r)
{
	struct proxy_wait *wait = &r->asking->audit_wait;

	/* Dial and handshake took their time. */
	if (!r->local && !request_credential_is_fresh(r)) {
		request_fail(r, REASON_CREDENTIAL_UNAVAILABLE);
		return;
	}
	wait->done = request_on_recorded;
	if (request_record(r, RECORD_OPEN, NULL, wait) != OK) {
		request_fail(r, REASON_AUDIT_UNAVAILABLE);
		return;
	}
	request_await(r);
	r->opened = true;
}

static bool
address_is_judged(const struct request *r, const struct addr *a)
{
	struct policy_answer facts = request_facts(r);

	for (size_t i = 0; i < facts.n_addresses; i++) {
		struct addr judged = addr_unmap(&facts.addresses[i]);
		struct addr got = addr_unmap(a);
		if (addr_eq(&judged, &got))
			return true;
	}
	return false;
}

static int32_t
ms_since(const struct request *r, int64_t start_ms)
{
	int64_t ms = request_now(r) - start_ms;

	return ms < INT32_MAX ? (int32_t)ms : INT32_MAX;
}

static void
request_on_dialled(void *arg, const struct dial_result *result)
{
	struct request *r = arg;

	r->asking->dial = NULL;
	r->fd = result->fd;
	r->connect_ms = ms_since(r, r->asking->connect_start_ms);
	if (result->fd < 0) {
		request_fail(r, result->code);
		return;
	}
	r->address = result->address;
	/* The peer that answered must be one that was judged. */
	if (!address_is_judged(r, &r->address))
		request_fail(r, REASON_CONNECT_UNREACHABLE);
	else if (r->secure != NULL)
		request_handshake(r);
	else
		request_open(r);
}

static bool
request_reuses(struct request *r)
{
	const struct upstream_facts *u = r->asking->reuse;

	if (u == NULL || u->generation != r->snapshot->generation ||
	    !address_is_judged(r, &u->address) || !request_secure_reuses(r, u))
		return false;
	r->address = u->address;
	r->reused = true;
	return true;
}

void
request_dial(struct request *r)
{
	struct request_asking *a = r->asking;
	struct policy_answer facts = request_facts(r);
	struct dial_params params = { .base = worker_base(r->worker),
		.addresses = facts.addresses,
		.n_addresses = facts.n_addresses,
		.port = r->port,
		.timeout_ms = r->snapshot->limits.connect_ms };

	/* What is inside will dial. */
	r->inspected = r->verdict.inspect && !request_is_seen(r);
	if (r->inspected || request_reuses(r) ||
	    request_secure_takes_pooled(r)) {
		request_open(r);
		return;
	}
	if (r->secure != NULL) {
		enum status st = request_secure_reserve(r);
		if (st == E_PARTIAL)
			return;
		if (st != OK) {
			request_fail(r, REASON_LIMIT_REACHED);
			return;
		}
	}
	if (params.n_addresses > DIAL_ADDRESSES_MAX)
		params.n_addresses = DIAL_ADDRESSES_MAX;
	a->connect_start_ms = request_now(r);
	a->dial = dial_start(&params, request_on_dialled, r);
	if (a->dial == NULL)
		request_fail(r, REASON_LIMIT_REACHED);
}

static void
request_judge_route(struct request *r)
{
	struct host host;
	struct policy_request q = request_question(r, &host);
	struct policy_answer facts = request_facts(r);
	enum reason fault = REASON_NONE;

	policy_decide_route(
	    r->snapshot->policy, &q, &facts, &r->snapshot->self, &r->verdict);
	policy_decide_request(r->snapshot->policy, &q, &r->verdict);
	if (r->verdict.effect == POLICY_ALLOW)
		fault = request_injection_fault(r, r->verdict.inject);
	if (r->verdict.effect == POLICY_ALLOW && fault == REASON_NONE)
		fault = request_budget_join(r);
	if (fault == REASON_NONE && request_budget_is_spent(r))
		fault = REASON_BUDGET_SPENT;
	r->judged = r->verdict.effect == POLICY_ALLOW && fault == REASON_NONE;
	if (!request_passes(r))
		return;
	if (fault != REASON_NONE)
		request_fail(r, fault);
	else if (r->secure != NULL)
		request_secure_start(r);
	else
		request_dial(r);
}

static void
request_on_resolved(void *arg, struct resolver_answer *a)
{
	struct request *r = arg;

	r->asking->query = NULL;
	r->answer = a;
	r->dns_ms = ms_since(r, r->asking->dns_start_ms);
	request_judge_route(r);
}

static void
request_judge_name(struct request *r)
{
	const struct proxy_audit_port *audit = &worker_ports(r->worker)->audit;
	struct host host;
	struct policy_request q = request_question(r, &host);

	/* While draining, too: nobody new is accepted, and who was hears. */
	policy_decide_name(r->snapshot->policy, &q, &r->verdict);
	if (!request_passes(r))
		return;
	if (!audit->healthy(audit->ctx)) {
		request_fail(r, REASON_AUDIT_UNAVAILABLE);
		return;
	}
	if (r->local) {
		r->judged = true;
		request_open(r);
		return;
	}
	if (r->is_literal) {
		request_judge_route(r);
		return;
	}
	r->answer = resolver_find(worker_resolver(r->worker), host.name);
	if (r->answer != NULL) {
		r->dns_ms = 0;
		request_judge_route(r);
		return;
	}
	r->asking->dns_start_ms = r->start_ms;
	r->asking->query = resolver_start(
	    worker_resolver(r->worker), host.name, request_on_resolved, r);
	if (r->asking->query == NULL)
		request_fail(r, REASON_LIMIT_REACHED);
}

struct request *
request_start(const struct request_params *params,
    void (*done)(void *arg, enum request_outcome outcome), void *arg)
{
	struct request *r = request_create(params);

	if (r == NULL)
		return NULL;
	(void)evtimer_assign(
	    &r->asking->turn, worker_base(r->worker), request_on_turn, r);
	r->asking->done = done;
	r->asking->arg = arg;
	request_judge_name(r);
	return r;
}

void
request_tick(struct request *r, int64_t now_ms)
{
	const struct proxy_audit_port *audit = &worker_ports(r->worker)->audit;
	struct request_asking *a = r->asking;

	if (a->audit_waits && now_ms >= a->audit_until_ms) {
		audit->cancel(audit->ctx, &a->audit_wait);
		a->audit_wait.done(&a->audit_wait, E_TIMEOUT);
	} else if (r->secure != NULL) {
		/* Who hears of it may free the request. */
		request_secure_tick(r, now_ms);
	}
}

void
request_finish(struct request *r, const struct request_end *end)
{
	if (r == NULL)
		return;
	request_rest(r);
	if (r->fd >= 0)
		(void)close(r->fd);
	if (!r->closed && request_record(r, RECORD_REQUEST, end, NULL) != OK)
		metric_add(METRIC_AUDIT_LOST_ENDS_TOTAL, 1);
	/* The requests inside have counted theirs. */
	if (!r->inspected) {
		metric_add(METRIC_BYTES_UP_TOTAL, (int64_t)end->bytes_up);
		metric_add(METRIC_BYTES_DOWN_TOTAL, (int64_t)end->bytes_down);
	}
	request_note_denial(r);
	request_free(r);
}
