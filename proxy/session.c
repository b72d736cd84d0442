/* A client connection from accept to its last byte. */
#include "proxy/session.h"

#include "base/metrics.h"
#include "proxy/forward.h"
#include "proxy/peer_pool.h"
#include "proxy/relay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* Early bytes behind a head are kept for the tunnel. */
	EARLY_BYTES_MAX = 16384,
	DRAIN_HEAD_MS = 500,
};

/* What may follow what; SESSION_ENDED may follow all. */
static const unsigned moves[SESSION_STATES] = {
	[SESSION_PEER] = 1U << SESSION_FIRST,
	[SESSION_FIRST] = 1U << SESSION_HTTP | 1U << SESSION_GREETING |
	    1U << SESSION_REFUSING,
	[SESSION_HTTP] = 1U << SESSION_ASKING | 1U << SESSION_FORWARD |
	    1U << SESSION_REFUSING,
	[SESSION_GREETING] = 1U << SESSION_PASSWORD | 1U << SESSION_SOCKS |
	    1U << SESSION_REFUSING,
	[SESSION_PASSWORD] = 1U << SESSION_SOCKS | 1U << SESSION_REFUSING,
	[SESSION_SOCKS] = 1U << SESSION_ASKING | 1U << SESSION_REFUSING,
	[SESSION_ASKING] = 1U << SESSION_TUNNEL | 1U << SESSION_LAST,
	[SESSION_REFUSING] = 1U << SESSION_LAST,
};

void
session_move(struct session *s, enum session_state to)
{
	assert(to == SESSION_ENDED || (moves[s->state] & 1U << to) != 0);
	s->state = (uint8_t)to;
}

static void
session_free_opening(struct session *s)
{
	buf_release(&s->opening->in);
	free(s->opening);
	s->opening = NULL;
}

static void
session_destroy(struct reapable *r)
{
	void *at = (char *)r - offsetof(struct session, reap);
	struct session *s = at;

	if (s->opening != NULL)
		session_free_opening(s);
	peer_pool_let_go(s->peer);
	free(s);
}

static void
session_leave_counts(struct session *s)
{
	if (s->counted_uid)
		shared_leave_uid(
		    worker_shared(s->worker), session_counted_as(s));
	shared_leave(worker_shared(s->worker));
	metric_add(METRIC_CONNECTIONS_OPEN, -1);
}

/* It is freed later: what is read of it may be on the stack. */
static void
session_stop_opening(struct session *s, enum close_reason why)
{
	struct request_end end = { .close = close_word(why) };
	struct session_opening *o = s->opening;

	(void)event_del(&o->readable);
	session_forget_userdb(s);
	request_finish(o->request, &end);
	refusal_cancel(o->refusal);
	lingering_destroy(o->last);
}

void
session_end(struct session *s, enum close_reason why)
{
	if (s->state == SESSION_ENDED)
		return;
	session_move(s, SESSION_ENDED);
	if (s->opening != NULL)
		session_stop_opening(s, why);
	tunnel_destroy(s->tunnel, why);
	if (s->forward != NULL)
		forward_destroy(s->forward);
	if (s->fd >= 0)
		(void)close(s->fd);
	session_leave_counts(s);
	worker_session_closed(s->worker, s);
	worker_reap(s->worker, &s->reap, session_destroy);
}

static void
session_on_said(void *arg)
{
	struct session *s = arg;

	s->opening->last = NULL;
	session_end(s, CLOSE_DENIED);
}

void
session_say_last(struct session *s, struct buf *last)
{
	struct session_opening *o = s->opening;
	int fd = s->fd;

	session_move(s, SESSION_LAST);
	(void)event_del(&o->readable);
	s->fd = -1;
	/* RFC 9112 9.6; the facts about the client hold only while it lasts. */
	if (buf_status(last) != OK || !peer_still_connected(fd)) {
		buf_release(last);
		(void)close(fd);
		session_end(s, CLOSE_ERROR);
		return;
	}
	o->last = lingering_start(
	    s->worker, stream_plain(fd), last, session_on_said, s);
	if (o->last == NULL)
		session_end(s, CLOSE_ERROR);
	else if (o->was_slow || s->protocol == REQUEST_SOCKS5)
		lingering_hurry(o->last);
}

static void
session_on_refused(void *arg, struct buf *answer)
{
	struct session *s = arg;

	s->opening->refusal = NULL;
	session_say_last(s, answer);
}

struct request_refusal
session_refusal(struct session *s, const struct request_refusal *what)
{
	struct request_refusal r = *what;

	r.worker = s->worker;
	r.protocol = (enum request_protocol)s->protocol;
	r.peer = s->peer;
	r.listener = s->listener;
	return r;
}

