/* Texts, numbers and words of JSON, and what is said of what is none. */
#include "base/jsonr_reader.h"
#include "base/utf8.h"

#include <stdio.h>

enum { NEAR_BYTES_MAX = 20 };

static void
set_place(struct jsonr_reader *r, size_t last)
{
	r->error->line = r->error->column = 1;
	for (size_t i = 0; i < last; i++) {
		r->error->column++;
		if (r->text.p[i] == '\n') {
			r->error->line++;
			r->error->column = 1;
		}
	}
}

/* What cannot be shown as it is would break the message. */
static bool
can_be_shown(struct slice s)
{
	size_t n;

	for (; s.n > 0; s = slice_from(s, n)) {
		uint32_t c = utf8_next(s, &n);

		if (c < ' ' || c == 0x7f || (c == 0xfffd && n == 1))
			return false;
	}
	return true;
}

/* @from up to @to, in the copy, is what is wrong. */
bool
jsonr_fail(
    struct jsonr_reader *r, const char *from, const char *to, const char *what)
{
	size_t at = (size_t)(from - r->doc.text);
	struct slice near =
	    slice_head(slice_from(r->text, at), (size_t)(to - from));
	struct jsonr_error *e = r->error;

	r->st = E_SYNTAX;
	if (near.n == 0) {
		set_place(r, r->text.n == 0 ? 0 : r->text.n - 1);
		(void)snprintf(
		    e->text, sizeof e->text, "%s near end of file", what);
		return false;
	}
	set_place(r, at + near.n - 1);
	if (near.n > NEAR_BYTES_MAX || !can_be_shown(near))
		(void)snprintf(e->text, sizeof e->text, "%s", what);
	else
		(void)snprintf(e->text, sizeof e->text, "%s near '%.*s'", what,
		    (int)near.n, near.p);
	return false;
}

static bool
is_word(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '+' || c == '-' ||
	    c == '.';
}

/* The end of the token at @at, which is no text. */
static char *
token_end(const struct jsonr_reader *r, char *at)
{
	char *to = at;

	while (is_word(*to))
		to++;
	return to == at && at < r->end ? at + 1 : to;
}

bool
jsonr_fail_here(struct jsonr_reader *r, const char *what)
{
	return jsonr_fail(r, r->at, token_end(r, r->at), what);
}

static unsigned
hex_digit(char c)
{
	if (ascii_is_digit(c))
		return (unsigned)(c - '0');
	return (unsigned)(ascii_lower(c) - 'a' + 10);
}

/* The code unit of \uXXXX at @p, or JSONR_NONE. */
static uint32_t
code_unit(const char *p)
{
	uint32_t v = 0;

	if (p[0] != '\\' || p[1] != 'u')
		return JSONR_NONE;
	for (size_t i = 2; i < 6; i++) {
		if (!ascii_is_hex(p[i]))
			return JSONR_NONE;
		v = v << 4 | hex_digit(p[i]);
	}
	return v;
}

static char *
put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* RFC 8259 7: what is beyond the BMP is two units, a high and a low one. */
static bool
read_unicode(struct jsonr_reader *r, char **from, char **to)
{
	char *p = *from;
	uint32_t c = code_unit(p), low;

	if (c == JSONR_NONE)
		return jsonr_fail(r, p, p + 2, "four hex digits expected");
	if (c == 0)
		return jsonr_fail(r, p, p + 6, "\\u0000 is not allowed");
	p += 6;
	if (c >= 0xd800 && c <= 0xdfff) {
		low = c < 0xdc00 ? code_unit(p) : JSONR_NONE;
		if (low == JSONR_NONE || low < 0xdc00 || low > 0xdfff)
			return jsonr_fail(r, *from, p, "half a surrogate pair");
		c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
		p += 6;
	}
	*from = p;
	*to = put_utf8(*to, c);
	return true;
}

