/* The HTTP/1 message parser and writer (RFC 9112): strict, bounded, shared by
 * the proxy, the broker, admin and every client of ours.
 *
 * A head is parsed whole: bytes gather in the caller's buffer until
 * http1_head_end() finds the empty line, then one of the two parse functions
 * reads it into slices of that buffer. Framing is decided once, by
 * http1_request_framing() or http1_response_framing(), and by nobody else. */
#ifndef BASE_HTTP1_H
#define BASE_HTTP1_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

enum {
	HTTP1_FIELDS_MAX = 100,
	HTTP1_HEAD_BYTES_DEFAULT = 16384,
	HTTP1_HEAD_PARTS = 2, /**< a request's line, and its fields */
};

struct http1_field {
	struct slice name;  /**< token, as sent */
	struct slice value; /**< without OWS at both ends */
};

struct http1_fields {
	struct http1_field at[HTTP1_FIELDS_MAX];
	size_t n;
};

enum http1_version { HTTP1_0, HTTP1_1 };

struct http1_request {
	struct slice method;
	struct slice target;
	enum http1_version version;
	struct http1_fields fields;
};

struct http1_response {
	enum http1_version version;
	int status; /**< 100..999 */
	struct slice reason;
	struct http1_fields fields;
};

/** Why a head was refused, as the HTTP status to answer with. */
struct http1_error {
	int status;         /**< 400, 414, 431, 501 or 505 */
	const char *detail; /**< static English clause */
};

/**
 * Looks for the end of a head in @bytes. OK and *@end = bytes up to and with
 * the empty line; E_PARTIAL when it is not there yet. E_SYNTAX as soon as a
 * bare CR, bare LF or NUL is seen. E_LIMIT (*@error says 414 or 431) when
 * @max_bytes are passed. *@scanned (0 at first) spares looking twice.
 */
enum status http1_head_end(struct slice bytes, size_t max_bytes,
    size_t *scanned, size_t *end, struct http1_error *error) ATTR_MUST_USE;

/** Where the reading of one request head stands; zero at first. */
struct http1_scan {
	size_t scanned;    /**< bytes that need no second look */
	size_t checked;    /**< bytes of lines that a request may have */
	bool line_checked; /**< the request line is among them */
};

/**
 * As above, for requests: a line that no request can have is E_SYNTAX as
 * soon as it is there, not when the head ends, and @max_bytes holds for the
 * request line and for the fields, each.
 */
enum status http1_request_head_end(struct slice bytes, size_t max_bytes,
    struct http1_scan *scan, size_t *end,
    struct http1_error *error) ATTR_MUST_USE;

/** @head is exactly one head with its empty line. E_SYNTAX, E_LIMIT. */
enum status http1_parse_request(struct slice head, struct http1_request *out,
    struct http1_error *error) ATTR_MUST_USE;
/** As above; tolerates what RFC 9112 tells a client to tolerate, no more. */
enum status http1_parse_response(struct slice head, struct http1_response *out,
    struct http1_error *error) ATTR_MUST_USE;

/** Whether @bytes may be how a response begins: they need not be all. */
bool http1_response_may_begin(struct slice bytes);

/** Index of the first field @name at or after @from; fields.n when none. */
static inline size_t
http1_field_find(const struct http1_fields *f, const char *name, size_t from)
{
	struct slice wanted = slice_of(name);

	while (from < f->n && !slice_eq_nocase(f->at[from].name, wanted))
		from++;
	return from < f->n ? from : f->n;
}

/** The value of the only field @name; E_NOTFOUND, E_INVALID when repeated. */
enum status http1_field_only(const struct http1_fields *f, const char *name,
    struct slice *out) ATTR_MUST_USE;
/** Whether a list field (Connection, Via, ...) holds @token, any case. */
bool http1_field_has_token(
    const struct http1_fields *f, const char *name, struct slice token);
/** Takes the next element of a comma list off @rest; false at the end. */
bool http1_list_next(struct slice *rest, struct slice *element);

enum http1_body {
	HTTP1_BODY_NONE,
	HTTP1_BODY_LENGTH,
	HTTP1_BODY_CHUNKED,
	HTTP1_BODY_UNTIL_CLOSE, /**< responses only */
};

struct http1_framing {
	enum http1_body body;
	uint64_t length; /**< for HTTP1_BODY_LENGTH */
	bool keep_alive; /**< the sender will keep the connection */
	bool dirty;      /**< response framing was doubtful: do not reuse */
};

/** RFC 9112 6.3 for requests; every doubtful form is E_SYNTAX (400/501). */
enum status http1_request_framing(const struct http1_request *r,
    struct http1_framing *out, struct http1_error *error) ATTR_MUST_USE;
/** RFC 9112 6.3 for responses to @method; E_SYNTAX means 502. */
enum status http1_response_framing(const struct http1_response *r,
    struct slice method, struct http1_framing *out) ATTR_MUST_USE;

/** Decodes a chunked body as it streams (RFC 9112 7.1). */
struct http1_chunked {
	uint8_t state;
	uint8_t digits;
	bool saw_cr;
	uint64_t left;   /**< data bytes left in this chunk */
	size_t overhead; /**< bytes of this chunk line or trailer so far */
	uint64_t trailer_from; /**< private */
};

void http1_chunked_init(struct http1_chunked *c);
/**
 * Takes bytes off @in: *@data is the next run of body data (may be empty),
 * *@used what was consumed. OK when the last chunk and the trailers ended,
 * E_PARTIAL when more is needed (call again while *@used > 0), E_SYNTAX or
 * E_LIMIT when the framing is broken. Trailer fields are checked as fields
 * and appended raw ("name: value\r\n") to @trailers when that is not NULL.
 */
enum status http1_chunked_feed(struct http1_chunked *c, struct slice in,
    struct slice *data, size_t *used, struct buf *trailers) ATTR_MUST_USE;

/** "NAME: VALUE\r\n". The caller vouches that both are valid. */
void http1_put_field(struct buf *out, const char *name, struct slice value);

#endif
