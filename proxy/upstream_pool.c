/* Idle upstreams: found by their name, let go by their age. */
#include "proxy/upstream_pool.h"

#include "base/metrics.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { POOL_BUCKETS = 64 };

struct idle {
	struct upstream_pool *pool;
	struct stream s;
	struct upstream_facts facts;
	struct event readable;
	int64_t until_ms;
	LIST_ENTRY(idle) same; /* of its bucket */
	TAILQ_ENTRY(idle) age;
};

struct upstream_pool {
	struct event_base *base;
	const struct clock *clock;
	struct proxy_shared *shared;
	LIST_HEAD(, idle) buckets[POOL_BUCKETS];
	TAILQ_HEAD(, idle) ages; /* the oldest first */
};

struct upstream_pool *
upstream_pool_create(struct event_base *base, const struct clock *clock,
    struct proxy_shared *shared)
{
	struct upstream_pool *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->base = base;
	p->clock = clock;
	p->shared = shared;
	for (size_t i = 0; i < POOL_BUCKETS; i++)
		LIST_INIT(&p->buckets[i]);
	TAILQ_INIT(&p->ages);
	return p;
}

/* FNV-1a: spreads the few hosts that one policy names. */
static size_t
bucket_of(const struct upstream_facts *f)
{
	uint32_t h = 2166136261u ^ f->port;

	for (const char *at = f->host; *at != '\0'; at++)
		h = (h ^ (unsigned char)*at) * 16777619u;
	return h % POOL_BUCKETS;
}

static struct stream
idle_take(struct idle *i)
{
	struct stream s = i->s;

	(void)event_del(&i->readable);
	LIST_REMOVE(i, same);
	TAILQ_REMOVE(&i->pool->ages, i, age);
	shared_idle_leave(i->pool->shared);
	free(i);
	return s;
}

static void
idle_close(struct idle *i)
{
	struct stream s = idle_take(i);

	stream_end(&s);
	stream_close(&s);
}

void
upstream_pool_destroy(struct upstream_pool *p)
{
	struct idle *i;

	if (p == NULL)
		return;
	while ((i = TAILQ_FIRST(&p->ages)) != NULL)
		idle_close(i);
	free(p);
}

/* RFC 9112 9.6, 9.2: it ends, or says what is no answer to anything. TLS has
 * words of its own that say nothing to us: RFC 8446 4.6. */
static void
idle_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct idle *i = arg;

	(void)fd;
	(void)what;
	if (!stream_is_quiet(&i->s))
		idle_close(i);
}

/* Room for one more, maybe in place of the oldest of this worker. */
static bool
pool_make_room(struct upstream_pool *p, unsigned max)
{
	if (shared_idle_enter(p->shared, max))
		return true;
	if (TAILQ_EMPTY(&p->ages))
		return false;
	idle_close(TAILQ_FIRST(&p->ages));
	return shared_idle_enter(p->shared, max);
}

static struct idle *
idle_new(struct upstream_pool *p, const struct stream *s,
    const struct upstream_facts *facts)
{
	struct idle *i = malloc(sizeof *i);

	if (i == NULL)
		return NULL;
	memset(i, 0, sizeof *i);
	i->pool = p;
	i->s = *s;
	i->facts = *facts;
	if (event_assign(&i->readable, p->base, s->fd, EV_READ | EV_PERSIST,
	        idle_on_readable, i) == 0 &&
	    event_add(&i->readable, NULL) == 0)
		return i;
	free(i);
	return NULL;
}

void
upstream_pool_put(struct upstream_pool *p, struct stream s,
    const struct upstream_facts *facts, const struct proxy_limits *limits)
{
	int64_t now_ms = clock_boot_ms(p->clock);
	struct idle *i = NULL;

	if (now_ms - facts->made_ms < UPSTREAM_LIFE_MS && stream_is_quiet(&s) &&
	    pool_make_room(p, limits->upstreams_idle)) {
		i = idle_new(p, &s, facts);
		if (i == NULL)
			shared_idle_leave(p->shared);
	}
	if (i == NULL) {
		stream_end(&s);
		stream_close(&s);
		return;
	}
	i->until_ms = now_ms + (int64_t)limits->upstream_idle_ms;
	LIST_INSERT_HEAD(&p->buckets[bucket_of(facts)], i, same);
	TAILQ_INSERT_TAIL(&p->ages, i, age);
}

static bool
is_one_of(const struct addr *a, const struct addr *all, size_t n)
{
	struct addr is = addr_unmap(a);

	for (size_t i = 0; i < n; i++) {
		struct addr one = addr_unmap(&all[i]);
		if (addr_eq(&is, &one))
			return true;
	}
	return false;
}

static bool
is_as_wanted(const struct upstream_facts *is, const struct upstream_facts *want)
{
	return is->port == want->port && is->generation == want->generation &&
	    is->trust == want->trust && is->uid == want->uid &&
	    is->h2 == want->h2 && strcmp(is->host, want->host) == 0 &&
	    strcmp(is->identity, want->identity) == 0;
}

struct stream
upstream_pool_take(struct upstream_pool *p, const struct addr *addresses,
    size_t n_addresses, struct upstream_facts *want)
{
	int64_t now_ms = clock_boot_ms(p->clock);
	struct idle *i, *next;

	for (i = LIST_FIRST(&p->buckets[bucket_of(want)]); i != NULL;
	     i = next) {
		next = LIST_NEXT(i, same);
		if (!is_as_wanted(&i->facts, want) || i->until_ms <= now_ms ||
		    !is_one_of(&i->facts.address, addresses, n_addresses))
			continue;
		/* Its end may be there, and the loop not yet here. */
		if (!stream_is_quiet(&i->s)) {
			idle_close(i);
			continue;
		}
		*want = i->facts;
		metric_add(METRIC_UPSTREAMS_POOLED_TOTAL, 1);
		return idle_take(i);
	}
	return stream_plain(-1);
}

void
upstream_pool_sweep(
    struct upstream_pool *p, uint64_t generation, uint64_t trust)
{
	int64_t now_ms = clock_boot_ms(p->clock);
	struct idle *i, *next;

	for (i = TAILQ_FIRST(&p->ages); i != NULL; i = next) {
		next = TAILQ_NEXT(i, age);
		if (i->until_ms <= now_ms ||
		    i->facts.generation != generation ||
		    i->facts.trust != trust || shared_is_crowded(p->shared))
			idle_close(i);
	}
}
