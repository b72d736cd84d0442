/* One loop's listeners, sessions, snapshot and reap list. */
#include "proxy/worker.h"

#include "base/log.h"
#include "proxy/listener.h"
#include "proxy/peer_pool.h"
#include "proxy/relay.h"
#include "proxy/session.h"
#include "proxy/tls_client.h"
#include "proxy/upstream_pool.h"
#include "proxy/worker_tls.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	WORKER_LISTENERS_MAX = 128,
	CHANGE_LISTENERS_MAX = 32,
	WORKER_TICK_MS = 250, /* how late a deadline may be noticed */
};

struct proxy_change {
	struct proxy_snapshot *snapshot;
	struct zone_set *zones;
	struct peer_source *peers; /* NULL: those there are will do */

	struct {
		int fd;
		char *name;
	} listen[CHANGE_LISTENERS_MAX];

	size_t n_listen;
};

struct proxy_worker {
	struct proxy_worker_config config;
	struct proxy_snapshot *snapshot;
	struct resolver *resolver;
	struct peer_source *peers;
	struct peer_pool peer_pool;
	struct relay_pool pool;
	struct worker_tls tls;
	struct upstream_pool *upstreams;
	struct listener *listeners[WORKER_LISTENERS_MAX];
	size_t n_listeners;
	LIST_HEAD(, session) sessions;
	size_t n_sessions;
	struct event tick, reaper;
	struct reapable *reap;
	bool draining;
	void (*drained)(void *arg);
	void *drained_arg;
};

struct event_base *
worker_base(struct proxy_worker *w)
{
	return w->config.base;
}

const struct clock *
worker_clock(struct proxy_worker *w)
{
	return w->config.clock;
}

const struct proxy_ports *
worker_ports(struct proxy_worker *w)
{
	return w->config.ports;
}

struct resolver *
worker_resolver(struct proxy_worker *w)
{
	return w->resolver;
}

struct proxy_shared *
worker_shared(struct proxy_worker *w)
{
	return w->config.shared;
}

struct peer_source *
worker_peers(struct proxy_worker *w)
{
	return w->peers;
}

struct peer_pool *
worker_peer_pool(struct proxy_worker *w)
{
	return &w->peer_pool;
}

struct relay_pool *
worker_relay_pool(struct proxy_worker *w)
{
	return &w->pool;
}

struct worker_tls *
worker_tls_of(struct proxy_worker *w)
{
	return &w->tls;
}

struct upstream_pool *
worker_upstreams(struct proxy_worker *w)
{
	return w->upstreams;
}

uint64_t
worker_trust(const struct proxy_worker *w)
{
	return shared_trust_epoch(w->config.shared);
}

struct proxy_snapshot *
worker_snapshot(struct proxy_worker *w)
{
	return w->snapshot;
}

bool
worker_is_draining(const struct proxy_worker *w)
{
	return w->draining;
}

static void
worker_reap_all(struct proxy_worker *w)
{
	struct reapable *r;

	/* A destroy may reap more: take the last until none is left. */
	while ((r = w->reap) != NULL) {
		w->reap = r->next;
		r->destroy(r);
	}
}

static void
worker_say_drained(struct proxy_worker *w)
{
	void (*drained)(void *arg) = w->drained;

	if (!w->draining || w->n_sessions > 0 || drained == NULL)
		return;
	w->drained = NULL;
	drained(w->drained_arg);
}

static void
worker_on_reap(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	worker_reap_all(arg);
	worker_say_drained(arg);
}

void
worker_reap(struct proxy_worker *w, struct reapable *r,
    void (*destroy)(struct reapable *r))
{
	r->destroy = destroy;
	r->next = w->reap;
	w->reap = r;
	event_active(&w->reaper, EV_TIMEOUT, 1);
}

static void
worker_arm_tick(struct proxy_worker *w)
{
	const struct timeval tv = { .tv_usec =
		                        (suseconds_t)WORKER_TICK_MS * 1000 };

	if (evtimer_add(&w->tick, &tv) != 0)
		log_error("no timer: deadlines are late");
}

