/* The listening sockets: bound by us under a lock, or inherited. */
#ifndef AGENT_LISTENERS_H
#define AGENT_LISTENERS_H

#include "agent/config.h"

enum listen_role {
	LISTEN_PROXY,
	LISTEN_BROKER,
	LISTEN_ADMIN,
	LISTEN_CONTROL,
	LISTEN_GATEWAY, /**< never by socket activation */
	LISTEN_ROLES,
};

enum { LISTENERS_MAX = 96, LISTENER_FDS_MAX = 64 };

struct listener {
	enum listen_role role;
	struct config_listen at;
	bool inherited; /**< by socket activation: not ours to unlink */
	int fds
	    [LISTENER_FDS_MAX]; /**< one a worker, or one for all; -1 taken */
	size_t n_fds;
};

struct listeners {
	struct listener at[LISTENERS_MAX];
	size_t n;
	int lock_fd;
};

/**
 * Takes the lock in the runtime folder, takes sockets from activation, binds
 * the rest: the first bind without SO_REUSEPORT, so that a port which is
 * taken fails, then one socket for each of @n_workers. E_BUSY: lock or port
 * taken. E_IO, E_DENIED.
 */
enum status listeners_open(const struct config *config, unsigned n_workers,
    struct listeners *out, struct status_detail *detail) ATTR_MUST_USE;
/** Closes what was not taken, unlinks our Unix sockets, drops the lock. */
void listeners_close(struct listeners *l);
/** A descriptor for worker @index, taken by the caller; -1 on failure. */
int listener_take(struct listener *l, unsigned index);
const char *listen_role_name(enum listen_role role);

/** Another set of gateways, bound and not yet listened to. */
struct listeners_change {
	struct listeners next; /**< all that there will be */
	size_t first_added;    /**< of next.at: those before it are there */
};

/**
 * Binds what @config's gateways need beside @now. OK: *out is owned, and
 * listeners_commit() or listeners_abandon() takes it. E_BUSY: an address is
 * taken. E_IO, E_NOMEM, E_LIMIT.
 */
enum status listeners_prepare(const struct listeners *now,
    const struct config *config, unsigned n_workers,
    struct listeners_change **out, struct status_detail *detail) ATTR_MUST_USE;
/** @now is what @c made ready; what is not in it is closed. */
void listeners_commit(struct listeners *now, struct listeners_change *c);
/** @now stays, and what was bound is closed. NULL-safe. */
void listeners_abandon(struct listeners_change *c);

/* For listeners_change.c. */

/** A place for one more; NULL: there is none. */
struct listener *listeners_add(struct listeners *l, enum listen_role role);
/** Binds and listens; @n_sockets on a port, one on a path. */
enum status listener_open(struct listener *n, unsigned n_sockets,
    struct status_detail *detail) ATTR_MUST_USE;
/** Closes what was not taken, and unlinks what is ours. */
void listener_end(struct listener *n);

#endif
