/* A small one-shot server: one question a connection, on the control loop. */
#include "agent/serve.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENERS_MAX = 32, CHUNK_BYTES = 4096 };

struct connection {
	struct serve_conn conn; /* first: the owner's view of it */
	struct serve *serve;
	struct event *event;
	bool working; /* answer() said E_BUSY */
	bool writing;
	bool ended; /* written; the client's end is awaited */
	TAILQ_ENTRY(connection) link;
};

struct serve {
	struct serve_settings settings;
	struct event *listeners[LISTENERS_MAX];
	size_t n_listeners;
	TAILQ_HEAD(, connection) connections;
	size_t n_connections;
};

static void
connection_close(struct connection *c)
{
	struct serve *s = c->serve;

	if (c->working && s->settings.gone != NULL)
		s->settings.gone(s->settings.ctx, &c->conn);
	TAILQ_REMOVE(&s->connections, c, link);
	s->n_connections--;
	event_free(c->event);
	close(c->conn.fd);
	buf_release(&c->conn.in);
	buf_release(&c->conn.out);
	free(c);
}

static void on_event(evutil_socket_t fd, short what, void *arg);

static bool
await(struct connection *c, short what)
{
	const struct timeval wait = {
		.tv_sec = c->serve->settings.timeout_ms / 1000,
		.tv_usec = (long)(c->serve->settings.timeout_ms % 1000) * 1000,
	};

	(void)event_del(c->event);
	return event_assign(c->event, event_get_base(c->event), c->conn.fd,
	           what, on_event, c) == 0 &&
	    event_add(c->event, &wait) == 0;
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
	c->writing = true;
	if (buf_status(&c->conn.out) != OK || c->conn.out.n == 0)
		connection_close(c);
	else
		write_some(c);
}

static void
work(struct connection *c)
{
	const struct serve_settings *s = &c->serve->settings;

	c->working = true; /* so that gone() balances an early reply */
	switch (s->answer(s->ctx, &c->conn)) {
	case OK:
		start_writing(c);
		break;
	case E_PARTIAL:
		c->working = false;
		if (!await(c, EV_READ))
			connection_close(c);
		break;
	case E_BUSY:
		if (!await(c, EV_TIMEOUT))
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
		if (event_add(c->event, NULL) != 0)
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
	if ((what & EV_TIMEOUT) != 0)
		connection_close(c);
	else if ((what & EV_WRITE) != 0)
		write_some(c);
	else
		read_some(c);
}

static void
connection_open(struct serve *s, int fd)
{
	struct connection *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		return;
	}
	c->serve = s;
	c->conn.fd = fd;
	buf_init(&c->conn.in, s->settings.in_max_bytes);
	/* An answer of `env` holds a value that proves who one is. */
	buf_init_secret(&c->conn.out, s->settings.out_max_bytes);
	c->event = event_new(s->settings.base, fd, EV_READ, on_event, c);
	if (c->event == NULL) {
		close(fd);
		free(c);
		return;
	}
	TAILQ_INSERT_TAIL(&s->connections, c, link);
	s->n_connections++;
	if (!await(c, EV_READ))
		connection_close(c);
}

static void
on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct serve *s = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd < 0)
		return;
	if (s->n_connections >= s->settings.connections_max)
		close(fd);
	else
		connection_open(s, fd);
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
	for (size_t i = 0; i < s->n_listeners; i++) {
		close(event_get_fd(s->listeners[i]));
		event_free(s->listeners[i]);
	}
	while (!TAILQ_EMPTY(&s->connections))
		connection_close(TAILQ_FIRST(&s->connections));
	free(s);
}

enum status
serve_listen(struct serve *s, int fd)
{
	struct event *ev;

	if (s->n_listeners == LISTENERS_MAX) {
		close(fd);
		return E_LIMIT;
	}
	ev =
	    event_new(s->settings.base, fd, EV_READ | EV_PERSIST, on_accept, s);
	if (ev == NULL || event_add(ev, NULL) != 0) {
		if (ev != NULL)
			event_free(ev);
		close(fd);
		return E_NOMEM;
	}
	s->listeners[s->n_listeners++] = ev;
	return OK;
}

void
serve_reply(struct serve *s, struct serve_conn *conn)
{
	(void)s;
	start_writing((struct connection *)conn);
}
