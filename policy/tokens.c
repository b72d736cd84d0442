/* Who may have which token, as whom. */
#include "policy/audience.h"
#include "policy/model.h"

#include <stdio.h>
#include <string.h>

struct choice {
	const struct grant *grant; /**< smallest id of those that fit, or of
	                                the phantoms among them */
	const char *identity;      /**< first of that grant, or NULL */
	const struct grant *rival; /**< fits too, but as somebody else */
};

static bool
list_has(const struct text_list *list, const char *s)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->at[i], s) == 0)
			return true;
	return false;
}

static bool
grant_fits(const struct policy *p, const struct grant *g,
    const struct policy_token_request *r, const char *audience)
{
	if (!list_has(&g->audiences, audience))
		return false;
	if (r->identity != NULL && g->identities.n > 0 &&
	    !list_has(&g->identities, r->identity))
		return false;
	return workloads_match(p, g->workloads, g->n_workloads, r->peer);
}

bool
grant_holds(const struct policy *p, const char *id,
    const struct policy_token_request *r)
{
	char audience[AUDIENCE_BYTES];

	if (!peer_is_known(r->peer) ||
	    !audience_normalise(r->audience, audience))
		return false;
	for (size_t i = 0; i < p->n_grants; i++)
		if (strcmp(p->grants[i].id, id) == 0)
			return grant_fits(p, &p->grants[i], r, audience);
	return false;
}

bool
phantom_is_granted(const struct policy *p, const struct policy_token_request *r)
{
	char audience[AUDIENCE_BYTES];

	if (!peer_is_known(r->peer) ||
	    !audience_normalise(r->audience, audience))
		return false;
	for (size_t i = 0; i < p->n_grants; i++)
		if (p->grants[i].phantom &&
		    grant_fits(p, &p->grants[i], r, audience))
			return true;
	return false;
}

static const char *
first_identity(const struct grant *g)
{
	return g->identities.n > 0 ? g->identities.at[0] : NULL;
}

static bool
same_identity(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Who may have a phantom is given no more. */
static bool
goes_before(const struct grant *a, const struct grant *b)
{
	if (a->phantom != b->phantom)
		return a->phantom;
	return strcmp(a->id, b->id) < 0;
}

static void
weigh(struct choice *c, const struct grant *g)
{
	if (c->grant == NULL) {
		c->grant = g;
		return;
	}
	if (!same_identity(first_identity(c->grant), first_identity(g)))
		c->rival = goes_before(g, c->grant) ? c->grant : g;
	if (goes_before(g, c->grant))
		c->grant = g;
}

static const char *
identity_text(const struct grant *g)
{
	const char *name = first_identity(g);

	return name != NULL ? name : "the first configured identity";
}

static void
refuse(struct policy_token_verdict *out, const char *detail)
{
	out->effect = POLICY_DENY;
	out->code = REASON_TOKEN_NOT_ALLOWED;
	(void)snprintf(out->detail, sizeof out->detail, "%s", detail);
}

void
policy_decide_token(const struct policy *p,
    const struct policy_token_request *r, struct policy_token_verdict *out)
{
	char audience[AUDIENCE_BYTES];
	struct choice c = { NULL, NULL, NULL };

	*out = (struct policy_token_verdict){ .effect = POLICY_DENY,
		.code = REASON_TOKEN_NOT_ALLOWED };
	if (!peer_is_known(r->peer)) {
		refuse(out, "the kernel could not say who asks");
		return;
	}
	if (!audience_normalise(r->audience, audience)) {
		refuse(out, "the audience is malformed");
		return;
	}
	for (size_t i = 0; i < p->n_grants; i++)
		if (grant_fits(p, &p->grants[i], r, audience))
			weigh(&c, &p->grants[i]);
	if (c.grant == NULL) {
		refuse(out,
		    "no grant of the policy gives you this audience "
		    "as this identity");
		return;
	}
	if (r->identity == NULL && c.rival != NULL) {
		refuse(out, "");
		(void)snprintf(out->detail, sizeof out->detail,
		    "grants \"%.48s\" (%.48s) and \"%.48s\" (%.48s) both fit; "
		    "say which identity",
		    c.grant->id, identity_text(c.grant), c.rival->id,
		    identity_text(c.rival));
		return;
	}
	out->effect = POLICY_ALLOW;
	out->code = REASON_NONE;
	out->grant = c.grant->id;
	out->phantom = c.grant->phantom;
	out->identity =
	    r->identity != NULL ? r->identity : first_identity(c.grant);
}
