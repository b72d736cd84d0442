/* Stands in for request.c, refusal.c and the broker. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include "proxy/refusal.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct fake fake;
unsigned fake_head_ms = 200;
const struct clock *fake_clock = &clock_system;
struct fake_next fake_next;
const struct peer fake_peer = { .known = true, .uid = 1 };

static struct proxy_worker *const the_worker = (void *)&fake;

static struct reapable *reaped[FAKE_LOG_MAX];
static size_t n_reaped;

struct request {
	void (*done)(void *arg, enum request_outcome outcome);
	void *arg;
	int fd;
	struct fake_end log;
	struct policy_verdict verdict;
	struct addr address;
	uint16_t port;
	struct event turn;
};

void
worker_reap(struct proxy_worker *w, struct reapable *r,
    void (*destroy)(struct reapable *r))
{
	(void)w;
	assert_true(n_reaped < FAKE_LOG_MAX);
	r->destroy = destroy;
	reaped[n_reaped++] = r;
}

static void
request_on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	(void)fd;
	(void)what;
	r->done(r->arg,
	    r->log.code == REASON_NONE ? REQUEST_READY : REQUEST_DENIED);
}

static void
request_dial(struct request *r)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	if (fake.keep_upstreams)
		fake.upstreams[fake.dialled % FAKE_LOG_MAX] = fds[1];
	else if (fake.upstream_fd >= 0)
		(void)close(fake.upstream_fd);
	fake.upstream_fd = fds[1];
	fake.dialled++;
	r->fd = fds[0];
}

struct request *
request_start(const struct request_params *params,
    void (*done)(void *arg, enum request_outcome outcome), void *arg)
{
	struct request *r = calloc(1, sizeof *r);

	assert_non_null(r);
	r->done = done;
	r->arg = arg;
	r->fd = -1;
	r->port = params->port;
	fake.fresh = params->fresh;
	r->log.code = fake.code;
	r->log.reused = params->reuse != NULL;
	r->verdict.expires_unix_s = fake.expires_s;
	(void)snprintf(
	    r->log.host, sizeof r->log.host, "%.60s", params->host.name);
	assert_true(
	    slice_copy(params->method, r->log.method, sizeof r->log.method));
	assert_true(slice_copy(params->path, r->log.path, sizeof r->log.path));
	assert_true(params->plaintext != params->tls);
	r->log.tls = params->tls;
	if (params->bearer != NULL) {
		r->log.bearer = (int)params->bearer->kind;
		assert_true(slice_copy(params->bearer->value,
		    r->log.bearer_value, sizeof r->log.bearer_value));
	}
	fake.started++;
	if (fake.code == REASON_NONE && !r->log.reused && !params->local)
		request_dial(r);
	/* The last one that was dialled is as one of the pool. */
	if (fake.pool_has_one && !params->fresh)
		r->log.reused = true;
	(void)evtimer_assign(&r->turn, fake.base, request_on_turn, r);
	if (fake.hold)
		fake.held = r;
	else
		event_active(&r->turn, EV_TIMEOUT, 1);
	return r;
}

void
fake_release(void)
{
	assert_non_null(fake.held);
	event_active(&fake.held->turn, EV_TIMEOUT, 1);
	fake.held = NULL;
	fake.hold = false;
	fake_turn();
}

void
fake_release_refusal(void)
{
	assert_non_null(fake.held_refusal);
	event_active(&fake.held_refusal->turn, EV_TIMEOUT, 1);
	fake.held_refusal = NULL;
	fake_turn();
}

void
request_record_refusal(struct request *r, const struct request_end *end,
    void (*done)(void *arg, enum request_outcome outcome), void *arg)
{
	r->done = done;
	r->arg = arg;
	assert_string_equal(end->close,
	    r->log.code == REASON_BUDGET_SPENT ? "budget" : "denied");
	if (fake.hold_refusal)
		fake.held_refusal = r;
	else
		event_active(&r->turn, EV_TIMEOUT, 1);
}

void
request_tick(struct request *r, int64_t now_ms)
{
	(void)r;
	(void)now_ms;
}

struct stream
request_take_stream(struct request *r)
{
	struct stream s = stream_plain(r->fd);

	if (fake.ops != NULL && r->fd >= 0)
		s.ops = fake.ops;
	r->fd = -1;
	return s;
}

