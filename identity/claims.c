/* Ceilings by user and by grant; the least recently used goes first. */
#include "identity/claims.h"

#include "base/metrics.h"

#include <stdlib.h>
#include <string.h>

enum { CLAIM_IDLE_MS = 3600 * 1000 };

static struct claim_user *
find_user(const struct cache *c, uint32_t uid)
{
	struct claim_user *u = c->users;

	while (u != NULL && u->uid != uid)
		u = u->next;
	return u;
}

static void
user_free(struct cache *c, struct claim_user *u)
{
	struct claim_user **at = &c->users;

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	free(u);
}

/* Frees what @at points to; its user goes with the last claim. */
static void
claim_drop(struct cache *c, struct claim **at)
{
	struct claim *claim = *at;

	*at = claim->next;
	if (--claim->user->n_claims == 0)
		user_free(c, claim->user);
	free(claim);
}

void
claims_drop_all(struct cache *c, struct cache_entry *e)
{
	while (e->claims != NULL)
		claim_drop(c, &e->claims);
}

static struct claim **
find_claim(struct cache_entry *e, uint32_t uid)
{
	struct claim **at = &e->claims;

	while (*at != NULL && (*at)->user->uid != uid)
		at = &(*at)->next;
	return at;
}

static const char *
grant_of(const struct cache_wait *w)
{
	return w->grant != NULL ? w->grant : "";
}

static void
claim_use(struct cache *c, struct claim *claim, const struct cache_wait *w)
{
	claim->used_ms = clock_boot_ms(c->clock);
	claim->used = ++c->uses;
	/* Another one after a reload; ids are shorter than this. */
	if (!slice_copy(
	        slice_of(grant_of(w)), claim->grant, sizeof claim->grant))
		claim->grant[0] = '\0';
}

bool
claims_touch(struct cache *c, struct cache_entry *e, const struct cache_wait *w)
{
	struct claim *claim = *find_claim(e, w->uid);

	if (claim == NULL)
		return false;
	claim_use(c, claim, w);
	return true;
}

enum status
claims_add(struct cache *c, struct cache_entry *e, const struct cache_wait *w)
{
	struct claim_user *u = find_user(c, w->uid);
	struct claim *claim = calloc(1, sizeof *claim);

	if (claim == NULL)
		return E_NOMEM;
	if (u == NULL) {
		u = calloc(1, sizeof *u);
		if (u == NULL) {
			free(claim);
			return E_NOMEM;
		}
		u->uid = w->uid;
		u->next = c->users;
		c->users = u;
	}
	u->n_claims++;
	claim->user = u;
	claim_use(c, claim, w);
	claim->next = e->claims;
	e->claims = claim;
	return OK;
}

static bool
is_idle(const struct cache_entry *e, const struct cache_entry *keep)
{
	return e != keep && !e->dead && !e->flying && e->waits == NULL;
}

/* Lets @uid's claim on @e go, and with the last one the entry. */
static void
evict(struct cache *c, struct cache_entry *e, uint32_t uid)
{
	claim_drop(c, find_claim(e, uid));
	metric_add(METRIC_TOKENS_EVICTED_TOTAL, 1);
	if (e->claims == NULL)
		cache_remove(c, e);
}

static unsigned
count(struct cache *c, uint32_t uid, const char *grant)
{
	unsigned n = 0;

	for (struct cache_entry *e = c->entries; e != NULL; e = e->next) {
		const struct claim *claim = *find_claim(e, uid);
		n += claim != NULL && strcmp(claim->grant, grant) == 0;
	}
	return n;
}

