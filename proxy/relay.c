/* The hybrid forwarding of tunnels: copy while small, splice while bulk. */
#include "proxy/relay.h"
#include "proxy/relay_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* What one step of a flow came to. */
enum step {
	STEP_MOVED,   /* go on */
	STEP_STARVED, /* nothing to read now */
	STEP_BLOCKED, /* the receiver is full */
	STEP_EOF,     /* the sender has ended and all of it is out */
	STEP_FROM_FAILED,
	STEP_TO_FAILED,
	STEP_NOMEM,
	STEP_SPENT, /* the client sends on, and may not */
};

static struct relay *
flow_relay(struct relay_flow *f)
{
	void *at = (char *)f -
	    (f->is_up ? offsetof(struct relay, up)
	              : offsetof(struct relay, down));

	return at;
}

static struct relay_flow *
flow_other(struct relay_flow *f)
{
	struct relay *r = flow_relay(f);

	return f->is_up ? &r->down : &r->up;
}

static int
flow_from(struct relay_flow *f)
{
	struct relay *r = flow_relay(f);

	return f->is_up ? r->client_fd : r->upstream_fd;
}

static int
flow_to(struct relay_flow *f)
{
	return flow_from(flow_other(f));
}

static bool
flow_borrow(struct relay_flow *f)
{
	f->pipe = relay_pipe_borrow(flow_relay(f)->pool);
	return f->pipe != NULL;
}

static void
flow_return(struct relay_flow *f)
{
	relay_pipe_return(flow_relay(f)->pool, f->pipe);
	f->pipe = NULL;
}

static void
flow_count(struct relay_flow *f, size_t n)
{
	struct relay *r = flow_relay(f);

	if (n > 0 && !f->is_up && f->bytes == 0 && r->calls->first_byte != NULL)
		r->calls->first_byte(r->arg);
	f->bytes += n;
	r->moved = true;
}

/* Errors of a send: is it full, or gone? */
static enum step
send_error(void)
{
	return errno == EAGAIN ? STEP_BLOCKED : STEP_TO_FAILED;
}

