/* The queue of flows that have much to move. */
#include "proxy/relay_turns.h"

#include <stdlib.h>

enum { ROOM_FIRST = 16 };

static void **
turns_slot(const struct relay_turns *t, size_t i)
{
	return &t->ring[(t->at + i) & (t->room - 1)];
}

static bool
turns_grow(struct relay_turns *t)
{
	size_t room = t->room == 0 ? ROOM_FIRST : t->room * 2;
	void **ring = calloc(room, sizeof *ring);

	if (ring == NULL)
		return false;
	for (size_t i = 0; i < t->n; i++)
		ring[i] = *turns_slot(t, i);
	free(t->ring);
	t->ring = ring;
	t->at = 0;
	t->room = room;
	return true;
}

static void *
turns_take_first(struct relay_turns *t)
{
	void *flow = *turns_slot(t, 0);

	t->at = (t->at + 1) & (t->room - 1);
	t->n--;
	return flow;
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

	return 1 + t->n / RELAY_TURNS_WAITING +
	    (seen > ours ? (seen - ours) / RELAY_TURNS_OTHERS : 0);
}

static void
turns_on_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	struct relay_turns *t = arg;

	(void)fd;
	(void)what;
	for (size_t i = turns_at_once(t); i > 0 && t->n > 0; i--)
		t->run(turns_take_first(t));
	/* A timer comes after a look at the sockets, an active event before. */
	if (t->n > 0 && evtimer_add(&t->turn, &at_once) != 0)
		event_active(&t->turn, EV_TIMEOUT, 1);
}

void
relay_turns_init(
    struct relay_turns *t, struct event_base *base, void (*run)(void *flow))
{
	t->ring = NULL;
	t->at = t->n = t->room = 0;
	t->run = run;
	(void)evtimer_assign(&t->turn, base, turns_on_turn, t);
}

void
relay_turns_release(struct relay_turns *t)
{
	(void)event_del(&t->turn);
	free(t->ring);
	t->ring = NULL;
	t->at = t->n = t->room = 0;
}

bool
relay_turns_join(struct relay_turns *t, void *flow)
{
	if (t->n == t->room && !turns_grow(t))
		return false;
	*turns_slot(t, t->n++) = flow;
	/* Behind all that is ready already. */
	if (t->n == 1)
		event_active(&t->turn, EV_TIMEOUT, 1);
	return true;
}

void
relay_turns_leave(struct relay_turns *t, const void *flow)
{
	size_t i = 0;

	while (i < t->n && *turns_slot(t, i) != flow)
		i++;
	if (i == t->n)
		return;
	t->n--;
	for (; i < t->n; i++)
		*turns_slot(t, i) = *turns_slot(t, i + 1);
}
