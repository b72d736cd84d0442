/* Places in JSON text: readers keep them for syntax errors only, so this
 * scanner walks text that one has accepted to a JSON pointer (RFC 6901). */
#ifndef BASE_JSONPOS_H
#define BASE_JSONPOS_H

#include "base/slice.h"

struct json_place {
	unsigned line;   /**< from 1 */
	unsigned column; /**< from 1, in bytes */
};

/**
 * Where the value at @pointer ("/rules/3/hosts/0"; "" is the whole) starts,
 * or with @of_key where the key that leads to it starts. {1,1} if not found.
 */
struct json_place json_place(
    struct slice text, const char *pointer, bool of_key);

/** The nearest of @n @names to @word by edit distance, NULL if none is near. */
const char *nearest_name(struct slice word, const char *const *names, size_t n);

#endif
