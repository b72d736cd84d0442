/* Looking into the cache: identities, listing, readiness. */
#include "identity/budget.h"
#include "identity/entry.h"

#include <string.h>

bool
cache_find_slot(const struct cache *c, const char *identity, size_t *out)
{
	for (size_t i = 0; i < c->n_slots; i++)
		if (strcmp(c->slots[i].config.name, identity) == 0) {
			*out = i;
			return true;
		}
	return false;
}

const struct identity_config *
cache_config(const struct cache *c, const char *identity)
{
	size_t slot = 0;

	/* "": the first configured. */
	if (c->n_slots == 0 ||
	    (identity[0] != '\0' && !cache_find_slot(c, identity, &slot)))
		return NULL;
	return &c->slots[slot].config;
}

const struct identity_config *
cache_config_selected(
    const struct cache *c, enum identity_selector selector, const char *value)
{
	for (size_t i = 0; i < c->n_slots; i++) {
		const struct identity_config *k = &c->slots[i].config;
		/* Ids and resource ids are compared as Azure does. */
		if (k->selector == selector &&
		    slice_is_nocase(slice_of(value), k->selector_value))
			return k;
	}
	return NULL;
}

static void
list_one(const struct cache *c, const struct cache_entry *e,
    void (*each)(void *arg, const struct identity_listing *l), void *arg)
{
	int64_t now_ms = clock_boot_ms(c->clock);
	int64_t now_s = clock_unix_s(c->clock);
	int64_t next_ms = schedule_next(&e->schedule, now_ms);
	struct identity_listing l = {
		.identity = c->slots[e->config].config.name,
		.audience = e->resource,
		.expires_unix_s = e->held.expires_unix_s,
		.last_used_unix_s = e->used_unix_s,
		.state = e->held.secret == NULL ? "expired" : "fresh",
	};

	if (next_ms != SCHEDULE_NEVER)
		l.refresh_unix_s = now_s + (next_ms - now_ms) / 1000;
	if (e->schedule.failures > 0)
		l.state = "failing";
	if (e->flying)
		l.state = "refreshing";
	if (e->held.secret != NULL)
		secret_id(e->held.secret, l.token_id);
	memcpy(l.last_error, e->last_error, sizeof l.last_error);
	each(arg, &l);
}

void
cache_list(const struct cache *c,
    void (*each)(void *arg, const struct identity_listing *l), void *arg)
{
	for (const struct cache_entry *e = c->entries; e != NULL; e = e->next)
		if (!e->dead)
			list_one(c, e, each, arg);
}

bool
cache_is_ready(const struct cache *c)
{
	for (size_t i = 0; i < c->n_slots; i++)
		if (c->slots[i].asked && !c->slots[i].reached)
			return false;
	return true;
}
