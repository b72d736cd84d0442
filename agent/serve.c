/* A small one-shot server: one question a connection, on the control loop. */
#include "agent/serve.h"

#include "base/metrics.h"
#include "base/uid_counts.h"
#include "loop/acceptor.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENERS_MAX = 32, CHUNK_BYTES = 4096 };

struct connection {
	struct serve_conn conn; /* first: the owner's view of it */
	struct serve *serve;
	struct event event;
	struct event deadline; /* absolute: no byte moves it */
	uint32_t uid;
	bool working; /* answer() said E_BUSY */
	bool ended;   /* written; the client's end is awaited */
	TAILQ_ENTRY(connection) link;
};

struct serve {
	struct serve_settings settings;
	struct acceptor *acceptors[LISTENERS_MAX];
	size_t n_acceptors;
	TAILQ_HEAD(, connection) connections;
	size_t n_connections;
	struct uid_counts uids;
};

static void
connection_close(struct connection *c)
{
	struct serve *s = c->serve;

	if (c->working && s->settings.gone != NULL)
		s->settings.gone(s->settings.ctx, &c->conn);
	TAILQ_REMOVE(&s->connections, c, link);
	s->n_connections--;
	uid_counts_leave(&s->uids, c->uid);
	(void)event_del(&c->event);
	(void)event_del(&c->deadline);
	close(c->conn.fd);
	buf_release(&c->conn.in);
	buf_release(&c->conn.out);
	free(c);
}

static void on_event(evutil_socket_t fd, short what, void *arg);

/* Waits for readiness; for nothing but the deadline where @what is 0. */
static bool
await(struct connection *c, short what)
{
	(void)event_del(&c->event);
	if (what == 0)
		return true;
	return event_assign(&c->event, c->serve->settings.base, c->conn.fd,
	           what, on_event, c) == 0 &&
	    event_add(&c->event, NULL) == 0;
}

static bool
set_deadline(struct connection *c, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	return evtimer_add(&c->deadline, &tv) == 0;
}

