/* Tunnels of CONNECT and SOCKS5. */
#include "proxy/tunnel.h"

#include "base/metrics.h"
#include "proxy/hello.h"
#include "proxy/inspect.h"
#include "proxy/linger.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum tunnel_stage {
	TUNNEL_HELLO, /* nothing has gone to the destination yet */
	TUNNEL_RELAY,
	TUNNEL_INSPECT, /* its client speaks with us */
	TUNNEL_REFUSED, /* its record is being written */
	TUNNEL_LAST,    /* an alert is on its way; the record is written */
	TUNNEL_OVER,
};

/* What is there until the hello has passed. */
struct first_flight {
	struct event readable;
	struct buf bytes; /* empty while it has come whole each time */
	struct hello_scan scan;
};

struct tunnel {
	struct proxy_worker *worker;
	struct request *request; /* NULL once recorded */
	struct first_flight *first;
	struct lingering *last;
	struct inspect *inspect;
	int64_t deadline_ms; /* of the hello, then of idleness */
	struct relay relay;
	void (*done)(void *arg);
	void *arg;
	int client_fd, upstream_fd;
	enum tunnel_stage stage;
	short status;
	bool is_tls; /* of the hello that was refused */
};

static int64_t
tunnel_now(const struct tunnel *t)
{
	return clock_boot_ms(worker_clock(t->worker));
}

