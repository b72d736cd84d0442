/* Accepts connections: bounded in a turn, and with pauses instead of spins. */
#include "loop/acceptor.h"

#include "base/log.h"
#include "base/metrics.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPTS_A_TURN = 16,
	PAUSE_FIRST_MS = 25,
	PAUSE_MOST_MS = 200,
};

struct acceptor {
	struct acceptor_settings settings;
	char *name;
	int fd;    /* -1 once closed */
	bool held; /* since a pause began, until the backlog was empty */
	unsigned pause_ms; /* of the last pause; 0: one was accepted since */
	struct event readable, resume;
};

static void
acceptor_wait_ms(struct acceptor *a, unsigned ms)
{
	const struct timeval tv = { .tv_usec = (suseconds_t)ms * 1000 };

	if (evtimer_add(&a->resume, &tv) != 0)
		log_error("%s: no memory to go on accepting", a->name);
}

/* Where the kernel has no memory for it now, it may have some soon. */
static void
acceptor_watch(struct acceptor *a)
{
	if (event_add(&a->readable, NULL) != 0)
		acceptor_wait_ms(a, PAUSE_MOST_MS);
}

/*
 * Readiness is level-triggered: a connection that cannot be taken would wake
 * us without end. So one looks again a little later, and says so once.
 */
static void
acceptor_pause(struct acceptor *a, const char *why)
{
	if (!a->held) {
		log_warning("%s: accepting no more for now: %s", a->name, why);
		metric_add(METRIC_ACCEPT_PAUSES_TOTAL, 1);
		a->held = true;
	}
	if (a->pause_ms == 0)
		a->pause_ms = PAUSE_FIRST_MS;
	else if (a->pause_ms < PAUSE_MOST_MS)
		a->pause_ms *= 2;
	(void)event_del(&a->readable);
	acceptor_wait_ms(a, a->pause_ms);
}

/* At the edge one comes in now and then: that is no news of its own. */
static void
acceptor_has_caught_up(struct acceptor *a)
{
	a->pause_ms = 0;
	if (!a->held)
		return;
	a->held = false;
	log_notice("%s: accepting again", a->name);
}

/*
 * accept(2): what befell one connection that had not been accepted yet comes
 * out here, and the next one is none the worse.
 */
static bool
is_of_one_connection(int error)
{
	static const int errors[] = { ECONNABORTED, EINTR, EPROTO, ENETDOWN,
		ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP,
		ENETUNREACH, EPERM, ETIMEDOUT };

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (errors[i] == error)
			return true;
	return false;
}

static bool
acceptor_is_full(const struct acceptor *a)
{
	return a->settings.is_full != NULL &&
	    a->settings.is_full(a->settings.ctx);
}

/* False: nothing more to accept in this turn. */
static bool
acceptor_take_one(struct acceptor *a)
{
	int fd;

	if (acceptor_is_full(a)) {
		acceptor_pause(a, "the limit of connections is reached");
		return false;
	}
	fd = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		a->pause_ms = 0;
		a->settings.accepted(a->settings.ctx, fd);
		return a->fd >= 0;
	}
	if (is_of_one_connection(errno))
		return true;
	if (errno == EAGAIN)
		acceptor_has_caught_up(a);
	else
		acceptor_pause(a, strerror(errno));
	return false;
}

/* An accept(2) that finds nobody has made a socket and its file before. */
static bool
acceptor_has_more(const struct acceptor *a)
{
	struct pollfd p = { .fd = a->fd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

static void
acceptor_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct acceptor *a = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		if (i > 0 && !acceptor_has_more(a)) {
			if (!acceptor_is_full(a))
				acceptor_has_caught_up(a);
			return;
		}
		if (!acceptor_take_one(a))
			return;
	}
}

static void
acceptor_on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	acceptor_watch(arg);
}

enum status
acceptor_create(
    const struct acceptor_settings *settings, int fd, struct acceptor **out)
{
	struct acceptor *a = calloc(1, sizeof *a);

	if (a == NULL) {
		(void)close(fd);
		return E_NOMEM;
	}
	a->settings = *settings;
	a->fd = fd;
	a->name = strdup(settings->name);
	(void)event_assign(&a->readable, settings->base, fd,
	    EV_READ | EV_PERSIST, acceptor_on_readable, a);
	(void)evtimer_assign(&a->resume, settings->base, acceptor_on_resume, a);
	if (a->name == NULL || evutil_make_socket_nonblocking(fd) != 0 ||
	    event_add(&a->readable, NULL) != 0) {
		acceptor_destroy(a);
		return E_NOMEM;
	}
	*out = a;
	return OK;
}

void
acceptor_close(struct acceptor *a)
{
	if (a->fd < 0)
		return;
	(void)event_del(&a->readable);
	(void)event_del(&a->resume);
	(void)close(a->fd);
	a->fd = -1;
}

void
acceptor_destroy(struct acceptor *a)
{
	if (a == NULL)
		return;
	acceptor_close(a);
	free(a->name);
	free(a);
}

const char *
acceptor_name(const struct acceptor *a)
{
	return a->name;
}
