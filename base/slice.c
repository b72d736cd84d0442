/* Slices of borrowed bytes, ASCII only, no locale. */
#include "base/slice.h"

#include <string.h>

bool
slice_same_nocase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool
slice_starts(struct slice a, struct slice prefix)
{
	return a.n >= prefix.n && slice_eq(slice_head(a, prefix.n), prefix);
}

bool
slice_ends(struct slice a, struct slice suffix)
{
	return a.n >= suffix.n &&
	    slice_eq(slice_from(a, a.n - suffix.n), suffix);
}

struct slice
slice_trim_ows(struct slice a)
{
	while (a.n > 0 && (a.p[0] == ' ' || a.p[0] == '\t'))
		a = slice_from(a, 1);
	while (a.n > 0 && (a.p[a.n - 1] == ' ' || a.p[a.n - 1] == '\t'))
		a.n--;
	return a;
}

bool
slice_to_u64(struct slice a, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (a.n == 0 || a.n > 20)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		uint64_t d = (uint64_t)(unsigned char)a.p[i] - '0';
		if (!ascii_is_digit(a.p[i]) || v > (max - d) / 10 || d > max)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

bool
slice_copy(struct slice a, char *out, size_t out_bytes)
{
	if (out_bytes == 0)
		return false;
	out[0] = '\0';
	if (a.n >= out_bytes)
		return false;
	if (a.n > 0)
		memcpy(out, a.p, a.n);
	out[a.n] = '\0';
	return true;
}
