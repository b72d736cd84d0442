/* One code point of UTF-8 at a time (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/slice.h"

/**
 * The code point at the front of @s, which is not empty, and how many bytes
 * it has. Overlong forms, surrogates and values past U+10FFFF are not UTF-8
 * (RFC 3629 3): one byte is taken and U+FFFD given. (A U+FFFD that was
 * written has three.)
 */
uint32_t utf8_next(struct slice s, size_t *len);

#endif
