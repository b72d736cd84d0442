/* The names of rotated audit files: made, found, pruned. */
#ifndef AGENT_AUDIT_ROTATED_H
#define AGENT_AUDIT_ROTATED_H

#include "base/slice.h"
#include "base/status.h"

/**
 * /d/audit.jsonl at that time becomes /d/audit.YYYYMMDDTHHMMSSZ-SEQ.jsonl;
 * SEQ is the last record in it. @out_bytes: room for @path and 64 more.
 */
void audit_rotated_name(const char *path, int64_t unix_ns, uint64_t seq,
    char *out, size_t out_bytes);
/** SEQ when @name (no folder) is a rotated file of @path. */
bool audit_rotated_match(
    const char *path, const char *name, uint64_t *seq) ATTR_MUST_USE;
/** The one with the greatest SEQ, as a path. E_NOTFOUND, E_IO. */
enum status audit_rotated_newest(
    const char *path, char *out, size_t out_bytes) ATTR_MUST_USE;
/**
 * The one with the least SEQ above *seq, as a path, and its SEQ: from 0 on
 * it leads through the chain. E_NOTFOUND, E_IO with errno.
 */
enum status audit_rotated_next(
    const char *path, uint64_t *seq, char *out, size_t out_bytes) ATTR_MUST_USE;
/** Removes those with the smallest SEQ until @keep are left; 0: none. */
void audit_rotated_prune(const char *path, unsigned keep);

#endif
