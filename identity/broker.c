/* Listeners of the broker; what they accept is conn.c's. */
#include "identity/broker.h"

#include "base/metrics.h"
#include "identity/conn.h"
#include "identity/room.h"
#include "loop/acceptor.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum status
broker_create(struct identity *id, struct broker **out)
{
	struct broker *b = calloc(1, sizeof *b);

	if (b == NULL)
		return E_NOMEM;
	b->id = id;
	buf_init_secret(&b->spare, ANSWER_RESPONSE_BYTES_MAX);
	*out = b;
	return OK;
}

static void
listener_free(struct listener *l)
{
	acceptor_destroy(l->acceptor);
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
	uid_counts_release(&b->uids);
	buf_release(&b->spare);
	free(b);
}

static void
on_accepted(void *arg, int fd)
{
	struct listener *l = arg;
	struct broker *b = l->broker;

	if (b->n_conns < b->id->limits.connections) {
		conn_open(l, fd);
		return;
	}
	metric_add(METRIC_LIMIT_HITS_TOTAL, 1);
	close(fd);
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
	const struct acceptor_settings settings = { .base = b->id->base,
		.name = name,
		.accepted = on_accepted,
		.ctx = l };
	enum status st = l == NULL ? E_NOMEM : OK;

	if (st == OK &&
	    (!listener_rules(fd, &l->rules) ||
	        !slice_copy(slice_of(name), l->name, sizeof l->name)))
		st = E_INVALID;
	if (st != OK) {
		close(fd);
		free(l);
		return st;
	}
	l->broker = b;
	st = acceptor_create(&settings, fd, &l->acceptor);
	if (st != OK) {
		free(l);
		return st;
	}
	l->next = b->listeners;
	b->listeners = l;
	return OK;
}

void
broker_drain(struct broker *b)
{
	struct conn *next;

	/* The structs stay: connections still name their listener. */
	for (struct listener *l = b->listeners; l != NULL; l = l->next)
		acceptor_close(l->acceptor);
	for (struct conn *c = b->conns; c != NULL; c = next) {
		next = conn_next(c);
		conn_drain(c);
	}
}