void
session_refuse(struct session *s, const struct request_refusal *what)
{
	const struct request_refusal r = session_refusal(s, what);

	session_move(s, SESSION_REFUSING);
	(void)event_del(&s->opening->readable);
	s->opening->refusal = refusal_start(&r, session_on_refused, s);
	if (s->opening->refusal == NULL)
		session_end(s, CLOSE_ERROR);
}

static void
session_on_tunnel_done(void *arg)
{
	session_end(arg, CLOSE_UPSTREAM);
}

/* The answer is the first thing on a fresh socket: it fits, or it is gone. */
static bool
session_say_success(struct session *s)
{
	struct buf out;
	ssize_t n;
	bool all;

	buf_init(&out, 256);
	session_put_success(s, &out);
	n = send(s->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	all = buf_status(&out) == OK && n >= 0 && (size_t)n == out.n;
	buf_release(&out);
	return all;
}

static void
session_open_tunnel(struct session *s)
{
	struct tunnel_params params = { .worker = s->worker,
		.request = s->opening->request,
		.client_fd = s->fd,
		.early = &s->opening->in,
		.status = s->protocol == REQUEST_CONNECT ? 200 : 0 };

	if (!session_say_success(s)) {
		session_end(s, CLOSE_CLIENT);
		return;
	}
	session_move(s, SESSION_TUNNEL);
	s->opening->request = NULL;
	s->fd = -1;
	s->tunnel = tunnel_start(&params, session_on_tunnel_done, s);
	/* Only now: the kernel goes on watching the socket for the tunnel. */
	(void)event_del(&s->opening->readable);
	session_free_opening(s);
	if (s->tunnel == NULL)
		session_end(s, CLOSE_ERROR);
}

static void
session_deny(struct session *s)
{
	struct request_end end = { .close = close_word(CLOSE_DENIED) };
	struct request *r = s->opening->request;
	enum reason code = request_code(r);
	struct buf out;

	buf_init(&out, EARLY_BYTES_MAX);
	session_put_denial(s, &out);
	if (s->protocol == REQUEST_CONNECT)
		end.status = reason_info(code)->status;
	request_finish(r, &end);
	s->opening->request = NULL;
	session_say_last(s, &out);
}

static void
session_on_answer(void *arg, enum request_outcome outcome)
{
	struct session *s = arg;

	if (!peer_still_connected(s->fd))
		session_end(s, CLOSE_CLIENT);
	else if (outcome == REQUEST_READY)
		session_open_tunnel(s);
	else
		session_deny(s);
}

void
session_ask(struct session *s, const struct host *host, uint16_t port)
{
	struct request_params params = { .worker = s->worker,
		.protocol = (enum request_protocol)s->protocol,
		.peer = s->peer,
		.listener = s->listener,
		.host = *host,
		.port = port };
	struct session_opening *o = s->opening;

	if (s->protocol == REQUEST_CONNECT)
		params.method = SLICE("CONNECT");
	/* The socket stays watched: mostly it is silent until the answer. */
	session_move(s, SESSION_ASKING);
	o->request = request_start(&params, session_on_answer, s);
	if (o->request == NULL)
		session_end(s, CLOSE_ERROR);
}

/* RFC 9110 5.6.2: what a method may begin with; RFC 9112 2.2: an empty line
 * may stand before it. */
static bool
may_begin_request(char c)
{
	return c == '\r' || ascii_is_alnum(c) ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void
session_refuse_first(struct session *s)
{
	const struct request_refusal what = { .code = REASON_BAD_REQUEST,
		.detail = s->gateway ? "this is a gateway: it speaks HTTP/1.1"
		                     : "this port speaks HTTP/1.1 and SOCKS5" };

	session_refuse(s, &what);
}

static void
session_advance(struct session *s)
{
	char first = s->opening->in.p[0];

	if (s->state == SESSION_FIRST) {
		if (first == 5 && !s->gateway) {
			s->protocol = REQUEST_SOCKS5;
			session_move(s, SESSION_GREETING);
		} else if (may_begin_request(first)) {
			session_move(s, SESSION_HTTP);
		} else {
			session_refuse_first(s);
			return;
		}
	}
	if (s->state == SESSION_HTTP)
		session_http_read(s);
	else
		session_socks_read(s);
}

static void
session_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	struct relay_pool *pool = worker_relay_pool(s->worker);
	ssize_t n;

	(void)what;
	if (s->state == SESSION_ASKING) {
		/* What it says before the answer is the tunnel's to read. */
		(void)event_del(&s->opening->readable);
		return;
	}
	n = recv(fd, pool->buffer, sizeof pool->buffer, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		session_end(s, CLOSE_CLIENT);
		return;
	}
	buf_put(&s->opening->in, pool->buffer, (size_t)n);
	if (buf_status(&s->opening->in) != OK)
		session_end(s, CLOSE_LIMIT);
	else
		session_advance(s);
}

static struct session *
session_create(struct proxy_worker *w)
{
	struct session *s = calloc(1, sizeof *s);
	struct session_opening *o = calloc(1, sizeof *o);

	if (s == NULL || o == NULL) {
		free(s);
		free(o);
		return NULL;
	}
	worker_session_opened(w, s);
	s->worker = w;
	s->opening = o;
	o->session = s;
	return s;
}

void
session_start(struct proxy_worker *w, int fd, const struct listener *from)
{
	const struct proxy_limits *limits = &worker_snapshot(w)->limits;
	struct session *s = session_create(w);
	struct session_opening *o;

	metric_add(METRIC_CONNECTIONS_TOTAL, 1);
	if (s == NULL) {
		(void)close(fd);
		return;
	}
	o = s->opening;
	s->fd = fd;
	s->listener = listener_name(from);
	s->gateway = listener_is_gateway(from);
	s->protocol = s->gateway ? REQUEST_GATEWAY : REQUEST_CONNECT;
	o->deadline_ms = clock_boot_ms(worker_clock(w)) + limits->head_ms;
	buf_init(&o->in,
	    HTTP1_HEAD_PARTS * (size_t)limits->head_bytes + EARLY_BYTES_MAX);
	(void)event_assign(&o->readable, worker_base(w), fd,
	    EV_READ | EV_PERSIST, session_on_readable, s);
	metric_add(METRIC_CONNECTIONS_OPEN, 1);
	o->over_limit = shared_enter(worker_shared(w)) >
	    shared_ceiling(worker_shared(w), limits->connections);
	session_identify(s);
}

/* Half a head gets an answer; silence gets silence. */
static void
session_time_out(struct session *s)
{
	const struct request_refusal what = { .code = REASON_BAD_REQUEST,
		.status = 408,
		.detail = "the head did not come in time" };

	if (worker_is_draining(s->worker)) {
		session_end(s, CLOSE_DRAIN);
		return;
	}
	if (s->state != SESSION_HTTP) {
		session_end(s, CLOSE_HEAD);
		return;
	}
	s->opening->was_slow = true;
	session_refuse(s, &what);
}

/* Somebody else works; who it is for may leave. */
static void
session_tick_waiting(struct session *s, int64_t now_ms)
{
	if (peer_has_left(worker_peers(s->worker), s->fd))
		session_end(s, CLOSE_CLIENT);
	else if (s->state == SESSION_ASKING)
		request_tick(s->opening->request, now_ms);
	else
		refusal_tick(s->opening->refusal, now_ms);
}

void
session_tick(struct session *s, int64_t now_ms, int64_t now_unix_s)
{
	if (s->state == SESSION_TUNNEL)
		tunnel_tick(s->tunnel, now_ms, now_unix_s);
	else if (s->state < SESSION_ASKING && now_ms >= s->opening->deadline_ms)
		session_time_out(s);
	else if (s->state == SESSION_FORWARD)
		forward_tick(s->forward, now_ms);
	else if (s->state == SESSION_ASKING || s->state == SESSION_REFUSING)
		session_tick_waiting(s, now_ms);
}

void
session_rejudge(struct session *s)
{
	if (s->state == SESSION_TUNNEL)
		tunnel_rejudge(s->tunnel);
	else if (s->state == SESSION_FORWARD)
		forward_rejudge(s->forward);
	else if (s->gateway && s->state < SESSION_LAST &&
	    proxy_snapshot_gateway(worker_snapshot(s->worker), s->listener) ==
	        NULL)
		session_end(s, CLOSE_POLICY);
}

void
session_drain(struct session *s)
{
	int64_t soon = clock_boot_ms(worker_clock(s->worker)) + DRAIN_HEAD_MS;

	/* It may have been accepted a moment ago: what it says is heard. */
	if (s->state < SESSION_ASKING && s->opening->deadline_ms > soon)
		s->opening->deadline_ms = soon;
	else if (s->state == SESSION_FORWARD)
		forward_drain(s->forward);
	else if (s->state == SESSION_TUNNEL)
		tunnel_drain(s->tunnel);
}
