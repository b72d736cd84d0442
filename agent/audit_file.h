/* The audit file on disk: where it ends, what is torn, how it rotates. */
#ifndef AGENT_AUDIT_FILE_H
#define AGENT_AUDIT_FILE_H

#include "agent/audit_line.h"

#include <sys/types.h>

/** One open file; used by one thread at a time. */
struct audit_file {
	char path[AUDIT_PATH_BYTES];
	int fd;        /**< -1: not open now */
	uint64_t size; /**< of the whole lines in it */
	bool dirty;    /**< bytes past size are still to be cut off */
};

/** Where a chain stands. */
struct audit_tail {
	uint64_t seq; /**< of the last whole line; 0: there is none */
	char hash[AUDIT_HASH_BYTES]; /**< of that line */
	uint64_t torn_bytes;         /**< after it, cut off to FILE.torn */
	char torn_hash[AUDIT_HASH_BYTES];
};

/**
 * Opens or makes @path with mode 0600, append-only, not through a link, and
 * locks it. E_BUSY: somebody else writes it. E_INVALID: not a regular file.
 */
enum status audit_file_open(struct audit_file *f, const char *path,
    struct status_detail *detail) ATTR_MUST_USE;
/** Closes; f->fd is -1 then. */
void audit_file_close(struct audit_file *f);

/**
 * Finds the last whole line; what follows it moves to FILE.torn. With no
 * whole line in the file the newest rotated one is asked. E_INVALID: the
 * last line is no record. E_IO.
 */
enum status audit_file_tail(struct audit_file *f, struct audit_tail *out,
    struct status_detail *detail) ATTR_MUST_USE;

/**
 * Appends @s. On failure *done says how many bytes went out, dirty is set
 * if there were any, and errno is kept; call audit_file_cut() next.
 */
enum status audit_file_write(
    struct audit_file *f, struct slice s, size_t *done) ATTR_MUST_USE;
/** Cuts the file to @size whole bytes. E_IO: it stays dirty. */
enum status audit_file_cut(struct audit_file *f, uint64_t size) ATTR_MUST_USE;

/** Whether f->path still names the open file. */
bool audit_file_in_place(const struct audit_file *f);
/** Whether no name is left of the open file: what is written is lost. */
bool audit_file_was_removed(const struct audit_file *f);

/**
 * audit.jsonl becomes audit.YYYYMMDDTHHMMSSZ-SEQ.jsonl and a new file takes
 * its place. E_IO with f->fd >= 0: nothing changed; with -1: the old one is
 * away, the new one could not be made.
 */
enum status audit_file_rotate(
    struct audit_file *f, int64_t unix_ns, uint64_t seq) ATTR_MUST_USE;
#endif
