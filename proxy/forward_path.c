/* Judges a path by all readings at once (RFC 3986 6.2.2). */
#include "proxy/forward_path.h"

#include "base/compiler.h"

static bool
escape_ok(struct slice code)
{
	static const char *const doubtful[] = { "00", "2f", "5c" };

	if (code.n < 2 || !ascii_is_hex(code.p[0]) || !ascii_is_hex(code.p[1]))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(doubtful); i++)
		if (slice_is_nocase(slice_head(code, 2), doubtful[i]))
			return false;
	/* "%2541" is "%41" to one parser and "A" to the next. */
	if (slice_starts(code, SLICE("25")) && code.n >= 4)
		return !ascii_is_hex(code.p[2]) || !ascii_is_hex(code.p[3]);
	return true;
}

/* "." and "..", with any of their dots encoded. */
static bool
is_dot_segment(struct slice s)
{
	size_t dots = 0;

	while (s.n > 0 && dots < 3) {
		size_t n = s.p[0] == '.'                              ? 1
		    : slice_eq_nocase(slice_head(s, 3), SLICE("%2e")) ? 3
		                                                      : 0;
		if (n == 0)
			return false;
		s = slice_from(s, n);
		dots++;
	}
	return s.n == 0 && (dots == 1 || dots == 2);
}

bool
forward_path_ok(struct slice path)
{
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '\\')
			return false;
		if (path.p[i] == '%' && !escape_ok(slice_from(path, i + 1)))
			return false;
	}
	while (path.n > 0) {
		size_t end = slice_find(path, '/');
		if (is_dot_segment(slice_head(path, end)))
			return false;
		path = slice_from(path, end + 1);
	}
	return true;
}