static void
write_some(struct connection *c)
{
	struct buf *out = &c->conn.out;

	while (out->n > 0) {
		ssize_t n = send(
		    c->conn.fd, out->p, out->n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			buf_consume(out, (size_t)n);
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else if (n < 0 && errno == EAGAIN) {
			if (!await(c, EV_WRITE))
				connection_close(c);
			return;
		} else {
			connection_close(c);
			return;
		}
	}
	/* Closing with unread input would reset what we just sent. */
	(void)shutdown(c->conn.fd, SHUT_WR);
	c->ended = true;
	if (!await(c, EV_READ))
		connection_close(c);
}

static void
start_writing(struct connection *c)
{
	c->working = false;
	if (buf_status(&c->conn.out) != OK || c->conn.out.n == 0)
		connection_close(c);
	else
		write_some(c);
}

static void
answered(struct connection *c)
{
	if (set_deadline(c, c->serve->settings.timeout_ms))
		start_writing(c);
	else
		connection_close(c);
}

static void
work(struct connection *c)
{
	const struct serve_settings *s = &c->serve->settings;

	c->working = true; /* so that gone() balances an early reply */
	switch (s->answer(s->ctx, &c->conn)) {
	case OK:
		answered(c);
		break;
	case E_PARTIAL:
		c->working = false;
		if (!await(c, EV_READ))
			connection_close(c);
		break;
	case E_BUSY:
		if (!await(c, 0) ||
		    !set_deadline(c, c->serve->settings.timeout_ms))
			connection_close(c);
		break;
	case E_NOMEM:
	case E_LIMIT:
	case E_SYNTAX:
	case E_INVALID:
	case E_UNSUPPORTED:
	case E_NOTFOUND:
	case E_DENIED:
	case E_CLOSED:
	case E_TIMEOUT:
	case E_IO:
	case E_INTERNAL:
		c->working = false;
		connection_close(c);
		break;
	}
}

static void
read_some(struct connection *c)
{
	char chunk[CHUNK_BYTES];
	ssize_t n = recv(c->conn.fd, chunk, sizeof chunk, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (!await(c, EV_READ))
			connection_close(c);
		return;
	}
	if (n <= 0) {
		connection_close(c);
		return;
	}
	if (c->ended) { /* late bytes are dropped, the deadline stands */
		if (!await(c, EV_READ))
			connection_close(c);
		return;
	}
	buf_put(&c->conn.in, chunk, (size_t)n);
	if (buf_status(&c->conn.in) != OK)
		connection_close(c);
	else
		work(c);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	if ((what & EV_WRITE) != 0)
		write_some(c);
	else
		read_some(c);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	connection_close(arg);
}

/* One user's connections must not lock the others out. */
static enum status
admit(struct serve *s, int fd, uint32_t *uid)
{
	unsigned count;

	if (s->n_connections >= s->settings.limits.connections)
		return E_LIMIT;
	*uid = s->settings.uid_of(s->settings.ctx, fd);
	if (uid_counts_enter(&s->uids, *uid, &count) != OK)
		return E_LIMIT;
	if (count <= s->settings.limits.connections_per_uid)
		return OK;
	uid_counts_leave(&s->uids, *uid);
	return E_LIMIT;
}

static void
connection_open(struct serve *s, struct connection *c)
{
	buf_init(&c->conn.in, s->settings.in_max_bytes);
	/* An answer of `env` holds a value that proves who one is. */
	buf_init_secret(&c->conn.out, s->settings.out_max_bytes);
	(void)event_assign(
	    &c->event, s->settings.base, c->conn.fd, EV_READ, on_event, c);
	(void)evtimer_assign(&c->deadline, s->settings.base, on_deadline, c);
	TAILQ_INSERT_TAIL(&s->connections, c, link);
	s->n_connections++;
	if (!set_deadline(c, s->settings.request_ms) || !await(c, EV_READ))
		connection_close(c);
}

static void
on_accepted(void *arg, int fd)
{
	struct serve *s = arg;
	struct connection *c = calloc(1, sizeof *c);

	if (c == NULL || admit(s, fd, &c->uid) != OK) {
		metric_add(METRIC_LIMIT_HITS_TOTAL, 1);
		free(c);
		close(fd);
		return;
	}
	c->serve = s;
	c->conn.fd = fd;
	connection_open(s, c);
}

enum status
serve_create(const struct serve_settings *settings, struct serve **out)
{
	struct serve *s = calloc(1, sizeof *s);

	if (s == NULL)
		return E_NOMEM;
	s->settings = *settings;
	TAILQ_INIT(&s->connections);
	*out = s;
	return OK;
}

void
serve_destroy(struct serve *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_acceptors; i++)
		acceptor_destroy(s->acceptors[i]);
	while (!TAILQ_EMPTY(&s->connections))
		connection_close(TAILQ_FIRST(&s->connections));
	uid_counts_release(&s->uids);
	free(s);
}

enum status
serve_listen(struct serve *s, int fd, const char *name)
{
	const struct acceptor_settings settings = {
		.base = s->settings.base,
		.name = name,
		.accepted = on_accepted,
		.ctx = s,
	};
	enum status st;

	if (s->n_acceptors == LISTENERS_MAX) {
		close(fd);
		return E_LIMIT;
	}
	st = acceptor_create(&settings, fd, &s->acceptors[s->n_acceptors]);
	if (st == OK)
		s->n_acceptors++;
	return st;
}

void
serve_set_limits(struct serve *s, const struct serve_limits *limits)
{
	s->settings.limits = *limits;
}

void
serve_set_request_ms(struct serve *s, unsigned request_ms)
{
	s->settings.request_ms = request_ms;
}

void
serve_reply(struct serve *s, struct serve_conn *conn)
{
	(void)s;
	answered((struct connection *)conn);
}
