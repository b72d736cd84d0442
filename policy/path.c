/* Paths in their normal form, by both readings that servers have of them. */
#include "policy/path.h"

#include <string.h>

struct writer {
	char *p;
	size_t n;
	bool tidy;
};

static unsigned
hex_value(char c)
{
	return ascii_is_digit(c) ? (unsigned)(c - '0')
	                         : (unsigned)(ascii_lower(c) - 'a') + 10;
}

/* RFC 3986 6.2.2.2, and what means itself in a path whether it is encoded or
 * not (3.3); ';' may begin a parameter. */
static bool
means_itself(unsigned char c)
{
	return ascii_is_alnum((char)c) ||
	    (c != '\0' && strchr("-._~!$&'()*+,=:@", c) != NULL);
}

/* What no server should be sent, since some cut, fold or decode it again:
 * controls, '\', the first bytes of overlong UTF-8 (RFC 3629 10). */
static bool
is_dangerous(unsigned char c)
{
	return c < 0x20 || c == 0x7f || c == '\\' || c == 0xc0 || c == 0xc1;
}

static void
put(struct writer *w, char c)
{
	if (w->tidy && c == '/' && w->n > 0 && w->p[w->n - 1] == '/')
		return;
	w->p[w->n++] = c;
}

static bool
is_escape(struct slice rest)
{
	return rest.n >= 2 && ascii_is_hex(rest.p[0]) &&
	    ascii_is_hex(rest.p[1]);
}

/* "%2541" is "%41" to one parser and "A" to the next, and "%25%34%31" is so
 * to one that decodes twice. */
static bool
is_doubled(struct slice path)
{
	for (size_t i = 0; i + 4 < path.n; i++) {
		struct slice rest = slice_from(path, i);

		if (slice_starts(rest, SLICE("%25")) &&
		    is_escape(slice_from(rest, 3)))
			return true;
	}
	return false;
}

/* @code begins behind the '%'. */
static bool
put_escape(struct writer *w, struct slice code)
{
	static const char upper[] = "0123456789ABCDEF";
	unsigned char c;

	if (!is_escape(code))
		return false;
	c = (unsigned char)(hex_value(code.p[0]) << 4 | hex_value(code.p[1]));
	if (is_dangerous(c))
		return false;
	if (means_itself(c) || (c == '/' && w->tidy)) {
		put(w, (char)c);
		return true;
	}
	put(w, '%');
	put(w, upper[c >> 4]);
	put(w, upper[c & 15]);
	return true;
}

static bool
put_path(struct writer *w, struct slice path)
{
	for (size_t i = 0; i < path.n; i++) {
		char c = path.p[i];

		if (is_dangerous((unsigned char)c))
			return false;
		if (c == ';' && w->tidy) {
			struct slice rest = slice_from(path, i);

			i += slice_find(rest, '/') - 1;
		} else if (c != '%') {
			put(w, c);
		} else if (put_escape(w, slice_from(path, i + 1))) {
			i += 2;
		} else {
			return false;
		}
	}
	return true;
}

static bool
has_dot_segment(struct slice path)
{
	while (path.n > 0) {
		size_t end = slice_find(path, '/');
		struct slice s = slice_head(path, end);

		if (slice_is(s, ".") || slice_is(s, ".."))
			return true;
		path = slice_from(path, end + 1);
	}
	return false;
}

/* A parameter may hide dots from who looks before it is dropped. */
bool
path_normal(struct slice path, bool tidy, char *out, struct slice *normal)
{
	struct writer w = { .p = out, .tidy = tidy };

	if (path.n == 0)
		path = SLICE("/");
	if (path.p[0] != '/' && !slice_is(path, "*"))
		return false;
	if (!put_path(&w, path))
		return false;
	out[w.n] = '\0';
	*normal = (struct slice){ .p = out, .n = w.n };
	return !has_dot_segment(*normal) && !is_doubled(*normal);
}

bool
path_has_coded_slash(struct slice path)
{
	for (size_t i = 0; i + 2 < path.n; i++)
		if (slice_eq_nocase(
		        slice_head(slice_from(path, i), 3), SLICE("%2f")))
			return true;
	return false;
}
