/* A queue behind a timer: a timer comes after a look at the sockets, an event
 * that is made active comes before. */
#include "proxy/turns.h"

static bool
turns_arm(struct turns *t, unsigned ms)
{
	const struct timeval tv = { .tv_usec = (suseconds_t)ms * 1000 };

	return evtimer_add(&t->timer, &tv) == 0;
}

static void
turns_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct turns *t = arg;
	struct turn *last = TAILQ_LAST(&t->waiting, turn_list), *now = NULL;
	unsigned ran = 0;

	(void)fd;
	(void)what;
	/* Who comes meanwhile, or again, is not of this turn. */
	for (unsigned i = 0; i < TURNS_LOOKED_AT && ran < TURNS_AT_A_TIME &&
	     now != last && (now = TAILQ_FIRST(&t->waiting)) != NULL;
	     i++) {
		TAILQ_REMOVE(&t->waiting, now, link);
		now->waits = false;
		if (now->run(now->arg))
			ran++;
		else
			(void)turns_wait(t, now);
	}
	if (!TAILQ_EMPTY(&t->waiting))
		(void)turns_arm(t, ran > 0 ? 0 : TURNS_PAUSE_MS);
}

void
turns_init(struct turns *t, struct event_base *base)
{
	TAILQ_INIT(&t->waiting);
	(void)evtimer_assign(&t->timer, base, turns_on_timer, t);
}

void
turns_release(struct turns *t)
{
	(void)event_del(&t->timer);
}

bool
turns_wait(struct turns *t, struct turn *turn)
{
	if (turn->waits)
		return true;
	/* Also where the others pause: this one may be able to go on. */
	if (!turns_arm(t, 0))
		return false;
	TAILQ_INSERT_TAIL(&t->waiting, turn, link);
	turn->waits = true;
	return true;
}

void
turns_leave(struct turns *t, struct turn *turn)
{
	if (!turn->waits)
		return;
	TAILQ_REMOVE(&t->waiting, turn, link);
	turn->waits = false;
}
