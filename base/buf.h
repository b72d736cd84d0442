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
static inline bool buf_reserve(struct buf *b, size_t n) ATTR_MUST_USE;

static inline void buf_put(struct buf *b, const void *p, size_t n);
static inline void buf_put_slice(struct buf *b, struct slice s);
static inline void buf_puts(struct buf *b, const char *s);
static inline void buf_putc(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_i64(struct buf *b, int64_t v);
/** Lower-case hex of @n bytes. */
void buf_put_hex(struct buf *b, const void *p, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);

/** OK, E_NOMEM or E_LIMIT (the ceiling). */
static inline enum status buf_status(const struct buf *b);
/** What is in it now; borrowed until the next write. */
static inline struct slice buf_slice(const struct buf *b);

/* Records are made of hundreds of small pieces: what fits is put in place. */

/** buf_reserve() when there may be no room. */
bool buf_make_room(struct buf *b, size_t n) ATTR_MUST_USE;

static inline bool
buf_reserve(struct buf *b, size_t n)
{
	/* cap is never above max. */
	if (b->st == OK && n <= b->cap - b->n)
		return true;
	return buf_make_room(b, n);
}

static inline void
buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_reserve(b, n))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void
buf_put_slice(struct buf *b, struct slice s)
{
	buf_put(b, s.p, s.n);
}

static inline void
buf_puts(struct buf *b, const char *s)
{
	buf_put_slice(b, slice_of(s));
}

static inline void
buf_putc(struct buf *b, char c)
{
	if (buf_reserve(b, 1))
		b->p[b->n++] = c;
}

static inline enum status
buf_status(const struct buf *b)
{
	return b->st;
}

static inline struct slice
buf_slice(const struct buf *b)
{
	return (struct slice){ .p = b->p, .n = b->n };
}

#endif
