/* Gateways come and go at a reload: bound aside, then taken up whole. */
#include "agent/listeners.h"

#include <stdlib.h>
#include <string.h>

static const struct listener *
find(const struct listeners *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->at[i].at.name, name) == 0)
			return &l->at[i];
	return NULL;
}

static bool
is_configured(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_gateways; i++)
		if (strcmp(c->gateways[i].listen.name, name) == 0)
			return true;
	return false;
}

/* What stays: all but the gateways that @config has no more. */
static void
keep(struct listeners_change *c, const struct listeners *now,
    const struct config *config)
{
	for (size_t i = 0; i < now->n; i++)
		if (now->at[i].role != LISTEN_GATEWAY ||
		    is_configured(config, now->at[i].at.name))
			c->next.at[c->next.n++] = now->at[i];
	c->next.lock_fd = now->lock_fd;
	c->first_added = c->next.n;
}

static enum status
open_one(struct listeners *l, const struct config_listen *at,
    unsigned n_workers, struct status_detail *detail)
{
	const struct listener *there = find(l, at->name);
	struct listener *n;

	if (there != NULL && there->role == LISTEN_GATEWAY)
		return OK;
	if (there != NULL)
		return status_set(detail, E_BUSY,
		    "gateway \"%s\": the %s listener has this address; where "
		    "\"listen\" names another one now, a restart frees it",
		    at->name, listen_role_name(there->role));
	n = listeners_add(l, LISTEN_GATEWAY);
	if (n == NULL)
		return status_set(detail, E_LIMIT, "too many listeners");
	n->at = *at;
	return listener_open(n, n_workers, detail);
}

enum status
listeners_prepare(const struct listeners *now, const struct config *config,
    unsigned n_workers, struct listeners_change **out,
    struct status_detail *detail)
{
	struct listeners_change *c = calloc(1, sizeof *c);
	enum status st = OK;

	if (c == NULL)
		return E_NOMEM;
	keep(c, now, config);
	for (size_t i = 0; i < config->n_gateways && st == OK; i++)
		st = open_one(
		    &c->next, &config->gateways[i].listen, n_workers, detail);
	if (st != OK) {
		listeners_abandon(c);
		return st;
	}
	*out = c;
	return OK;
}

void
listeners_commit(struct listeners *now, struct listeners_change *c)
{
	for (size_t i = 0; i < now->n; i++)
		if (find(&c->next, now->at[i].at.name) == NULL)
			listener_end(&now->at[i]);
	*now = c->next;
	free(c);
}

void
listeners_abandon(struct listeners_change *c)
{
	if (c == NULL)
		return;
	for (size_t i = c->first_added; i < c->next.n; i++)
		listener_end(&c->next.at[i]);
	free(c);
}
