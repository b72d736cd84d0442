/* A tunnel's client speaks TLS with us, and HTTP/1.1 or HTTP/2 inside. */
#include "proxy/inspect.h"

#include "base/log.h"
#include "base/log_fold.h"
#include "base/metrics.h"
#include "proxy/forward.h"
#include "proxy/h2_down.h"
#include "proxy/tls_accept.h"
#include "proxy/turns.h"
#include "proxy/worker.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <unistd.h>

struct inspect {
	struct proxy_worker *worker;
	struct request_origin origin;
	int client_fd;                /* until there is a handshake; or -1 */
	struct buf hello;             /* likewise */
	struct tls_accept *handshake; /* NULL once it is over */
	struct event io;
	struct turn turn;
	struct forward *forward; /* of HTTP/1.1, or */
	struct h2_down *h2;
	uint64_t bytes_up, bytes_down; /* of a forward that is gone */
	void (*done)(void *arg, enum close_reason why);
	void *arg;
};

static uint32_t
counted_as(const struct inspect *h)
{
	return h->origin.peer->known ? h->origin.peer->uid : UINT32_MAX;
}

static void
handshake_forget(struct inspect *h)
{
	if (h->handshake == NULL)
		return;
	(void)event_del(&h->io);
	shared_leave_handshake(worker_shared(h->worker), counted_as(h));
}

static void
inspect_on_forward_done(void *arg)
{
	struct inspect *h = arg;
	enum close_reason why = forward_why(h->forward);

	/* It has closed and freed itself. */
	forward_bytes(h->forward, &h->bytes_up, &h->bytes_down);
	h->forward = NULL;
	h->done(h->arg, why);
}

static void
inspect_on_h2_done(void *arg)
{
	struct inspect *h = arg;
	enum close_reason why = h2_down_why(h->h2);

	h2_down_bytes(h->h2, &h->bytes_up, &h->bytes_down);
	h->h2 = NULL;
	h->done(h->arg, why);
}

static void
inspect_serve(struct inspect *h)
{
	bool h2 = tls_accept_is_h2(h->handshake);

	struct forward_params params = { .worker = h->worker,
		.peer = h->origin.peer,
		.listener = h->origin.listener,
		.protocol = h->origin.protocol,
		.inside = &h->origin.host,
		.inside_port = h->origin.port };

	turns_leave(worker_turns(h->worker), &h->turn);
	handshake_forget(h);
	params.stream = tls_accept_take(h->handshake);
	h->handshake = NULL;
	if (h2)
		h->h2 = h2_down_start(&params, inspect_on_h2_done, h);
	else
		h->forward = forward_start(&params, inspect_on_forward_done, h);
	if (h->h2 == NULL && h->forward == NULL)
		h->done(h->arg, CLOSE_ERROR);
}

/* Mostly it does not believe our CA: `wayleave env` tells how it would. */
static void
inspect_fail(struct inspect *h)
{
	const char *problem = tls_accept_problem(h->handshake);
	const char *host = h->origin.host.name;
	int64_t now = clock_boot_ms(worker_clock(h->worker));

	metric_add(METRIC_CLIENT_TLS_ERRORS_TOTAL, 1);
	if (log_fold_is_due(worker_log_fold(h->worker), host, problem, now))
		log_info("a client of %s ended TLS with us: %s", host, problem);
	h->done(h->arg, CLOSE_CLIENT);
}

bool
inspect_was_refused(const struct inspect *h)
{
	return h->handshake != NULL && tls_accept_was_refused(h->handshake);
}

/* Each step costs as much as some hundred small pieces of a relay. */
static void
inspect_on_io(evutil_socket_t fd, short what, void *arg)
{
	struct inspect *h = arg;

	(void)fd;
	(void)what;
	if (!turns_wait(worker_turns(h->worker), &h->turn))
		h->done(h->arg, CLOSE_ERROR);
}

static void
inspect_step(struct inspect *h)
{
	evutil_socket_t fd = event_get_fd(&h->io);
	short events = 0;
	enum status st = tls_accept_step(h->handshake, &events);

	if (st == E_PARTIAL) {
		(void)event_del(&h->io);
		(void)event_assign(&h->io, worker_base(h->worker), fd, events,
		    inspect_on_io, h);
		if (event_add(&h->io, NULL) != 0)
			h->done(h->arg, CLOSE_ERROR);
		return;
	}
	if (st == OK) {
		inspect_serve(h);
		return;
	}
	inspect_fail(h);
}

