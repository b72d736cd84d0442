/* What a request through TLS asks beside: whether the client brings a
 * credential of its own, the one that its rule injects, and a handshake. */
#include "proxy/request_inside.h"

#include "base/log.h"
#include "base/log_fold.h"
#include "base/metrics.h"
#include "proxy/h2_up.h"
#include "proxy/tls_client.h"
#include "proxy/upstream_pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status
request_secure_init(struct request *r, const struct request_params *params)
{
	struct request_secure *s = calloc(1, sizeof *s);

	if (s == NULL)
		return E_NOMEM;
	s->request = r;
	s->bearer = params->bearer;
	s->h2 = params->h2;
	s->stream = stream_plain(-1);
	s->tls_ms = -1;
	r->secure = s;
	return OK;
}

static uint32_t
counted_as(const struct request *r)
{
	return r->peer->known ? r->peer->uid : UINT32_MAX;
}

/* Before anything is dialled: a handshake that finds no room has cost a
 * connection, and one user's slow destinations must not take all of it. */
static enum status
secure_enter(struct request *r)
{
	struct request_secure *s = r->secure;
	struct tls_client_ctx *ctx = worker_tls(r->worker, &s->trust);
	enum status st;

	if (s->counted)
		return OK;
	if (ctx == NULL)
		return E_NOMEM;
	if (tls_client_ctx_is_full(ctx))
		return E_LIMIT;
	st = shared_enter_handshake(worker_shared(r->worker), counted_as(r));
	s->counted = st == OK;
	return st;
}

static bool
secure_on_room(void *arg)
{
	struct request *r = arg;
	enum status st = secure_enter(r);

	if (st == E_LIMIT)
		return false;
	r->secure->waits_room = false;
	/* Meanwhile somebody may have done with a connection that fits. */
	if (st == OK)
		request_dial(r);
	else
		request_fail(r, REASON_LIMIT_REACHED);
	return true;
}

enum status
request_secure_reserve(struct request *r)
{
	struct request_secure *s = r->secure;
	enum status st = secure_enter(r);

	if (st != E_LIMIT)
		return st;
	s->turn = (struct turn){ .run = secure_on_room, .arg = r };
	if (!turns_wait(worker_turns(r->worker), &s->turn))
		return E_NOMEM;
	s->waits_room = true;
	s->until_ms = request_now(r) + r->snapshot->limits.tls_ms;
	return E_PARTIAL;
}

static void
handshake_forget(struct request_secure *s)
{
	const struct request *r = s->request;

	if (s->counted)
		shared_leave_handshake(worker_shared(r->worker), counted_as(r));
	s->counted = false;
	if (s->handshake == NULL)
		return;
	(void)event_del(&s->io);
	(void)event_del(&s->deadline);
}

void
request_secure_rest(struct request *r)
{
	const struct proxy_credential_port *port =
	    &worker_ports(r->worker)->credentials;
	struct request_secure *s = r->secure;

	if (s == NULL)
		return;
	if (s->asks)
		port->cancel(port->ctx, &s->ask);
	s->asks = s->waits_trust = s->waits_room = false;
	turns_leave(worker_turns(r->worker), &s->turn);
	handshake_forget(s);
	tls_client_cancel(s->handshake);
	s->handshake = NULL;
	stream_close(&s->stream);
	s->bearer = NULL;
}

void
request_secure_free(struct request *r)
{
	if (r->secure == NULL)
		return;
	request_secure_rest(r);
	secret_unref(r->secure->credential.secret);
	free(r->secure->audience);
	free(r->secure);
	r->secure = NULL;
}

void
request_secure_start(struct request *r)
{
	struct request_secure *s = r->secure;

	if (worker_tls(r->worker, &s->trust) != NULL) {
		request_credential_start(r);
		return;
	}
	s->waits_trust = true;
	s->until_ms = request_now(r) + r->snapshot->limits.connect_ms;
}

void
request_secure_tick(struct request *r, int64_t now_ms)
{
	const struct proxy_credential_port *port =
	    &worker_ports(r->worker)->credentials;
	struct request_secure *s = r->secure;

	if (s->waits_trust && worker_tls(r->worker, &s->trust) != NULL) {
		s->waits_trust = false;
		request_credential_start(r);
	} else if (s->waits_trust && now_ms >= s->until_ms) {
		s->waits_trust = false;
		request_fail(r, REASON_NOT_READY);
	} else if (s->waits_room && now_ms >= s->until_ms) {
		request_fail(r, REASON_LIMIT_REACHED);
	} else if (s->asks && now_ms >= s->until_ms) {
		port->cancel(port->ctx, &s->ask);
		s->asks = false;
		request_credential_give_up(r);
	}
}

static void
handshake_failed(struct request *r, enum reason why)
{
	struct request_secure *s = r->secure;
	const char *problem = tls_client_problem(s->handshake);

	metric_add(METRIC_UPSTREAM_TLS_ERRORS_TOTAL, 1);
	if (log_fold_is_due(worker_log_fold(r->worker), request_host(r),
	        problem, request_now(r)))
		log_info("TLS with %s: %s", request_host(r), problem);
	handshake_forget(s);
	tls_client_cancel(s->handshake);
	s->handshake = NULL;
	request_fail(r, why);
}

