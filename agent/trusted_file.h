/* Files that rule the daemon are read only if nobody else could write them. */
#ifndef AGENT_TRUSTED_FILE_H
#define AGENT_TRUSTED_FILE_H

#include "base/buf.h"

/**
 * Reads the regular file @path onto @out, which has its ceiling. Its owner
 * must be root or ourselves, and neither it nor its folder may be writable
 * by others (a sticky folder may). Symbolic links are not followed. All is
 * judged on the descriptor that is read. E_NOTFOUND, E_DENIED, E_LIMIT,
 * E_IO; @detail is always filled on failure.
 */
enum status trusted_file_read(const char *path, struct buf *out,
    struct status_detail *detail) ATTR_MUST_USE;

/**
 * Opens the secret of exactly @n bytes at @path: a regular file of ours with
 * mode 0600. If there is none, makes one of random bytes. E_DENIED for other
 * modes, owners and sizes, E_IO.
 */
enum status key_file_open(const char *path, uint8_t *out, size_t n,
    struct status_detail *detail) ATTR_MUST_USE;

/**
 * Reads a secret of ours of any size up to @out's ceiling, by the same rules.
 * E_NOTFOUND, E_DENIED, E_LIMIT, E_IO.
 */
enum status key_file_read(const char *path, struct buf *out,
    struct status_detail *detail) ATTR_MUST_USE;

/**
 * Puts @text at @path with @mode, whole or not at all: whoever reads meanwhile
 * finds what was there or what is there now. E_IO.
 */
enum status trusted_file_put(const char *path, unsigned mode, struct slice text,
    struct status_detail *detail) ATTR_MUST_USE;

#endif