/* The user's own least recently used one; of @grant only, unless NULL. */
static enum status
evict_own(struct cache *c, uint32_t uid, const char *grant,
    const struct cache_entry *keep)
{
	struct cache_entry *best = NULL;
	uint64_t oldest = UINT64_MAX;

	for (struct cache_entry *e = c->entries; e != NULL; e = e->next) {
		const struct claim *claim = *find_claim(e, uid);
		if (claim == NULL || !is_idle(e, keep) ||
		    (grant != NULL && strcmp(claim->grant, grant) != 0) ||
		    claim->used >= oldest)
			continue;
		oldest = claim->used;
		best = e;
	}
	if (best == NULL)
		return E_LIMIT;
	evict(c, best, uid);
	return OK;
}

static bool
is_rather(const struct claim *a, const struct claim *b)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	return a->user->n_claims > b->user->n_claims ||
	    (a->user->n_claims == b->user->n_claims && a->used < b->used);
}

/* Who holds few is never pushed out by who holds many; the agent itself, whose
 * keys are few and no client's choice, by nobody, and all make room for it. */
static bool
may_push_out(
    const struct claim *claim, uint32_t uid, const struct claim_user *asker)
{
	unsigned mine = asker != NULL ? asker->n_claims : 0;

	if (uid == CACHE_OWN_UID)
		return claim->user != asker;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	return claim->user->uid != CACHE_OWN_UID &&
	    (claim->user == asker || claim->user->n_claims > mine + 1);
}

/* The table is full of keys of many users: one goes that only one holds. */
static enum status
evict_from_largest(struct cache *c, const struct cache_wait *w)
{
	const struct claim_user *asker = find_user(c, w->uid);
	struct cache_entry *best = NULL;

	for (struct cache_entry *e = c->entries; e != NULL; e = e->next) {
		const struct claim *claim = e->claims;
		if (claim == NULL || claim->next != NULL || !is_idle(e, NULL) ||
		    !may_push_out(claim, w->uid, asker))
			continue;
		if (best == NULL || is_rather(claim, best->claims))
			best = e;
	}
	if (best == NULL)
		return E_LIMIT;
	/* Every claim has a user. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	evict(c, best, best->claims->user->uid);
	return OK;
}

enum status
claims_make_room(
    struct cache *c, const struct cache_wait *w, const struct cache_entry *keep)
{
	const struct claim_user *u = find_user(c, w->uid);
	bool own = w->uid == CACHE_OWN_UID;
	unsigned max = own ? CACHE_OWN_KEYS_MAX : CACHE_UID_KEYS_MAX;
	enum status st = OK;

	/* The agent's own keys are what rules name: no client chooses them. */
	if (!own && count(c, w->uid, grant_of(w)) >= CACHE_GRANT_KEYS_MAX)
		st = evict_own(c, w->uid, grant_of(w), keep);
	else if (u != NULL && u->n_claims >= max)
		st = evict_own(c, w->uid, NULL, keep);
	if (st == OK && keep == NULL && c->n_entries >= CACHE_ENTRIES_MAX)
		st = evict_from_largest(c, w);
	return st;
}

void
claims_expire(struct cache *c, struct cache_entry *e)
{
	int64_t now_ms = clock_boot_ms(c->clock);
	int64_t patience = e->schedule.life_ms > CLAIM_IDLE_MS
	    ? e->schedule.life_ms
	    : CLAIM_IDLE_MS;
	struct claim **at = &e->claims;

	/* The last one stays as long as the entry does. */
	while (*at != NULL && e->claims->next != NULL)
		if (now_ms - (*at)->used_ms > patience)
			claim_drop(c, at);
		else
			at = &(*at)->next;
}

static struct claim_user *
next_user(const struct cache_entry *e)
{
	struct claim_user *best = NULL;

	for (const struct claim *k = e->claims; k != NULL; k = k->next)
		if (best == NULL || k->user->turn < best->turn)
			best = k->user;
	return best;
}

uint64_t
claims_turn(const struct cache_entry *e)
{
	const struct claim_user *u = next_user(e);

	return u != NULL ? u->turn : 0;
}

void
claims_charge(struct cache *c, struct cache_entry *e)
{
	struct claim_user *u = next_user(e);

	if (u != NULL)
		u->turn = ++c->turns;
}
