/* The lingering close after an early answer (RFC 9112 9.6). */
#include "proxy/linger.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DROP_BYTES = 4096,
	DROP_TURNS = 64,
	TALK_FACTOR = 15, /* of linger_ms: as long as bytes come */
	TAKEN_LOOK_MS = 20,
	HURRY_FACTOR = 2,
	HURRY_MOST_MS = 10000,
};

struct lingering {
	const struct clock *clock;
	struct stream s;
	unsigned silence_ms;
	int64_t end_ms;
	struct buf last;
	size_t sent;
	bool said, hears; /* all is out; until then it waits to hear */
	int unsent;       /* bytes that the peer had not taken yet */
	struct event io, deadline;
	void (*done)(void *arg);
	void *arg;
};

static void
lingering_end(struct lingering *l)
{
	void (*done)(void *arg) = l->done;
	void *arg = l->arg;

	lingering_destroy(l);
	done(arg);
}

/* Not beyond its end. */
static enum status
lingering_wait(struct lingering *l)
{
	int64_t left = l->end_ms - clock_boot_ms(l->clock);
	struct timeval tv;

	if (left > l->silence_ms)
		left = l->silence_ms;
	if (left < 0)
		left = 0;
	tv.tv_sec = (time_t)(left / 1000);
	tv.tv_usec = (suseconds_t)(left % 1000) * 1000;
	return evtimer_add(&l->deadline, &tv) == 0 ? OK : E_NOMEM;
}

/* OK: all is out; E_PARTIAL: the socket is full; E_IO. */
static enum status
lingering_send(struct lingering *l)
{
	struct slice left = slice_from(buf_slice(&l->last), l->sent);
	size_t put = 0;
	enum status st = stream_write(&l->s, left, false, &put);

	l->sent += put;
	return st;
}

/* OK: bytes came; E_PARTIAL: none now; E_CLOSED: it has ended. */
static enum status
lingering_drop(struct lingering *l)
{
	enum status st = E_PARTIAL;
	char sink[DROP_BYTES];

	for (unsigned turn = 0; turn < DROP_TURNS; turn++) {
		ssize_t n = recv(l->s.fd, sink, sizeof sink, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return E_CLOSED;
		if (n < 0)
			break;
		st = OK;
	}
	return st;
}

static void lingering_on_io(evutil_socket_t fd, short what, void *arg);

static void
lingering_watch(struct lingering *l, short events)
{
	struct event_base *base = event_get_base(&l->io);

	(void)event_del(&l->io);
	(void)event_assign(
	    &l->io, base, l->s.fd, events | EV_PERSIST, lingering_on_io, l);
	/* When even that fails the deadline still ends it. */
	(void)event_add(&l->io, NULL);
}

static void
lingering_listen(struct lingering *l)
{
	l->said = true;
	(void)shutdown(l->s.fd, SHUT_WR);
	lingering_watch(l, EV_READ);
}

/* A layer may have to hear of its peer before it can go on: its socket, on
 * which there is room, would call for nothing. */
static void
lingering_wait_to_send(struct lingering *l)
{
	if (l->s.ops->shares || l->hears == l->s.write_waits_read)
		return;
	l->hears = l->s.write_waits_read;
	lingering_watch(l, l->hears ? EV_READ : EV_WRITE);
}

static void
lingering_on_io(evutil_socket_t fd, short what, void *arg)
{
	struct lingering *l = arg;
	enum status st;

	(void)fd;
	(void)what;
	if (!l->said) {
		st = lingering_send(l);
		if (st == OK)
			stream_end(&l->s);
		/* What comes on a socket that others use is not ours. */
		if (st == E_IO || (st == OK && l->s.ops->shares))
			lingering_end(l);
		else if (st == OK)
			lingering_listen(l);
		else
			lingering_wait_to_send(l);
		return;
	}
	st = lingering_drop(l);
	if (st == E_CLOSED || (st == OK && lingering_wait(l) != OK))
		lingering_end(l);
}

static void
lingering_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	lingering_end(arg);
}

struct lingering *
lingering_start(struct proxy_worker *w, struct stream s, struct buf *last,
    void (*done)(void *arg), void *arg)
{
	struct lingering *l = calloc(1, sizeof *l);

	if (l == NULL) {
		buf_release(last);
		stream_close(&s);
		return NULL;
	}
	l->s = s;
	l->clock = worker_clock(w);
	l->silence_ms = worker_snapshot(w)->limits.linger_ms;
	l->end_ms =
	    clock_boot_ms(l->clock) + (int64_t)l->silence_ms * TALK_FACTOR;
	l->last = *last;
	*last = (struct buf){ .max = last->max };
	l->done = done;
	l->arg = arg;
	(void)event_assign(&l->io, worker_base(w), stream_event_fd(&s),
	    EV_WRITE | EV_PERSIST, lingering_on_io, l);
	(void)evtimer_assign(
	    &l->deadline, worker_base(w), lingering_on_deadline, l);
	stream_watch(&l->s, NULL, &l->io);
	if (event_add(&l->io, NULL) != 0 || lingering_wait(l) != OK) {
		lingering_destroy(l);
		return NULL;
	}
	/* Nothing else may come to tell that there is room. */
	if (l->s.ops->shares)
		event_active(&l->io, EV_WRITE, 1);
	return l;
}

static int
unsent_bytes(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

/* No event tells that a send queue is empty: it is looked at. */
static void
lingering_look(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = { .tv_usec = TAKEN_LOOK_MS * 1000 };
	struct lingering *l = arg;
	int64_t now = clock_boot_ms(l->clock);
	int unsent = unsent_bytes(l->s.fd);

	(void)fd;
	(void)what;
	if (unsent < l->unsent)
		l->end_ms = now + l->silence_ms;
	l->unsent = unsent;
	if (unsent == 0 || now >= l->end_ms ||
	    evtimer_add(&l->deadline, &again) != 0)
		lingering_end(l);
}

struct lingering *
lingering_until_taken(
    struct proxy_worker *w, int fd, void (*done)(void *arg), void *arg)
{
	const struct timeval now = { 0 };
	struct lingering *l = calloc(1, sizeof *l);

	if (l == NULL) {
		(void)close(fd);
		return NULL;
	}
	l->s = stream_plain(fd);
	l->clock = worker_clock(w);
	l->silence_ms = worker_snapshot(w)->limits.linger_ms;
	l->end_ms = clock_boot_ms(l->clock) + l->silence_ms;
	l->unsent = unsent_bytes(fd);
	l->done = done;
	l->arg = arg;
	buf_init(&l->last, 0);
	(void)event_assign(
	    &l->io, worker_base(w), fd, EV_READ, lingering_on_io, l);
	(void)evtimer_assign(&l->deadline, worker_base(w), lingering_look, l);
	if (evtimer_add(&l->deadline, &now) != 0) {
		lingering_destroy(l);
		return NULL;
	}
	return l;
}

void
lingering_hurry(struct lingering *l)
{
	int64_t ms = (int64_t)l->silence_ms * HURRY_FACTOR;

	if (ms > HURRY_MOST_MS)
		ms = HURRY_MOST_MS;
	l->end_ms = clock_boot_ms(l->clock) + ms;
	if (lingering_wait(l) != OK)
		l->end_ms = 0; /* the timer that runs is the last one */
}

void
lingering_destroy(struct lingering *l)
{
	if (l == NULL)
		return;
	stream_watch(&l->s, NULL, NULL);
	(void)event_del(&l->io);
	(void)event_del(&l->deadline);
	stream_close(&l->s);
	buf_release(&l->last);
	free(l);
}