static bool
read_escape(struct jsonr_reader *r, char **from, char **to)
{
	static const char codes[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	char *p = *from;
	const char *hit;

	if (p[1] == 'u')
		return read_unicode(r, from, to);
	hit = p[1] == '\0' ? NULL : strchr(codes, p[1]);
	if (hit == NULL)
		return jsonr_fail(
		    r, p, p + (p + 1 < r->end ? 2 : 1), "invalid escape");
	*(*to)++ = bytes[hit - codes];
	*from = p + 2;
	return true;
}

/* One character that is no plain ASCII. */
static bool
read_odd(struct jsonr_reader *r, char **from, char **to)
{
	char *p = *from;
	size_t n;

	if (*p == '\\')
		return read_escape(r, from, to);
	if (p == r->end)
		return jsonr_fail(
		    r, p, p, "a text does not end: '\"' expected");
	if ((unsigned char)*p < ' ')
		return jsonr_fail(r, p, p + 1,
		    *p == '\n' ? "a text does not end: '\"' expected"
		               : "a control character must be escaped");
	if (utf8_next((struct slice){ p, (size_t)(r->end - p) }, &n) ==
	        0xfffd &&
	    n == 1)
		return jsonr_fail(r, p, p + 1, "not UTF-8");
	memmove(*to, p, n);
	*from += n;
	*to += n;
	return true;
}

static bool
is_plain(char c)
{
	return (signed char)c >= ' ' && c != '"' && c != '\\';
}

/* From the opening quote past the closing one; decodes in place. */
bool
jsonr_read_text(struct jsonr_reader *r)
{
	struct jsonr_value *v = jsonr_add(r, JSONR_TEXT);
	char *from = r->at + 1, *to;

	if (v == NULL)
		return false;
	v->u.text = from;
	while (is_plain(*from))
		from++;
	to = from;
	while (*from != '"') {
		if (!read_odd(r, &from, &to))
			return false;
		while (is_plain(*from))
			*to++ = *from++;
	}
	*to = '\0';
	v->n = (uint32_t)(to - v->u.text);
	r->at = from + 1;
	return true;
}

static char *
skip_digits(char *p)
{
	while (ascii_is_digit(*p))
		p++;
	return p;
}

/* RFC 8259 6: frac and exp make it a real. NULL: neither is well-formed. */
static char *
skip_fraction(char *p)
{
	char *from;

	if (*p == '.') {
		from = p + 1;
		p = skip_digits(from);
		if (p == from)
			return NULL;
	}
	if (*p == 'e' || *p == 'E') {
		from = p + (p[1] == '+' || p[1] == '-' ? 2 : 1);
		p = skip_digits(from);
		if (p == from)
			return NULL;
	}
	return p;
}

/* The @n digits at @p; false past what an int64_t holds. */
static bool
to_integer(const char *p, size_t n, bool minus, int64_t *out)
{
	uint64_t v = 0, limit = (uint64_t)INT64_MAX + minus;

	for (size_t i = 0; i < n; i++) {
		uint64_t digit = (uint64_t)(p[i] - '0');

		if (v > (limit - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

static bool
read_number(struct jsonr_reader *r)
{
	bool minus = *r->at == '-';
	char *from = r->at + minus, *to = skip_digits(from), *end;
	struct jsonr_value *v = jsonr_add(r, JSONR_INTEGER);

	if (v == NULL)
		return false;
	end = skip_fraction(to);
	if (to == from || (*from == '0' && to - from > 1) || end == NULL ||
	    is_word(*end))
		return jsonr_fail_here(r, "invalid token");
	if (end != to)
		v->head = jsonr_head(JSONR_REAL, 1);
	else if (!to_integer(from, (size_t)(to - from), minus, &v->u.integer))
		return jsonr_fail_here(r, "too big integer");
	r->at = end;
	return true;
}

static bool
read_word(struct jsonr_reader *r)
{
	static const struct {
		struct slice word;
		enum jsonr_kind kind;
	} words[] = { { SLICE_INIT("null"), JSONR_NULL },
		{ SLICE_INIT("true"), JSONR_TRUE },
		{ SLICE_INIT("false"), JSONR_FALSE } };

	char *to = token_end(r, r->at);
	struct slice word = { r->at, (size_t)(to - r->at) };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_eq(word, words[i].word)) {
			r->at = to;
			return jsonr_add(r, words[i].kind) != NULL;
		}
	return jsonr_fail_here(r, "invalid token");
}

bool
jsonr_read_plain(struct jsonr_reader *r)
{
	if (*r->at == '-' || ascii_is_digit(*r->at))
		return read_number(r);
	return read_word(r);
}