const struct secret *
request_credential(const struct request *r)
{
	(void)r;
	return fake.token;
}

enum status
request_renew(struct request *r, void (*done)(void *arg, bool another),
    void *arg, bool *another)
{
	(void)r;
	fake.renewals++;
	fake.renewed = done;
	fake.renewed_arg = arg;
	*another = fake.renews;
	return fake.renew_status;
}

struct secret *
request_take_credential(struct request *r)
{
	(void)r;
	fake.dropped++;
	return fake.token != NULL ? secret_ref(fake.token) : NULL;
}

int
request_status(const struct request *r)
{
	return reason_info(request_code(r))->status;
}

enum reason
request_code(const struct request *r)
{
	return r->log.code;
}

const struct policy_verdict *
request_verdict(const struct request *r)
{
	return &r->verdict;
}

bool
request_is_reused(const struct request *r)
{
	return r->log.reused;
}

struct upstream_facts
request_upstream(const struct request *r)
{
	struct upstream_facts u = { .port = r->port,
		.address = r->address,
		.generation = fake.snapshot.generation,
		.trust = r->log.tls ? 1 : 0,
		.tls = r->log.tls ? "TLSv1.3" : NULL };

	(void)snprintf(u.host, sizeof u.host, "%s", r->log.host);
	return u;
}

void
request_set_code(struct request *r, enum reason code)
{
	r->log.code = code;
}

size_t
request_upload_room(struct request *r, size_t want)
{
	(void)r;
	return fake.budget < want ? fake.budget : want;
}

void
request_uploaded(struct request *r, size_t n)
{
	(void)r;
	fake.budget -= n;
}

void
request_note_first_byte(struct request *r)
{
	(void)r;
}

bool
request_still_allowed(struct request *r)
{
	(void)r;
	return fake.allowed;
}

static void
render(enum reason code, int status, struct buf *out)
{
	buf_printf(out, "HTTP/1.1 %d Denied %s\r\nConnection: close\r\n\r\n",
	    status != 0 ? status : reason_info(code)->status,
	    reason_code(code));
}

void
request_render_denial(struct request *r, struct buf *out)
{
	render(r->log.code, 0, out);
}

static void
log_end(const struct fake_end *end)
{
	assert_true(fake.n_ended < FAKE_LOG_MAX);
	fake.ended[fake.n_ended++] = *end;
}

struct refusal {
	void (*done)(void *arg, struct buf *answer);
	void *arg;
	struct event turn;
	struct buf answer;
};

static void
refusal_on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct refusal *r = arg;
	struct buf answer = r->answer;

	(void)fd;
	(void)what;
	r->done(r->arg, &answer);
	free(r);
}

void
refusal_tick(struct refusal *r, int64_t now_ms)
{
	(void)r;
	(void)now_ms;
}

void
refusal_cancel(struct refusal *r)
{
	if (r == NULL)
		return;
	(void)event_del(&r->turn);
	buf_release(&r->answer);
	free(r);
}

struct refusal *
refusal_start(const struct request_refusal *refusal,
    void (*done)(void *arg, struct buf *answer), void *arg)
{
	struct refusal *r = calloc(1, sizeof *r);
	struct fake_end end = { .code = refusal->code,
		.status = refusal->status };

	assert_true(slice_copy(refusal->method, end.method, sizeof end.method));
	if (refusal->host != NULL)
		(void)snprintf(
		    end.host, sizeof end.host, "%.60s", refusal->host);
	if (refusal->to != NULL)
		(void)snprintf(end.to, sizeof end.to, "%.50s:%u", refusal->to,
		    refusal->to_port);
	log_end(&end);
	assert_non_null(r);
	r->done = done;
	r->arg = arg;
	buf_init(&r->answer, 1024);
	render(refusal->code, refusal->status, &r->answer);
	(void)evtimer_assign(&r->turn, fake.base, refusal_on_turn, r);
	event_active(&r->turn, EV_TIMEOUT, 1);
	return r;
}

