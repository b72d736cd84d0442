/* Tokens that one loop has at hand, by identity and audience. */
#include "agent/credential_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct entry {
	TAILQ_ENTRY(entry) link;
	struct credential_news held; /* one reference of its secret */
	int64_t soft_ms;
	bool asking;
	char *audience; /* behind the identity, in the same text */
	char identity[];
};

TAILQ_HEAD(entry_list, entry);

struct credential_table {
	const struct clock *clock;
	struct entry_list entries; /* the last used first */
	size_t n;
};

enum status
credential_table_create(
    const struct clock *clock, struct credential_table **out)
{
	struct credential_table *t = calloc(1, sizeof *t);

	if (t == NULL)
		return E_NOMEM;
	t->clock = clock;
	TAILQ_INIT(&t->entries);
	*out = t;
	return OK;
}

static void
entry_remove(struct credential_table *t, struct entry *e)
{
	TAILQ_REMOVE(&t->entries, e, link);
	t->n--;
	secret_unref(e->held.secret);
	free(e);
}

void
credential_table_drop(struct credential_table *t)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&t->entries)) != NULL)
		entry_remove(t, e);
}

void
credential_table_destroy(struct credential_table *t)
{
	if (t != NULL)
		credential_table_drop(t);
	free(t);
}

/* Few, and those in use stand first. */
static struct entry *
find(struct credential_table *t, const struct credential_key *key)
{
	struct entry *e;

	TAILQ_FOREACH(e, &t->entries, link)
		if (strcmp(e->audience, key->audience) == 0 &&
		    strcmp(e->identity, key->identity) == 0)
			return e;
	return NULL;
}

static int64_t
left_ms(const struct credential_news *held, const struct clock *clock)
{
	int64_t boot = held->until_ms - clock_boot_ms(clock);
	int64_t wall = held->until_unix_ms - clock_unix_ns(clock) / 1000000;

	return boot < wall ? boot : wall;
}

void
credential_table_sweep(struct credential_table *t)
{
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&t->entries); e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		if (left_ms(&e->held, t->clock) <= 0)
			entry_remove(t, e);
	}
}

bool
credential_table_get(struct credential_table *t,
    const struct credential_key *key, const char *spent_id,
    struct proxy_credential *out, bool *ageing)
{
	struct entry *e = find(t, key);

	if (e == NULL || left_ms(&e->held, t->clock) < CREDENTIAL_LAST_MS ||
	    (spent_id != NULL && strcmp(spent_id, e->held.token_id) == 0))
		return false;
	if (e != TAILQ_FIRST(&t->entries)) {
		TAILQ_REMOVE(&t->entries, e, link);
		TAILQ_INSERT_HEAD(&t->entries, e, link);
	}
	*ageing = !e->asking && clock_boot_ms(t->clock) >= e->soft_ms;
	e->asking = e->asking || *ageing;
	out->secret = secret_ref(e->held.secret);
	out->until_ms = e->held.until_ms;
	memcpy(out->token_id, e->held.token_id, sizeof out->token_id);
	/* A configured name fits. */
	(void)snprintf(
	    out->identity, sizeof out->identity, "%s", key->identity);
	return true;
}

static struct entry *
entry_add(struct credential_table *t, const struct credential_key *key)
{
	size_t identity_n = strlen(key->identity) + 1;
	size_t audience_n = strlen(key->audience) + 1;
	struct entry *e = calloc(1, sizeof *e + identity_n + audience_n);

	if (e == NULL)
		return NULL;
	memcpy(e->identity, key->identity, identity_n);
	e->audience = e->identity + identity_n;
	memcpy(e->audience, key->audience, audience_n);
	if (t->n == CREDENTIALS_MAX)
		entry_remove(t, TAILQ_LAST(&t->entries, entry_list));
	TAILQ_INSERT_HEAD(&t->entries, e, link);
	t->n++;
	return e;
}

void
credential_table_put(struct credential_table *t,
    const struct credential_key *key, const struct credential_news *news)
{
	struct entry *e = find(t, key);
	int64_t left = left_ms(news, t->clock);
	/* The shorter a token lives the sooner the next one is near. */
	int64_t soft =
	    left / 4 < CREDENTIAL_SOFT_MS ? left / 4 : CREDENTIAL_SOFT_MS;

	if (e == NULL)
		e = entry_add(t, key);
	if (e == NULL)
		return;
	(void)secret_ref(news->secret);
	secret_unref(e->held.secret);
	e->held = *news;
	e->asking = false;
	e->soft_ms = clock_boot_ms(t->clock) + soft;
}

void
credential_table_failed(
    struct credential_table *t, const struct credential_key *key)
{
	struct entry *e = find(t, key);

	if (e == NULL)
		return;
	e->asking = false;
	e->soft_ms = clock_boot_ms(t->clock) + CREDENTIAL_AGAIN_MS;
}
