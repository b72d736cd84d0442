/* Whose turn it is among the flows of a worker that have much to move.
 *
 * They wait in one queue behind whatever else is ready, and the loop looks
 * for news between their turns: what is small is not kept by more than one
 * of them. Where much is small they get more turns at once, so that they are
 * never crowded out; and where very many wait, since a look costs by their
 * number. */
#ifndef PROXY_RELAY_TURNS_H
#define PROXY_RELAY_TURNS_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	/** About as long as a turn takes, of other things. */
	RELAY_TURNS_OTHERS = 4,
	/** About as long as a turn takes, of a look at those that wait. */
	RELAY_TURNS_WAITING = 64,
};

/** An idle flow has no part in it. */
struct relay_turns {
	struct event turn;
	void (*run)(void *flow);
	void **ring; /**< owned; it grows, and stays as large as it was */
	size_t at, n, room; /**< room: 0 or a power of two */
};

/** @run has one turn of a flow; from the loop only. */
void relay_turns_init(
    struct relay_turns *t, struct event_base *base, void (*run)(void *flow));
void relay_turns_release(struct relay_turns *t);
/** False when there is no memory: then it has its turn now. */
bool relay_turns_join(struct relay_turns *t, void *flow);
/** Does nothing for one that is not in the queue. */
void relay_turns_leave(struct relay_turns *t, const void *flow);

#endif