static enum status
inspect_accept(struct inspect *h)
{
	const struct tls_accept_params accept = {
		.ctx = worker_accept(h->worker),
		.fd = h->client_fd,
		.host = h->origin.host.name,
		.now_unix_s = clock_unix_s(worker_clock(h->worker)),
		.early = buf_slice(&h->hello),
		.h2 = true,
	};
	struct proxy_shared *shared = worker_shared(h->worker);
	enum status st;

	if (accept.ctx == NULL)
		return E_NOTFOUND;
	st = shared_enter_handshake(shared, counted_as(h));
	if (st != OK)
		return st;
	st = tls_accept_start(&accept, &h->handshake);
	if (st != OK) {
		shared_leave_handshake(shared, counted_as(h));
		return st;
	}
	metric_add(METRIC_CLIENT_TLS_TOTAL, 1);
	(void)event_assign(&h->io, worker_base(h->worker), h->client_fd,
	    EV_READ, inspect_on_io, h);
	h->client_fd = -1;
	buf_release(&h->hello);
	return OK;
}

/* Where there is no room for one more handshake it waits for it. */
static bool
inspect_on_turn(void *arg)
{
	struct inspect *h = arg;
	enum status st = OK;

	if (h->handshake == NULL)
		st = inspect_accept(h);
	if (st == E_LIMIT)
		return false;
	if (st == OK)
		inspect_step(h);
	else
		h->done(h->arg, CLOSE_ERROR);
	return true;
}

enum status
inspect_start(const struct inspect_params *params, struct inspect **out)
{
	struct inspect *h = calloc(1, sizeof *h);
	enum status st;

	if (h == NULL)
		return E_NOMEM;
	h->worker = params->worker;
	request_tell_origin(params->request, &h->origin);
	h->done = params->done;
	h->arg = params->arg;
	h->turn.run = inspect_on_turn;
	h->turn.arg = h;
	buf_init(&h->hello, params->hello.n);
	buf_put_slice(&h->hello, params->hello);
	st = buf_status(&h->hello);
	/* The hello was read before: no event tells of it. */
	if (st == OK && !turns_wait(worker_turns(h->worker), &h->turn))
		st = E_NOMEM;
	if (st != OK) {
		buf_release(&h->hello);
		free(h);
		return st;
	}
	h->client_fd = params->client_fd;
	*out = h;
	return OK;
}

bool
inspect_is_serving(const struct inspect *h)
{
	return h->handshake == NULL && h->client_fd < 0;
}

bool
inspect_finds_no_room(const struct inspect *h)
{
	return h->client_fd >= 0;
}

void
inspect_tick(struct inspect *h, int64_t now_ms)
{
	if (h->forward != NULL)
		forward_tick(h->forward, now_ms);
	else if (h->h2 != NULL)
		h2_down_tick(h->h2, now_ms);
}

void
inspect_rejudge(struct inspect *h)
{
	if (h->forward != NULL)
		forward_rejudge(h->forward);
	else if (h->h2 != NULL)
		h2_down_rejudge(h->h2);
}

void
inspect_drain(struct inspect *h)
{
	if (h->forward != NULL)
		forward_drain(h->forward);
	else if (h->h2 != NULL)
		h2_down_drain(h->h2);
}

void
inspect_end(
    struct inspect *h, enum close_reason why, uint64_t *up, uint64_t *down)
{
	turns_leave(worker_turns(h->worker), &h->turn);
	handshake_forget(h);
	tls_accept_cancel(h->handshake);
	if (h->client_fd >= 0)
		(void)close(h->client_fd);
	buf_release(&h->hello);
	if (h->forward != NULL) {
		forward_stop(h->forward, why);
		forward_bytes(h->forward, &h->bytes_up, &h->bytes_down);
	}
	if (h->h2 != NULL) {
		h2_down_stop(h->h2, why);
		h2_down_bytes(h->h2, &h->bytes_up, &h->bytes_down);
	}
	*up = h->bytes_up;
	*down = h->bytes_down;
	free(h);
}
