/* Listening sockets of one worker (threats 38: never spin at the cap). */
#include "proxy/listener.h"

#include "base/log.h"
#include "base/metrics.h"
#include "proxy/session.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPTS_A_TURN = 16,
	/* Beyond the cap so many still hear LIMIT_REACHED before silence. */
	CONNECTIONS_OVER = 64,
};

struct listener {
	struct proxy_worker *worker;
	int fd; /* -1 once closed */
	bool paused;
	struct event readable;
	char *name;
};

static void
listener_pause(struct listener *l, const char *why)
{
	log_warning("%s: accepting no more for now: %s", l->name, why);
	metric_add(METRIC_LIMIT_HITS_TOTAL, 1);
	(void)event_del(&l->readable);
	l->paused = true;
}

static bool
listener_is_full(struct listener *l)
{
	unsigned cap = worker_snapshot(l->worker)->limits.connections;

	return shared_total(worker_shared(l->worker)) >= cap + CONNECTIONS_OVER;
}

/* False: nothing more to accept in this turn. */
static bool
listener_accept_one(struct listener *l)
{
	int on = 1,
	    fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		/* No TCP on a Unix socket, and no harm in asking. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		session_start(l->worker, fd, l->name);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
	    errno == ENOMEM) {
		listener_pause(l, strerror(errno));
		return false;
	}
	/* accept(2): a connection that failed already is none of ours. */
	return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
}

static void
listener_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		if (listener_is_full(l)) {
			listener_pause(l, "the limit of connections");
			return;
		}
		if (!listener_accept_one(l))
			return;
	}
}

enum status
listener_create(
    struct proxy_worker *w, int fd, const char *name, struct listener **out)
{
	struct listener *l = calloc(1, sizeof *l);

	if (l == NULL) {
		(void)close(fd);
		return E_NOMEM;
	}
	l->worker = w;
	l->fd = fd;
	l->name = strdup(name);
	(void)event_assign(&l->readable, worker_base(w), fd,
	    EV_READ | EV_PERSIST, listener_on_readable, l);
	if (l->name == NULL || evutil_make_socket_nonblocking(fd) != 0 ||
	    event_add(&l->readable, NULL) != 0) {
		listener_destroy(l);
		return E_NOMEM;
	}
	*out = l;
	return OK;
}

void
listener_close(struct listener *l)
{
	if (l->fd < 0)
		return;
	(void)event_del(&l->readable);
	(void)close(l->fd);
	l->fd = -1;
}

void
listener_destroy(struct listener *l)
{
	if (l == NULL)
		return;
	listener_close(l);
	free(l->name);
	free(l);
}

void
listener_resume(struct listener *l)
{
	if (!l->paused || l->fd < 0 || listener_is_full(l))
		return;
	l->paused = event_add(&l->readable, NULL) != 0;
}
