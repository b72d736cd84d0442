/* The audit file: one chained JSON line a record, written by its own thread.
 *
 * Any thread hands over a record's text; the writer thread puts time, seq and
 * prev before it, writes what queued meanwhile with one write(2), and then
 * tells each asker. written() is therefore called on the WRITER's thread: the
 * agent's wiring posts it to the asker's mailbox. */
#ifndef AGENT_AUDIT_LOG_H
#define AGENT_AUDIT_LOG_H

#include "agent/audit_line.h"
#include "base/clock.h"
#include "base/slice.h"
#include "base/status.h"

struct audit_log;

struct audit_settings {
	char file[AUDIT_PATH_BYTES]; /**< absolute */
	char state_dir
	    [AUDIT_PATH_BYTES]; /**< audit.key, audit.pub, audit.head */
	bool deny_on_failure;   /**< false: healthy() stays true when failing */
	uint64_t rotate_bytes;  /**< 0: never by size */
	unsigned keep;          /**< rotated files to keep; 0: all */
	const struct clock *clock; /**< kept */
};

/**
 * Opens or continues the file, finds a torn tail, starts the writer. @detail
 * says what a human must do. E_IO, E_DENIED, E_INVALID, E_NOMEM; E_BUSY when
 * another process writes this file.
 */
enum status audit_log_open(const struct audit_settings *settings,
    struct audit_log **out, struct status_detail *detail) ATTR_MUST_USE;
/**
 * Writes what is queued and the checkpoint of the stop, ends the thread;
 * NULL-safe. All written() calls have returned when it does.
 */
void audit_log_close(struct audit_log *log);

/** @more: others of the same batch are answered after this one. */
typedef void (*audit_written)(void *arg, enum status st, bool more);

/**
 * Takes the text of record_write() (copied). written(), unless NULL, is
 * called once on the writer's thread: OK after write(2) of its batch, E_IO
 * when that failed. E_BUSY (queue full), E_IO (failing now), E_LIMIT (record
 * too long), E_CLOSED or E_NOMEM: nothing was taken and written() does not
 * come. Without deny_on_failure a failed write is counted and written() gets
 * OK, and E_IO does not occur.
 */
enum status audit_log_append(struct audit_log *log, struct slice record_members,
    audit_written written, void *arg) ATTR_MUST_USE;
/**
 * The same without waking the writer: for many records at once, of which
 * audit_log_wake() tells it. It may come to them before.
 */
enum status audit_log_queue(struct audit_log *log, struct slice record_members,
    audit_written written, void *arg) ATTR_MUST_USE;
void audit_log_wake(struct audit_log *log);

/**
 * Writes the `start` record before all others and waits until that was tried.
 * E_IO: it could not be written yet. With deny_on_failure the log is then not
 * healthy until it is there, and the writer goes on trying; without, it is
 * counted as lost. E_LIMIT, E_NOMEM: nothing was taken. Once, and before the
 * first audit_log_append(); it blocks.
 */
enum status audit_log_start(
    struct audit_log *log, struct slice record_members) ATTR_MUST_USE;

/** Whether new requests may pass; always true without deny_on_failure. */
bool audit_log_healthy(struct audit_log *log);
/**
 * For SIGHUP: when the file was moved away, the writer goes on in a new one;
 * the chain goes on. A file that is still in its place stays.
 */
void audit_log_reopen(struct audit_log *log);
/**
 * The torn tail that audit_log_open() cut off to FILE.torn, for the `start`
 * record; false when there was none.
 */
bool audit_log_torn(const struct audit_log *log, uint64_t *bytes,
    char sha256_hex[AUDIT_HASH_BYTES]);

struct audit_status {
	bool healthy; /**< the last write succeeded */
	uint64_t seq; /**< of the last record written */
	char head
	    [AUDIT_HASH_BYTES]; /**< hex SHA-256 of the last line and a NUL */
	uint64_t records, errors, lost;
	uint64_t queued;
	uint64_t bytes; /**< size of the file */
	uint64_t rotations;
	uint64_t checkpoint_seq; /**< of the last checkpoint; 0: none yet */
	char key_id[17];         /**< of the signing key */
	char last_error[160];    /**< "" when healthy */
	char torn[160]; /**< name, length and hash of a torn tail, or "" */
};

void audit_log_status(struct audit_log *log, struct audit_status *out);

#endif
