/* One flight a name: A and AAAA asked together, joined, cached, shared. */
#include "proxy/resolver.h"

#include "base/host.h"
#include "base/metrics.h"
#include "proxy/dns_cache.h"
#include "proxy/dns_message.h"
#include "proxy/resolver_answer.h"
#include "proxy/resolver_ares.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { CACHE_ENTRIES = 1024, FAMILIES = 2 };

struct flight;

struct family {
	struct flight *flight;
	enum dns_type type;
	bool open; /* c-ares still holds our question */
	struct dns_answer answer;
};

struct resolver_query {
	TAILQ_ENTRY(resolver_query) entry;
	struct query_list *list; /* where it waits: a flight's or ready */
	void (*done)(void *arg, struct resolver_answer *a);
	void *arg;
	struct resolver_answer *answer; /* one reference once it is ready */
};

TAILQ_HEAD(query_list, resolver_query);

struct flight {
	LIST_ENTRY(flight) entry;
	struct zone_set *set;
	struct family families[FAMILIES];
	struct event *deadline;
	struct query_list waiters;
	struct resolver_answer *no_memory; /* if none can be made later */
	bool answered;
	char name[HOST_BYTES];
};

LIST_HEAD(flight_list, flight);

struct zone_channel {
	char suffix[HOST_BYTES];
	unsigned deadline_ms;
	struct dns_channel *channel;
};

/** The channels of one configuration; lives until its flights ended. */
struct zone_set {
	LIST_ENTRY(zone_set) entry;
	struct resolver *resolver;
	struct flight_list flights; /* not answered: to be joined */
	struct flight_list ended;   /* answered, perhaps still held by c-ares */
	unsigned max_ttl_s;
	size_t n;
	struct zone_channel zones[];
};

struct resolver {
	struct event_base *base;
	struct dns_cache *cache;
	struct zone_set *current;
	LIST_HEAD(, zone_set) sets;
	struct query_list ready;
	struct event *ready_event;
	bool destroying;
};

static void
set_destroy(struct zone_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		dns_channel_destroy(set->zones[i].channel);
	free(set);
}

void
resolver_abandon(struct zone_set *set)
{
	if (set != NULL)
		set_destroy(set);
}

enum status
resolver_prepare(struct resolver *r, const struct proxy_dns_config *config,
    struct zone_set **out)
{
	struct zone_set *set;

	if (config->n_zones == 0 || config->timeout_ms == 0 ||
	    config->attempts == 0)
		return E_INVALID;
	set = calloc(1, sizeof *set + config->n_zones * sizeof set->zones[0]);
	if (set == NULL)
		return E_NOMEM;
	set->resolver = r;
	set->max_ttl_s = config->max_ttl_s;
	LIST_INIT(&set->flights);
	LIST_INIT(&set->ended);
	for (; set->n < config->n_zones; set->n++) {
		const struct proxy_dns_zone *from = &config->zones[set->n];
		struct zone_channel *z = &set->zones[set->n];
		enum status st = dns_channel_create(r->base, from,
		    config->timeout_ms, config->attempts, &z->channel);

		if (st != OK) {
			set_destroy(set);
			return st;
		}
		memcpy(z->suffix, from->suffix, sizeof z->suffix);
		z->deadline_ms = config->timeout_ms * config->attempts *
		    (unsigned)from->n_servers;
	}
	*out = set;
	return OK;
}

/* The longest suffix that holds @name; zones[0] holds all. */
static struct zone_channel *
zone_of(struct zone_set *set, const char *name)
{
	struct zone_channel *best = &set->zones[0];

	for (size_t i = 1; i < set->n; i++) {
		struct zone_channel *z = &set->zones[i];

		if (strlen(z->suffix) > strlen(best->suffix) &&
		    host_in_suffix(slice_of(name), slice_of(z->suffix)))
			best = z;
	}
	return best;
}

static void
flight_free(struct flight *f)
{
	LIST_REMOVE(f, entry);
	if (f->deadline != NULL)
		event_free(f->deadline);
	resolver_answer_unref(f->no_memory);
	free(f);
}

static bool
flight_is_open(const struct flight *f)
{
	return f->families[0].open || f->families[1].open;
}

/* c-ares may not be torn down from its own callback: this runs on a turn of
 * its own, from the ready event. */
static void
reap(struct resolver *r)
{
	struct zone_set *set = LIST_FIRST(&r->sets);

	while (set != NULL) {
		struct zone_set *next = LIST_NEXT(set, entry);
		struct flight *f = LIST_FIRST(&set->ended);

		while (f != NULL) {
			struct flight *next_flight = LIST_NEXT(f, entry);

			if (!flight_is_open(f))
				flight_free(f);
			f = next_flight;
		}
		if (set != r->current && LIST_EMPTY(&set->flights) &&
		    LIST_EMPTY(&set->ended)) {
			LIST_REMOVE(set, entry);
			set_destroy(set);
		}
		set = next;
	}
}

