/* What the files of the JSON reader share, and nobody else. */
#ifndef BASE_JSONR_READER_H
#define BASE_JSONR_READER_H

#include "base/jsonr.h"

#define JSONR_NONE UINT32_MAX

struct jsonr_reader {
	struct slice text; /**< as it came: the copy changes while it is read */
	struct jsonr doc;
	char *at, *end; /**< in the copy, behind which there are zeros */
	size_t cap_values;
	uint32_t open; /**< the innermost container not closed, or NONE */
	unsigned depth;
	enum status st;
	struct jsonr_error *error;
};

static inline uint32_t
jsonr_head(enum jsonr_kind kind, uint32_t span)
{
	return span << 3 | (uint32_t)kind;
}

/** One more value of one span; NULL without memory (said in r->st). */
struct jsonr_value *jsonr_add(struct jsonr_reader *r, enum jsonr_kind kind);

/** @from up to @to, in the copy, is wrong. False, as all below on failure. */
bool jsonr_fail(
    struct jsonr_reader *r, const char *from, const char *to, const char *what);
/** The token that begins at r->at is wrong. */
bool jsonr_fail_here(struct jsonr_reader *r, const char *what);

/** From the opening quote past the closing one. */
bool jsonr_read_text(struct jsonr_reader *r);
/** A number, or one of the three words. */
bool jsonr_read_plain(struct jsonr_reader *r);

#endif
