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
};

#define INDEX_NONE UINT32_MAX

struct index_slot {
	const char *name; /**< borrowed; NULL: free slot */
	uint32_t hash;
	uint32_t first; /**< posting */
	uint16_t n;
	uint8_t kind;
};

struct index_posting {
	uint32_t value;
	uint32_t next;
};

/** Open addressing over suffixes hashed from their right end. */
struct index {
	struct index_slot *slots;
	struct index_posting *postings;
	uint32_t mask; /**< slots - 1 */
	uint32_t n_slots_used;
	uint32_t n_postings, cap_postings;
	uint64_t wild_depths; /**< bit d: some wildcard has d labels */
};

void index_release(struct index *ix);
/**
 * Files @value under @name, which must outlive the index. NEAR and TOP keep
 * the first value only. E_NOMEM, or E_LIMIT past 2^31 entries.
 */
enum status index_add(struct index *ix, enum index_kind kind, struct slice name,
    uint32_t value) ATTR_MUST_USE;
/** Memory that it holds. */
size_t index_bytes(const struct index *ix);
/** First posting of exactly @name, or INDEX_NONE. */
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
