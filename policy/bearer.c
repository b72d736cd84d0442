/* A phantom is good for whom it was given to, and for what, and nothing else. */
#include "policy/audience.h"
#include "policy/model.h"

#include <string.h>

/* Who runs as the same user in another unit is somebody else. */
static bool
is_bringer(const struct policy_bearer *b, const struct peer *peer)
{
	return peer_is_known(peer) && !peer->cgroup_unknown &&
	    peer->uid == b->uid && strcmp(peer->unit, b->unit) == 0;
}

static bool
is_same_audience(const char *a, const char *b)
{
	char x[AUDIENCE_BYTES], y[AUDIENCE_BYTES];

	return audience_normalise(slice_of(a), x) &&
	    audience_normalise(slice_of(b), y) && strcmp(x, y) == 0;
}

enum reason
phantom_fault(const struct policy *p, const struct policy_request *r,
    const struct policy_inject *inject)
{
	const struct policy_bearer *b = r->bearer;
	struct policy_token_request q = { .peer = r->peer };

	if (!b->sound || r->now_unix_s >= b->expires_unix_s ||
	    !is_bringer(b, r->peer))
		return REASON_TOKEN_INVALID;
	if (inject == NULL || !is_same_audience(inject->audience, b->audience))
		return REASON_TOKEN_AUDIENCE;
	/* As long as the grant stands: a reload takes it back. */
	q.audience = slice_of(b->audience);
	q.identity = b->identity;
	return grant_holds(p, b->grant, &q) ? REASON_NONE
	                                    : REASON_TOKEN_NOT_ALLOWED;
}
