/* Responses of HTTP/1.1 read for HTTP/2: what frames them there goes. */
#include "proxy/h2_answer.h"

enum { HEAD_BYTES_MAX = 65536 + 2048 };

void
h2_answer_init(struct h2_answer *a, bool is_head)
{
	*a = (struct h2_answer){ .is_head = is_head };
	buf_init(&a->head, HEAD_BYTES_MAX);
}

void
h2_answer_release(struct h2_answer *a)
{
	buf_release(&a->head);
	forward_body_release(&a->body);
}

/* RFC 9113 8.2.2; chunks end with this hop. */
static bool
is_of_connection(struct slice name)
{
	return slice_is_nocase(name, "connection") ||
	    slice_is_nocase(name, "proxy-connection") ||
	    slice_is_nocase(name, "keep-alive") ||
	    slice_is_nocase(name, "upgrade") ||
	    slice_is_nocase(name, "transfer-encoding");
}

/* RFC 9113 8.2: within the buffer that the slice is of. */
static struct slice
lower(struct buf *b, struct slice name)
{
	char *p = b->p + (name.p - b->p);

	for (size_t i = 0; i < name.n; i++)
		p[i] = ascii_lower(p[i]);
	return name;
}

static void
fill_head(struct h2_answer *a, const struct http1_response *r,
    struct h2_answer_head *head)
{
	head->status = r->status;
	head->status_text[0] = (char)('0' + r->status / 100);
	head->status_text[1] = (char)('0' + r->status / 10 % 10);
	head->status_text[2] = (char)('0' + r->status % 10);
	head->fields[0] = (struct h2_field){ .name = SLICE(":status"),
		.value = { head->status_text, 3 } };
	head->n = 1;
	for (size_t i = 0; i < r->fields.n; i++) {
		const struct http1_field *f = &r->fields.at[i];
		if (is_of_connection(f->name))
			continue;
		head->fields[head->n++] =
		    (struct h2_field){ .name = lower(&a->head, f->name),
			    .value = f->value };
	}
}

static enum status
read_head(struct h2_answer *a, struct h2_answer_head *head)
{
	struct slice method = a->is_head ? SLICE("HEAD") : SLICE("GET");
	struct http1_framing framing;
	struct http1_response r;
	struct http1_error error;

	if (http1_parse_response(buf_slice(&a->head), &r, &error) != OK ||
	    http1_response_framing(&r, method, &framing) != OK)
		return E_SYNTAX;
	fill_head(a, &r, head);
	a->told = true;
	if (r.status < 200)
		return OK;
	forward_body_init(&a->body, &framing, false);
	a->until_close = framing.body == HTTP1_BODY_UNTIL_CLOSE;
	a->state = a->body.done ? H2_ANSWER_DONE : H2_ANSWER_BODY;
	return OK;
}

enum status
h2_answer_take_head(struct h2_answer *a, struct slice in, size_t *used,
    struct h2_answer_head *head)
{
	size_t before, end = 0;
	struct http1_error error;
	enum status st;

	/* The one before it was told, and is needed no more. */
	if (a->told) {
		buf_clear(&a->head);
		a->scanned = 0;
		a->told = false;
	}
	before = a->head.n;
	in = slice_head(in, a->head.max - before);
	buf_put_slice(&a->head, in);
	*used = in.n;
	st = buf_status(&a->head);
	if (st == OK)
		st = http1_head_end(buf_slice(&a->head), HEAD_BYTES_MAX,
		    &a->scanned, &end, &error);
	if (st == OK) {
		*used = end - before;
		a->head.n = end;
		st = read_head(a, head);
	}
	if (st != OK && st != E_PARTIAL)
		a->state = H2_ANSWER_BAD;
	return st;
}

enum status
h2_answer_take_body(
    struct h2_answer *a, struct slice in, size_t *used, struct buf *out)
{
	enum status st = forward_body_feed(&a->body, in, used, out);

	if (st == OK)
		a->state = H2_ANSWER_DONE;
	else if (st != E_PARTIAL)
		a->state = H2_ANSWER_BAD;
	return st;
}

bool
h2_answer_end(struct h2_answer *a)
{
	if (a->state == H2_ANSWER_BODY && a->until_close)
		a->state = H2_ANSWER_DONE;
	return a->state == H2_ANSWER_DONE;
}

size_t
h2_answer_trailers(
    struct h2_answer *a, struct h2_field fields[H2_ANSWER_FIELDS_MAX])
{
	struct buf *b = &a->body.trailers;
	struct slice rest = buf_slice(b);
	size_t n = 0;

	while (rest.n > 0 && n < H2_ANSWER_FIELDS_MAX) {
		size_t end = slice_find(rest, '\n');
		struct slice line = slice_head(rest, end);
		size_t colon = slice_find(line, ':');
		struct slice value = slice_from(line, colon + 1);
		if (value.n > 0 && value.p[value.n - 1] == '\r')
			value.n--;
		fields[n++] = (struct h2_field){ .name = lower(b,
			                             slice_head(line, colon)),
			.value = slice_trim_ows(value) };
		rest = slice_from(rest, end + 1);
	}
	return n;
}
