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

/* Key Vault's clients look whether what they are told is their vault's. */
static bool
is_vault(const char *audience, const struct host *host)
{
	static const char *const vaults[] = { "vault.azure.net",
		"managedhsm.azure.net", "vault.usgovcloudapi.net",
		"managedhsm.usgovcloudapi.net", "vault.azure.cn",
		"managedhsm.azure.cn" };
	struct slice scheme = SLICE("https://"), name = slice_of(host->name);
	char normal[AUDIENCE_BYTES];

	if (!audience_normalise(slice_of(audience), normal) ||
	    !slice_starts(slice_of(normal), scheme))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(vaults); i++) {
		struct slice vault = slice_of(vaults[i]);

		if (strcmp(normal + scheme.n, vaults[i]) == 0 &&
		    name.n > vault.n && slice_ends(name, vault) &&
		    name.p[name.n - vault.n - 1] == '.')
			return true;
	}
	return false;
}

/* Those clients send a request stripped of its body first, and the body only
 * when a 401 has told them for what to get a token. Completed by us, the
 * stripped one would be carried out. */
const char *
phantom_challenge(const struct policy *p, const struct policy_request *r,
    const struct policy_inject *inject)
{
	struct policy_token_request q = { .peer = r->peer };

	if (!r->bare || inject == NULL || !is_vault(inject->audience, r->host))
		return NULL;
	q.audience = slice_of(inject->audience);
	return phantom_is_granted(p, &q) ? inject->audience : NULL;
}
