/* From a host to the rules that name it, however many rules there are. */
#ifndef POLICY_INDEX_H
#define POLICY_INDEX_H

#include "base/slice.h"
#include "base/status.h"

enum index_kind {
	INDEX_EXACT, /**< the whole name */
	INDEX_WILD,  /**< the part after "*." */
	INDEX_NEAR,  /**< a parent of some rule's host: for explanations */
	INDEX_TOP,   /**< the last label of some rule's host */
	INDEX_KINDS
};

#define INDEX_NONE UINT32_MAX

/** One cache line of slots; those in use come first. */
struct index_bucket;

struct index_table {
	void *memory; /**< owned; the buckets begin at its first whole line */
	struct index_bucket *buckets;
	uint32_t n_buckets;
	uint32_t n_used; /**< slots */
};

/**
 * Names hashed label by label from the right end, so that one pass over a
 * host gives the hash of each of its suffixes. A look-up touches one line of
 * a table and, where the hash fits, the one entry with name and value.
 */
struct index {
	struct index_table tables[INDEX_KINDS];
	char *entries;
	uint32_t n_entries, cap_entries; /**< units of 4 bytes */
	uint64_t wild_depths; /**< bit d: some wildcard has d labels */
};

void index_release(struct index *ix);
/**
 * Files @value under @name (copied), of 1 to 255 bytes. NEAR and TOP keep
 * the first value only. E_NOMEM, or E_LIMIT past 8 GiB of entries.
 */
enum status index_add(struct index *ix, enum index_kind kind, struct slice name,
    uint32_t value) ATTR_MUST_USE;
/** Room for @n names in all, so that those filed need not move. As above. */
enum status index_reserve(
    struct index *ix, enum index_kind kind, size_t n) ATTR_MUST_USE;
/** No more will be added: gives back what was kept to grow. E_NOMEM. */
enum status index_settle(struct index *ix) ATTR_MUST_USE;
/** Memory that it holds. */
size_t index_bytes(const struct index *ix);
/** The first value filed under exactly @name, or INDEX_NONE. */
uint32_t index_find(
    const struct index *ix, enum index_kind kind, struct slice name);

/**
 * Calls @visit for each value whose pattern covers @host, with how many
 * labels are fixed; an exact name counts as UINT32_MAX.
 */
void index_visit(const struct index *ix, struct slice host,
    void (*visit)(void *arg, uint32_t value, uint32_t fixed), void *arg);
/** The value filed under the longest NEAR parent of @host. */
uint32_t index_nearest(const struct index *ix, struct slice host);

#endif
