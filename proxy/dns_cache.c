/* A hash table of names with a list by last use. */
#include "proxy/dns_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

enum { BUCKETS = 1024 };

struct entry {
	LIST_ENTRY(entry) chain;
	TAILQ_ENTRY(entry) use;
	struct resolver_answer *answer;
	int64_t until_boot_ms;
	char name[HOST_BYTES];
};

LIST_HEAD(entry_bucket, entry);

struct dns_cache {
	const struct clock *clock;
	size_t max_entries;
	size_t n;
	uint64_t seed;
	struct entry_bucket buckets[BUCKETS];
	TAILQ_HEAD(, entry) by_use; /* least recently used first */
};

/* FNV-1a from a random start: names come from clients. */
static struct entry_bucket *
bucket_of(struct dns_cache *c, const char *name)
{
	uint64_t h = 14695981039346656037u ^ c->seed;

	for (const char *p = name; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211u;
	return &c->buckets[(h ^ h >> 32) % BUCKETS];
}

static struct entry *
find(struct dns_cache *c, const char *name)
{
	struct entry *e;

	LIST_FOREACH(e, bucket_of(c, name), chain) {
		if (strcmp(e->name, name) == 0)
			return e;
	}
	return NULL;
}

static void
drop(struct dns_cache *c, struct entry *e)
{
	LIST_REMOVE(e, chain);
	TAILQ_REMOVE(&c->by_use, e, use);
	c->n--;
	resolver_answer_unref(e->answer);
	free(e);
}

enum status
dns_cache_create(
    const struct clock *clock, size_t max_entries, struct dns_cache **out)
{
	struct dns_cache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return E_NOMEM;
	c->clock = clock;
	c->max_entries = max_entries > 0 ? max_entries : 1;
	if (getrandom(&c->seed, sizeof c->seed, GRND_NONBLOCK) < 0)
		c->seed = (uint64_t)clock_unix_ns(clock);
	TAILQ_INIT(&c->by_use);
	*out = c;
	return OK;
}

void
dns_cache_clear(struct dns_cache *c)
{
	while (!TAILQ_EMPTY(&c->by_use))
		drop(c, TAILQ_FIRST(&c->by_use));
}

void
dns_cache_destroy(struct dns_cache *c)
{
	if (c == NULL)
		return;
	dns_cache_clear(c);
	free(c);
}

struct resolver_answer *
dns_cache_get(struct dns_cache *c, const char *name)
{
	struct entry *e = find(c, name);

	if (e == NULL)
		return NULL;
	if (clock_boot_ms(c->clock) >= e->until_boot_ms) {
		drop(c, e);
		return NULL;
	}
	TAILQ_REMOVE(&c->by_use, e, use);
	TAILQ_INSERT_TAIL(&c->by_use, e, use);
	return e->answer;
}

void
dns_cache_put(struct dns_cache *c, const char *name, struct resolver_answer *a,
    int64_t ttl_s)
{
	struct entry *e = find(c, name);

	if (e != NULL)
		drop(c, e);
	if (ttl_s <= 0)
		return;
	if (c->n >= c->max_entries)
		drop(c, TAILQ_FIRST(&c->by_use));
	e = calloc(1, sizeof *e);
	if (e == NULL)
		return;
	if (!slice_copy(slice_of(name), e->name, sizeof e->name)) {
		free(e);
		return;
	}
	e->answer = resolver_answer_ref(a);
	e->until_boot_ms = clock_boot_ms(c->clock) + ttl_s * 1000;
	LIST_INSERT_HEAD(bucket_of(c, name), e, chain);
	TAILQ_INSERT_TAIL(&c->by_use, e, use);
	c->n++;
}

size_t
dns_cache_count(const struct dns_cache *c)
{
	return c->n;
}
