/* Moves bytes between two sockets, both ways, each way at its own pace.
 *
 * While little comes, bytes go through one buffer that all connections of a
 * worker share; when a read fills it, they go through a pipe by splice(2).
 * What the receiver does not take yet is the only thing a connection ever
 * holds, and while it holds something it reads nothing more. */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "base/slice.h"
#include "base/status.h"
#include "proxy/close.h"
#include "proxy/relay_turns.h"

#include <event2/event.h>
#include <event2/event_struct.h>

enum {
	RELAY_READ_BYTES = 16384,  /**< a read that fills it means bulk */
	RELAY_TURN_BYTES = 131072, /**< then others have their turn */
	RELAY_PIPES_KEPT = 32,
	/* Out at once, and of the descriptors; beyond it bytes are copied. */
	RELAY_PIPES_MOST = 512,
	RELAY_PIPES_SHARE = 64,
};

/** Of the pool, or lent to a flow. */
struct relay_pipe {
	int out, in; /**< read from, written to */
	size_t n;    /**< bytes in it */
};

/** One a worker: the shared buffer, idle pipes, and who waits for a turn. */
struct relay_pool {
	struct event_base *base;
	struct relay_turns turns;
	struct relay_pipe *pipes[RELAY_PIPES_KEPT];
	size_t n_pipes;
	size_t n_lent, most_lent;
	bool no_splice; /**< for tests, and kernels that refuse it */
	char buffer[RELAY_READ_BYTES];
};

void relay_pool_init(struct relay_pool *p, struct event_base *base);
void relay_pool_release(struct relay_pool *p);

/** Read, but not taken yet. */
struct relay_held {
	size_t at, n;
	char bytes[];
};

/**
 * One way of the two. All private. Thousands are idle: what only a busy one
 * needs is not in it.
 */
struct relay_flow {
	struct event ready; /**< of the sender's socket or the receiver's */
	struct relay_held *held; /**< owned, or NULL */
	struct relay_pipe *pipe; /**< of the pool, or NULL */
	uint64_t bytes;          /**< taken by the receiver */
	bool is_up, waits_receiver, bulk, eof, shut;
	bool queued; /**< for its turn, in the pool */
};

/** What the owner of a relay is told and asked; its `arg` comes first. */
struct relay_calls {
	/** It is over: the owner calls relay_stop() and closes both. */
	void (*ended)(void *arg, enum close_reason why);
	/** The first byte from the destination is about to go out. */
	void (*first_byte)(void *arg);
	/** How many of @want bytes may be read to go up; NULL: all. */
	size_t (*room)(void *arg, size_t want);
	/** So many of them were, and go up; the rest is not asked for. */
	void (*spent)(void *arg, size_t n);
};

struct relay {
	struct relay_pool *pool;
	struct relay_flow up, down; /**< to the destination, to the client */
	int client_fd, upstream_fd;
	bool broken;       /**< a socket failed: no clean end */
	bool moved;        /**< bytes moved since the owner last cleared it */
	bool client_first; /**< the client ended its side first */
	const struct relay_calls *calls;
	void *arg;
};

/** Borrows both descriptors. Nothing moves before relay_start(). */
void relay_init(
    struct relay *r, struct relay_pool *pool, int client_fd, int upstream_fd);
/**
 * Sends @first (borrowed) up before anything else, at once as far as it
 * goes. E_NOMEM; E_LIMIT: there is no room for all of it. ended() never comes from inside.
 */
enum status relay_start(struct relay *r, struct slice first) ATTR_MUST_USE;
/** No callback comes afterwards. Counters stay readable. */
void relay_stop(struct relay *r);

#endif
