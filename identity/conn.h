/* One connection of the broker; private to the broker's two files. */
#ifndef IDENTITY_CONN_H
#define IDENTITY_CONN_H

#include "base/uid_counts.h"
#include "identity/answer.h"

struct acceptor;
struct conn;

struct listener {
	struct listener *next;
	struct broker *broker;
	struct acceptor *acceptor;
	char name[128];
	struct endpoint_listener rules;
};

struct broker {
	struct identity *id;
	struct listener *listeners;
	struct conn *conns;
	unsigned n_conns;
	struct uid_counts uids;
	struct buf spare; /**< memory of a response, from one to the next */
};

/** Takes @fd. Asks the kernel at once whose it is, then reads. */
void conn_open(const struct listener *l, int fd);
/** Closes at once. */
void conn_free(struct conn *c);
/** The next in the broker's list. */
struct conn *conn_next(const struct conn *c);
/** Ends it as soon as what it owes is out; @c may be gone after. */
void conn_drain(struct conn *c);

#endif