void
request_finish(struct request *r, const struct request_end *end)
{
	r->log.status = end->status;
	r->log.bytes_up = end->bytes_up;
	r->log.bytes_down = end->bytes_down;
	(void)snprintf(r->log.close, sizeof r->log.close, "%s", end->close);
	log_end(&r->log);
	if (r->fd >= 0)
		(void)close(r->fd);
	(void)event_del(&r->turn);
	free(r);
}

static enum status
broker_ask(void *ctx, struct proxy_broker_ask *ask)
{
	(void)ctx;
	fake.ask = ask;
	assert_true(slice_copy(ask->head, fake.ask_head, sizeof fake.ask_head));
	return fake.ask_status;
}

static void
broker_cancel(void *ctx, struct proxy_broker_ask *ask)
{
	(void)ctx;
	assert_ptr_equal(ask, fake.ask);
	fake.ask_cancelled = true;
}

static void
on_done(void *arg)
{
	(void)arg;
	fake.done = true;
	fake.forward = NULL;
}

int
fake_prepare(void)
{
	int fds[2];

	memset(&fake, 0, sizeof fake);
	fake.base = event_base_new();
	fake.upstream_fd = -1;
	fake.allowed = true;
	fake.budget = SIZE_MAX / 2;
	fake.code = fake_next.code;
	fake.token = fake_next.token;
	fake.ops = fake_next.ops;
	fake.hold = fake_next.hold;
	fake.pool_has_one = fake_next.pool_has_one;
	fake.snapshot.refs = 1;
	fake.snapshot.generation = 1;
	(void)snprintf(fake.snapshot.name, sizeof fake.snapshot.name, "w");
	fake.snapshot.limits = (struct proxy_limits){ .head_bytes = 4096,
		.head_ms = fake_head_ms,
		.idle_ms = 400,
		.linger_ms = 200 };
	fake.gateway = (struct proxy_gateway){ .name = "g",
		.listener = "127.0.0.1:3190",
		.host = "up.example",
		.port =
		    fake_next.gateway_port != 0 ? fake_next.gateway_port : 443,
		.prefix = "/base" };
	fake.snapshot.gateways = &fake.gateway;
	fake.snapshot.n_gateways = 1;
	fake.ports.broker.ask = broker_ask;
	fake.ports.broker.cancel = broker_cancel;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	fake.client_fd = fds[1];
	memset(&fake_next, 0, sizeof fake_next);
	return fds[0];
}

static void
start(const char *first, const char *listener, enum request_protocol protocol,
    const struct host *inside)
{
	struct forward_params params = { .worker = the_worker,
		.peer = &fake_peer,
		.listener = listener,
		.protocol = protocol,
		.inside = inside,
		.inside_port = 443,
		.first = slice_of(first) };

	params.stream = stream_plain(fake_prepare());
	fake.forward = forward_start(&params, on_done, NULL);
	assert_non_null(fake.forward);
	fake_turn();
}

void
fake_start(const char *first)
{
	start(first, "127.0.0.1:3180", REQUEST_FORWARD, NULL);
}

void
fake_start_gateway(const char *first)
{
	start(first, "127.0.0.1:3190", REQUEST_GATEWAY, NULL);
}

void
fake_start_inside(const char *first)
{
	static struct host host;

	assert_int_equal(host_parse(SLICE("up.example"), &host), OK);
	start(first, "127.0.0.1:3180", REQUEST_SOCKS5, &host);
}

static void
reap_all(void)
{
	while (n_reaped > 0) {
		n_reaped--;
		reaped[n_reaped]->destroy(reaped[n_reaped]);
	}
}

void
fake_stop(void)
{
	if (fake.forward != NULL)
		forward_destroy(fake.forward);
	reap_all();
	assert_int_equal(fake.snapshot.refs, 1);
	if (fake.client_fd >= 0)
		(void)close(fake.client_fd);
	for (unsigned i = 0; fake.keep_upstreams && i < fake.dialled; i++)
		(void)close(fake.upstreams[i]);
	if (fake.upstream_fd >= 0 && !fake.keep_upstreams)
		(void)close(fake.upstream_fd);
	event_base_free(fake.base);
}

void
fake_turn(void)
{
	for (int i = 0; i < 8; i++)
		(void)event_base_loop(fake.base, EVLOOP_NONBLOCK);
	reap_all();
}
