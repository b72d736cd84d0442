/* Authorities, absolute URIs and query values; nothing is repaired. */
#include "base/uri.h"

#include <string.h>

/* RFC 3986 3.2: what may stand in host and port. Percent signs and the rest
 * of reg-name are left to the host's own, stricter reader. */
static bool
authority_byte_ok(char c)
{
	return ascii_is_alnum(c) ||
	    (c > ' ' && c < 0x7f && strchr("/?#\\@\"<>^`{|}", c) == NULL);
}

static enum status
port_parse(struct slice digits, uint16_t *out)
{
	uint64_t v;

	if (digits.n == 0 || digits.p[0] == '0' ||
	    !slice_to_u64(digits, 65535, &v))
		return E_SYNTAX;
	*out = (uint16_t)v;
	return OK;
}

/* Where the host ends: after its bracket, or before the first colon. */
static size_t
host_end(struct slice text)
{
	if (text.n > 0 && text.p[0] == '[') {
		size_t at = slice_find(text, ']');
		return at == text.n ? at : at + 1;
	}
	return slice_find(text, ':');
}

enum status
authority_parse(struct slice text, struct authority *out)
{
	size_t end = host_end(text);
	bool has_port = end < text.n;
	uint16_t port = 0;

	for (size_t i = 0; i < text.n; i++)
		if (!authority_byte_ok(text.p[i]))
			return E_SYNTAX;
	if (has_port &&
	    (text.p[end] != ':' ||
	        port_parse(slice_from(text, end + 1), &port) != OK))
		return E_SYNTAX;
	if (host_parse(slice_head(text, end), &out->host) != OK)
		return E_INVALID;
	out->port = port;
	out->has_port = has_port;
	return OK;
}

static bool
uri_bytes_ok(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f || text.p[i] == '#')
			return false;
	return true;
}

/* RFC 3986 3.1. Returns the bytes of "scheme://", 0 if it is not there. */
static size_t
scheme_length(struct slice text)
{
	size_t n = 0;

	while (n < text.n &&
	    (ascii_is_alpha(text.p[n]) ||
	        (n > 0 &&
	            (ascii_is_digit(text.p[n]) || text.p[n] == '+' ||
	                text.p[n] == '-' || text.p[n] == '.'))))
		n++;
	if (n == 0 || !slice_starts(slice_from(text, n), SLICE("://")))
		return 0;
	return n + 3;
}

static void
uri_split_path(struct slice rest, struct uri *u)
{
	size_t mark = slice_find(rest, '?');

	u->path_query = rest;
	u->path = slice_head(rest, mark);
	u->query = (struct slice){ 0 };
	if (mark < rest.n)
		u->query = (struct slice){ .p = rest.p + mark + 1,
			.n = rest.n - mark - 1 };
}

enum status
uri_parse(struct slice text, struct uri *out)
{
	size_t at = scheme_length(text), end = 0;
	enum uri_scheme scheme;
	struct slice rest;
	enum status st;

	if (at == 0 || !uri_bytes_ok(text))
		return E_SYNTAX;
	if (slice_eq_nocase(slice_head(text, at), SLICE("http://")))
		scheme = URI_HTTP;
	else if (slice_eq_nocase(slice_head(text, at), SLICE("https://")))
		scheme = URI_HTTPS;
	else
		return E_UNSUPPORTED;
	rest = slice_from(text, at);
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	/* The last that may fail: what it leaves alone stays as it was. */
	st = authority_parse(slice_head(rest, end), &out->authority);
	if (st != OK)
		return st;
	out->scheme = scheme;
	out->authority_text = slice_head(rest, end);
	if (!out->authority.has_port)
		out->authority.port = scheme == URI_HTTP ? 80 : 443;
	uri_split_path(slice_from(rest, end), out);
	return OK;
}

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return ascii_is_hex(c) ? ascii_lower(c) - 'a' + 10 : -1;
}

/*
 * One byte of @s at *@at, percent-decoded; -1 for a broken escape or NUL
 * (RFC 3986 2.1).
 */
static int
decode_next(struct slice s, size_t *at)
{
	int hi, lo;

	if (s.p[*at] != '%')
		return (unsigned char)s.p[(*at)++];
	if (s.n - *at < 3)
		return -1;
	hi = hex_value(s.p[*at + 1]);
	lo = hex_value(s.p[*at + 2]);
	*at += 3;
	if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
		return -1;
	return hi * 16 + lo;
}

enum { KEY_BYTES = 64 };

/* Keys are compared decoded: the next hop would read "%72esource" so. One
 * that is longer than @out is nobody's, but well formed or not. */
static enum status
key_decode(struct slice raw, char out[KEY_BYTES], struct slice *key)
{
	size_t at = 0, n = 0;

	while (at < raw.n) {
		int c = decode_next(raw, &at);
		if (c <= 0)
			return E_SYNTAX;
		if (n < KEY_BYTES)
			out[n] = (char)c;
		n++;
	}
	*key = (struct slice){ .p = out, .n = n };
	return OK;
}

static enum status
value_decode(struct slice raw, char *out, size_t out_bytes)
{
	size_t at = 0, n = 0;

	while (at < raw.n) {
		if (decode_next(raw, &at) <= 0)
			return E_SYNTAX;
		n++;
	}
	if (n >= out_bytes)
		return E_LIMIT;
	at = 0;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)decode_next(raw, &at);
	out[n] = '\0';
	return OK;
}

static void
want_note(struct query_want *want, struct slice value)
{
	want->st = want->st == E_NOTFOUND ? OK : E_INVALID;
	want->value = value;
}

enum status
query_find(struct slice query, struct query_want *wants, size_t n)
{
	char text[KEY_BYTES];
	struct slice key;

	for (size_t i = 0; i < n; i++)
		wants[i].st = E_NOTFOUND;
	while (query.n > 0) {
		size_t amp = slice_find(query, '&');
		struct slice pair = slice_head(query, amp);
		size_t eq = slice_find(pair, '=');
		if (key_decode(slice_head(pair, eq), text, &key) != OK)
			return E_SYNTAX;
		for (size_t i = 0; i < n && key.n <= sizeof text; i++)
			if (slice_eq(key, wants[i].key))
				want_note(&wants[i], slice_from(pair, eq + 1));
		query = slice_from(query, amp + 1);
	}
	return OK;
}

enum status
query_value(const struct query_want *want, char *out, size_t out_bytes)
{
	return want->st == OK ? value_decode(want->value, out, out_bytes)
	                      : want->st;
}

enum status
query_get(struct slice query, const char *key, char *out, size_t out_bytes)
{
	struct query_want want = { .key = slice_of(key) };
	enum status st = query_find(query, &want, 1);

	return st == OK ? query_value(&want, out, out_bytes) : st;
}
