/* Heads: where they end, start lines and fields, read into slices. */
#include "base/http1.h"

#include <string.h>

static enum status
fail(struct http1_error *error, int status, const char *detail)
{
	*error = (struct http1_error){ .status = status, .detail = detail };
	return status == 414 || status == 431 ? E_LIMIT : E_SYNTAX;
}

/* 414 while the request line itself is still open, else 431 (RFC 6585 5). */
static enum status
fail_too_long(struct slice bytes, struct http1_error *error)
{
	struct slice line = bytes;

	if (slice_starts(line, SLICE("\r\n")))
		line = slice_from(line, 2);
	if (slice_find(line, '\n') == line.n)
		return fail(error, 414, "the request line is too long");
	return fail(error, 431, "the head is too long");
}

/* Whether the LF at @at closes an empty line that is not the first one:
 * RFC 9112 2.2 lets one empty line stand before a request. */
static bool
ends_head(const char *p, size_t at)
{
	return at >= 3 && p[at - 2] == '\n';
}

/* Eight bytes at a time, as long as there is no control among them: from @at
 * to where one may be. */
static size_t
skip_plain(struct slice in, size_t at)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	for (; at + 8 <= in.n; at += 8) {
		uint64_t v;

		memcpy(&v, in.p + at, 8);
		/* A byte below 0x20 borrows from its own high bit. */
		if (((v - 0x20 * ones) & ~v & 0x80 * ones) != 0)
			break;
	}
	return at;
}

enum status
http1_head_end(struct slice bytes, size_t max_bytes, size_t *scanned,
    size_t *end, struct http1_error *error)
{
	struct slice in = slice_head(bytes, max_bytes);
	size_t i = skip_plain(in, *scanned);

	for (; i < in.n; i++) {
		char c = in.p[i];
		if (c == '\0')
			return fail(error, 400, "a NUL byte in the head");
		if (c == '\n')
			return fail(error, 400, "a line ends in a bare LF");
		if (c != '\r')
			continue;
		if (i + 1 == in.n)
			break;
		if (in.p[i + 1] != '\n')
			return fail(error, 400, "a bare CR in the head");
		i++;
		if (i == 3 && in.p[1] == '\n')
			return fail(error, 400, "empty lines before the head");
		if (ends_head(in.p, i)) {
			*end = i + 1;
			return OK;
		}
		i = skip_plain(in, i + 1) - 1;
	}
	if (bytes.n >= max_bytes)
		return fail_too_long(in, error);
	*scanned = i;
	return E_PARTIAL;
}

/* RFC 9110 5.6.2 */
static bool
is_token(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) &&
		    (s.p[i] == '\0' ||
		        strchr("!#$%&'*+-.^_`|~", s.p[i]) == NULL))
			return false;
	return s.n > 0;
}

/* RFC 9110 5.5: field-vchar, SP and HTAB; no other control, no DEL. */
static bool
is_field_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Takes one line off @rest, without its CRLF. The caller knows that all
 * lines end so; false when there is none, or a lone CR or LF is left. */
static bool
line_next(struct slice *rest, struct slice *line)
{
	size_t at = slice_find(*rest, '\r');

	if (at + 1 >= rest->n || rest->p[at + 1] != '\n')
		return false;
	*line = slice_head(*rest, at);
	*rest = slice_from(*rest, at + 2);
	return slice_find(*line, '\n') == line->n;
}

static enum status
field_parse(struct slice line, bool response, struct http1_field *out,
    struct http1_error *error)
{
	size_t colon = slice_find(line, ':');
	struct slice name = slice_head(line, colon);

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return fail(error, 400, "a line is folded");
	if (colon == line.n)
		return fail(error, 400, "a field has no colon");
	/* RFC 9112 5.1: a proxy removes this from responses. */
	if (response)
		name = slice_trim_ows(name);
	if (!is_token(name))
		return fail(error, 400, "a field name is not a token");
	out->name = name;
	out->value = slice_trim_ows(slice_from(line, colon + 1));
	if (!is_field_text(out->value))
		return fail(error, 400, "a control byte in a field");
	return OK;
}

static enum status
fields_parse(struct slice rest, bool response, struct http1_fields *out,
    struct http1_error *error)
{
	struct slice line;
	enum status st;

	out->n = 0;
	while (line_next(&rest, &line)) {
		if (line.n == 0)
			return rest.n == 0
			    ? OK
			    : fail(error, 400, "bytes follow the head");
		if (out->n == HTTP1_FIELDS_MAX)
			return fail(error, 431, "there are too many fields");
		st = field_parse(line, response, &out->at[out->n], error);
		if (st != OK)
			return st;
		out->n++;
	}
	return fail(error, 400, "the head does not end in an empty line");
}

/* "HTTP/1.x": a higher minor version is read as 1.1 (RFC 9110 2.5). */
static enum status
version_parse(
    struct slice s, enum http1_version *out, struct http1_error *error)
{
	if (s.n != 8 || !slice_starts(s, SLICE("HTTP/")) || s.p[6] != '.' ||
	    !ascii_is_digit(s.p[5]) || !ascii_is_digit(s.p[7]))
		return fail(error, 400, "the HTTP version is malformed");
	if (s.p[5] > '1')
		return fail(
		    error, 505, "only HTTP/1.0 and 1.1 are spoken here");
	if (s.p[5] < '1')
		return fail(error, 400, "the HTTP version is malformed");
	*out = s.p[7] == '0' ? HTTP1_0 : HTTP1_1;
	return OK;
}

