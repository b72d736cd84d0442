/* Writes JSON onto a buffer: one line, ASCII only, safe in any terminal. */
#ifndef BASE_JSONW_H
#define BASE_JSONW_H

#include "base/buf.h"

/**
 * A cursor that places commas. Strings are escaped so that the output has
 * no byte below 0x20 and none above 0x7e: controls, DEL, quotes and all
 * non-ASCII become \uXXXX; bytes that are not UTF-8 become U+FFFD.
 */
struct jsonw {
	struct buf *out; /**< kept */
	bool comma;
};

void jsonw_init(struct jsonw *w, struct buf *out);

/** @key may be NULL inside arrays and at the top. */
void jsonw_object(struct jsonw *w, const char *key);
void jsonw_object_end(struct jsonw *w);
void jsonw_array(struct jsonw *w, const char *key);
void jsonw_array_end(struct jsonw *w);
void jsonw_str(
    struct jsonw *w, const char *key, const char *s); /**< NULL: null */
void jsonw_slice(struct jsonw *w, const char *key, struct slice s);
void jsonw_u64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_i64(struct jsonw *w, const char *key, int64_t v);
void jsonw_bool(struct jsonw *w, const char *key, bool v);
void jsonw_null(struct jsonw *w, const char *key);
/** @json is already JSON text and is put in as it stands. */
void jsonw_raw(struct jsonw *w, const char *key, struct slice json);

/** @s as a JSON string with its quotes, and no comma before it. */
void jsonw_string(struct buf *out, struct slice s);

#endif