static void
make_ready(
    struct resolver *r, struct resolver_query *q, struct resolver_answer *a)
{
	TAILQ_INSERT_TAIL(&r->ready, q, entry);
	q->list = &r->ready;
	q->answer = resolver_answer_ref(a);
	event_active(r->ready_event, EV_TIMEOUT, 1);
}

/* One at a time from the head: a callee may cancel any of the others. */
static void
ready_fired(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;
	struct resolver_query *q;

	(void)fd;
	(void)what;
	while ((q = TAILQ_FIRST(&r->ready)) != NULL) {
		void (*done)(void *, struct resolver_answer *) = q->done;
		void *done_arg = q->arg;
		struct resolver_answer *a = q->answer;

		TAILQ_REMOVE(&r->ready, q, entry);
		free(q);
		done(done_arg, a);
	}
	reap(r);
}

static void
cache_answer(struct flight *f, const struct dns_answer *joined)
{
	struct resolver *r = f->set->resolver;
	struct resolver_answer *kept;

	if (f->set != r->current || joined->ttl_s <= 0)
		return;
	kept = resolver_answer_create(joined, true);
	if (kept == NULL)
		return;
	dns_cache_put(r->cache, f->name, kept, joined->ttl_s);
	resolver_answer_unref(kept);
}

static void
flight_answer(struct flight *f)
{
	struct resolver *r = f->set->resolver;
	struct resolver_answer *a;
	struct resolver_query *q;
	struct dns_answer joined;

	dns_answer_join(&f->families[0].answer, &f->families[1].answer,
	    f->set->max_ttl_s, &joined);
	a = resolver_answer_create(&joined, false);
	if (a == NULL)
		a = resolver_answer_ref(f->no_memory);
	cache_answer(f, &joined);
	f->answered = true;
	LIST_REMOVE(f, entry);
	LIST_INSERT_HEAD(&f->set->ended, f, entry);
	(void)evtimer_del(f->deadline);
	while ((q = TAILQ_FIRST(&f->waiters)) != NULL) {
		TAILQ_REMOVE(&f->waiters, q, entry);
		make_ready(r, q, a);
	}
	event_active(r->ready_event, EV_TIMEOUT, 1);
	resolver_answer_unref(a);
}

static void
family_done(void *arg, enum dns_raw how, struct slice message)
{
	struct family *family = arg;
	struct flight *f = family->flight;

	family->open = false;
	if (f->set->resolver->destroying)
		return;
	if (f->answered) {
		event_active(f->set->resolver->ready_event, EV_TIMEOUT, 1);
		return;
	}
	if (how == DNS_RAW_MESSAGE)
		dns_message_read(
		    message, f->name, family->type, &family->answer);
	else if (how == DNS_RAW_FAILED)
		dns_answer_fail(&family->answer, REASON_DNS_SERVFAIL);
	if (!flight_is_open(f))
		flight_answer(f);
}

/* What has not come by now is a time-out (the state a family starts in);
 * c-ares still holds the questions and is not asked to forget them. */
static void
deadline_fired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flight_answer(arg);
}

static void
flight_ask(struct flight *f, struct zone_channel *z)
{
	f->families[0].type = DNS_TYPE_A;
	f->families[1].type = DNS_TYPE_AAAA;
	for (size_t i = 0; i < FAMILIES; i++) {
		struct family *family = &f->families[i];

		family->flight = f;
		family->open = true;
		dns_answer_fail(&family->answer, REASON_DNS_TIMEOUT);
	}
	for (size_t i = 0; i < FAMILIES; i++) {
		metric_add(METRIC_DNS_QUERIES_TOTAL, 1);
		dns_channel_ask(z->channel, f->name, f->families[i].type,
		    family_done, &f->families[i]);
	}
}