static enum status
request_line_parse(
    struct slice line, struct http1_request *out, struct http1_error *error)
{
	size_t sp = slice_find(line, ' ');
	struct slice rest = slice_from(line, sp + 1);
	size_t sp2 = slice_find(rest, ' ');

	out->method = slice_head(line, sp);
	out->target = slice_head(rest, sp2);
	if (!is_token(out->method))
		return fail(error, 400, "the method is not a token");
	if (out->target.n == 0 || sp2 == rest.n)
		return fail(error, 400, "the request line is malformed");
	/* RFC 9112 3.2: refused, not repaired. */
	for (size_t i = 0; i < out->target.n; i++)
		if (out->target.p[i] <= ' ' || out->target.p[i] >= 0x7f)
			return fail(error, 400, "a byte in the target");
	return version_parse(slice_from(rest, sp2 + 1), &out->version, error);
}

/* Bytes of the request line and of the empty one that may stand before it;
 * 0 while it is open. */
static size_t
request_line_bytes(struct slice bytes)
{
	size_t skip = slice_starts(bytes, SLICE("\r\n")) ? 2 : 0;
	size_t at = slice_find(slice_from(bytes, skip), '\n') + skip;

	return at < bytes.n ? at + 1 : 0;
}

/* Reads the whole lines of @seen that were not there before. */
static enum status
check_lines(
    struct slice seen, struct http1_scan *scan, struct http1_error *error)
{
	struct slice rest = slice_from(seen, scan->checked), line;
	struct http1_request unused;
	struct http1_field field;
	enum status st = OK;

	while (st == OK && line_next(&rest, &line)) {
		bool before = line.n == 0 && !scan->line_checked;
		if (!before && scan->line_checked)
			st = field_parse(line, false, &field, error);
		else if (!before)
			st = request_line_parse(line, &unused, error);
		scan->line_checked = scan->line_checked || !before;
		scan->checked = seen.n - rest.n;
	}
	return st;
}

enum status
http1_request_head_end(struct slice bytes, size_t max_bytes,
    struct http1_scan *scan, size_t *end, struct http1_error *error)
{
	size_t from = scan->scanned, line;
	struct slice fresh, seen;
	enum status st =
	    http1_head_end(bytes, max_bytes, &scan->scanned, end, error);

	if (st == E_LIMIT && error->status == 431) {
		line = request_line_bytes(slice_head(bytes, max_bytes));
		st = http1_head_end(
		    bytes, max_bytes + line, &scan->scanned, end, error);
	}
	if (st != E_PARTIAL)
		return st;
	seen = slice_head(bytes, scan->scanned);
	fresh = slice_from(seen, from);
	/* What comes whole is parsed once, when it is whole. */
	if (slice_find(fresh, '\n') == fresh.n)
		return E_PARTIAL;
	st = check_lines(seen, scan, error);
	return st == OK ? E_PARTIAL : st;
}

enum status
http1_parse_request(
    struct slice head, struct http1_request *out, struct http1_error *error)
{
	struct slice rest = head, line;
	enum status st;

	if (slice_starts(rest, SLICE("\r\n")))
		rest = slice_from(rest, 2);
	if (!line_next(&rest, &line))
		return fail(error, 400, "the request line is malformed");
	st = request_line_parse(line, out, error);
	if (st != OK)
		return st;
	return fields_parse(rest, false, &out->fields, error);
}

/* RFC 9112 4. The reason may be missing with its space: "recipients MAY
 * parse on whitespace-delimited word boundaries". */
static enum status
status_line_parse(
    struct slice line, struct http1_response *out, struct http1_error *error)
{
	struct slice rest = slice_from(line, 9);
	struct slice code = slice_head(rest, 3);
	enum status st;
	uint64_t v;

	st = version_parse(slice_head(line, 8), &out->version, error);
	if (st != OK)
		return st;
	if (line.n < 12 || line.p[8] != ' ' || !slice_to_u64(code, 999, &v) ||
	    v < 100 || (rest.n > 3 && rest.p[3] != ' '))
		return fail(error, 400, "the status line is malformed");
	out->status = (int)v;
	out->reason = slice_from(rest, 4);
	if (!is_field_text(out->reason))
		return fail(error, 400, "a control byte in the reason");
	return OK;
}

enum status
http1_parse_response(
    struct slice head, struct http1_response *out, struct http1_error *error)
{
	struct slice rest = head, line;
	enum status st;

	if (!line_next(&rest, &line))
		return fail(error, 400, "the status line is malformed");
	st = status_line_parse(line, out, error);
	if (st != OK)
		return st;
	return fields_parse(rest, true, &out->fields, error);
}

bool
http1_response_may_begin(struct slice bytes)
{
	struct slice version = slice_head(SLICE("HTTP/1."), bytes.n);
	struct slice rest = bytes, line;
	struct http1_response unused;
	struct http1_error error;

	if (!slice_starts(bytes, version))
		return false;
	return slice_find(bytes, '\n') == bytes.n ||
	    (line_next(&rest, &line) &&
	        status_line_parse(line, &unused, &error) == OK);
}
