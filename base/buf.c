/* The growable buffer; secrets are moved by hand, never by realloc. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 256 };

void
buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){ .max = max_bytes };
}

void
buf_init_secret(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){ .max = max_bytes, .wipe = true };
}

void
buf_release(struct buf *b)
{
	if (b == NULL)
		return;
	if (b->wipe && b->p != NULL)
		explicit_bzero(b->p, b->cap);
	free(b->p);
	*b = (struct buf){ .max = b->max, .wipe = b->wipe };
}

void
buf_clear(struct buf *b)
{
	if (b->wipe && b->p != NULL)
		explicit_bzero(b->p, b->cap);
	b->n = 0;
	b->st = OK;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->n) {
		n = b->n;
	} else {
		memmove(b->p, b->p + n, b->n - n);
	}
	b->n -= n;
	if (b->wipe && b->p != NULL)
		explicit_bzero(b->p + b->n, b->cap - b->n);
}

/* realloc would leave a copy of a secret behind, so those are moved by hand. */
static bool
buf_grow(struct buf *b, size_t want)
{
	size_t cap = b->cap == 0 ? BUF_FIRST_BYTES : b->cap;
	char *p;

	while (cap < want)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max)
		cap = b->max;
	p = malloc(cap);
	if (p == NULL) {
		b->st = E_NOMEM;
		return false;
	}
	if (b->n > 0)
		memcpy(p, b->p, b->n);
	if (b->wipe && b->p != NULL)
		explicit_bzero(b->p, b->cap);
	free(b->p);
	b->p = p;
	b->cap = cap;
	return true;
}

bool
buf_make_room(struct buf *b, size_t n)
{
	if (b->st != OK)
		return false;
	if (n > b->max || b->n > b->max - n) {
		b->st = E_LIMIT;
		return false;
	}
	return b->n + n <= b->cap || buf_grow(b, b->n + n);
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	buf_put(b, digits + at, sizeof digits - at);
}

void
buf_put_i64(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_putc(b, '-');
	buf_put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void
buf_put_hex(struct buf *b, const void *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *bytes = p;

	for (size_t i = 0; i < n; i++) {
		buf_putc(b, hex[bytes[i] >> 4]);
		buf_putc(b, hex[bytes[i] & 15]);
	}
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->st = E_INTERNAL;
	else if (buf_reserve(b, (size_t)n + 1)) {
		(void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}
