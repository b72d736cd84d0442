/* Hosts to rules: a hash of label-reversed suffixes, a cache line a bucket. */
#include "policy/index.h"

#include <stdlib.h>

enum {
	LINE_BYTES = 64,
	BUCKET_SLOTS = 8,
	USED_SLOTS = 6, /* of them: few lines overflow into the next */
	FIRST_BUCKETS = 4,
	ENTRY_UNIT = 4,
	FIRST_UNITS = 256,
	MAX_BUCKETS = 1 << 28,
	NAME_MAX_BYTES = 255,
	PROBES_AT_ONCE = 6,
};

struct index_slot {
	uint32_t tag;   /* half of the hash; 0: free */
	uint32_t entry; /* in units of ENTRY_UNIT */
};

struct index_bucket {
	_Alignas(LINE_BYTES) struct index_slot slots[BUCKET_SLOTS];
};

/* Name and value lie together: one cache miss for both. */
struct index_entry {
	uint32_t value;
	uint32_t next; /* another value of the same name, or INDEX_NONE */
	uint8_t n;     /* 0 in those others */
	char name[];
};

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

static uint64_t
load_bytes(const char *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

/* Fewer than eight bytes, without a call and without reading past them. */
static uint64_t
load_tail(const char *p, size_t n)
{
	if (n >= 4)
		return load_bytes(p, 4) |
		    load_bytes(p + n - 4, 4) << (8 * (n - 4));
	if (n >= 2)
		return load_bytes(p, 2) |
		    load_bytes(p + n - 2, 2) << (8 * (n - 2));
	return n == 1 ? (unsigned char)*p : 0;
}

/* A label's length goes in with its last bytes, which are fewer than eight.
 * The keys are the policy's own, so nobody else can make them collide. */
static uint64_t
hash_label(uint64_t h, const char *p, size_t n)
{
	size_t left = n;

	for (; left >= 8; left -= 8, p += 8)
		h = mix(h, load_bytes(p, 8));
	return mix(h, load_tail(p, left) | (uint64_t)n << 56);
}

/* Where the label that ends before @end begins. */
static size_t
label_start(struct slice name, size_t end)
{
	while (end > 0 && name.p[end - 1] != '.')
		end--;
	return end;
}

static uint64_t
hash_name(struct slice name)
{
	uint64_t h = 0;
	size_t end = name.n;

	for (;;) {
		size_t start = label_start(name, end);

		h = hash_label(h, name.p + start, end - start);
		if (start == 0)
			return h;
		end = start - 1;
	}
}

static uint32_t
hash_tag(uint64_t hash)
{
	return (uint32_t)hash | 1;
}

static uint32_t
hash_bucket(const struct index_table *t, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * t->n_buckets >> 32);
}

static struct index_entry *
entry_at(const struct index *ix, uint32_t at)
{
	return (struct index_entry *)(void *)(ix->entries +
	    (size_t)at * ENTRY_UNIT);
}

/* The slot of @name, or the free one where it belongs. */
static struct index_slot *
table_slot(const struct index *ix, const struct index_table *t, uint64_t hash,
    struct slice name)
{
	uint32_t tag = hash_tag(hash), at = hash_bucket(t, hash);

	for (;; at = at + 1 == t->n_buckets ? 0 : at + 1) {
		struct index_slot *s = t->buckets[at].slots;

		for (size_t i = 0; i < BUCKET_SLOTS; i++, s++) {
			const struct index_entry *e;

			if (s->tag == 0)
				return s;
			if (s->tag != tag)
				continue;
			e = entry_at(ix, s->entry);
			if (e->n == name.n &&
			    memcmp(e->name, name.p, name.n) == 0)
				return s;
		}
	}
}

void
index_release(struct index *ix)
{
	for (size_t i = 0; i < INDEX_KINDS; i++)
		free(ix->tables[i].memory);
	free(ix->entries);
	memset(ix, 0, sizeof *ix);
}

size_t
index_bytes(const struct index *ix)
{
	size_t n = (size_t)ix->cap_entries * ENTRY_UNIT;

	for (size_t i = 0; i < INDEX_KINDS; i++)
		n += ix->tables[i].n_buckets * sizeof(struct index_bucket);
	return n;
}

