/* Where a body ends (RFC 9112 6.3): the one place that decides it. */
#include "base/http1.h"

#include <string.h>

enum coding { CODING_NONE, CODING_CHUNKED, CODING_OTHER, CODING_FAULTY };

/*
 * What the Transfer-Encoding lines say. Anything but one line that reads
 * "chunked" is never taken for "no coding": two parsers that disagree here
 * are how requests get smuggled. Clean lists with other codings before a
 * final chunked are CODING_OTHER, so that the sender hears 501 and not 400.
 */
static enum coding
coding_read(const struct http1_fields *f)
{
	struct slice value, rest, element;
	size_t others = 0;
	bool chunked = false;
	enum status st = http1_field_only(f, "transfer-encoding", &value);

	if (st == E_NOTFOUND)
		return CODING_NONE;
	if (st != OK)
		return CODING_FAULTY;
	if (slice_is_nocase(value, "chunked"))
		return CODING_CHUNKED;
	for (rest = value; http1_list_next(&rest, &element);) {
		if (chunked)
			return CODING_FAULTY;
		chunked = slice_is_nocase(element, "chunked");
		if (!chunked)
			others++;
		for (size_t i = 0; i < element.n; i++)
			if (!ascii_is_alnum(element.p[i]) &&
			    element.p[i] != '-')
				return CODING_FAULTY;
	}
	if (value.n > 0 && (value.p[0] == ',' || value.p[value.n - 1] == ','))
		return CODING_FAULTY;
	return chunked && others > 0 ? CODING_OTHER : CODING_FAULTY;
}

/* RFC 9110 8.6: one line, digits only; equal repeats are refused too. */
static enum status
length_read(const struct http1_fields *f, bool *has, uint64_t *out)
{
	struct slice value;
	enum status st = http1_field_only(f, "content-length", &value);

	*has = st != E_NOTFOUND;
	if (st == E_NOTFOUND)
		return OK;
	if (st != OK || !slice_to_u64(value, INT64_MAX, out))
		return E_SYNTAX;
	return OK;
}

static enum status
fail(struct http1_error *error, int status, const char *detail)
{
	*error = (struct http1_error){ .status = status, .detail = detail };
	return E_SYNTAX;
}

static enum status
request_coding_check(const struct http1_request *r, enum coding coding,
    bool has_length, struct http1_error *error)
{
	bool any = coding != CODING_NONE;

	if (slice_is(r->method, "CONNECT") && (any || has_length))
		return fail(error, 400, "CONNECT has no body");
	if (any && has_length)
		return fail(error, 400,
		    "Transfer-Encoding and Content-Length together");
	if (any && r->version == HTTP1_0)
		return fail(error, 400, "Transfer-Encoding in HTTP/1.0");
	if (coding == CODING_FAULTY)
		return fail(error, 400, "Transfer-Encoding is malformed");
	if (coding == CODING_OTHER)
		return fail(error, 501, "only chunked is a known coding");
	return OK;
}

enum status
http1_request_framing(const struct http1_request *r, struct http1_framing *out,
    struct http1_error *error)
{
	enum coding coding = coding_read(&r->fields);
	struct http1_framing f = { .body = HTTP1_BODY_NONE };
	bool has_length;

	if (length_read(&r->fields, &has_length, &f.length) != OK)
		return fail(error, 400, "Content-Length is malformed");
	if (request_coding_check(r, coding, has_length, error) != OK)
		return E_SYNTAX;
	if (coding == CODING_CHUNKED)
		f.body = HTTP1_BODY_CHUNKED;
	else if (has_length)
		f.body = HTTP1_BODY_LENGTH;
	/* RFC 9112 9.3: a proxy keeps no connection with 1.0 clients. */
	f.keep_alive = r->version == HTTP1_1 &&
	    !http1_field_has_token(&r->fields, "connection", SLICE("close"));
	*out = f;
	return OK;
}

/* RFC 9110 6.4.1: these have no body, whatever their fields say. */
static bool
response_is_bodyless(int status, struct slice method)
{
	return status < 200 || status == 204 || status == 304 ||
	    slice_is(method, "HEAD") ||
	    (status < 300 && slice_is(method, "CONNECT"));
}

enum status
http1_response_framing(const struct http1_response *r, struct slice method,
    struct http1_framing *out)
{
	enum coding coding = coding_read(&r->fields);
	struct http1_framing f = { .body = HTTP1_BODY_UNTIL_CLOSE };
	bool has_length;

	if (length_read(&r->fields, &has_length, &f.length) != OK)
		return E_SYNTAX;
	if (coding == CODING_FAULTY || coding == CODING_OTHER ||
	    (coding != CODING_NONE && r->version == HTTP1_0))
		return E_SYNTAX;
	f.keep_alive = r->version == HTTP1_1 &&
	    !http1_field_has_token(&r->fields, "connection", SLICE("close"));
	/* RFC 9112 6.3: the coding wins, but nobody trusts what follows. */
	f.dirty = coding != CODING_NONE && has_length;
	if (response_is_bodyless(r->status, method)) {
		f.body = HTTP1_BODY_NONE;
		f.dirty = f.dirty ||
		    ((r->status < 200 || r->status == 204) &&
		        (coding != CODING_NONE || f.length > 0));
	} else if (coding == CODING_CHUNKED) {
		f.body = HTTP1_BODY_CHUNKED;
	} else if (has_length) {
		f.body = HTTP1_BODY_LENGTH;
	} else {
		f.keep_alive = false;
	}
	if (f.dirty)
		f.keep_alive = false;
	*out = f;
	return OK;
}
