/* The table of tokens; schedule.c says when, budget.c how often. */
#include "identity/cache.h"

#include "base/log.h"
#include "base/metrics.h"
#include "identity/budget.h"
#include "identity/claims.h"
#include "identity/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FORGET_MS = 3600 * 1000, /**< an entry without a token */
	TURN_MS = 60 * 1000,     /**< the longest sleep */
};

enum status
cache_create(const struct clock *clock, const struct cache_ports *ports,
    struct cache **out)
{
	struct cache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return E_NOMEM;
	c->clock = clock;
	c->ports = *ports;
	budget_init(&c->budget);
	*out = c;
	return OK;
}

void
cache_ground(struct cache *c, struct cache_entry *e)
{
	if (!e->flying)
		return;
	e->flying = false;
	budget_end(&c->budget);
}

static void
entry_free(struct cache *c, struct cache_entry *e)
{
	if (e->flying)
		c->ports.fetch_cancel(c->ports.ctx, &e->flight);
	cache_ground(c, e);
	claims_drop_all(c, e);
	entry_destroy(e);
	c->n_entries--;
}

void
cache_remove(struct cache *c, struct cache_entry *e)
{
	struct cache_entry **at = &c->entries;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	entry_free(c, e);
}

void
cache_destroy(struct cache *c)
{
	if (c == NULL)
		return;
	while (c->entries != NULL)
		cache_remove(c, c->entries);
	free(c->slots);
	free(c);
}

void
cache_cancel(struct cache *c, struct cache_wait *w)
{
	(void)c;
	if (w->link == NULL)
		return;
	wait_unlink(w);
	secret_unref(w->token.secret);
	w->token.secret = NULL;
}

/*
 * First everything is decided, then the callbacks run: they may ask again,
 * and cancel each other.
 */
struct ready_wait {
	struct cache_wait *list[E_INTERNAL + 1];
};

static void
collect(struct cache *c, struct cache_entry *e, struct ready_wait *ready)
{
	struct cache_wait *next;

	for (struct cache_wait *w = e->waits; w != NULL; w = next) {
		enum status st = entry_verdict(e, c->clock, w);
		next = w->next;
		if (st == E_PARTIAL)
			continue;
		if (st == OK && !entry_give(e, c->clock, &w->token))
			st = E_TIMEOUT;
		wait_unlink(w);
		wait_link(&ready->list[st], w);
	}
}

static void
notify(struct ready_wait *ready)
{
	for (unsigned st = 0; st < ARRAY_LEN(ready->list); st++)
		while (ready->list[st] != NULL) {
			struct cache_wait *w = ready->list[st];
			wait_unlink(w);
			w->done(w, (enum status)st);
		}
}

/* Whether somebody waits who has nothing to go on with. */
static bool
entry_is_first(struct cache *c, struct cache_entry *e)
{
	for (const struct cache_wait *w = e->waits; w != NULL; w = w->next)
		if (entry_left_for_ms(e, c->clock, w) < 1000)
			return true;
	return false;
}

static void
entry_fail(struct cache *c, struct cache_entry *e,
    const struct schedule_fault *fault, const char *error)
{
	schedule_failed(&e->schedule, clock_boot_ms(c->clock), fault,
	    c->ports.random(c->ports.ctx));
	metric_add(METRIC_TOKEN_FETCH_ERRORS_TOTAL, 1);
	/* An outage is told once, not at each of its retries. */
	if (strncmp(e->last_error, error, sizeof e->last_error - 1) != 0)
		log_warning("identity %s: no token from the source: %s",
		    c->slots[e->config].config.name, error);
	if (snprintf(e->last_error, sizeof e->last_error, "%s", error) < 0)
		e->last_error[0] = '\0';
}

static void
entry_fly(struct cache *c, struct cache_entry *e)
{
	int64_t now_ms = clock_boot_ms(c->clock);
	bool bypass = schedule_wants_bypass(&e->schedule, now_ms);
	enum status st;

	claims_charge(c, e);
	e->flying = true;
	e->flight = (struct cache_flight){ .cache = c, .entry = e };
	metric_add(METRIC_TOKEN_FETCHES_TOTAL, 1);
	st = c->ports.fetch(c->ports.ctx, &c->slots[e->config].config,
	    slice_of(e->resource), bypass, &e->flight);
	if (st == OK) {
		if (bypass)
			schedule_bypassed(&e->schedule, now_ms);
		return;
	}
	cache_ground(c, e);
	entry_fail(c, e,
	    &(struct schedule_fault){ .http_status = 0, .retry_after_ms = -1 },
	    status_text(st));
}

