/* One loop of traffic: a thread with its own event base, or the control
 * loop itself when `workers` is 0. */
#include "agent/worker.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MAILBOX_MAX = 4096, BEAT_S = 1 };

/* The order to drain. */
struct order {
	struct mail mail; /* first */
	struct worker *worker;
	struct mailbox *control;
	void (*done)(void *arg);
	void *arg;
};

struct worker_change {
	struct mail mail; /* first */
	struct worker *worker;
	struct proxy_change *change;
	bool commit;
};

struct worker {
	pthread_t thread;
	bool has_thread;
	bool own_base;
	struct event_base *base;
	const struct clock *clock;
	struct mailbox *mailbox;
	struct wiring wiring;
	struct proxy_ports ports;
	struct proxy_worker *proxy; /* NULL once stopped; the loop's own */
	struct event *beat;
	_Atomic int64_t beat_ms;
	_Atomic size_t connections;
	struct mail stop;
	struct order drain; /* the one there is, so that none is lost */
};

static void
on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	atomic_store(&w->beat_ms, clock_boot_ms(w->clock));
	if (w->proxy != NULL)
		atomic_store(
		    &w->connections, proxy_worker_connections(w->proxy));
	wiring_credentials_sweep(&w->wiring);
}

static enum status
make_loop(struct worker *w, const struct worker_settings *s)
{
	const struct timeval second = { .tv_sec = BEAT_S };

	w->own_base = s->base == NULL;
	w->base = w->own_base ? event_base_new() : s->base;
	if (w->base == NULL)
		return E_NOMEM;
	if (w->own_base) {
		enum status st =
		    mailbox_create(w->base, MAILBOX_MAX, &w->mailbox);
		if (st != OK)
			return st;
		w->wiring.mailbox = w->mailbox;
	} else {
		w->mailbox = w->wiring.mailbox;
	}
	w->beat = event_new(w->base, -1, EV_PERSIST, on_beat, w);
	if (w->beat == NULL || event_add(w->beat, &second) != 0)
		return E_NOMEM;
	on_beat(-1, 0, w);
	return OK;
}

enum status
worker_create(const struct worker_settings *settings, struct worker **out)
{
	struct worker *w = calloc(1, sizeof *w);
	struct proxy_worker_config config = { 0 };
	enum status st;

	if (w == NULL)
		return E_NOMEM;
	w->clock = settings->clock;
	wiring_share(settings->wiring, &w->wiring);
	st = make_loop(w, settings);
	if (st == OK) {
		wiring_open(&w->wiring, w->base);
		st = wiring_credentials_open(&w->wiring);
	}
	if (st == OK) {
		wiring_fill_proxy(&w->wiring, &w->ports);
		config.base = w->base;
		config.clock = w->clock;
		config.ports = &w->ports;
		config.snapshot = settings->snapshot;
		config.shared = settings->shared;
		st = proxy_worker_create(&config, &w->proxy);
	}
	if (st != OK) {
		worker_destroy(w);
		return st;
	}
	*out = w;
	return OK;
}

enum status
worker_listen(struct worker *w, int fd, const char *name)
{
	return proxy_worker_listen(w->proxy, fd, name);
}

/* On the worker's loop: objects end where they lived. */
static void
end_traffic(struct worker *w)
{
	if (w->proxy != NULL)
		proxy_worker_destroy(w->proxy);
	w->proxy = NULL;
	atomic_store(&w->connections, 0);
}

static void
on_stop(struct mail *m)
{
	struct worker *w = (struct worker *)(void *)((char *)m -
	    offsetof(struct worker, stop));

	(void)event_base_loopbreak(w->base);
}

static void *
worker_run(void *arg)
{
	struct worker *w = arg;

	(void)event_base_loop(w->base, EVLOOP_NO_EXIT_ON_EMPTY);
	end_traffic(w);
	return NULL;
}

enum status
worker_start(struct worker *w)
{
	if (!w->own_base)
		return OK;
	if (pthread_create(&w->thread, NULL, worker_run, w) != 0)
		return E_INTERNAL;
	w->has_thread = true;
	return OK;
}

void
worker_stop(struct worker *w)
{
	if (w == NULL)
		return;
	if (w->has_thread) {
		w->stop.deliver = on_stop;
		mailbox_answer(w->mailbox, &w->stop);
		pthread_join(w->thread, NULL);
		w->has_thread = false;
	}
	end_traffic(w);
}

void
worker_destroy(struct worker *w)
{
	if (w == NULL)
		return;
	worker_stop(w);
	if (w->own_base)
		mailbox_destroy(w->mailbox);
	wiring_credentials_close(&w->wiring);
	wiring_close(&w->wiring);
	if (w->beat != NULL)
		event_free(w->beat);
	if (w->own_base && w->base != NULL)
		event_base_free(w->base);
	free(w);
}

static void
deliver_change(struct mail *m)
{
	struct worker_change *c = (struct worker_change *)m;

	if (c->commit)
		wiring_credentials_forget(&c->worker->wiring);
	if (c->commit && c->worker->proxy != NULL)
		proxy_worker_apply(c->worker->proxy, c->change);
	else
		proxy_change_destroy(c->change);
	free(c);
}

enum status
worker_prepare(struct worker *w, const struct proxy_snapshot *from,
    struct proxy_snapshot *to, struct worker_change **out)
{
	struct worker_change *c = calloc(1, sizeof *c);
	enum status st;

	if (c == NULL)
		return E_NOMEM;
	c->mail.deliver = deliver_change;
	c->worker = w;
	st = proxy_change_create(w->proxy, from, to, &c->change);
	if (st != OK) {
		free(c);
		return st;
	}
	*out = c;
	return OK;
}

enum status
worker_change_listen(struct worker_change *c, int fd, const char *name)
{
	return proxy_change_listen(c->change, fd, name);
}

void
worker_commit(struct worker_change *c)
{
	c->commit = true;
	mailbox_answer(c->worker->mailbox, &c->mail);
}

void
worker_abandon(struct worker_change *c)
{
	/* Its parts belong to the worker's loop, and end there. */
	if (c != NULL)
		mailbox_answer(c->worker->mailbox, &c->mail);
}

static void
deliver_drained(struct mail *m)
{
	struct order *o = (struct order *)m;

	o->done(o->arg);
}

static void
on_drained(void *arg)
{
	struct order *o = arg;

	o->mail.deliver = deliver_drained;
	mailbox_answer(o->control, &o->mail);
}

static void
deliver_drain(struct mail *m)
{
	struct order *o = (struct order *)m;

	/* Without traffic the daemon is past waiting. */
	if (o->worker->proxy != NULL)
		proxy_worker_drain(o->worker->proxy, on_drained, o);
}

enum status
worker_drain(struct worker *w, struct mailbox *control, void (*done)(void *arg),
    void *arg)
{
	struct order *o = &w->drain;

	if (o->worker != NULL)
		return E_BUSY; /* it drains already */
	o->mail.deliver = deliver_drain;
	o->worker = w;
	o->control = control;
	o->done = done;
	o->arg = arg;
	mailbox_answer(w->mailbox, &o->mail);
	return OK;
}

size_t
worker_connections(const struct worker *w)
{
	return atomic_load(&w->connections);
}

int64_t
worker_beat_ms(const struct worker *w)
{
	return atomic_load(&w->beat_ms);
}

struct mailbox *
worker_mailbox(struct worker *w)
{
	return w->mailbox;
}

struct proxy_worker *
worker_proxy(struct worker *w)
{
	return w->proxy;
}
