/* Who has something dear to do, by turns: the loop looks at its sockets in
 * between. */
#ifndef PROXY_TURNS_H
#define PROXY_TURNS_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/queue.h>

enum {
	TURNS_AT_A_TIME = 8,
	TURNS_LOOKED_AT = 256, /* those that cannot go on included */
	TURNS_PAUSE_MS = 20,   /* where none can */
};

/** One that may wait; zeroed at first. */
struct turn {
	TAILQ_ENTRY(turn) link;
	bool waits;
	/** Called from the loop. False: it cannot go on yet, and waits behind
	 * the others; true: it is not touched any more. */
	bool (*run)(void *arg);
	void *arg;
};

/** Those of one loop, first come, first served. */
struct turns {
	TAILQ_HEAD(turn_list, turn) waiting;
	struct event timer;
};

void turns_init(struct turns *t, struct event_base *base);
/** Nobody waits any more. */
void turns_release(struct turns *t);
/** @turn waits, unless it does so already. False: no memory. */
bool turns_wait(struct turns *t, struct turn *turn);
/** It does not; harmless where it did not. */
void turns_leave(struct turns *t, struct turn *turn);

#endif
