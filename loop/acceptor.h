/* Accepts connections for every server of ours: a few a turn of the loop, and
 * never spins where it cannot accept (descriptors, memory, a full house). */
#ifndef LOOP_ACCEPTOR_H
#define LOOP_ACCEPTOR_H

#include "base/status.h"

#include <stdbool.h>

struct acceptor;
struct event_base;

struct acceptor_settings {
	struct event_base *base; /**< kept */
	const char *name;        /**< for the log; copied */
	/**
	 * Takes @fd, which is non-blocking and close-on-exec. It may call
	 * acceptor_close(), and not acceptor_destroy().
	 */
	void (*accepted)(void *ctx, int fd);
	/** Whether the backlog must hold the next; NULL: never. */
	bool (*is_full)(void *ctx);
	void *ctx;
};

/**
 * Accepts on @fd from the loop's next turn on. Takes @fd, also on failure.
 * Where it cannot accept it pauses and tries again by itself; that is logged
 * and counted once until the backlog was empty again. E_NOMEM.
 */
enum status acceptor_create(const struct acceptor_settings *settings, int fd,
    struct acceptor **out) ATTR_MUST_USE;
/** Closes the socket; the name stays for those who borrow it. */
void acceptor_close(struct acceptor *a);
/** NULL-safe. */
void acceptor_destroy(struct acceptor *a);
/** Borrowed while the acceptor lives. */
const char *acceptor_name(const struct acceptor *a);

#endif
