/* Tokens for the agent's own requests: the same cache, another claimant. */
#include "identity/room.h"

#include <stdlib.h>

/* One that waits for its flight. */
struct own_ask {
	struct cache_wait wait;
	struct identity_credential *asker;
};

static void
give(struct identity_credential *c, const struct cache_token *token)
{
	c->secret = token->secret;
	c->left_s = token->left_s;
}

static void
on_token(struct cache_wait *w, enum status st)
{
	struct own_ask *own = w->priv;
	struct identity_credential *c = own->asker;

	if (st == OK)
		give(c, &w->token);
	c->priv = NULL;
	free(own);
	c->wait.done(&c->wait, st);
}

enum status
identity_credential(struct identity *id, struct identity_credential *c)
{
	struct own_ask *own = calloc(1, sizeof *own);
	struct cache_token token;
	enum status st;

	if (own == NULL)
		return E_NOMEM;
	own->asker = c;
	own->wait.done = on_token;
	own->wait.priv = own;
	own->wait.uid = CACHE_OWN_UID;
	own->wait.revoked = c->spent_id;
	st = cache_ask(
	    id->cache, c->identity, slice_of(c->audience), &own->wait, &token);
	if (st == E_PARTIAL) {
		c->priv = own;
		return E_PARTIAL;
	}
	free(own);
	if (st == OK)
		give(c, &token);
	return st;
}

void
identity_credential_cancel(struct identity *id, struct identity_credential *c)
{
	struct own_ask *own = c->priv;

	if (own == NULL)
		return;
	cache_cancel(id->cache, &own->wait);
	c->priv = NULL;
	free(own);
}