static const struct proxy_limits *
tunnel_limits(const struct tunnel *t)
{
	return &worker_snapshot(t->worker)->limits;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void
tunnel_forget_hello(struct tunnel *t)
{
	if (t->first == NULL)
		return;
	(void)event_del(&t->first->readable);
	buf_release(&t->first->bytes);
	free(t->first);
	t->first = NULL;
}

/* Everything but the client's socket; the one record is written here. */
static void
tunnel_settle(struct tunnel *t, enum close_reason why)
{
	struct request_end end = { .status = t->status,
		.bytes_up = t->relay.up.bytes,
		.bytes_down = t->relay.down.bytes,
		.close = close_word(why) };

	if (t->request == NULL)
		return;
	if (t->inspect != NULL)
		inspect_end(t->inspect, why, &end.bytes_up, &end.bytes_down);
	t->inspect = NULL;
	tunnel_forget_hello(t);
	relay_stop(&t->relay);
	close_fd(&t->upstream_fd);
	request_finish(t->request, &end);
	t->request = NULL;
	metric_add(METRIC_TUNNELS_OPEN, -1);
}

static void
tunnel_close(struct tunnel *t, enum close_reason why)
{
	if (t->stage == TUNNEL_OVER)
		return;
	tunnel_settle(t, why);
	lingering_destroy(t->last);
	t->last = NULL;
	close_fd(&t->client_fd);
	t->stage = TUNNEL_OVER;
}

static void
tunnel_over(struct tunnel *t, enum close_reason why)
{
	if (t->stage == TUNNEL_OVER)
		return;
	tunnel_close(t, why);
	t->done(t->arg);
}

static void
tunnel_on_said(void *arg)
{
	struct tunnel *t = arg;

	t->last = NULL;
	tunnel_over(t, CLOSE_DENIED);
}

static void
tunnel_on_ended(void *arg, enum close_reason why)
{
	struct tunnel *t = arg;
	int fd = t->client_fd;

	if (why == CLOSE_BUDGET)
		request_set_code(t->request, REASON_BUDGET_SPENT);
	if (why != CLOSE_UPSTREAM || !t->relay.broken) {
		tunnel_over(t, why);
		return;
	}
	/* A reset takes back what the client has not read: not before it has. */
	request_set_code(t->request, REASON_UPSTREAM_RESET);
	tunnel_settle(t, why);
	t->stage = TUNNEL_LAST;
	t->client_fd = -1;
	t->last = lingering_until_taken(t->worker, fd, tunnel_on_said, t);
	if (t->last == NULL)
		tunnel_over(t, why);
}

static void
tunnel_on_first_byte(void *arg)
{
	struct tunnel *t = arg;

	request_note_first_byte(t->request);
}

static size_t
tunnel_room(void *arg, size_t want)
{
	struct tunnel *t = arg;

	return request_upload_room(t->request, want);
}

static void
tunnel_on_spent(void *arg, size_t n)
{
	struct tunnel *t = arg;

	request_uploaded(t->request, n);
	request_upload_rest(t->request);
}

/* Without a budget nothing of it is asked. */
static void
tunnel_meter(struct tunnel *t)
{
	static const struct relay_calls free_calls = { .ended = tunnel_on_ended,
		.first_byte = tunnel_on_first_byte };
	static const struct relay_calls metered_calls = {
		.ended = tunnel_on_ended,
		.first_byte = tunnel_on_first_byte,
		.room = tunnel_room,
		.spent = tunnel_on_spent,
	};

	t->relay.calls =
	    request_has_budget(t->request) ? &metered_calls : &free_calls;
}

/* The refusal is recorded: an alert where it is understood. */
static void
tunnel_on_refused(void *arg, enum request_outcome outcome)
{
	struct tunnel *t = arg;
	uint8_t alert[HELLO_ALERT_BYTES];
	enum reason code = request_code(t->request);
	struct buf last;
	int fd = t->client_fd;

	(void)outcome;
	buf_init(&last, sizeof alert);
	if (t->is_tls && code != REASON_AUDIT_UNAVAILABLE) {
		hello_alert(code, alert);
		buf_put(&last, alert, sizeof alert);
	}
	tunnel_settle(t, CLOSE_DENIED);
	t->stage = TUNNEL_LAST;
	t->client_fd = -1;
	t->last = lingering_start(
	    t->worker, stream_plain(fd), &last, tunnel_on_said, t);
	if (t->last == NULL)
		tunnel_over(t, CLOSE_DENIED);
}

/* Nothing has passed, and nothing does any more. */
static void
tunnel_refuse(struct tunnel *t, bool is_tls)
{
	const struct request_end end = { .status = t->status,
		.close = close_word(CLOSE_DENIED) };

	t->stage = TUNNEL_REFUSED;
	t->is_tls = is_tls;
	t->deadline_ms = INT64_MAX;
	tunnel_forget_hello(t);
	relay_stop(&t->relay);
	close_fd(&t->upstream_fd);
	request_record_refusal(t->request, &end, tunnel_on_refused, t);
}

/* The hello and what came with it go first. E_NOMEM. */
static enum status
tunnel_relay(struct tunnel *t, struct slice first)
{
	enum status st;

	t->stage = TUNNEL_RELAY;
	t->deadline_ms = tunnel_now(t) + tunnel_limits(t)->idle_ms;
	st = relay_start(&t->relay, first);
	/* Only now: the client's socket was watched all the time. */
	tunnel_forget_hello(t);
	request_rest(t->request);
	if (st != E_LIMIT)
		return st;
	/* Not even the hello may go. */
	tunnel_on_ended(t, CLOSE_BUDGET);
	return OK;
}

static void
tunnel_on_inspected(void *arg, enum close_reason why)
{
	struct tunnel *t = arg;

	if (inspect_was_refused(t->inspect))
		request_set_code(t->request, REASON_TLS_FAILED);
	tunnel_over(t, why);
}

/* What the hello asks for is answered here; it goes no further. */
static void
tunnel_inspect(struct tunnel *t, struct slice hello)
{
	const struct inspect_params params = { .worker = t->worker,
		.request = t->request,
		.client_fd = t->client_fd,
		.hello = hello,
		.done = tunnel_on_inspected,
		.arg = t };

	if (inspect_start(&params, &t->inspect) != OK) {
		request_set_code(t->request, REASON_LIMIT_REACHED);
		tunnel_refuse(t, true);
		return;
	}
	t->stage = TUNNEL_INSPECT;
	t->client_fd = -1;
	tunnel_forget_hello(t);
	request_rest(t->request);
}

/* @raw is all that came so far; E_PARTIAL: not yet all of the hello. */
static enum status
tunnel_check_hello(struct tunnel *t, struct slice raw)
{
	struct hello hello;
	enum reason code;

	if (hello_read(&t->first->scan, raw, &hello) != OK)
		return E_PARTIAL;
	code = request_judge_hello(t->request, hello.kind,
	    (struct slice){ .p = hello.sni, .n = hello.sni_n });
	if (code != REASON_NONE)
		tunnel_refuse(t, hello.is_tls);
	else if (request_is_inspected(t->request))
		tunnel_inspect(t, raw);
	else if (tunnel_relay(t, raw) != OK)
		tunnel_over(t, CLOSE_ERROR);
	return OK;
}

static void
tunnel_gather_hello(struct tunnel *t, struct slice more)
{
	struct buf *bytes = &t->first->bytes;
	bool first = bytes->n == 0;

	buf_put_slice(bytes, more);
	if (buf_status(bytes) != OK)
		tunnel_over(t, CLOSE_ERROR);
	else if (!first)
		(void)tunnel_check_hello(t, buf_slice(bytes));
}

static void
tunnel_on_hello(struct tunnel *t)
{
	struct relay_pool *pool = worker_relay_pool(t->worker);
	/* tunnel_check_hello() has ended it before it is full. */
	size_t had = t->first->bytes.n, room = HELLO_BYTES_MAX - had;
	struct slice raw = { pool->buffer, 0 };
	ssize_t n;

	if (room > sizeof pool->buffer)
		room = sizeof pool->buffer;
	n = recv(t->client_fd, pool->buffer, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		tunnel_over(t, CLOSE_CLIENT);
		return;
	}
	raw.n = (size_t)n;
	/* Mostly it comes whole, and need not be kept. */
	if (had == 0 && tunnel_check_hello(t, raw) == OK)
		return;
	tunnel_gather_hello(t, raw);
}

static void
tunnel_on_hello_event(evutil_socket_t fd, short what, void *arg)
{
	struct tunnel *t = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) != 0)
		(void)tunnel_check_hello(t, buf_slice(&t->first->bytes));
	else
		tunnel_on_hello(t);
}

