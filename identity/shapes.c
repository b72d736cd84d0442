/* Response writers; the caller's buffer is secret and wiped. */
#include "identity/shapes.h"

#include "base/jsonw.h"

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

/* Hadoop insists on Content-Length and application/json. */
static void
put_response(
    struct buf *out, int status, const struct buf *body, bool keep_alive)
{
	buf_printf(out, "HTTP/1.1 %d %s\r\n", status, phrase(status));
	buf_puts(out, "Content-Type: application/json; charset=utf-8\r\n");
	buf_printf(out, "Content-Length: %zu\r\n", body->n);
	buf_puts(out, "Cache-Control: no-store\r\n");
	if (status == 405)
		buf_puts(out, "Allow: GET\r\n");
	if (status == 503)
		buf_puts(out, "Retry-After: 2\r\n");
	buf_printf(
	    out, "Connection: %s\r\n\r\n", keep_alive ? "keep-alive" : "close");
	buf_put_slice(out, buf_slice(body));
	if (buf_status(body) != OK)
		out->st = buf_status(body);
}

static void
put_i64_text(struct jsonw *w, const char *key, int64_t v)
{
	struct buf text;

	buf_init(&text, 32);
	buf_put_i64(&text, v);
	jsonw_slice(w, key, buf_slice(&text));
	if (buf_status(&text) != OK)
		w->out->st = buf_status(&text);
	buf_release(&text);
}

void
shape_put_token(struct buf *out, const struct shape_token *t, bool keep_alive)
{
	struct buf body;
	struct jsonw w;

	buf_init_secret(&body, out->max);
	jsonw_init(&w, &body);
	jsonw_object(&w, NULL);
	jsonw_slice(&w, "access_token", t->token);
	jsonw_str(&w, "client_id", t->client_id);
	put_i64_text(&w, "expires_in", t->left_s);
	put_i64_text(&w, "expires_on", t->expires_unix_s);
	put_i64_text(&w, "ext_expires_in", t->left_s);
	put_i64_text(&w, "not_before", t->not_before_unix_s);
	jsonw_str(&w, "resource", t->resource);
	jsonw_str(&w, "token_type", "Bearer");
	jsonw_object_end(&w);
	put_response(out, 200, &body, keep_alive);
	buf_release(&body);
}

void
shape_put_databricks(
    struct buf *out, const struct shape_token *t, bool keep_alive)
{
	struct buf body;
	struct jsonw w;

	buf_init_secret(&body, out->max);
	jsonw_init(&w, &body);
	jsonw_object(&w, NULL);
	jsonw_slice(&w, "access_token", t->token);
	jsonw_i64(&w, "expires_on", t->expires_unix_s);
	jsonw_str(&w, "token_type", "Bearer");
	jsonw_object_end(&w);
	put_response(out, 200, &body, keep_alive);
	buf_release(&body);
}

void
shape_put_error(struct buf *out, const struct shape_error *e, bool keep_alive)
{
	struct buf body, text;
	struct jsonw w;

	buf_init(&body, 4096);
	buf_init(&text, 2048);
	buf_puts(&text, e->description);
	if (e->code[0] != '\0')
		buf_printf(&text, " (%s", e->code);
	if (e->code[0] != '\0' && e->id[0] != '\0')
		buf_printf(&text, " id=%s", e->id);
	if (e->code[0] != '\0')
		buf_putc(&text, ')');
	jsonw_init(&w, &body);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "error", e->error);
	jsonw_slice(&w, "error_description", buf_slice(&text));
	if (e->app_service) {
		jsonw_i64(&w, "statusCode", e->status);
		jsonw_slice(&w, "message", buf_slice(&text));
	}
	jsonw_object_end(&w);
	put_response(out, e->status, &body, keep_alive);
	if (buf_status(&text) != OK)
		out->st = buf_status(&text);
	buf_release(&text);
	buf_release(&body);
}
