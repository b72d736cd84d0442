/* Whose turn it is among the flows of a worker that have much to move.
 *
 * They wait in one queue behind whatever else is ready, and the loop looks
 * for news between their turns: what is small is not kept by more than one
 * of them. Where much is small they get more turns at once, so that they are
 * never crowded out. */
#ifndef PROXY_RELAY_TURNS_H
#define PROXY_RELAY_TURNS_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	RELAY_TURNS_QUEUED = 64, /**< who comes then does not wait */
	/** About as long as a turn takes, of other things. */
	RELAY_TURNS_OTHERS = 4,
};

struct relay_turns {
	struct event turn;
	void (*run)(void *flow);
	void *queue[RELAY_TURNS_QUEUED];
	size_t n;
};

/** @run has one turn of a flow; from the loop only. */
void relay_turns_init(
    struct relay_turns *t, struct event_base *base, void (*run)(void *flow));
void relay_turns_release(struct relay_turns *t);
/** False when the queue is full: then it has its turn now. */
bool relay_turns_join(struct relay_turns *t, void *flow);
/** Does nothing for one that is not in the queue. */
void relay_turns_leave(struct relay_turns *t, const void *flow);

#endif