/* Waits for all of it, starting with what is there (moved); a verdict on that
 * comes from the loop. E_NOMEM. */
static enum status
tunnel_await_hello(struct tunnel *t, struct buf *early)
{
	struct first_flight *f = calloc(1, sizeof *f);

	if (f == NULL)
		return E_NOMEM;
	t->first = f;
	f->bytes = *early;
	*early = (struct buf){ .max = early->max };
	/* More than a hello may hold is refused as one, not cut. */
	if (f->bytes.max < HELLO_BYTES_MAX)
		f->bytes.max = HELLO_BYTES_MAX;
	(void)event_assign(&f->readable, worker_base(t->worker), t->client_fd,
	    EV_READ | EV_PERSIST, tunnel_on_hello_event, t);
	t->deadline_ms = tunnel_now(t) + tunnel_limits(t)->hello_ms;
	if (event_add(&f->readable, NULL) != 0)
		return E_NOMEM;
	if (f->bytes.n > 0)
		event_active(&f->readable, EV_TIMEOUT, 1);
	return OK;
}

static enum status
tunnel_begin(struct tunnel *t, struct buf *early)
{
	if (request_verdict(t->request)->sni_any &&
	    !request_is_inspected(t->request))
		return tunnel_relay(t, buf_slice(early));
	return tunnel_await_hello(t, early);
}

static void
tunnel_init(struct tunnel *t, const struct tunnel_params *params)
{
	t->worker = params->worker;
	t->request = params->request;
	t->client_fd = params->client_fd;
	t->upstream_fd = request_take_fd(params->request);
	t->status = (short)params->status;
	relay_init(&t->relay, worker_relay_pool(t->worker), t->client_fd,
	    t->upstream_fd);
	tunnel_meter(t);
	t->relay.arg = t;
}

struct tunnel *
tunnel_start(
    const struct tunnel_params *params, void (*done)(void *arg), void *arg)
{
	struct request_end end = { .status = params->status,
		.close = close_word(CLOSE_ERROR) };
	struct tunnel *t = calloc(1, sizeof *t);

	if (t == NULL) {
		request_finish(params->request, &end);
		(void)close(params->client_fd);
		buf_release(params->early);
		return NULL;
	}
	tunnel_init(t, params);
	t->done = done;
	t->arg = arg;
	metric_add(METRIC_TUNNELS_OPEN, 1);
	if ((t->upstream_fd < 0 && !request_is_inspected(t->request)) ||
	    tunnel_begin(t, params->early) != OK) {
		tunnel_destroy(t, CLOSE_ERROR);
		t = NULL;
	}
	buf_release(params->early);
	return t;
}

void
tunnel_destroy(struct tunnel *t, enum close_reason why)
{
	if (t == NULL)
		return;
	tunnel_close(t, why);
	free(t);
}

static bool
tunnel_is_still_allowed(struct tunnel *t)
{
	bool allowed = request_still_allowed(t->request);

	tunnel_meter(t);
	return allowed;
}

void
tunnel_rejudge(struct tunnel *t)
{
	if (t->request != NULL && t->stage != TUNNEL_REFUSED &&
	    !tunnel_is_still_allowed(t))
		tunnel_over(t, CLOSE_POLICY);
	else if (t->stage == TUNNEL_INSPECT)
		inspect_rejudge(t->inspect);
}

void
tunnel_drain(struct tunnel *t)
{
	if (t->stage == TUNNEL_INSPECT)
		inspect_drain(t->inspect);
}

void
tunnel_tick(struct tunnel *t, int64_t now_ms, int64_t now_unix_s)
{
	int64_t expires;

	if (t->request != NULL && t->stage == TUNNEL_REFUSED)
		request_tick(t->request, now_ms);
	if (t->request == NULL || t->stage == TUNNEL_REFUSED)
		return;
	expires = request_verdict(t->request)->expires_unix_s;
	if (expires != 0 && now_unix_s >= expires &&
	    !tunnel_is_still_allowed(t)) {
		tunnel_over(t, CLOSE_POLICY);
		return;
	}
	if (t->stage == TUNNEL_INSPECT && inspect_is_serving(t->inspect)) {
		inspect_tick(t->inspect, now_ms);
		return;
	}
	if (t->stage == TUNNEL_RELAY && t->relay.moved) {
		t->relay.moved = false;
		t->deadline_ms = now_ms + tunnel_limits(t)->idle_ms;
	}
	if (now_ms >= t->deadline_ms && t->stage == TUNNEL_INSPECT &&
	    inspect_finds_no_room(t->inspect)) {
		request_set_code(t->request, REASON_LIMIT_REACHED);
		metric_add(METRIC_LIMIT_HITS_TOTAL, 1);
		tunnel_over(t, CLOSE_LIMIT);
		return;
	}
	if (now_ms >= t->deadline_ms)
		tunnel_over(
		    t, t->stage == TUNNEL_RELAY ? CLOSE_IDLE : CLOSE_HELLO);
}
