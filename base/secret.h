/* Token bytes: in locked, undumpable memory, wiped when the last user lets go. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/slice.h"
#include "base/status.h"

/** Immutable, counted. The bytes live in OpenSSL's secure heap. */
struct secret;

/**
 * Reserves the arena (a power of two, at least 64 KiB) and locks it. Call
 * once, before any secret and any thread. E_DENIED when the memory cannot be
 * locked and @must_lock; without it OK and *locked = false.
 */
enum status secret_arena_init(
    size_t bytes, bool must_lock, bool *locked) ATTR_MUST_USE;
/** Bytes in use and the size of the arena. */
void secret_arena_usage(size_t *used_bytes, size_t *total_bytes);

/** Copies @s. *out is owned with one reference. E_LIMIT: arena exhausted. */
enum status secret_create(struct slice s, struct secret **out) ATTR_MUST_USE;
struct secret *secret_ref(struct secret *s);
/** Wipes and frees with the last reference; NULL-safe; thread-safe. */
void secret_unref(struct secret *s);
/** Borrowed until the caller's reference goes. */
struct slice secret_bytes(const struct secret *s);

/** First 12 hex digits of SHA-256: names a token in logs without telling it. */
enum { SECRET_ID_BYTES = 13 };

void secret_id(const struct secret *s, char out[SECRET_ID_BYTES]);

#endif
