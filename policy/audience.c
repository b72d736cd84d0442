/* Audiences, brought to one spelling. */
#include "policy/audience.h"

#include <string.h>

/* The end of "scheme://host:port" in @s, or 0 when it is no such thing. */
static size_t
authority_end(struct slice s)
{
	size_t colon = slice_find(s, ':');

	if (!slice_starts(slice_from(s, colon), SLICE("://")))
		return 0;
	return colon + 3 + slice_find(slice_from(s, colon + 3), '/');
}

bool
audience_normalise(struct slice text, char out[AUDIENCE_BYTES])
{
	size_t end;

	if (text.n > 1 && text.p[text.n - 1] == '/')
		text.n--;
	if (text.n == 0 || text.n >= AUDIENCE_BYTES)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	end = authority_end(text);
	for (size_t i = 0; i < text.n; i++)
		out[i] = i < end ? ascii_lower(text.p[i]) : text.p[i];
	out[text.n] = '\0';
	return true;
}