static void
handshake_step(struct request *r)
{
	struct request_secure *s = r->secure;
	enum reason why = REASON_TLS_FAILED;
	short events = 0;
	enum status st = tls_client_step(s->handshake, &events, &why);
	struct event_base *base = worker_base(r->worker);
	evutil_socket_t fd = event_get_fd(&s->io);
	event_callback_fn call = event_get_callback(&s->io);
	bool h2;

	if (st == E_PARTIAL) {
		(void)event_del(&s->io);
		(void)event_assign(&s->io, base, fd, events, call, r);
		if (event_add(&s->io, NULL) == 0)
			return;
		why = REASON_LIMIT_REACHED;
	}
	if (st != OK) {
		handshake_failed(r, why);
		return;
	}
	handshake_forget(s);
	s->word = tls_client_word(s->handshake);
	h2 = tls_client_is_h2(s->handshake);
	s->stream = tls_client_take(s->handshake);
	s->handshake = NULL;
	s->made_ms = request_now(r);
	s->tls_ms = s->made_ms - s->tls_start_ms;
	if (h2)
		st =
		    h2_up_start(s->stream, worker_clock(r->worker), &s->stream);
	if (st == OK) {
		request_open(r);
		return;
	}
	s->stream = stream_plain(-1);
	request_fail(r, REASON_LIMIT_REACHED);
}

static bool
handshake_on_turn(void *arg)
{
	handshake_step(arg);
	return true;
}

/* Each step costs as much as some hundred small pieces of a relay. */
static void
handshake_await_turn(struct request *r)
{
	struct request_secure *s = r->secure;

	s->turn.run = handshake_on_turn;
	s->turn.arg = r;
	if (!turns_wait(worker_turns(r->worker), &s->turn))
		handshake_failed(r, REASON_LIMIT_REACHED);
}

static void
handshake_on_io(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	handshake_await_turn(arg);
}

static void
handshake_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	handshake_failed(arg, REASON_TLS_FAILED);
}

void
request_handshake(struct request *r)
{
	struct request_secure *s = r->secure;
	struct tls_client_ctx *ctx = worker_tls(r->worker, &s->trust);
	unsigned ms = r->snapshot->limits.tls_ms;
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };
	int fd = r->fd;
	enum status st = E_NOMEM;

	if (ctx != NULL)
		st = tls_client_start(ctx, fd, request_host(r), &s->handshake);
	if (st != OK) {
		request_fail(r,
		    st == E_INVALID ? REASON_TLS_CERTIFICATE
		                    : REASON_LIMIT_REACHED);
		return;
	}
	r->fd = -1;
	metric_add(METRIC_UPSTREAM_TLS_TOTAL, 1);
	tls_client_resume(s->handshake, request_host(r), r->port);
	if (s->h2)
		tls_client_offer_h2(s->handshake);
	s->tls_start_ms = request_now(r);
	(void)event_assign(
	    &s->io, worker_base(r->worker), fd, EV_WRITE, handshake_on_io, r);
	(void)evtimer_assign(
	    &s->deadline, worker_base(r->worker), handshake_on_deadline, r);
	if (evtimer_add(&s->deadline, &tv) != 0)
		handshake_failed(r, REASON_LIMIT_REACHED);
	else
		handshake_await_turn(r);
}

bool
request_secure_reuses(struct request *r, const struct upstream_facts *u)
{
	struct request_secure *s = r->secure;

	if (s == NULL)
		return u->tls == NULL;
	if (u->tls == NULL || u->h2 != s->h2 ||
	    u->trust != worker_trust(r->worker) ||
	    request_now(r) - u->made_ms >= UPSTREAM_LIFE_MS ||
	    strcmp(u->identity, s->credential.identity) != 0)
		return false;
	s->word = u->tls;
	s->trust = u->trust;
	s->made_ms = u->made_ms;
	return true;
}

bool
request_secure_takes_pooled(struct request *r)
{
	struct upstream_pool *pool = worker_upstreams(r->worker);
	struct policy_answer facts = request_facts(r);
	struct request_secure *s = r->secure;
	struct upstream_facts want;

	if (s == NULL || r->asking->fresh || pool == NULL || !r->peer->known)
		return false;
	want = request_upstream(r);
	want.trust = worker_trust(r->worker);
	s->stream =
	    upstream_pool_take(pool, facts.addresses, facts.n_addresses, &want);
	if (!stream_is_open(&s->stream))
		return false;
	s->word = want.tls;
	s->trust = want.trust;
	s->made_ms = want.made_ms;
	r->address = want.address;
	r->reused = true;
	return true;
}

bool
request_trust_holds(const struct request *r)
{
	return r->local || r->secure == NULL ||
	    r->secure->trust == worker_trust(r->worker);
}

struct stream
request_take_stream(struct request *r)
{
	struct stream s;

	if (r->secure == NULL)
		return stream_plain(request_take_fd(r));
	s = r->secure->stream;
	r->secure->stream = stream_plain(-1);
	return s;
}

void
request_secure_record(struct record *rec, const struct request *r)
{
	const struct request_secure *s = r->secure;

	if (s == NULL)
		return;
	rec->tls = s->word;
	rec->ms.tls = s->tls_ms;
	/* What was refused before it was opened was sent nothing. */
	if (s->audience == NULL || (rec->event != RECORD_OPEN && !r->opened))
		return;
	rec->identity = s->credential.identity;
	rec->audience = s->audience;
	rec->token_id = s->credential.token_id;
}