static enum step
flow_send_held(struct relay_flow *f)
{
	struct relay_held *h = f->held;
	ssize_t n = send(flow_to(f), h->bytes + h->at, h->n - h->at,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? STEP_MOVED : send_error();
	flow_count(f, (size_t)n);
	h->at += (size_t)n;
	if (h->at < h->n)
		return STEP_BLOCKED;
	free(h);
	f->held = NULL;
	return STEP_MOVED;
}

/* Whether some of what was read waits in a pipe. */
static bool
flow_has_piped(const struct relay_flow *f)
{
	return f->pipe != NULL && f->pipe->n > 0;
}

static enum step
flow_drain_pipe(struct relay_flow *f)
{
	ssize_t n = splice(f->pipe->out, NULL, flow_to(f), NULL, f->pipe->n,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n < 0)
		return errno == EINTR ? STEP_MOVED : send_error();
	if (n == 0)
		return STEP_TO_FAILED;
	flow_count(f, (size_t)n);
	f->pipe->n -= (size_t)n;
	/* Not all: the receiver is full. Spare the call that would say so. */
	return f->pipe->n > 0 ? STEP_BLOCKED : STEP_MOVED;
}

/* Of @want bytes so many may be read: what is read is sent. No more is asked
 * for than is there, or than one byte, which is the end. */
static size_t
flow_room(struct relay_flow *f, size_t want)
{
	const struct relay *r = flow_relay(f);
	int there = 0;

	if (!f->is_up || r->calls->room == NULL)
		return want;
	if (ioctl(flow_from(f), FIONREAD, &there) == 0 && (size_t)there < want)
		want = there > 0 ? (size_t)there : 1;
	return r->calls->room(r->arg, want);
}

static void
flow_spend(struct relay_flow *f, size_t n)
{
	struct relay *r = flow_relay(f);

	if (f->is_up && r->calls->spent != NULL)
		r->calls->spent(r->arg, n);
}

/* Nothing may go any more: that matters once there is something. */
static enum step
flow_look(struct relay_flow *f)
{
	char byte;
	ssize_t n = recv(flow_from(f), &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	if (n > 0)
		return STEP_SPENT;
	f->eof = n == 0;
	if (n == 0 || errno == EINTR)
		return STEP_MOVED;
	return errno == EAGAIN ? STEP_STARVED : STEP_FROM_FAILED;
}

static enum step
flow_splice(struct relay_flow *f, size_t *budget)
{
	size_t got, room = flow_room(f, *budget);
	ssize_t n = -1;

	if (room == 0)
		return flow_look(f);
	if (f->pipe == NULL && !flow_borrow(f)) {
		f->bulk = false;
		return STEP_MOVED;
	}
	n = splice(flow_from(f), NULL, f->pipe->in, NULL, room,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	flow_spend(f, n > 0 ? (size_t)n : 0);
	if (n > 0) {
		got = f->pipe->n = (size_t)n;
		/* Less than asked for: none is left now, or no room for it. */
		f->bulk = got == room || got >= RELAY_READ_BYTES;
		*budget = got < *budget ? 0 : *budget - got;
		return STEP_MOVED;
	}
	if (n < 0 && errno == EAGAIN)
		return STEP_STARVED;
	f->bulk = false;
	if (n == 0) {
		f->eof = true;
		return STEP_MOVED;
	}
	if (errno == EINVAL || errno == ENOSYS)
		flow_relay(f)->pool->no_splice = true;
	else if (errno != EINTR)
		return STEP_FROM_FAILED;
	return STEP_MOVED;
}

/* Keeps what the receiver did not take of the shared buffer. */
static enum step
flow_hold(struct relay_flow *f, const char *bytes, size_t n)
{
	f->held = malloc(sizeof *f->held + n);
	if (f->held == NULL)
		return STEP_NOMEM;
	f->held->at = 0;
	f->held->n = n;
	memcpy(f->held->bytes, bytes, n);
	return STEP_BLOCKED;
}

static enum step
flow_copy(struct relay_flow *f, size_t *budget)
{
	struct relay_pool *p = flow_relay(f)->pool;
	size_t got, sent = 0, room = flow_room(f, sizeof p->buffer);
	ssize_t n;

	if (room == 0)
		return flow_look(f);
	n = recv(flow_from(f), p->buffer, room, MSG_DONTWAIT);
	flow_spend(f, n > 0 ? (size_t)n : 0);
	if (n < 0 && errno == EINTR)
		return STEP_MOVED;
	if (n < 0)
		return errno == EAGAIN ? STEP_STARVED : STEP_FROM_FAILED;
	if (n == 0) {
		f->eof = true;
		return STEP_MOVED;
	}
	got = (size_t)n;
	f->bulk = got == sizeof p->buffer && !p->no_splice;
	*budget -= got < *budget ? got : *budget;
	n = send(flow_to(f), p->buffer, got, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return STEP_TO_FAILED;
	if (n > 0) {
		sent = (size_t)n;
		flow_count(f, sent);
	}
	if (sent < got)
		return flow_hold(f, p->buffer + sent, got - sent);
	/* A short read says that the socket is empty: spare one recv. */
	return got < room ? STEP_STARVED : STEP_MOVED;
}

static enum step
flow_step(struct relay_flow *f, size_t *budget)
{
	if (f->held != NULL)
		return flow_send_held(f);
	if (flow_has_piped(f))
		return flow_drain_pipe(f);
	if (f->eof)
		return STEP_EOF;
	if (f->bulk)
		return flow_splice(f, budget);
	return flow_copy(f, budget);
}

static void
relay_end(struct relay *r, enum close_reason why)
{
	r->calls->ended(r->arg, why);
}

/* A side whose other side broke must not take that for a clean end. */
static void
relay_break(struct relay *r, int survivor, enum close_reason why)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	r->broken = true;
	if (survivor >= 0)
		(void)setsockopt(
		    survivor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	relay_end(r, why);
}

/* RFC 9110 9.3.6: what was read is flushed before the end is passed on. */
static void
flow_finish(struct relay_flow *f)
{
	struct relay *r = flow_relay(f);

	(void)event_del(&f->ready);
	flow_return(f);
	if (!f->shut && !flow_other(f)->shut)
		r->client_first = f->is_up;
	f->shut = true;
	/* When both have ended, closing the two says it as well. */
	if (flow_other(f)->shut)
		relay_end(r, r->client_first ? CLOSE_CLIENT : CLOSE_UPSTREAM);
	else
		(void)shutdown(flow_to(f), SHUT_WR);
}

static void flow_run(evutil_socket_t fd, short what, void *arg);

static void
flow_assign(struct relay_flow *f, bool for_receiver)
{
	f->waits_receiver = for_receiver;
	(void)event_assign(&f->ready, flow_relay(f)->pool->base,
	    for_receiver ? flow_to(f) : flow_from(f),
	    (short)(EV_PERSIST | (for_receiver ? EV_WRITE : EV_READ)), flow_run,
	    f);
}

static void
flow_stop(struct relay_flow *f)
{
	if (f->queued)
		relay_turns_leave(&flow_relay(f)->pool->turns, f);
	f->queued = false;
	(void)event_del(&f->ready);
	flow_return(f);
	free(f->held);
	f->held = NULL;
}

/* The destination is gone; what it said before that still goes down. */
static void
flow_give_up(struct relay_flow *f)
{
	struct relay *r = flow_relay(f);

	flow_stop(f);
	f->shut = true;
	r->broken = true;
	if (r->down.shut)
		/* All it had to say has been passed on: that stands. */
		relay_end(r, CLOSE_UPSTREAM);
	else
		/* An error is told once: the end may look like a clean one. */
		event_active(&r->down.ready, EV_READ, 1);
}

/* Waits for the one thing that can move this flow on. */
static enum status
flow_arm(struct relay_flow *f, bool for_receiver)
{
	if (f->waits_receiver != for_receiver) {
		(void)event_del(&f->ready);
		flow_assign(f, for_receiver);
	}
	return event_add(&f->ready, NULL) == 0 ? OK : E_NOMEM;
}

static void
flow_wait(struct relay_flow *f, bool for_receiver)
{
	if (flow_arm(f, for_receiver) != OK)
		relay_end(flow_relay(f), CLOSE_ERROR);
}

static void
flow_settle(struct relay_flow *f, enum step step)
{
	struct relay *r = flow_relay(f);
	bool to_client = !f->is_up;

	switch (step) {
	case STEP_MOVED: /* its turn is over */
	case STEP_STARVED:
	case STEP_BLOCKED:
		if (!flow_has_piped(f))
			flow_return(f);
		flow_wait(f, f->held != NULL || flow_has_piped(f));
		break;
	case STEP_EOF:
		if (r->broken)
			relay_break(r, flow_to(f), CLOSE_UPSTREAM);
		else
			flow_finish(f);
		break;
	case STEP_FROM_FAILED:
		relay_break(
		    r, flow_to(f), to_client ? CLOSE_UPSTREAM : CLOSE_CLIENT);
		break;
	case STEP_TO_FAILED:
		if (to_client)
			relay_break(r, flow_other(f)->shut ? -1 : flow_from(f),
			    CLOSE_CLIENT);
		else
			flow_give_up(f);
		break;
	case STEP_NOMEM:
		relay_end(r, CLOSE_ERROR);
		break;
	case STEP_SPENT:
		relay_break(r, flow_to(f), CLOSE_BUDGET);
		break;
	}
}

static void
flow_turn(void *arg)
{
	struct relay_flow *f = arg;
	size_t budget = RELAY_TURN_BYTES;
	enum step step = STEP_MOVED;

	f->queued = false;
	while (step == STEP_MOVED &&
	    (budget > 0 || f->held != NULL || flow_has_piped(f) || f->eof))
		step = flow_step(f, &budget);
	flow_settle(f, step);
}

static void
flow_run(evutil_socket_t fd, short what, void *arg)
{
	struct relay_flow *f = arg;

	(void)fd;
	(void)what;
	if (f->queued)
		return;
	if (f->bulk || flow_has_piped(f))
		f->queued = relay_turns_join(&flow_relay(f)->pool->turns, f);
	if (!f->queued)
		flow_turn(f);
}

void
relay_pool_init(struct relay_pool *p, struct event_base *base)
{
	relay_turns_init(&p->turns, base, flow_turn);
	relay_pipes_init(p);
	p->base = base;
	p->no_splice = false;
}

void
relay_pool_release(struct relay_pool *p)
{
	relay_turns_release(&p->turns);
	relay_pipes_release(p);
}

void
relay_init(
    struct relay *r, struct relay_pool *pool, int client_fd, int upstream_fd)
{
	*r = (struct relay){ .pool = pool,
		.up.is_up = true,
		.client_fd = client_fd,
		.upstream_fd = upstream_fd };
	flow_assign(&r->up, false);
	flow_assign(&r->down, false);
}

/* A send that fails does so again for what is held, from the loop. */
static enum status
flow_send_first(struct relay_flow *f, struct slice first)
{
	ssize_t n =
	    send(flow_to(f), first.p, first.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	size_t sent = n > 0 ? (size_t)n : 0;

	flow_count(f, sent);
	if (sent < first.n &&
	    flow_hold(f, first.p + sent, first.n - sent) == STEP_NOMEM)
		return E_NOMEM;
	return OK;
}

enum status
relay_start(struct relay *r, struct slice first)
{
	enum status st = OK;

	if (r->calls->room != NULL && r->calls->room(r->arg, first.n) < first.n)
		return E_LIMIT;
	flow_spend(&r->up, first.n);
	if (first.n > 0)
		st = flow_send_first(&r->up, first);
	if (st == OK)
		st = flow_arm(&r->up, r->up.held != NULL);
	if (st == OK)
		st = flow_arm(&r->down, false);
	return st;
}

void
relay_stop(struct relay *r)
{
	flow_stop(&r->up);
	flow_stop(&r->down);
}