/* Users take turns; of one user's keys, what has been due longest. */
static bool
is_sooner(const struct cache_entry *a, const struct cache_entry *b)
{
	uint64_t x = claims_turn(a), y = claims_turn(b);

	return x < y || (x == y && a->schedule.next_ms < b->schedule.next_ms);
}

static struct cache_entry *
pick_due(struct cache *c, bool first)
{
	int64_t now_ms = clock_boot_ms(c->clock);
	struct cache_entry *best = NULL;

	for (struct cache_entry *e = c->entries; e != NULL; e = e->next) {
		if (e->dead || e->flying ||
		    schedule_next(&e->schedule, now_ms) > now_ms ||
		    entry_is_first(c, e) != first)
			continue;
		if (best == NULL || is_sooner(e, best))
			best = e;
	}
	return best;
}

/* Those that somebody waits for go first; refreshes leave them room. */
static void
start_due(struct cache *c)
{
	int64_t now_ms = clock_boot_ms(c->clock);
	struct cache_entry *e;

	while ((e = pick_due(c, true)) != NULL &&
	    budget_start(&c->budget, now_ms, false))
		entry_fly(c, e);
	if (e != NULL)
		return;
	while ((e = pick_due(c, false)) != NULL &&
	    budget_start(&c->budget, now_ms, true))
		entry_fly(c, e);
}

static int64_t
entry_wake_ms(struct cache *c, struct cache_entry *e, int64_t now_ms)
{
	int64_t at = INT64_MAX;

	if (e->dead)
		return now_ms;
	if (!e->flying) {
		int64_t next = schedule_next(&e->schedule, now_ms);
		int64_t free_ms =
		    budget_next_ms(&c->budget, now_ms, !entry_is_first(c, e));
		if (next != SCHEDULE_NEVER)
			at = next > free_ms ? next : free_ms;
	}
	if (e->held.secret != NULL && e->schedule.expires_ms < at)
		at = e->schedule.expires_ms;
	for (const struct cache_wait *w = e->waits; w != NULL; w = w->next)
		if (w->deadline_ms < at)
			at = w->deadline_ms;
	return at;
}

/* At least once a minute, for the wall clock and for what is forgotten. */
void
cache_arm(struct cache *c)
{
	int64_t now_ms = clock_boot_ms(c->clock);
	int64_t at = now_ms + TURN_MS;

	for (struct cache_entry *e = c->entries; e != NULL; e = e->next) {
		int64_t mine = entry_wake_ms(c, e, now_ms);
		if (mine < at)
			at = mine;
	}
	if (c->entries != NULL)
		c->ports.wake(c->ports.ctx, at);
}

static bool
entry_is_over(struct cache *c, const struct cache_entry *e)
{
	if (e->waits != NULL)
		return false;
	return e->dead ||
	    (e->held.secret == NULL && !e->flying &&
	        clock_boot_ms(c->clock) - e->schedule.used_ms > FORGET_MS);
}

static void
sweep(struct cache *c)
{
	struct cache_entry **at = &c->entries;

	while (*at != NULL) {
		struct cache_entry *e = *at;
		if (e->held.secret != NULL && entry_left_ms(e, c->clock) <= 0)
			entry_drop_token(e);
		claims_expire(c, e);
		if (entry_is_over(c, e)) {
			*at = e->next;
			entry_free(c, e);
		} else {
			at = &e->next;
		}
	}
}

void
cache_turn(struct cache *c)
{
	struct ready_wait ready = { .list = { NULL } };

	start_due(c);
	for (struct cache_entry *e = c->entries; e != NULL; e = e->next)
		collect(c, e, &ready);
	sweep(c);
	cache_arm(c);
	notify(&ready);
}

static void
cache_take(
    struct cache *c, struct cache_entry *e, const struct cache_landing *landing)
{
	if (e->last_error[0] != '\0')
		log_notice("identity %s: the source answers again",
		    c->slots[e->config].config.name);
	entry_take(e, c->clock, landing, c->ports.random(c->ports.ctx));
	c->slots[e->config].reached = true;
}

