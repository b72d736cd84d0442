/* Reads audit files line by line, in bounded memory, also while they grow. */
#ifndef AGENT_AUDIT_READER_H
#define AGENT_AUDIT_READER_H

#include "base/slice.h"
#include "base/status.h"

struct audit_reader;

/** @path may be "-". *out is owned. E_IO with errno; E_NOMEM. */
enum status audit_reader_open(
    const char *path, struct audit_reader **out) ATTR_MUST_USE;
/** NULL-safe. */
void audit_reader_close(struct audit_reader *r);

/**
 * The next line, borrowed until the next call, without its newline. A line
 * longer than any record comes in pieces, which are no records either.
 * E_CLOSED: the end for now; a later call may find more. E_IO with errno.
 */
enum status audit_reader_next(
    struct audit_reader *r, struct slice *line) ATTR_MUST_USE;
/** What stands after the last newline; empty for a whole file. */
struct slice audit_reader_rest(const struct audit_reader *r);
/** Whether @path names another file than the open one by now. */
bool audit_reader_was_moved(const struct audit_reader *r);

#endif
