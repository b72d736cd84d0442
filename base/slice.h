/* Bytes that someone else owns: how untrusted input is passed about. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Borrowed bytes; never NUL-terminated by promise. */
struct slice {
	const char *p;
	size_t n;
};

/** SLICE() as an initialiser of static tables. */
/* clang-format off */
#define SLICE_INIT(lit) { .p = "" lit, .n = sizeof(lit) - 1 }
/* clang-format on */

/** A slice of a string literal. */
#define SLICE(lit) ((struct slice){ .p = "" lit, .n = sizeof(lit) - 1 })

/** The bytes of @s up to its NUL; NULL gives the empty slice. */
static inline struct slice
slice_of(const char *s)
{
	return (struct slice){ .p = s, .n = s == NULL ? 0 : strlen(s) };
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/** slice_eq_nocase() for slices that are equally long. */
bool slice_same_nocase(const char *a, const char *b, size_t n);

/** Compares with ASCII letters folded; locale has no say. */
static inline bool
slice_eq_nocase(struct slice a, struct slice b)
{
	/* Field names mostly differ in length: no call for those. */
	return a.n == b.n && slice_same_nocase(a.p, b.p, a.n);
}

static inline bool
slice_is(struct slice a, const char *s)
{
	return slice_eq(a, slice_of(s));
}

static inline bool
slice_is_nocase(struct slice a, const char *s)
{
	return slice_eq_nocase(a, slice_of(s));
}

bool slice_starts(struct slice a, struct slice prefix);
bool slice_ends(struct slice a, struct slice suffix);

/** Index of the first @c, or a.n when there is none. */
static inline size_t
slice_find(struct slice a, char c)
{
	const char *hit = a.n == 0 ? NULL : (const char *)memchr(a.p, c, a.n);

	return hit == NULL ? a.n : (size_t)(hit - a.p);
}

/** Bytes from @from on; empty when @from is past the end. */
static inline struct slice
slice_from(struct slice a, size_t from)
{
	if (from >= a.n)
		return (struct slice){ .p = a.p == NULL ? NULL : a.p + a.n };
	return (struct slice){ .p = a.p + from, .n = a.n - from };
}

/** The first @n bytes, or all when there are fewer. */
static inline struct slice
slice_head(struct slice a, size_t n)
{
	return (struct slice){ .p = a.p, .n = n < a.n ? n : a.n };
}

/** Without SP and HTAB at both ends (RFC 9110 5.6.3 OWS). */
struct slice slice_trim_ows(struct slice a);
/**
 * Decimal digits only, no sign, no space, 1..20 digits, no overflow past
 * @max. Returns false and leaves @out alone otherwise.
 */
bool slice_to_u64(struct slice a, uint64_t max, uint64_t *out) ATTR_MUST_USE;
/** Copies into @out with a NUL; false (and @out = "") when it does not fit. */
bool slice_copy(struct slice a, char *out, size_t out_bytes) ATTR_MUST_USE;

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
ascii_is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

static inline bool
ascii_is_hex(char c)
{
	return ascii_is_digit(c) || (c >= 'a' && c <= 'f') ||
	    (c >= 'A' && c <= 'F');
}

#endif
