/* Another list of identities: who stays the same keeps the tokens. */
#include "identity/entry.h"

#include <stdlib.h>
#include <string.h>

static bool
config_eq(const struct identity_config *a, const struct identity_config *b)
{
	return strcmp(a->name, b->name) == 0 && a->source == b->source &&
	    strcmp(a->endpoint, b->endpoint) == 0 &&
	    a->selector == b->selector &&
	    (a->selector == IDENTITY_SELECTOR_NONE ||
	        strcmp(a->selector_value, b->selector_value) == 0);
}

/* An entry keeps its token only while its identity is the very same. */
static void
entry_move(struct cache *c, struct cache_entry *e,
    const struct config_slot *slots, size_t n)
{
	size_t to = 0;

	if (e->dead)
		return;
	while (to < n &&
	    !config_eq(&slots[to].config, &c->slots[e->config].config))
		to++;
	if (to < n) {
		e->config = to;
		return;
	}
	e->dead = true;
	if (e->flying)
		c->ports.fetch_cancel(c->ports.ctx, &e->flight);
	cache_ground(c, e);
	entry_drop_token(e);
}

enum status
cache_set_configs(
    struct cache *c, const struct identity_config *configs, size_t n)
{
	struct config_slot *slots = calloc(n + 1, sizeof *slots);

	if (slots == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		slots[i].config = configs[i];
		for (size_t k = 0; k < c->n_slots; k++)
			if (config_eq(&configs[i], &c->slots[k].config))
				slots[i] = c->slots[k];
	}
	for (struct cache_entry *e = c->entries; e != NULL; e = e->next)
		entry_move(c, e, slots, n);
	free(c->slots);
	c->slots = slots;
	c->n_slots = n;
	cache_arm(c);
	return OK;
}
