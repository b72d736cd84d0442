/* A small table of what was said; who shares a slot is said more often. */
#include "base/log_fold.h"

#include <stddef.h>

static uint64_t
mix(uint64_t h, const char *text)
{
	/* FNV-1a, with the NUL so that "ab","c" is not "a","bc". */
	do
		h = (h ^ (uint8_t)*text) * 1099511628211ULL;
	while (*text++ != '\0');
	return h;
}

bool
log_fold_is_due(
    struct log_fold *f, const char *subject, const char *what, int64_t now_ms)
{
	uint64_t key = mix(mix(14695981039346656037ULL, subject), what);
	size_t slot = key % LOG_FOLD_SLOTS;

	if (f->at[slot].key == key && now_ms < f->at[slot].until_ms)
		return false;
	f->at[slot].key = key;
	f->at[slot].until_ms = now_ms + LOG_FOLD_MS;
	return true;
}
