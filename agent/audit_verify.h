/* Checks a run of audit lines: links, order, signatures. Pure. */
#ifndef AGENT_AUDIT_VERIFY_H
#define AGENT_AUDIT_VERIFY_H

#include "agent/audit_key.h"
#include "agent/audit_line.h"

enum audit_fault {
	AUDIT_SOUND,
	AUDIT_FLIPPED,   /**< a record was altered */
	AUDIT_MISSING,   /**< records were taken out */
	AUDIT_SWAPPED,   /**< a record stands in another's place */
	AUDIT_TORN,      /**< the last line of a file is no whole line */
	AUDIT_CUT,       /**< the end was taken off */
	AUDIT_SIGNATURE, /**< a checkpoint is not signed by a given key */
};

enum { AUDIT_VERIFY_KEYS_MAX = 8 };

/** What a checkpoint's own look gave. */
enum audit_check {
	AUDIT_CHECK_NONE, /**< not a checkpoint */
	AUDIT_CHECK_GOOD,
	AUDIT_CHECK_UNSEEN, /**< no key was given */
	AUDIT_CHECK_BAD,
	AUDIT_CHECK_OTHER_KEY,
};

/** One line's facts; the text itself is not kept. */
struct audit_seen {
	bool parsed, whole;
	uint64_t seq;
	char prev[AUDIT_HASH_BYTES], hash[AUDIT_HASH_BYTES];
	enum audit_check check;
	unsigned file;   /**< index of the caller's */
	uint64_t number; /**< of the line in its file, from 1 */
	size_t bytes;
};

/** Read the results after audit_verify_end(). */
struct audit_verify {
	const struct audit_key *keys[AUDIT_VERIFY_KEYS_MAX]; /**< borrowed */
	size_t n_keys;
	bool has_head, head_seen;
	uint64_t head_seq;
	char head_hash[AUDIT_HASH_BYTES];

	struct audit_seen last, cur; /**< last is judged, cur is not yet */
	bool has_last, has_cur;

	enum audit_fault fault;
	uint64_t seq;  /**< of the first bad record */
	unsigned file; /**< where it is, or should be */
	uint64_t number;
	char text[320]; /**< a sentence */

	uint64_t records, checkpoints;
	uint64_t first_seq, last_seq;
	uint64_t checkpoint_seq;            /**< the last good one; 0: none */
	char starts_from[AUDIT_HASH_BYTES]; /**< prev of the first record */
};

void audit_verify_init(struct audit_verify *v);
/** Borrows @key until the end. E_LIMIT. */
enum status audit_verify_key(
    struct audit_verify *v, const struct audit_key *key) ATTR_MUST_USE;
/**
 * The checkpoint line of audit.head; after the keys. E_SYNTAX: not one.
 * E_DENIED: a key was given and the signature does not fit.
 */
enum status audit_verify_head(
    struct audit_verify *v, struct slice line) ATTR_MUST_USE;

/** The next line, without its newline; @whole: it had one. */
void audit_verify_line(
    struct audit_verify *v, struct slice line, bool whole, unsigned file);
/** True when nothing is wrong. */
bool audit_verify_end(struct audit_verify *v);

/**
 * Whether a cut at the end could have gone unseen: without a head, or with
 * one that is older than the last record.
 */
bool audit_verify_end_is_open(const struct audit_verify *v);

const char *audit_fault_name(enum audit_fault fault);

#endif