static struct index_bucket *
first_line(void *memory)
{
	uintptr_t at = (uintptr_t)memory;

	return (void *)((char *)memory +
	    (LINE_BYTES - at % LINE_BYTES) % LINE_BYTES);
}

static enum status
table_resize(const struct index *ix, struct index_table *t, size_t n_buckets)
{
	struct index_table more = { .n_buckets = (uint32_t)n_buckets,
		.n_used = t->n_used };

	if (n_buckets > MAX_BUCKETS)
		return E_LIMIT;
	more.memory = calloc((size_t)more.n_buckets + 1, sizeof *more.buckets);
	if (more.memory == NULL)
		return E_NOMEM;
	more.buckets = first_line(more.memory);
	for (uint32_t i = 0; i < t->n_buckets * BUCKET_SLOTS; i++) {
		const struct index_slot *s =
		    &t->buckets[i / BUCKET_SLOTS].slots[i % BUCKET_SLOTS];
		const struct index_entry *e;
		struct slice name;

		if (s->tag == 0)
			continue;
		e = entry_at(ix, s->entry);
		name = (struct slice){ e->name, e->n };
		*table_slot(ix, &more, hash_name(name), name) = *s;
	}
	free(t->memory);
	*t = more;
	return OK;
}

static enum status
entries_resize(struct index *ix, uint32_t units)
{
	char *p = realloc(ix->entries, (size_t)units * ENTRY_UNIT);

	if (p == NULL)
		return E_NOMEM;
	ix->entries = p;
	ix->cap_entries = units;
	return OK;
}

static enum status
entry_new(struct index *ix, struct slice name, uint32_t value, uint32_t *out)
{
	size_t bytes = offsetof(struct index_entry, name) + name.n;
	uint32_t units = (uint32_t)((bytes + ENTRY_UNIT - 1) / ENTRY_UNIT);
	struct index_entry *e;
	enum status st = OK;

	if (ix->n_entries > INT32_MAX - units)
		return E_LIMIT;
	if (ix->cap_entries - ix->n_entries < units)
		st = entries_resize(
		    ix, ix->cap_entries + ix->cap_entries / 2 + FIRST_UNITS);
	if (st != OK)
		return st;
	*out = ix->n_entries;
	ix->n_entries += units;
	e = entry_at(ix, *out);
	e->value = value;
	e->next = INDEX_NONE;
	e->n = (uint8_t)name.n;
	if (name.n > 0)
		memcpy(e->name, name.p, name.n);
	return OK;
}

static unsigned
depth_bit(uint32_t depth)
{
	return depth > 63 ? 63 : depth;
}

static uint32_t
label_count(struct slice name)
{
	uint32_t n = 1;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '.';
	return n;
}

/* One more value of a name that is filed already. */
static enum status
value_add(struct index *ix, uint32_t first, uint32_t value)
{
	const struct slice none = { NULL, 0 };
	struct index_entry *e;
	uint32_t at;
	enum status st = entry_new(ix, none, value, &at);

	if (st != OK)
		return st;
	e = entry_at(ix, first);
	entry_at(ix, at)->next = e->next;
	e->next = at;
	return OK;
}

enum status
index_add(
    struct index *ix, enum index_kind kind, struct slice name, uint32_t value)
{
	struct index_table *t = &ix->tables[kind];
	uint64_t hash;
	struct index_slot *s;
	enum status st = OK;
	uint32_t at;

	if (name.n == 0 || name.n > NAME_MAX_BYTES)
		return E_LIMIT;
	if (t->n_used >= t->n_buckets * USED_SLOTS)
		st = table_resize(ix, t,
		    t->n_buckets == 0 ? FIRST_BUCKETS : t->n_buckets * 2);
	if (st != OK)
		return st;
	hash = hash_name(name);
	s = table_slot(ix, t, hash, name);
	if (s->tag != 0)
		return kind == INDEX_NEAR || kind == INDEX_TOP
		    ? OK
		    : value_add(ix, s->entry, value);
	st = entry_new(ix, name, value, &at);
	if (st != OK)
		return st;
	*s = (struct index_slot){ hash_tag(hash), at };
	t->n_used++;
	if (kind == INDEX_WILD)
		ix->wild_depths |= 1ULL << depth_bit(label_count(name));
	return OK;
}

