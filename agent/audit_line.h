/* One line of the audit file: its fixed head, its hash, its checkpoints. */
#ifndef AGENT_AUDIT_LINE_H
#define AGENT_AUDIT_LINE_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

/** Longest path of an audit or state file, with its NUL. */
enum { AUDIT_PATH_BYTES = 512 };

/** "64 hex digits" and a NUL. */
enum { AUDIT_HASH_BYTES = 65 };

/** Most bytes of one record's members. */
enum { AUDIT_MEMBERS_MAX = 64 * 1024 };

/** Most bytes of a line without its newline. */
enum { AUDIT_LINE_MAX = AUDIT_MEMBERS_MAX + 160 };

/** "16 hex digits" and a NUL. */
enum { AUDIT_KEY_ID_BYTES = 17 };

/** Hex of an Ed25519 signature and a NUL. */
enum { AUDIT_SIGNATURE_BYTES = 129 };

/** What `prev` holds in the first record of all: 64 zeros. */
extern const char audit_hash_zero[AUDIT_HASH_BYTES];

/** A line taken apart; everything is borrowed from it. */
struct audit_line {
	struct slice time;    /**< as it stands, 30 bytes */
	uint64_t seq;         /**< 1 or more */
	struct slice prev;    /**< 64 lower-case hex digits */
	struct slice members; /**< from "id" on, without the last brace */
};

/** Appends {"time":..,"seq":..,"prev":..,MEMBERS} and a newline. */
void audit_line_compose(struct buf *out, const struct audit_line *line);
/**
 * Reads the fixed head of @line (without newline). What follows it is not
 * read but for the last brace and that all is printable ASCII: the chain
 * vouches for it. E_SYNTAX.
 */
enum status audit_line_parse(
    struct slice line, struct audit_line *out) ATTR_MUST_USE;
/** Lower-case hex SHA-256 of @line, which has no newline. */
void audit_line_hash(struct slice line, char out[AUDIT_HASH_BYTES]);

/** The same for many lines, without the library's cost of beginning. */
struct audit_hasher;
/** NULL: no memory. */
struct audit_hasher *audit_hasher_create(void);
void audit_hasher_destroy(struct audit_hasher *h);
void audit_hasher_line(
    struct audit_hasher *h, struct slice line, char out[AUDIT_HASH_BYTES]);

/** A checkpoint's own members; borrowed. */
struct audit_checkpoint {
	struct slice head;      /**< equals `prev` of its line */
	struct slice key_id;    /**< 16 hex digits */
	struct slice signature; /**< 128 hex digits */
};

/** E_NOTFOUND: another event. E_SYNTAX: a checkpoint, but misshapen. */
enum status audit_checkpoint_parse(
    const struct audit_line *line, struct audit_checkpoint *out) ATTR_MUST_USE;
/** Appends the members of a checkpoint record. */
void audit_checkpoint_compose(
    struct buf *out, const struct audit_checkpoint *checkpoint);
/** Appends what the signature covers: format, time, seq and head. */
void audit_checkpoint_message(struct buf *out, const struct audit_line *line);

#endif