static struct flight *
flight_find(struct zone_set *set, const char *name)
{
	struct flight *f;

	LIST_FOREACH(f, &set->flights, entry) {
		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

static struct flight *
flight_create(struct zone_set *set, const char *name)
{
	struct zone_channel *z = zone_of(set, name);
	struct flight *f = calloc(1, sizeof *f);
	struct timeval tv = {
		.tv_sec = z->deadline_ms / 1000,
		.tv_usec = (suseconds_t)(z->deadline_ms % 1000) * 1000,
	};

	if (f == NULL)
		return NULL;
	f->set = set;
	TAILQ_INIT(&f->waiters);
	LIST_INSERT_HEAD(&set->flights, f, entry);
	f->deadline = evtimer_new(set->resolver->base, deadline_fired, f);
	dns_answer_fail(&f->families[0].answer, REASON_DNS_SERVFAIL);
	f->no_memory = resolver_answer_create(&f->families[0].answer, false);
	if (f->no_memory == NULL || f->deadline == NULL ||
	    evtimer_add(f->deadline, &tv) != 0 ||
	    !slice_copy(slice_of(name), f->name, sizeof f->name)) {
		flight_free(f);
		return NULL;
	}
	return f;
}

static void
wait_for(struct flight *f, struct resolver_query *q)
{
	TAILQ_INSERT_TAIL(&f->waiters, q, entry);
	q->list = &f->waiters;
}

struct resolver_answer *
resolver_find(struct resolver *r, const char *name)
{
	struct resolver_answer *a = dns_cache_get(r->cache, name);

	if (a != NULL)
		metric_add(METRIC_DNS_CACHE_HITS_TOTAL, 1);
	return a == NULL ? NULL : resolver_answer_ref(a);
}

struct resolver_query *
resolver_start(struct resolver *r, const char *name,
    void (*done)(void *arg, struct resolver_answer *a), void *arg)
{
	struct resolver_answer *cached = dns_cache_get(r->cache, name);
	struct resolver_query *q = calloc(1, sizeof *q);
	struct flight *f;

	if (q == NULL)
		return NULL;
	q->done = done;
	q->arg = arg;
	if (cached != NULL) {
		metric_add(METRIC_DNS_CACHE_HITS_TOTAL, 1);
		make_ready(r, q, cached);
		return q;
	}
	f = flight_find(r->current, name);
	if (f != NULL) {
		wait_for(f, q);
		return q;
	}
	f = flight_create(r->current, name);
	if (f == NULL) {
		free(q);
		return NULL;
	}
	/* The answer may come from inside: then the query is ready already. */
	wait_for(f, q);
	flight_ask(f, zone_of(r->current, name));
	return q;
}

void
resolver_cancel(struct resolver_query *q)
{
	if (q == NULL)
		return;
	TAILQ_REMOVE(q->list, q, entry);
	resolver_answer_unref(q->answer);
	free(q);
}

void
resolver_adopt(struct resolver *r, struct zone_set *set)
{
	dns_cache_clear(r->cache);
	LIST_INSERT_HEAD(&r->sets, set, entry);
	r->current = set;
	event_active(r->ready_event, EV_TIMEOUT, 1);
}

enum status
resolver_set_config(struct resolver *r, const struct proxy_dns_config *config)
{
	struct zone_set *set;
	enum status st = resolver_prepare(r, config, &set);

	if (st == OK)
		resolver_adopt(r, set);
	return st;
}

enum status
resolver_create(struct event_base *base, const struct clock *clock,
    const struct proxy_dns_config *config, struct resolver **out)
{
	struct resolver *r = calloc(1, sizeof *r);
	enum status st;

	if (r == NULL)
		return E_NOMEM;
	r->base = base;
	LIST_INIT(&r->sets);
	TAILQ_INIT(&r->ready);
	r->ready_event = evtimer_new(base, ready_fired, r);
	st = r->ready_event == NULL
	    ? E_NOMEM
	    : dns_cache_create(clock, CACHE_ENTRIES, &r->cache);
	if (st == OK)
		st = resolver_set_config(r, config);
	if (st != OK) {
		resolver_destroy(r);
		return st;
	}
	*out = r;
	return OK;
}

static void
drop_queries(struct query_list *list)
{
	struct resolver_query *q;

	while ((q = TAILQ_FIRST(list)) != NULL)
		resolver_cancel(q);
}

static void
drop_flights(struct flight_list *list)
{
	struct flight *f;

	while ((f = LIST_FIRST(list)) != NULL) {
		drop_queries(&f->waiters);
		flight_free(f);
	}
}

/* Flights outlive their channels' last callbacks, sets their flights. */
static void
drop_set(struct zone_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		dns_channel_destroy(set->zones[i].channel);
		set->zones[i].channel = NULL;
	}
	drop_flights(&set->flights);
	drop_flights(&set->ended);
	LIST_REMOVE(set, entry);
	set_destroy(set);
}

void
resolver_destroy(struct resolver *r)
{
	if (r == NULL)
		return;
	r->destroying = true;
	drop_queries(&r->ready);
	while (!LIST_EMPTY(&r->sets))
		drop_set(LIST_FIRST(&r->sets));
	dns_cache_destroy(r->cache);
	if (r->ready_event != NULL)
		event_free(r->ready_event);
	free(r);
}
