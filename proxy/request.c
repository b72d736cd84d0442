/* The steps of one request: name, answer, route, socket, record. */
#include "proxy/request_inside.h"

#include "base/metrics.h"
#include "proxy/close.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIAL_ADDRESSES_MAX = 32 };

static int64_t
request_now(const struct request *r)
{
	return clock_boot_ms(worker_clock(r->worker));
}

/* The owner hears of it from the loop, with nothing of ours on the stack. */
static void
request_tell_denied(struct request *r)
{
	r->outcome = REQUEST_DENIED;
	event_active(&r->turn, EV_TIMEOUT, 1);
}

static void
request_set_denied(struct request *r, enum reason code)
{
	r->code = code;
	r->outcome = REQUEST_DENIED;
	if (r->fd >= 0)
		(void)close(r->fd);
	r->fd = -1;
	request_name_refusal(r);
}

static void
request_on_closed(struct proxy_wait *w, enum status st)
{
	void *at = (char *)w - offsetof(struct request, audit_wait);
	struct request *r = at;

	r->audit_waits = false;
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
	r->audit_waits = true;
	r->audit_until_ms = request_now(r) + RECORD_WAIT_MS;
}

/* Contract 6: no record, no bytes; a refusal's are no other. */
static void
request_close(struct request *r, const struct request_end *end)
{
	r->audit_wait.done = request_on_closed;
	r->ms.total = request_now(r) - r->start_ms;
	if (r->code != REASON_AUDIT_UNAVAILABLE &&
	    request_record(r, RECORD_REQUEST, end, &r->audit_wait) == OK) {
		request_await(r);
		r->closed = true;
		return;
	}
	/* What can be written of this one is, without being waited for. */
	if (r->code != REASON_AUDIT_UNAVAILABLE)
		request_set_denied(r, REASON_AUDIT_UNAVAILABLE);
	request_tell_denied(r);
}

static void
request_fail(struct request *r, enum reason code)
{
	struct request_end end = { .close = close_word(CLOSE_DENIED) };

	request_set_denied(r, code);
	if (r->protocol != REQUEST_SOCKS5)
		end.status = reason_info(code)->status;
	request_close(r, &end);
}

void
request_record_refusal(struct request *r, const struct request_end *end,
    void (*done)(void *arg, enum request_outcome outcome), void *arg)
{
	r->done = done;
	r->arg = arg;
	request_close(r, end);
}

/* While we waited a reload may have come: it has the last word. */
static void
request_say(struct request *r)
{
	if (r->outcome == REQUEST_READY) {
		r->ready = true;
		if (r->snapshot != worker_snapshot(r->worker) &&
		    !request_still_allowed(r)) {
			request_fail(r, r->code);
			return;
		}
		metric_add(METRIC_REQUESTS_ALLOWED_TOTAL, 1);
		if (r->verdict.would_deny)
			metric_add(METRIC_REQUESTS_WOULD_DENY_TOTAL, 1);
	} else {
		request_count_refusal(r);
	}
	r->done(r->arg, r->outcome);
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
	void *at = (char *)w - offsetof(struct request, audit_wait);
	struct request *r = at;

	r->audit_waits = false;
	if (st != OK) {
		request_fail(r, REASON_AUDIT_UNAVAILABLE);
		return;
	}
	/* The port calls from the loop, with nothing of ours on the stack. */
	r->outcome = REQUEST_READY;
	request_say(r);
}

