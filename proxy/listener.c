/* Listening sockets of one worker: what they accept becomes a session. */
#include "proxy/listener.h"

#include "loop/acceptor.h"
#include "proxy/session.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct listener {
	struct proxy_worker *worker;
	struct acceptor *acceptor;
	bool gateway, closed;
};

static bool
listener_is_full(void *arg)
{
	struct listener *l = arg;
	struct proxy_shared *shared = worker_shared(l->worker);
	unsigned cap = shared_ceiling(
	    shared, worker_snapshot(l->worker)->limits.connections);

	return shared_total(shared) >= cap + shared_over(shared);
}

static void
listener_on_accepted(void *arg, int fd)
{
	struct listener *l = arg;

	session_start(l->worker, fd, l);
}

enum status
listener_create(
    struct proxy_worker *w, int fd, const char *name, struct listener **out)
{
	struct listener *l = calloc(1, sizeof *l);
	const struct acceptor_settings settings = { .base = worker_base(w),
		.name = name,
		.accepted = listener_on_accepted,
		.is_full = listener_is_full,
		.ctx = l };
	const int on = 1;
	enum status st;

	if (l == NULL) {
		(void)close(fd);
		return E_NOMEM;
	}
	/* tcp(7): what is accepted inherits it. No TCP on a Unix socket, and no
	 * harm in asking. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	l->worker = w;
	l->gateway = proxy_snapshot_gateway(worker_snapshot(w), name) != NULL;
	st = acceptor_create(&settings, fd, &l->acceptor);
	if (st != OK) {
		free(l);
		return st;
	}
	if (l->gateway)
		shared_gateway_opened(worker_shared(w));
	*out = l;
	return OK;
}

void
listener_close(struct listener *l)
{
	if (l->gateway && !l->closed)
		shared_gateway_closed(worker_shared(l->worker));
	acceptor_close(l->acceptor);
	l->closed = true;
}

bool
listener_is_closed(const struct listener *l)
{
	return l->closed;
}

bool
listener_is_gateway(const struct listener *l)
{
	return l->gateway;
}

const char *
listener_name(const struct listener *l)
{
	return acceptor_name(l->acceptor);
}

void
listener_destroy(struct listener *l)
{
	if (l == NULL)
		return;
	if (l->gateway && !l->closed)
		shared_gateway_closed(worker_shared(l->worker));
	acceptor_destroy(l->acceptor);
	free(l);
}