static void
worker_sweep_upstreams(struct proxy_worker *w)
{
	if (w->upstreams != NULL)
		upstream_pool_sweep(
		    w->upstreams, w->snapshot->generation, worker_trust(w));
}

static void
worker_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct proxy_worker *w = arg;
	int64_t now_ms = clock_boot_ms(w->config.clock);
	int64_t now_unix_s = clock_unix_s(w->config.clock);
	struct session *s, *next;

	(void)fd;
	(void)what;
	/* A tick may end its own session, and no other. */
	for (s = LIST_FIRST(&w->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		session_tick(s, now_ms, now_unix_s);
	}
	worker_sweep_upstreams(w);
	worker_arm_tick(w);
}

void
worker_session_opened(struct proxy_worker *w, struct session *s)
{
	LIST_INSERT_HEAD(&w->sessions, s, link);
	w->n_sessions++;
}

void
worker_session_closed(struct proxy_worker *w, struct session *s)
{
	LIST_REMOVE(s, link);
	w->n_sessions--;
}

enum status
proxy_worker_create(
    const struct proxy_worker_config *config, struct proxy_worker **out)
{
	struct proxy_snapshot *snapshot = config->snapshot;
	struct proxy_worker *w = calloc(1, sizeof *w);
	enum status st;

	if (w == NULL)
		return E_NOMEM;
	w->config = *config;
	w->snapshot = proxy_snapshot_ref(snapshot);
	LIST_INIT(&w->sessions);
	relay_pool_init(&w->pool, config->base);
	worker_tls_init(&w->tls, config->base);
	(void)evtimer_assign(&w->tick, config->base, worker_on_tick, w);
	(void)evtimer_assign(&w->reaper, config->base, worker_on_reap, w);
	st = resolver_create(
	    config->base, config->clock, &snapshot->dns, &w->resolver);
	if (st == OK)
		st = peer_source_create(
		    snapshot->cgroup_root, snapshot->exe_lookup, &w->peers);
	w->upstreams =
	    upstream_pool_create(config->base, config->clock, config->shared);
	if (st == OK && w->upstreams == NULL)
		st = E_NOMEM;
	if (st != OK) {
		proxy_worker_destroy(w);
		return st;
	}
	worker_arm_tick(w);
	*out = w;
	return OK;
}

static void
worker_end_sessions(struct proxy_worker *w)
{
	struct session *s;

	while ((s = LIST_FIRST(&w->sessions)) != NULL)
		session_end(s, CLOSE_DRAIN);
}

void
proxy_worker_destroy(struct proxy_worker *w)
{
	if (w == NULL)
		return;
	worker_end_sessions(w);
	worker_reap_all(w);
	(void)event_del(&w->tick);
	(void)event_del(&w->reaper);
	for (size_t i = 0; i < w->n_listeners; i++)
		listener_destroy(w->listeners[i]);
	relay_pool_release(&w->pool);
	upstream_pool_destroy(w->upstreams);
	worker_tls_release(&w->tls);
	resolver_destroy(w->resolver);
	peer_source_destroy(w->peers);
	proxy_snapshot_unref(w->snapshot);
	free(w);
}

enum status
proxy_worker_listen(struct proxy_worker *w, int fd, const char *name)
{
	enum status st;

	if (w->n_listeners == WORKER_LISTENERS_MAX) {
		(void)close(fd);
		return E_LIMIT;
	}
	st = listener_create(w, fd, name, &w->listeners[w->n_listeners]);
	if (st == OK)
		w->n_listeners++;
	return st;
}

enum status
proxy_change_create(struct proxy_worker *w, const struct proxy_snapshot *from,
    struct proxy_snapshot *to, struct proxy_change **out)
{
	struct proxy_change *change = calloc(1, sizeof *change);
	enum status st;

	if (change == NULL)
		return E_NOMEM;
	change->snapshot = proxy_snapshot_ref(to);
	st = resolver_prepare(w->resolver, &to->dns, &change->zones);
	if (st == OK &&
	    (to->exe_lookup != from->exe_lookup ||
	        strcmp(to->cgroup_root, from->cgroup_root) != 0))
		st = peer_source_create(
		    to->cgroup_root, to->exe_lookup, &change->peers);
	if (st != OK) {
		proxy_change_destroy(change);
		return st;
	}
	*out = change;
	return OK;
}

