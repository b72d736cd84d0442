/* A growing byte buffer with a ceiling; errors stick until it is cleared. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/compiler.h"
#include "base/slice.h"
#include "base/status.h"

/**
 * Owns its bytes. Every writer is a no-op once something failed, so that a
 * whole message is composed first and buf_status() is asked once at the end.
 */
struct buf {
	char *p;
	size_t n;   /**< bytes in use */
	size_t cap; /**< bytes allocated */
	size_t max; /**< ceiling in bytes, never exceeded */
	enum status st;
	bool wipe; /**< zero memory before it is released or moved */
};

/** Allocates nothing yet. @max is in bytes. */
void buf_init(struct buf *b, size_t max_bytes);
/** As buf_init(), but every byte is wiped when it is moved or released. */
void buf_init_secret(struct buf *b, size_t max_bytes);
/** Frees (wiping if secret); NULL-safe; leaves an empty buffer. */
void buf_release(struct buf *b);
/** Forgets contents and error, keeps the memory (wiped if secret). */
void buf_clear(struct buf *b);
/** Drops the first @n bytes (n <= b->n). */
void buf_consume(struct buf *b, size_t n);
/** Room for @n more bytes at b->p + b->n; false on failure (sticks). */
bool buf_reserve(struct buf *b, size_t n) ATTR_MUST_USE;

void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_slice(struct buf *b, struct slice s);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_i64(struct buf *b, int64_t v);
/** Lower-case hex of @n bytes. */
void buf_put_hex(struct buf *b, const void *p, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);

/** OK, E_NOMEM or E_LIMIT (the ceiling). */
enum status buf_status(const struct buf *b);
/** What is in it now; borrowed until the next write. */
struct slice buf_slice(const struct buf *b);

#endif
