/* The queue of flows that have much to move. */
#include "proxy/relay_turns.h"

#include <string.h>

static void
turns_remove(struct relay_turns *t, size_t at)
{
	t->n--;
	memmove(
	    t->queue + at, t->queue + at + 1, (t->n - at) * sizeof t->queue[0]);
}

/* How many may have a turn before the loop looks for news. */
static size_t
turns_at_once(const struct relay_turns *t)
{
	int active = event_base_get_max_events(
	    event_get_base(&t->turn), EVENT_BASE_COUNT_ACTIVE, 1);
	size_t seen = active > 0 ? (size_t)active : 0;
	/* Those that wait are ready all the time, and this event is one. */
	size_t ours = t->n + 1;

	return 1 + (seen > ours ? (seen - ours) / RELAY_TURNS_OTHERS : 0);
}

static void
turns_on_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	struct relay_turns *t = arg;

	(void)fd;
	(void)what;
	for (size_t i = turns_at_once(t); i > 0 && t->n > 0; i--) {
		void *flow = t->queue[0];

		turns_remove(t, 0);
		t->run(flow);
	}
	/* A timer comes after a look at the sockets, an active event before. */
	if (t->n > 0 && evtimer_add(&t->turn, &at_once) != 0)
		event_active(&t->turn, EV_TIMEOUT, 1);
}

void
relay_turns_init(
    struct relay_turns *t, struct event_base *base, void (*run)(void *flow))
{
	t->n = 0;
	t->run = run;
	(void)evtimer_assign(&t->turn, base, turns_on_turn, t);
}

void
relay_turns_release(struct relay_turns *t)
{
	(void)event_del(&t->turn);
}

bool
relay_turns_join(struct relay_turns *t, void *flow)
{
	if (t->n == RELAY_TURNS_QUEUED)
		return false;
	t->queue[t->n++] = flow;
	/* Behind all that is ready already. */
	if (t->n == 1)
		event_active(&t->turn, EV_TIMEOUT, 1);
	return true;
}

void
relay_turns_leave(struct relay_turns *t, const void *flow)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->queue[i] == flow) {
			turns_remove(t, i);
			return;
		}
	}
}
