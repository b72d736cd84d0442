/* Interned peer facts, counted. */
#include "proxy/peer_pool.h"

#include <stdlib.h>
#include <string.h>

enum {
	TEXTS = 3,
	/* Further ones of a bucket are not looked for: nobody can make it long. */
	LOOKS_MAX = 16,
};

struct kept_peer {
	struct peer peer; /* first: it is what others see */
	LIST_ENTRY(kept_peer) link;
	unsigned refs;
	char text[];
};

/* What the facts say, as text. */
struct texts {
	const char *at[TEXTS];
};

static struct texts
texts_of(const struct peer *peer)
{
	struct texts t = { { peer->unit, peer->cgroup, peer->exe } };

	for (size_t i = 0; i < TEXTS; i++)
		if (t.at[i] == NULL)
			t.at[i] = "";
	return t;
}

/* FNV-1a; it need not be better, as a bucket is looked through so far only. */
static uint32_t
hash_of(const struct peer *peer, const struct texts *t)
{
	uint32_t h = 2166136261U ^ peer->uid ^ (uint32_t)peer->pid << 16;

	for (size_t i = 0; i < TEXTS; i++)
		for (const char *c = t->at[i]; *c != '\0'; c++)
			h = (h ^ (uint8_t)*c) * 16777619U;
	return h ^ h >> 16;
}

static bool
is_same(const struct peer *a, const struct peer *b, const struct texts *t)
{
	return a->known == b->known && a->uid == b->uid && a->pid == b->pid &&
	    a->user == b->user && a->groups == b->groups &&
	    a->n_groups == b->n_groups &&
	    a->cgroup_unknown == b->cgroup_unknown &&
	    a->exe_unknown == b->exe_unknown &&
	    strcmp(a->unit, t->at[0]) == 0 &&
	    strcmp(a->cgroup, t->at[1]) == 0 && strcmp(a->exe, t->at[2]) == 0;
}

/* In one block as long as they are, not as long as they may be. */
static struct kept_peer *
kept_create(const struct peer *peer, const struct texts *t)
{
	size_t n[TEXTS], all = 0, at = 0;
	const char *to[TEXTS];
	struct kept_peer *k;

	for (size_t i = 0; i < TEXTS; i++) {
		n[i] = strlen(t->at[i]) + 1;
		all += n[i];
	}
	k = malloc(sizeof *k + all);
	if (k == NULL)
		return NULL;
	for (size_t i = 0; i < TEXTS; i++) {
		to[i] = k->text + at;
		memcpy(k->text + at, t->at[i], n[i]);
		at += n[i];
	}
	k->peer = *peer;
	k->peer.unit = to[0];
	k->peer.cgroup = to[1];
	k->peer.exe = to[2];
	k->refs = 1;
	return k;
}

const struct peer *
peer_pool_keep(struct peer_pool *p, const struct peer *peer)
{
	struct texts t = texts_of(peer);
	uint32_t bucket = hash_of(peer, &t) % PEER_POOL_BUCKETS;
	unsigned looks = 0;
	struct kept_peer *k;

	LIST_FOREACH(k, &p->buckets[bucket], link) {
		if (is_same(&k->peer, peer, &t)) {
			k->refs++;
			return &k->peer;
		}
		if (++looks == LOOKS_MAX)
			break;
	}
	k = kept_create(peer, &t);
	if (k == NULL)
		return NULL;
	LIST_INSERT_HEAD(&p->buckets[bucket], k, link);
	return &k->peer;
}

void
peer_pool_let_go(const struct peer *peer)
{
	void *at = (void *)(uintptr_t)peer;
	struct kept_peer *k = at;

	if (k == NULL || --k->refs > 0)
		return;
	LIST_REMOVE(k, link);
	free(k);
}