void
cache_landed(struct cache_flight *flight, const struct cache_landing *landing)
{
	struct cache *c = flight->cache;
	struct cache_entry *e = flight->entry;

	cache_ground(c, e);
	if (landing->token != NULL)
		cache_take(c, e, landing);
	else
		entry_fail(c, e,
		    &(struct schedule_fault){
		        .http_status = landing->http_status,
		        .retry_after_ms = landing->retry_after_ms,
		        .stale = landing->stale,
		    },
		    landing->error);
	cache_turn(c);
}

static struct cache_entry *
find_entry(struct cache *c, size_t slot, struct slice resource)
{
	struct cache_entry *e = c->entries;

	while (e != NULL &&
	    (e->dead || e->config != slot || !slice_is(resource, e->resource)))
		e = e->next;
	return e;
}

static struct cache_entry *
add_entry(struct cache *c, size_t slot, struct slice resource)
{
	struct cache_entry *e =
	    entry_create(slot, resource, clock_boot_ms(c->clock));

	if (e == NULL)
		return NULL;
	e->next = c->entries;
	c->entries = e;
	c->n_entries++;
	return e;
}

/* The entry of that key, held by the user who asks. */
static enum status
claim_entry(struct cache *c, size_t slot, struct slice resource,
    const struct cache_wait *w, struct cache_entry **out)
{
	struct cache_entry *e = find_entry(c, slot, resource);
	bool is_new = e == NULL;
	enum status st;

	if (e != NULL && claims_touch(c, e, w)) {
		*out = e;
		return OK;
	}
	st = claims_make_room(c, w, e);
	if (st != OK)
		return st;
	if (is_new)
		e = add_entry(c, slot, resource);
	if (e == NULL)
		return E_NOMEM;
	st = claims_add(c, e, w);
	if (st == OK)
		*out = e;
	else if (is_new)
		cache_remove(c, e);
	return st;
}

/*
 * The one who says so waits for another token; for all others the old one
 * stays, as a live token is never taken away by a client.
 */
static bool
is_revoked(const struct cache_entry *e, const struct cache_wait *w)
{
	char id[SECRET_ID_BYTES];

	if (w->revoked == NULL || e->held.secret == NULL)
		return false;
	secret_id(e->held.secret, id);
	return slice_is_nocase(
	    slice_head(slice_of(w->revoked), SECRET_ID_BYTES - 1), id);
}

/*
 * What the token has left, if it will do, no other is wanted, and nothing
 * became due with this use: neither a flight nor the timer needs a look. Most
 * requests end here. Otherwise 0.
 */
static int64_t
settled_ms(struct cache *c, struct cache_entry *e, const struct cache_wait *w,
    int64_t now_ms)
{
	int64_t left_ms;

	if (w->revoked != NULL || schedule_is_idle(&e->schedule, now_ms))
		return 0;
	left_ms = entry_left_ms(e, c->clock);
	if (left_ms < SCHEDULE_LAST_MS ||
	    (!e->flying && e->schedule.next_ms <= now_ms))
		return 0;
	return left_ms;
}

enum status
cache_ask(struct cache *c, const char *identity, struct slice resource,
    struct cache_wait *w, struct cache_token *out)
{
	int64_t now_ms = clock_boot_ms(c->clock);
	struct cache_entry *e = NULL;
	enum status st;
	int64_t left_ms;
	size_t slot;

	if (!cache_find_slot(c, identity, &slot))
		return E_NOTFOUND;
	st = claim_entry(c, slot, resource, w, &e);
	if (st != OK)
		return st;
	c->slots[slot].asked = true;
	left_ms = settled_ms(c, e, w, now_ms);
	schedule_used(&e->schedule, now_ms);
	e->used_unix_s = clock_unix_s(c->clock);
	w->token.secret = NULL;
	w->generation = 0;
	if (left_ms > 0) {
		entry_give_left(e, left_ms, out);
		return OK;
	}
	if (is_revoked(e, w) && schedule_force(&e->schedule, now_ms))
		w->generation = e->generation + 1;
	w->deadline_ms = now_ms +
	    (entry_left_for_ms(e, c->clock, w) >= 1000 ? CACHE_WAIT_FRESH_MS
	                                               : CACHE_WAIT_MS);
	/* In line before the flights start, so that it counts as waited for. */
	wait_link(&e->waits, w);
	start_due(c);
	st = entry_verdict(e, c->clock, w);
	if (st != E_PARTIAL)
		wait_unlink(w);
	if (st == OK && !entry_give(e, c->clock, out))
		st = E_TIMEOUT;
	cache_arm(c);
	return st;
}
