/* The chain of records on its file: batches, checkpoints, rotation, healing.
 * One thread at a time; audit_log.c is the queue and the thread before it. */
#ifndef AGENT_AUDIT_CHAIN_H
#define AGENT_AUDIT_CHAIN_H

#include "agent/audit_file.h"
#include "agent/audit_key.h"
#include "agent/audit_log.h"

enum {
	AUDIT_BATCH_RECORDS = 256,
	AUDIT_BATCH_BYTES = 1024 * 1024, /**< full beyond this */
	AUDIT_CHECKPOINT_RECORDS = 1000,
	AUDIT_CHECKPOINT_MS = 60 * 1000,
};

/** Where the chain would stand after one record of the batch. */
struct audit_mark {
	size_t end; /**< bytes of the batch up to here */
	char hash[AUDIT_HASH_BYTES];
};

struct audit_chain {
	struct audit_settings settings;
	const struct clock *clock;
	struct audit_file file;
	struct audit_key *key;
	struct audit_hasher *hasher;
	uint64_t seq; /**< of the last record written */
	char head[AUDIT_HASH_BYTES];
	uint64_t torn_bytes;
	char torn_hash[AUDIT_HASH_BYTES];

	struct buf batch;
	struct audit_mark marks[AUDIT_BATCH_RECORDS];
	size_t n_marks;

	uint64_t unsigned_records; /**< since the last checkpoint */
	int64_t checkpoint_at_ms;  /**< when the last one was, boot time */
	uint64_t checkpoint_seq;
	int64_t journal_at_ms; /**< when a head was last logged */
	uint64_t rotations;
	int64_t rotate_after_ms; /**< after a failed one, not before */
	int64_t look_at_ms; /**< when the file's name is looked for again */
	bool healthy;
	char last_error[160];
};

/** Caller's memory; E_* as audit_log_open(). */
enum status audit_chain_open(struct audit_chain *c,
    const struct audit_settings *settings,
    struct status_detail *detail) ATTR_MUST_USE;
/** A last checkpoint, then everything is closed. */
void audit_chain_release(struct audit_chain *c);

/** False: the batch is full, flush it first. */
bool audit_chain_add(struct audit_chain *c, struct slice members) ATTR_MUST_USE;
/**
 * Writes the batch with one write(2) and empties it. Returns how many of its
 * records are in the file, which ends with a whole line; the others are
 * forgotten, and the chain is as if they had never been.
 */
size_t audit_chain_flush(struct audit_chain *c);

/**
 * A checkpoint if one is due by count or time, a rotation by size, and a new
 * file when somebody removed this one.
 */
void audit_chain_tick(struct audit_chain *c);
/** How long until one is due; -1: nothing to sign. */
int64_t audit_chain_due_ms(const struct audit_chain *c);
/** For an unhealthy chain: makes the file whole and writes a checkpoint. */
void audit_chain_probe(struct audit_chain *c);
/** See audit_log_reopen(). */
void audit_chain_reopen(struct audit_chain *c);

#endif
