/* Listeners of the broker; what they accept is conn.c's. */
#include "identity/broker.h"

#include "base/log.h"
#include "base/metrics.h"
#include "identity/conn.h"
#include "identity/room.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 64, ACCEPT_PAUSE_US = 100000 };

enum status
broker_create(struct identity *id, struct broker **out)
{
	struct broker *b = calloc(1, sizeof *b);

	if (b == NULL)
		return E_NOMEM;
	b->id = id;
	*out = b;
	return OK;
}

static void
listener_free(struct listener *l)
{
	if (l->readable != NULL)
		event_free(l->readable);
	if (l->pause != NULL)
		event_free(l->pause);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

void
broker_destroy(struct broker *b)
{
	if (b == NULL)
		return;
	while (b->conns != NULL)
		conn_free(b->conns);
	while (b->listeners != NULL) {
		struct listener *l = b->listeners;
		b->listeners = l->next;
		listener_free(l);
	}
	free(b);
}

/* Out of descriptors: level-triggered readiness would spin. */
static void
listener_pause(struct listener *l)
{
	struct timeval tv = { .tv_usec = ACCEPT_PAUSE_US };

	log_warning("broker: cannot accept on %s; trying again soon", l->name);
	if (event_del(l->readable) != 0 || event_add(l->pause, &tv) != 0)
		log_error("broker: %s stays closed", l->name);
}

static void
on_pause(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	if (event_add(l->readable, NULL) != 0)
		log_error("broker: %s stays closed", l->name);
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct broker *b = l->broker;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int conn =
		    accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (conn >= 0 && b->n_conns >= b->id->connections_max) {
			metric_add(METRIC_LIMIT_HITS_TOTAL, 1);
			close(conn);
		} else if (conn >= 0) {
			conn_open(l, conn);
		} else if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM || errno == ENOBUFS) {
			listener_pause(l);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static bool
listener_rules(int fd, struct endpoint_listener *out)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t n = sizeof ss;
	const void *sa = &ss;

	if (getsockname(fd, (void *)&ss, &n) != 0)
		return false;
	out->any_host = ss.ss_family == AF_UNIX;
	return out->any_host || addr_from_sockaddr(sa, &out->addr, &out->port);
}

enum status
broker_listen(struct broker *b, int fd, const char *name)
{
	struct listener *l = calloc(1, sizeof *l);

	if (l == NULL)
		return E_NOMEM;
	l->broker = b;
	l->fd = -1;
	if (!listener_rules(fd, &l->rules) ||
	    !slice_copy(slice_of(name), l->name, sizeof l->name)) {
		listener_free(l);
		return E_INVALID;
	}
	l->readable =
	    event_new(b->id->base, fd, EV_READ | EV_PERSIST, on_accept, l);
	l->pause = evtimer_new(b->id->base, on_pause, l);
	if (l->readable == NULL || l->pause == NULL ||
	    event_add(l->readable, NULL) != 0) {
		listener_free(l);
		return E_NOMEM;
	}
	l->fd = fd;
	l->next = b->listeners;
	b->listeners = l;
	return OK;
}

void
broker_drain(struct broker *b)
{
	struct conn *next;

	/* The structs stay: connections still name their listener. */
	for (struct listener *l = b->listeners; l != NULL; l = l->next) {
		event_del(l->readable);
		event_del(l->pause);
		if (l->fd >= 0)
			close(l->fd);
		l->fd = -1;
	}
	for (struct conn *c = b->conns; c != NULL; c = next) {
		next = conn_next(c);
		conn_drain(c);
	}
}
