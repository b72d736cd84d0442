/* The C library's allocator, but memory is wiped before it is given back: for
 * libraries that carry a token through their own buffers. */
#ifndef BASE_WIPING_H
#define BASE_WIPING_H

#include <stdbool.h>
#include <stddef.h>

/** As malloc, calloc and strdup; the blocks may go to free() as well. */
void *wiping_malloc(size_t n);
void *wiping_calloc(size_t count, size_t size);
char *wiping_strdup(const char *s);
/** Always moves, so that the old block can be wiped. */
void *wiping_realloc(void *p, size_t n);
void wiping_free(void *p);
/**
 * Whether wiping_malloc() failed on this thread since this was last asked.
 * When its text buffer cannot grow, jansson (2.14) drops a byte of the string
 * and goes on: what it read meanwhile is not what was written.
 */
bool wiping_starved(void);

#endif