/* Contract 6: no bytes before write(2) of the `open` record returned. */
static void
request_open(struct request *r)
{
	r->audit_wait.done = request_on_recorded;
	if (request_record(r, RECORD_OPEN, NULL, &r->audit_wait) != OK) {
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

static void
request_on_dialled(void *arg, const struct dial_result *result)
{
	struct request *r = arg;

	r->dial = NULL;
	r->fd = result->fd;
	r->ms.connect = request_now(r) - r->connect_start_ms;
	if (result->fd < 0) {
		request_fail(r, result->code);
		return;
	}
	r->address = result->address;
	/* The peer that answered must be one that was judged. */
	if (address_is_judged(r, &r->address))
		request_open(r);
	else
		request_fail(r, REASON_CONNECT_UNREACHABLE);
}

static void
request_dial(struct request *r)
{
	struct policy_answer facts = request_facts(r);
	struct dial_params params = { .base = worker_base(r->worker),
		.addresses = facts.addresses,
		.n_addresses = facts.n_addresses,
		.port = r->port,
		.timeout_ms = r->snapshot->limits.connect_ms };

	if (r->reuse && r->reuse_generation == r->snapshot->generation &&
	    address_is_judged(r, &r->address)) {
		request_open(r);
		return;
	}
	r->reuse = false;
	r->address = (struct addr){ .family = ADDR_NONE };
	if (params.n_addresses > DIAL_ADDRESSES_MAX)
		params.n_addresses = DIAL_ADDRESSES_MAX;
	r->connect_start_ms = request_now(r);
	r->dial = dial_start(&params, request_on_dialled, r);
	if (r->dial == NULL)
		request_fail(r, REASON_LIMIT_REACHED);
}

static void
request_judge_route(struct request *r)
{
	struct policy_request q = request_question(r);
	struct policy_answer facts = request_facts(r);

	policy_decide_route(
	    r->snapshot->policy, &q, &facts, &r->snapshot->self, &r->verdict);
	r->judged = r->verdict.effect == POLICY_ALLOW;
	if (request_passes(r))
		request_dial(r);
}

static void
request_on_resolved(void *arg, struct resolver_answer *a)
{
	struct request *r = arg;

	r->query = NULL;
	r->answer = a;
	r->ms.dns = request_now(r) - r->dns_start_ms;
	request_judge_route(r);
}

static void
request_judge_name(struct request *r)
{
	const struct proxy_audit_port *audit = &worker_ports(r->worker)->audit;
	struct policy_request q = request_question(r);

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
	if (r->host.kind == HOST_IP) {
		request_judge_route(r);
		return;
	}
	r->answer = resolver_find(worker_resolver(r->worker), r->host.name);
	if (r->answer != NULL) {
		r->ms.dns = 0;
		request_judge_route(r);
		return;
	}
	r->dns_start_ms = r->start_ms;
	r->query = resolver_start(
	    worker_resolver(r->worker), r->host.name, request_on_resolved, r);
	if (r->query == NULL)
		request_fail(r, REASON_LIMIT_REACHED);
}

char *
request_copy_text(struct slice s)
{
	char *out = malloc(s.n + 1);

	if (out == NULL)
		return NULL;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return out;
}

static void
request_free(struct request *r)
{
	(void)event_del(&r->turn);
	resolver_answer_unref(r->answer);
	proxy_snapshot_unref(r->snapshot);
	free(r->method);
	free(r->path);
	free(r->sni);
	free(r);
}

static void
request_init(struct request *r, const struct request_params *params)
{
	r->worker = params->worker;
	r->snapshot = proxy_snapshot_ref(worker_snapshot(params->worker));
	r->protocol = params->protocol;
	r->peer = params->peer;
	r->listener = params->listener;
	r->host = params->host;
	r->port = params->port;
	r->plaintext = params->plaintext;
	r->local = params->local;
	r->method = request_copy_text(params->method);
	r->path = request_copy_text(params->path);
	r->verdict.effect = POLICY_DENY;
	r->fd = -1;
	r->hello = POLICY_HELLO_NOT_TLS;
	r->ms = (struct record_ms){ -1, -1, -1, -1, -1 };
	if (params->reuse_address != NULL) {
		r->reuse = true;
		r->address = *params->reuse_address;
		r->reuse_generation = params->reuse_generation;
	}
	(void)evtimer_assign(
	    &r->turn, worker_base(r->worker), request_on_turn, r);
}

struct request *
request_start(const struct request_params *params,
    void (*done)(void *arg, enum request_outcome outcome), void *arg)
{
	/* calloc() of the C library never reuses what this thread freed. */
	struct request *r = malloc(sizeof *r);

	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof *r);
	request_init(r, params);
	if (r->method == NULL || r->path == NULL) {
		request_free(r);
		return NULL;
	}
	r->done = done;
	r->arg = arg;
	r->start_ms = request_now(r);
	record_new_id(r->id);
	request_judge_name(r);
	return r;
}

void
request_tick(struct request *r, int64_t now_ms)
{
	const struct proxy_audit_port *audit = &worker_ports(r->worker)->audit;

	if (!r->audit_waits || now_ms < r->audit_until_ms)
		return;
	audit->cancel(audit->ctx, &r->audit_wait);
	r->audit_wait.done(&r->audit_wait, E_TIMEOUT);
}

int
request_take_fd(struct request *r)
{
	int fd = r->fd;

	r->fd = -1;
	return fd;
}

enum reason
request_code(const struct request *r)
{
	return r->code;
}

const char *
request_id(const struct request *r)
{
	return r->id;
}

const struct policy_verdict *
request_verdict(const struct request *r)
{
	return &r->verdict;
}

const struct addr *
request_address(const struct request *r)
{
	return &r->address;
}

uint64_t
request_generation(const struct request *r)
{
	return r->snapshot->generation;
}

void
request_set_code(struct request *r, enum reason code)
{
	r->code = code;
}

void
request_note_first_byte(struct request *r)
{
	if (r->ms.first < 0)
		r->ms.first = request_now(r) - r->start_ms;
}

void
request_finish(struct request *r, const struct request_end *end)
{
	const struct proxy_audit_port *audit;

	if (r == NULL)
		return;
	audit = &worker_ports(r->worker)->audit;
	if (r->query != NULL)
		resolver_cancel(r->query);
	if (r->dial != NULL)
		dial_cancel(r->dial);
	if (r->audit_waits)
		audit->cancel(audit->ctx, &r->audit_wait);
	if (r->fd >= 0)
		(void)close(r->fd);
	r->ms.total = request_now(r) - r->start_ms;
	if (!r->closed && request_record(r, RECORD_REQUEST, end, NULL) != OK)
		metric_add(METRIC_AUDIT_LOST_ENDS_TOTAL, 1);
	metric_add(METRIC_BYTES_UP_TOTAL, (int64_t)end->bytes_up);
	metric_add(METRIC_BYTES_DOWN_TOTAL, (int64_t)end->bytes_down);
	request_note_denial(r);
	request_free(r);
}
