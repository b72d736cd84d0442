/* Fields of HTTP/2 written down as a head of HTTP/1.1. */
#include "proxy/h2_request.h"

static const struct slice pseudo_names[H2_PSEUDO_COUNT] = {
	[H2_METHOD] = SLICE_INIT(":method"),
	[H2_SCHEME] = SLICE_INIT(":scheme"),
	[H2_AUTHORITY] = SLICE_INIT(":authority"),
	[H2_PATH] = SLICE_INIT(":path"),
};

void
h2_request_init(struct h2_request *r, size_t head_bytes)
{
	*r = (struct h2_request){ .head_bytes = head_bytes };
	buf_init(&r->pseudo, 2 * head_bytes);
	buf_init_secret(&r->fields, 2 * head_bytes);
	buf_init_secret(&r->cookie, 2 * head_bytes);
}

void
h2_request_release(struct h2_request *r)
{
	buf_release(&r->pseudo);
	buf_release(&r->fields);
	buf_release(&r->cookie);
}

/* What would end a line, or the text, early. */
static bool
has_line_end(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return true;
	return false;
}

/* What would end a word of the request line early. */
static bool
is_word(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

bool
h2_field_is_sound(struct slice name, struct slice value)
{
	return is_word(name) && slice_find(name, ':') == name.n &&
	    !has_line_end(value);
}

void
h2_trailer_put(struct buf *out, struct slice name, struct slice value)
{
	buf_put_slice(out, name);
	buf_puts(out, ": ");
	buf_put_slice(out, value);
	buf_puts(out, "\r\n");
}

static struct slice
pseudo(const struct h2_request *r, enum h2_pseudo which)
{
	return slice_head(
	    slice_from(buf_slice(&r->pseudo), r->at[which].at), r->at[which].n);
}

static void
take_pseudo(struct h2_request *r, struct slice name, struct slice value)
{
	for (size_t i = 0; i < H2_PSEUDO_COUNT; i++) {
		if (!slice_eq(name, pseudo_names[i]))
			continue;
		r->bad = r->bad || r->at[i].given || !is_word(value);
		r->at[i].given = true;
		r->at[i].at = r->pseudo.n;
		r->at[i].n = value.n;
		buf_put_slice(&r->pseudo, value);
		return;
	}
	r->bad = true;
}

/* RFC 9113 8.2.2: these speak of a connection, which is not the client's. */
static bool
is_of_connection(struct slice name)
{
	return slice_is(name, "connection") ||
	    slice_is(name, "proxy-connection") ||
	    slice_is(name, "keep-alive") || slice_is(name, "upgrade") ||
	    slice_is(name, "transfer-encoding");
}

void
h2_request_field(struct h2_request *r, struct slice name, struct slice value)
{
	if (name.n > 0 && name.p[0] == ':') {
		take_pseudo(r, name, value);
		return;
	}
	if (!h2_field_is_sound(name, value) || is_of_connection(name)) {
		r->bad = true;
		return;
	}
	if (slice_is(name, "cookie")) {
		if (r->cookie.n > 0)
			buf_puts(&r->cookie, "; ");
		buf_put_slice(&r->cookie, value);
		return;
	}
	if (slice_is(name, "host")) {
		/* The same thing twice is once; else the parser sees both. */
		if (r->at[H2_AUTHORITY].given &&
		    slice_eq_nocase(value, pseudo(r, H2_AUTHORITY)))
			return;
		r->has_host = true;
	}
	r->has_length = r->has_length || slice_is(name, "content-length");
	h2_trailer_put(&r->fields, name, value);
}

/* Where a length means something also when it is nought (RFC 9110 8.6). */
static bool
expects_body(struct slice method)
{
	return slice_is(method, "POST") || slice_is(method, "PUT") ||
	    slice_is(method, "PATCH");
}

/* The one target of each method, by RFC 9113 8.3.1 and 8.5. One of another
 * scheme is not for us to say: origin-form would lose it. */
static void
put_line(const struct h2_request *r, struct buf *out)
{
	struct slice authority = pseudo(r, H2_AUTHORITY);
	struct slice scheme = pseudo(r, H2_SCHEME);

	buf_put_slice(out, pseudo(r, H2_METHOD));
	buf_putc(out, ' ');
	if (!r->at[H2_PATH].given) {
		buf_put_slice(out, authority);
	} else {
		if (!slice_is(scheme, "https")) {
			buf_put_slice(out, scheme);
			buf_puts(out, "://");
			buf_put_slice(out, authority);
		}
		buf_put_slice(out, pseudo(r, H2_PATH));
	}
	buf_puts(out, " HTTP/1.1\r\n");
	if (r->at[H2_AUTHORITY].given) {
		buf_puts(out, "Host: ");
		buf_put_slice(out, authority);
		buf_puts(out, "\r\n");
	}
}

/* For the parser to refuse, with the answer and the record of all such. */
static void
put_too_long(const struct h2_request *r, struct buf *out)
{
	buf_clear(out);
	buf_puts(out, "GET / HTTP/1.1\r\nX-Too-Long: ");
	for (size_t i = 0; i <= r->head_bytes; i++)
		buf_putc(out, '-');
	buf_puts(out, "\r\n\r\n");
}

static enum status
what_failed(const struct h2_request *r, const struct buf *out)
{
	const struct buf *parts[] = { &r->pseudo, &r->fields, &r->cookie, out };
	enum status st = OK;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (st != E_NOMEM && buf_status(parts[i]) != OK)
			st = buf_status(parts[i]);
	return st;
}

enum status
h2_request_put(struct h2_request *r, bool ends, struct buf *out)
{
	struct slice method = pseudo(r, H2_METHOD);
	enum status st;

	if (what_failed(r, out) == OK &&
	    (r->bad || !r->at[H2_METHOD].given ||
	        !(r->at[H2_PATH].given || r->at[H2_AUTHORITY].given)))
		return E_SYNTAX;
	r->is_head = slice_is(method, "HEAD");
	r->chunked = !ends && !r->has_length;
	put_line(r, out);
	buf_put_slice(out, buf_slice(&r->fields));
	if (r->cookie.n > 0) {
		buf_puts(out, "cookie: ");
		buf_put_slice(out, buf_slice(&r->cookie));
		buf_puts(out, "\r\n");
	}
	if (r->chunked)
		buf_puts(out, "transfer-encoding: chunked\r\n");
	else if (ends && !r->has_length && expects_body(method))
		buf_puts(out, "content-length: 0\r\n");
	buf_puts(out, "\r\n");
	st = what_failed(r, out);
	if (st == E_LIMIT) {
		put_too_long(r, out);
		st = buf_status(out);
	}
	return st;
}
