/* Hosts to rules: a hash of label-reversed suffixes. */
#include "policy/index.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 64, MAX_ENTRIES = 1 << 30 };

/* FNV-1a, fed from the right end, so that one pass over a host yields the
 * hash of each of its suffixes. The keys are the policy's own. */
static const uint32_t hash_start = 2166136261U;

static uint32_t
hash_step(uint32_t h, char c)
{
	return (h ^ (unsigned char)c) * 16777619U;
}

static uint32_t
hash_kind(uint32_t h, enum index_kind kind)
{
	h = hash_step(h, (char)('0' + kind));
	return h ^ (h >> 15);
}

static uint32_t
hash_all(struct slice name, enum index_kind kind)
{
	uint32_t h = hash_start;

	for (size_t i = name.n; i > 0; i--)
		h = hash_step(h, name.p[i - 1]);
	return hash_kind(h, kind);
}

static struct index_slot *
slot_for(const struct index *ix, uint32_t hash, enum index_kind kind,
    struct slice name)
{
	uint32_t at = hash & ix->mask;

	for (;;) {
		struct index_slot *s = &ix->slots[at];

		if (s->name == NULL)
			return s;
		if (s->hash == hash && s->kind == kind && s->n == name.n &&
		    memcmp(s->name, name.p, name.n) == 0)
			return s;
		at = (at + 1) & ix->mask;
	}
}

void
index_release(struct index *ix)
{
	free(ix->slots);
	free(ix->postings);
	memset(ix, 0, sizeof *ix);
}

size_t
index_bytes(const struct index *ix)
{
	size_t n = ix->slots == NULL ? 0 : (size_t)ix->mask + 1;

	return n * sizeof *ix->slots + ix->cap_postings * sizeof *ix->postings;
}

static enum status
grow_slots(struct index *ix)
{
	uint32_t n = ix->slots == NULL ? FIRST_SLOTS : (ix->mask + 1) * 2;
	struct index bigger = { .mask = n - 1 };

	if (n > MAX_ENTRIES)
		return E_LIMIT;
	bigger.slots = calloc(n, sizeof *bigger.slots);
	if (bigger.slots == NULL)
		return E_NOMEM;
	for (uint32_t i = 0; ix->slots != NULL && i <= ix->mask; i++) {
		const struct index_slot *s = &ix->slots[i];
		struct slice name = { s->name, s->n };

		if (s->name == NULL)
			continue;
		*slot_for(&bigger, s->hash, (enum index_kind)s->kind, name) =
		    *s;
	}
	free(ix->slots);
	ix->slots = bigger.slots;
	ix->mask = bigger.mask;
	return OK;
}

static enum status
grow_postings(struct index *ix)
{
	uint32_t cap = ix->cap_postings == 0 ? 64 : ix->cap_postings * 2;
	struct index_posting *p;

	if (cap > MAX_ENTRIES)
		return E_LIMIT;
	p = realloc(ix->postings, cap * sizeof *p);
	if (p == NULL)
		return E_NOMEM;
	ix->postings = p;
	ix->cap_postings = cap;
	return OK;
}

static unsigned
depth_bit(struct slice name)
{
	unsigned depth = 1;

	for (size_t i = 0; i < name.n; i++)
		depth += name.p[i] == '.';
	return depth > 63 ? 63 : depth;
}

enum status
index_add(
    struct index *ix, enum index_kind kind, struct slice name, uint32_t value)
{
	struct index_slot *s;
	enum status st = OK;
	uint32_t hash;

	if (name.n > UINT16_MAX)
		return E_LIMIT;
	if (ix->slots == NULL || ix->n_slots_used >= ix->mask / 4 * 3)
		st = grow_slots(ix);
	if (st == OK && ix->n_postings == ix->cap_postings)
		st = grow_postings(ix);
	if (st != OK)
		return st;
	hash = hash_all(name, kind);
	s = slot_for(ix, hash, kind, name);
	if (s->name == NULL) {
		*s = (struct index_slot){ name.p, hash, INDEX_NONE,
			(uint16_t)name.n, (uint8_t)kind };
		ix->n_slots_used++;
	} else if (kind == INDEX_NEAR || kind == INDEX_TOP) {
		return OK;
	}
	ix->postings[ix->n_postings].value = value;
	ix->postings[ix->n_postings].next = s->first;
	s->first = ix->n_postings++;
	if (kind == INDEX_WILD)
		ix->wild_depths |= 1ULL << depth_bit(name);
	return OK;
}

static uint32_t
find_hashed(const struct index *ix, uint32_t hash, enum index_kind kind,
    struct slice name)
{
	const struct index_slot *s;

	if (ix->slots == NULL)
		return INDEX_NONE;
	s = slot_for(ix, hash, kind, name);
	return s->name == NULL ? INDEX_NONE : s->first;
}

uint32_t
index_find(const struct index *ix, enum index_kind kind, struct slice name)
{
	return find_hashed(ix, hash_all(name, kind), kind, name);
}

void
index_visit(const struct index *ix, struct slice host,
    void (*visit)(void *arg, uint32_t value, uint32_t fixed), void *arg)
{
	uint32_t h = hash_start, depth = 0, at;

	for (size_t i = host.n; i > 0; i--) {
		if (host.p[i - 1] == '.') {
			struct slice tail = slice_from(host, i);

			depth++;
			if ((ix->wild_depths >> (depth > 63 ? 63 : depth) &
			        1) == 0) {
				h = hash_step(h, '.');
				continue;
			}
			at = find_hashed(
			    ix, hash_kind(h, INDEX_WILD), INDEX_WILD, tail);
			for (; at != INDEX_NONE; at = ix->postings[at].next)
				visit(arg, ix->postings[at].value, depth);
		}
		h = hash_step(h, host.p[i - 1]);
	}
	at = find_hashed(ix, hash_kind(h, INDEX_EXACT), INDEX_EXACT, host);
	for (; at != INDEX_NONE; at = ix->postings[at].next)
		visit(arg, ix->postings[at].value, UINT32_MAX);
}

uint32_t
index_nearest(const struct index *ix, struct slice host)
{
	for (size_t i = 0; i < host.n; i++) {
		uint32_t at;

		if (i > 0 && host.p[i - 1] != '.')
			continue;
		at = index_find(ix, INDEX_NEAR, slice_from(host, i));
		if (at != INDEX_NONE)
			return ix->postings[at].value;
	}
	return INDEX_NONE;
}
