/* Response writers; the caller's buffer is secret and wiped. */
#include "identity/shapes.h"

#include "base/jsonw.h"

#include <string.h>

static const char *
phrase(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 414:
		return "URI Too Long";
	case 431:
		return "Request Header Fields Too Large";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Error";
	}
}

/* A whole response in one buffer: the length is known only behind the body. */
struct response {
	struct buf *out;
	size_t length_at; /**< of the digits of Content-Length */
	size_t body_at;
};

enum { LENGTH_DIGITS = 4, HEAD_BYTES = 256, MEMBERS_BYTES = 256 };

/* Hadoop insists on Content-Length and application/json. */
static void
response_begin(struct response *r, struct buf *out, int status, bool keep_alive)
{
	r->out = out;
	buf_puts(out, "HTTP/1.1 ");
	buf_put_u64(out, (uint64_t)status);
	buf_putc(out, ' ');
	buf_puts(out, phrase(status));
	buf_puts(out,
	    "\r\nContent-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: ");
	r->length_at = out->n;
	buf_puts(out, "0000\r\nCache-Control: no-store\r\n");
	if (status == 405)
		buf_puts(out, "Allow: GET\r\n");
	if (status == 503)
		buf_puts(out, "Retry-After: 2\r\n");
	buf_puts(out,
	    keep_alive ? "Connection: keep-alive\r\n\r\n"
	               : "Connection: close\r\n\r\n");
	r->body_at = out->n;
}

/* Most bodies have a length of four digits; for others the rest moves. */
static void
response_end(struct response *r)
{
	struct buf *out = r->out;
	size_t length = out->n - r->body_at, digits = 1, rest;

	for (size_t v = length; v >= 10; v /= 10)
		digits++;
	if (buf_status(out) != OK || !buf_reserve(out, digits))
		return;
	rest = out->n - r->length_at - LENGTH_DIGITS;
	memmove(out->p + r->length_at + digits,
	    out->p + r->length_at + LENGTH_DIGITS, rest);
	out->n = r->length_at + digits + rest;
	for (size_t i = digits; i > 0; i--) {
		out->p[r->length_at + i - 1] = (char)('0' + length % 10);
		length /= 10;
	}
}

static void
put_i64_string(struct buf *out, int64_t v)
{
	buf_putc(out, '"');
	buf_put_i64(out, v);
	buf_putc(out, '"');
}

/* Room for all of it at once: no copy of a token is left behind to wipe. */
static bool
reserve(struct buf *out, const struct shape_token *t)
{
	size_t room = HEAD_BYTES + MEMBERS_BYTES + t->token.n;

	room += slice_of(t->client_id).n + slice_of(t->resource).n;
	return buf_reserve(out, room);
}

/* Up to the token itself, which stands first in every shape. */
static bool
token_begin(struct response *r, struct buf *out, const struct shape_token *t,
    bool keep_alive)
{
	if (!reserve(out, t))
		return false;
	response_begin(r, out, 200, keep_alive);
	buf_puts(out, "{\"access_token\":");
	jsonw_string(out, t->token);
	return true;
}

void
shape_put_token(struct buf *out, const struct shape_token *t, bool keep_alive)
{
	struct response r;

	if (!token_begin(&r, out, t, keep_alive))
		return;
	buf_puts(out, ",\"client_id\":");
	jsonw_string(out, slice_of(t->client_id));
	buf_puts(out, ",\"expires_in\":");
	put_i64_string(out, t->left_s);
	buf_puts(out, ",\"expires_on\":");
	put_i64_string(out, t->expires_unix_s);
	buf_puts(out, ",\"ext_expires_in\":");
	put_i64_string(out, t->left_s);
	buf_puts(out, ",\"not_before\":");
	put_i64_string(out, t->not_before_unix_s);
	buf_puts(out, ",\"resource\":");
	jsonw_string(out, slice_of(t->resource));
	buf_puts(out, ",\"token_type\":\"Bearer\"}");
	response_end(&r);
}

void
shape_put_databricks(
    struct buf *out, const struct shape_token *t, bool keep_alive)
{
	struct response r;

	if (!token_begin(&r, out, t, keep_alive))
		return;
	buf_puts(out, ",\"expires_on\":");
	buf_put_i64(out, t->expires_unix_s);
	buf_puts(out, ",\"token_type\":\"Bearer\"}");
	response_end(&r);
}

void
shape_put_error(struct buf *out, const struct shape_error *e, bool keep_alive)
{
	struct response r;
	struct buf text;
	struct jsonw w;

	buf_init(&text, 2048);
	buf_puts(&text, e->description);
	if (e->code[0] != '\0')
		buf_printf(&text, " (%s", e->code);
	if (e->code[0] != '\0' && e->id[0] != '\0')
		buf_printf(&text, " id=%s", e->id);
	if (e->code[0] != '\0')
		buf_putc(&text, ')');
	response_begin(&r, out, e->status, keep_alive);
	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "error", e->error);
	jsonw_slice(&w, "error_description", buf_slice(&text));
	if (e->app_service) {
		jsonw_i64(&w, "statusCode", e->status);
		jsonw_slice(&w, "message", buf_slice(&text));
	}
	jsonw_object_end(&w);
	response_end(&r);
	if (buf_status(&text) != OK)
		out->st = buf_status(&text);
	buf_release(&text);
}
