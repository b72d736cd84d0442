/* JSON in (RFC 8259), for large texts: one copy of the text, in which the
 * strings are decoded where they stand, and one flat array of values.
 *
 * A container is followed by what it holds, in the order of the text; a
 * member is its key, a text, and then its value. So reading is one pass, and
 * two allocations hold a file of any size. A key that an object holds twice
 * is refused, as are "\u0000" and bytes that are not UTF-8. */
#ifndef BASE_JSONR_H
#define BASE_JSONR_H

#include "base/slice.h"
#include "base/status.h"

enum jsonr_kind {
	JSONR_NULL,
	JSONR_FALSE,
	JSONR_TRUE,
	JSONR_INTEGER,
	JSONR_REAL, /**< checked, but its value is not kept */
	JSONR_TEXT,
	JSONR_LIST,
	JSONR_OBJECT,
};

enum {
	JSONR_BYTES_MAX = 256 << 20,
	JSONR_DEPTH_MAX = 64,
};

struct jsonr_value {
	union {
		const char *text; /**< UTF-8 and a NUL; none is within */
		int64_t integer;
	} u;

	uint32_t n;    /**< bytes, elements or members */
	uint32_t head; /**< kind in the lowest 3 bits, span above */
};

/** A document, or nothing yet when it is all zero. */
struct jsonr {
	char *text;
	struct jsonr_value *values; /**< the first is the root */
	size_t n_values;
};

struct jsonr_error {
	unsigned line, column; /**< of the last byte of what is wrong; from 1 */
	char text[112];        /**< ASCII and valid UTF-8 of the text alone */
};

/**
 * Reads @text, whose root is a list or an object. E_SYNTAX: @error says what
 * and where; E_NOMEM; E_LIMIT past JSONR_BYTES_MAX. @out is owned on OK.
 */
enum status jsonr_read(struct slice text, struct jsonr *out,
    struct jsonr_error *error) ATTR_MUST_USE;
void jsonr_release(struct jsonr *doc);

/* All of these take NULL for a value that is not there, which is nothing. */

static inline bool
jsonr_is(const struct jsonr_value *v, enum jsonr_kind kind)
{
	return v != NULL && (v->head & 7) == kind;
}

/** A text's bytes, or NULL for all else. */
static inline const char *
jsonr_text(const struct jsonr_value *v)
{
	return jsonr_is(v, JSONR_TEXT) ? v->u.text : NULL;
}

/** An integer's value, 0 for all else. */
static inline int64_t
jsonr_integer(const struct jsonr_value *v)
{
	return jsonr_is(v, JSONR_INTEGER) ? v->u.integer : 0;
}

/** How many elements or members; 0 for what holds none. */
static inline size_t
jsonr_count(const struct jsonr_value *v)
{
	return jsonr_is(v, JSONR_LIST) || jsonr_is(v, JSONR_OBJECT) ? v->n : 0;
}

/** The first element, or the first member's key, where there is one. */
static inline const struct jsonr_value *
jsonr_first(const struct jsonr_value *v)
{
	return v == NULL ? NULL : v + 1;
}

/** The next element; of a member's value the next key; where there is one. */
static inline const struct jsonr_value *
jsonr_next(const struct jsonr_value *v)
{
	return v + (v->head >> 3);
}

/** The value of the member @key of an object, or NULL. */
const struct jsonr_value *jsonr_member(
    const struct jsonr_value *object, const char *key) ATTR_MUST_USE;

#endif
