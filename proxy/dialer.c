/* Happy eyeballs (RFC 8305) that never leaves the set it was given. */
#include "proxy/dialer.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 8305 5: the recommended Connection Attempt Delay. */
enum { ATTEMPT_DELAY_MS = 250, DIAL_ADDRESSES_MAX = 32 };

struct attempt {
	struct dial *dial;
	struct addr address;
	struct event ready;
	int fd; /* -1: not started, or over */
};

struct dial {
	struct event_base *base;
	void (*done)(void *arg, const struct dial_result *result);
	void *arg;
	struct event next;    /* starts the next attempt */
	struct event timeout; /* ends all */
	size_t n;
	size_t started;
	size_t running;
	uint16_t port;
	enum reason code; /* the most telling failure so far */
	struct attempt attempts[];
};

static struct timeval
ms_to_timeval(unsigned ms)
{
	struct timeval tv = {
		.tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000,
	};

	return tv;
}

static void
attempt_close(struct attempt *a)
{
	if (a->fd < 0)
		return;
	(void)event_del(&a->ready);
	(void)close(a->fd);
	a->fd = -1;
}

static void
dial_free(struct dial *d)
{
	for (size_t i = 0; i < d->n; i++)
		attempt_close(&d->attempts[i]);
	(void)event_del(&d->next);
	(void)event_del(&d->timeout);
	free(d);
}

static void
dial_end(struct dial *d, const struct dial_result *result)
{
	void (*done)(void *, const struct dial_result *) = d->done;
	void *arg = d->arg;

	dial_free(d);
	done(arg, result);
}

static void
dial_fail(struct dial *d, enum reason code)
{
	struct dial_result result = { .fd = -1, .code = code };

	dial_end(d, &result);
}

static enum reason
code_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		return REASON_CONNECT_REFUSED;
	case ETIMEDOUT:
		return REASON_CONNECT_TIMEOUT;
	default:
		return REASON_CONNECT_UNREACHABLE;
	}
}

/* Of several failures: a refusal was at least an answer, then silence. */
static void
note_failure(struct dial *d, enum reason code)
{
	if (d->code == REASON_NONE || code == REASON_CONNECT_REFUSED ||
	    (code == REASON_CONNECT_TIMEOUT &&
	        d->code == REASON_CONNECT_UNREACHABLE))
		d->code = code;
}

/* Whether the kernel says that we are where we wanted to be. */
static bool
peer_is(int fd, const struct addr *want, uint16_t want_port)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	struct addr got;
	uint16_t port;

	return getpeername(fd, (struct sockaddr *)&ss, &n) == 0 &&
	    addr_from_sockaddr((struct sockaddr *)&ss, &got, &port) &&
	    addr_eq(&got, want) && port == want_port;
}

static int
socket_error(int fd)
{
	int error = 0;
	socklen_t n = sizeof error;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		return errno;
	return error;
}

/* From the loop: the next attempt; when none is left or runs, that is all. */
static void
dial_advance(struct dial *d)
{
	event_active(&d->next, EV_TIMEOUT, 1);
}

static void
attempt_ready(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;
	struct dial *d = a->dial;
	struct dial_result result = { .fd = fd, .address = a->address };
	int error;

	(void)what;
	/* Who has a peer is connected, and need not be asked for an error. */
	if (!peer_is(fd, &a->address, d->port)) {
		error = socket_error(fd);
		note_failure(d, code_of(error == 0 ? EHOSTUNREACH : error));
		attempt_close(a);
		d->running--;
		dial_advance(d);
		return;
	}
	a->fd = -1; /* the callee's now */
	dial_end(d, &result);
}

/* 0, or the errno of what failed. */
static int
attempt_connect(struct attempt *a)
{
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&a->address, a->dial->port, &ss);
	const int on = 1;

	a->fd =
	    socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		return errno;
	(void)event_assign(
	    &a->ready, a->dial->base, a->fd, EV_WRITE, attempt_ready, a);
	(void)setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(a->fd, (struct sockaddr *)&ss, n) != 0 &&
	    errno != EINPROGRESS)
		return errno;
	return event_add(&a->ready, NULL) == 0 ? 0 : ENOMEM;
}

/* There is one more. It never ends the dial from inside. */
static void
dial_attempt(struct dial *d)
{
	struct timeval delay = ms_to_timeval(ATTEMPT_DELAY_MS);
	struct attempt *a = &d->attempts[d->started++];
	int error = attempt_connect(a);

	if (error != 0) {
		note_failure(d, code_of(error));
		attempt_close(a);
		dial_advance(d);
		return;
	}
	d->running++;
	if (d->started < d->n)
		(void)evtimer_add(&d->next, &delay);
}

static void
next_fired(evutil_socket_t fd, short what, void *arg)
{
	struct dial *d = arg;

	(void)fd;
	(void)what;
	if (d->started < d->n)
		dial_attempt(d);
	else if (d->running == 0)
		dial_fail(d, d->code);
}

static void
timeout_fired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dial_fail(arg, REASON_CONNECT_TIMEOUT);
}

static void
add_attempt(struct dial *d, const struct addr *address)
{
	struct attempt *a = &d->attempts[d->n++];

	a->dial = d;
	a->fd = -1;
	a->address = *address;
}

static const struct addr *
next_of(const struct dial_params *params, uint8_t family, size_t *at)
{
	while (*at < params->n_addresses) {
		const struct addr *a = &params->addresses[(*at)++];

		if (a->family == family)
			return a;
	}
	return NULL;
}

/* RFC 8305 4: families take turns, IPv6 first, each in the given order. */
static void
order_addresses(struct dial *d, const struct dial_params *params)
{
	size_t at6 = 0, at4 = 0;
	const struct addr *v6, *v4;

	do {
		v6 = next_of(params, ADDR_V6, &at6);
		if (v6 != NULL && d->n < DIAL_ADDRESSES_MAX)
			add_attempt(d, v6);
		v4 = next_of(params, ADDR_V4, &at4);
		if (v4 != NULL && d->n < DIAL_ADDRESSES_MAX)
			add_attempt(d, v4);
	} while (v6 != NULL || v4 != NULL);
}

struct dial *
dial_start(const struct dial_params *params,
    void (*done)(void *arg, const struct dial_result *result), void *arg)
{
	size_t room = params->n_addresses < DIAL_ADDRESSES_MAX
	    ? params->n_addresses
	    : DIAL_ADDRESSES_MAX;
	struct dial *d = calloc(1, sizeof *d + room * sizeof d->attempts[0]);
	struct timeval limit = ms_to_timeval(params->timeout_ms);

	if (d == NULL)
		return NULL;
	d->base = params->base;
	d->done = done;
	d->arg = arg;
	d->port = params->port;
	order_addresses(d, params);
	(void)evtimer_assign(&d->next, d->base, next_fired, d);
	(void)evtimer_assign(&d->timeout, d->base, timeout_fired, d);
	if (evtimer_add(&d->timeout, &limit) != 0) {
		dial_free(d);
		return NULL;
	}
	if (d->n > 0) {
		dial_attempt(d);
	} else {
		d->code = REASON_CONNECT_UNREACHABLE;
		dial_advance(d);
	}
	return d;
}

void
dial_cancel(struct dial *d)
{
	if (d != NULL)
		dial_free(d);
}