void
proxy_change_destroy(struct proxy_change *change)
{
	if (change == NULL)
		return;
	for (size_t i = 0; i < change->n_listen; i++) {
		(void)close(change->listen[i].fd);
		free(change->listen[i].name);
	}
	resolver_abandon(change->zones);
	peer_source_destroy(change->peers);
	proxy_snapshot_unref(change->snapshot);
	free(change);
}

enum status
proxy_change_listen(struct proxy_change *change, int fd, const char *name)
{
	bool full = change->n_listen == CHANGE_LISTENERS_MAX;
	char *copy = full ? NULL : strdup(name);

	if (copy == NULL) {
		(void)close(fd);
		return full ? E_LIMIT : E_NOMEM;
	}
	change->listen[change->n_listen].fd = fd;
	change->listen[change->n_listen++].name = copy;
	return OK;
}

static bool
listener_is_borrowed(const struct proxy_worker *w, const struct listener *l)
{
	const struct session *s;

	LIST_FOREACH(s, &w->sessions, link)
		if (s->listener == listener_name(l))
			return true;
	return false;
}

/* Gateways that are no more; whose last session has gone, too, is freed. */
static void
worker_close_listeners(struct proxy_worker *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_listeners; i++) {
		struct listener *l = w->listeners[i];
		if (listener_is_gateway(l) && !listener_is_closed(l) &&
		    proxy_snapshot_gateway(w->snapshot, listener_name(l)) ==
		        NULL)
			listener_close(l);
		if (listener_is_closed(l) && !w->draining &&
		    !listener_is_borrowed(w, l))
			listener_destroy(l);
		else
			w->listeners[n++] = l;
	}
	w->n_listeners = n;
}

static void
worker_open_listeners(struct proxy_worker *w, struct proxy_change *change)
{
	for (size_t i = 0; i < change->n_listen; i++) {
		const char *name = change->listen[i].name;
		int fd = change->listen[i].fd;

		if (w->draining)
			(void)close(fd);
		else if (proxy_worker_listen(w, fd, name) != OK)
			log_error("no memory: no listener on %s", name);
		free(change->listen[i].name);
	}
}

void
proxy_worker_apply(struct proxy_worker *w, struct proxy_change *change)
{
	struct proxy_snapshot *old = w->snapshot;
	struct session *at, *next;

	resolver_adopt(w->resolver, change->zones);
	if (change->peers != NULL) {
		peer_source_destroy(w->peers);
		w->peers = change->peers;
	}
	w->snapshot = change->snapshot;
	for (at = LIST_FIRST(&w->sessions); at != NULL; at = next) {
		next = LIST_NEXT(at, link);
		session_rejudge(at);
	}
	worker_sweep_upstreams(w);
	tls_client_ctx_forget(w->tls.client);
	worker_forget_ca(w);
	worker_close_listeners(w);
	worker_open_listeners(w, change);
	free(change);
	proxy_snapshot_unref(old);
}

enum status
proxy_worker_set_snapshot(struct proxy_worker *w, struct proxy_snapshot *s)
{
	struct proxy_change *change;
	enum status st = proxy_change_create(w, w->snapshot, s, &change);

	if (st == OK)
		proxy_worker_apply(w, change);
	return st;
}

void
proxy_worker_drain(struct proxy_worker *w, void (*done)(void *arg), void *arg)
{
	struct session *s, *next;

	w->draining = true;
	w->drained = done;
	w->drained_arg = arg;
	upstream_pool_destroy(w->upstreams);
	w->upstreams = NULL;
	for (size_t i = 0; i < w->n_listeners; i++)
		listener_close(w->listeners[i]);
	for (s = LIST_FIRST(&w->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		session_drain(s);
	}
	event_active(&w->reaper, EV_TIMEOUT, 1);
}

size_t
proxy_worker_connections(const struct proxy_worker *w)
{
	return w->n_sessions;
}
