/* Heads between HTTP/1.1 and HTTP/2, on the way to a destination. */
#include "proxy/h2_ask.h"

#include "proxy/h2_request.h"

enum { TOLD_BYTES_MAX = 65536 };

/* RFC 9113 8.2.2; Host is said as :authority (8.3.1). */
static bool
is_left_out(struct slice name)
{
	return slice_is_nocase(name, "connection") ||
	    slice_is_nocase(name, "proxy-connection") ||
	    slice_is_nocase(name, "keep-alive") ||
	    slice_is_nocase(name, "upgrade") || slice_is_nocase(name, "te") ||
	    slice_is_nocase(name, "transfer-encoding") ||
	    slice_is_nocase(name, "host");
}

static void
put(struct h2_ask *ask, struct slice name, struct slice value)
{
	ask->fields[ask->n++] =
	    (struct h2_field){ .name = name, .value = value };
}

static void
put_lower(struct h2_ask *ask, struct buf *head, const struct http1_field *f)
{
	char *p = head->p + (f->name.p - head->p);

	for (size_t i = 0; i < f->name.n; i++)
		p[i] = ascii_lower(p[i]);
	put(ask, f->name, f->value);
	/* Kept out of the table that lives as long as the connection. */
	ask->fields[ask->n - 1].secret =
	    slice_is(f->name, "authorization") || slice_is(f->name, "cookie");
}

enum status
h2_ask_read(struct buf *head, struct h2_ask *ask)
{
	struct http1_request r;
	struct http1_error error;
	struct slice host, type;

	ask->n = 0;
	if (http1_parse_request(buf_slice(head), &r, &error) != OK ||
	    http1_request_framing(&r, &ask->framing, &error) != OK ||
	    http1_field_only(&r.fields, "host", &host) != OK)
		return E_SYNTAX;
	ask->is_head = slice_is(r.method, "HEAD");
	put(ask, SLICE(":method"), r.method);
	put(ask, SLICE(":scheme"), SLICE("https"));
	put(ask, SLICE(":authority"), host);
	put(ask, SLICE(":path"), r.target);
	for (size_t i = 0; i < r.fields.n; i++)
		if (!is_left_out(r.fields.at[i].name))
			put_lower(ask, head, &r.fields.at[i]);
	/* gRPC's servers ask for it; a client's own is of its hop alone. */
	if (http1_field_only(&r.fields, "content-type", &type) == OK &&
	    slice_starts(type, SLICE("application/grpc")))
		put(ask, SLICE("te"), SLICE("trailers"));
	return OK;
}

void
h2_told_init(struct h2_told *t)
{
	*t = (struct h2_told){ .bad = false };
	buf_init(&t->fields, TOLD_BYTES_MAX);
}

void
h2_told_release(struct h2_told *t)
{
	buf_release(&t->fields);
}

void
h2_told_field(struct h2_told *t, struct slice name, struct slice value)
{
	if (slice_is(name, ":status")) {
		t->bad = t->bad || t->status[0] != '\0' || value.n != 3 ||
		    !slice_copy(value, t->status, sizeof t->status);
		return;
	}
	if (!h2_field_is_sound(name, value) || is_left_out(name)) {
		t->bad = true;
		return;
	}
	t->has_length = t->has_length || slice_is(name, "content-length");
	h2_trailer_put(&t->fields, name, value);
}

/* RFC 9112 6.3: what has no body whatever its fields say. */
static bool
is_bare(const struct h2_told *t, bool to_head)
{
	return to_head || t->status[0] == '1' ||
	    slice_is(slice_of(t->status), "204") ||
	    slice_is(slice_of(t->status), "304");
}

enum status
h2_told_put(struct h2_told *t, bool ends, bool to_head, struct buf *out,
    bool *chunked, bool *interim)
{
	bool bare = is_bare(t, to_head);

	if (t->bad || t->status[0] == '\0' ||
	    slice_is(slice_of(t->status), "101"))
		return E_SYNTAX;
	if (buf_status(&t->fields) != OK)
		return buf_status(&t->fields);
	*interim = t->status[0] == '1';
	*chunked = !ends && !bare && !t->has_length;
	buf_puts(out, "HTTP/1.1 ");
	buf_puts(out, t->status);
	buf_puts(out, " \r\n");
	buf_put_slice(out, buf_slice(&t->fields));
	if (*chunked)
		buf_puts(out, "transfer-encoding: chunked\r\n");
	else if (ends && !bare && !t->has_length)
		buf_puts(out, "content-length: 0\r\n");
	buf_puts(out, "\r\n");
	buf_clear(&t->fields);
	t->status[0] = '\0';
	t->has_length = false;
	return buf_status(out);
}