enum status
index_reserve(struct index *ix, enum index_kind kind, size_t n)
{
	struct index_table *t = &ix->tables[kind];
	size_t n_buckets = n / USED_SLOTS + 1;

	if (n_buckets <= t->n_buckets)
		return OK;
	return table_resize(ix, t, n_buckets);
}

enum status
index_settle(struct index *ix)
{
	return ix->n_entries == 0 ? OK : entries_resize(ix, ix->n_entries);
}

/* The entry of @name, or NULL. */
static const struct index_entry *
find_hashed(const struct index *ix, enum index_kind kind, uint64_t hash,
    struct slice name)
{
	const struct index_table *t = &ix->tables[kind];
	const struct index_slot *s;

	if (t->n_buckets == 0)
		return NULL;
	s = table_slot(ix, t, hash, name);
	return s->tag == 0 ? NULL : entry_at(ix, s->entry);
}

uint32_t
index_find(const struct index *ix, enum index_kind kind, struct slice name)
{
	const struct index_entry *e =
	    find_hashed(ix, kind, hash_name(name), name);

	return e == NULL ? INDEX_NONE : e->value;
}

/* A suffix whose bucket is on its way into the cache. */
struct probe {
	uint64_t hash;
	uint32_t start, fixed;
};

struct visit {
	const struct index *ix;
	struct slice host;
	void (*visit)(void *arg, uint32_t value, uint32_t fixed);
	void *arg;
	struct probe probes[PROBES_AT_ONCE];
	size_t n;
};

static void
visit_found(struct visit *v, enum index_kind kind, uint64_t hash,
    struct slice name, uint32_t fixed)
{
	const struct index *ix = v->ix;
	const struct index_entry *e = find_hashed(ix, kind, hash, name);

	while (e != NULL) {
		v->visit(v->arg, e->value, fixed);
		e = e->next == INDEX_NONE ? NULL : entry_at(ix, e->next);
	}
}

static void
visit_probes(struct visit *v)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct probe *p = &v->probes[i];

		visit_found(v, INDEX_WILD, p->hash,
		    slice_from(v->host, p->start), p->fixed);
	}
	v->n = 0;
}

static void
prefetch(const struct index_table *t, uint64_t hash)
{
	if (t->n_buckets > 0)
		__builtin_prefetch(&t->buckets[hash_bucket(t, hash)]);
}

static void
visit_later(struct visit *v, const struct probe *p)
{
	prefetch(&v->ix->tables[INDEX_WILD], p->hash);
	if (v->n == PROBES_AT_ONCE)
		visit_probes(v);
	v->probes[v->n++] = *p;
}

void
index_visit(const struct index *ix, struct slice host,
    void (*visit)(void *arg, uint32_t value, uint32_t fixed), void *arg)
{
	struct visit v = { .ix = ix, .host = host, .visit = visit, .arg = arg };
	uint32_t depth = 0;
	uint64_t h = 0;
	size_t end = host.n;

	for (;;) {
		size_t start = label_start(host, end);

		h = hash_label(h, host.p + start, end - start);
		depth++;
		if (start == 0)
			break;
		if ((ix->wild_depths >> depth_bit(depth) & 1) != 0)
			visit_later(
			    &v, &(struct probe){ h, (uint32_t)start, depth });
		end = start - 1;
	}
	prefetch(&ix->tables[INDEX_EXACT], h);
	visit_probes(&v);
	visit_found(&v, INDEX_EXACT, h, host, UINT32_MAX);
}

uint32_t
index_nearest(const struct index *ix, struct slice host)
{
	for (size_t i = 0; i < host.n; i++) {
		uint32_t found;

		if (i > 0 && host.p[i - 1] != '.')
			continue;
		found = index_find(ix, INDEX_NEAR, slice_from(host, i));
		if (found != INDEX_NONE)
			return found;
	}
	return INDEX_NONE;
}
