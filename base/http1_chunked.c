/* The chunked coding (RFC 9112 7.1), decoded byte by byte and strictly. */
#include "base/http1.h"

#include <string.h>

enum {
	CHUNK_LINE_BYTES_MAX = 256,
	TRAILERS_BYTES_MAX = 8192,
	CHUNK_DIGITS_MAX = 16,
};

enum chunk_state {
	CHUNK_SIZE,
	CHUNK_BWS,
	CHUNK_EXT,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_START,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	TRAILER_END_LF,
	CHUNK_DONE,
	CHUNK_BROKEN,
};

void
http1_chunked_init(struct http1_chunked *c)
{
	*c = (struct http1_chunked){ .state = CHUNK_SIZE };
}

static unsigned
hex_value(char c)
{
	return (
	    unsigned)(ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10);
}

/* After the size comes CRLF or ';' and nothing else, but for the "bad" white
 * space that RFC 9112 7.1.1 wants taken before a ';'. No sign. */
static enum status
step_size(struct http1_chunked *c, char b)
{
	if (ascii_is_hex(b)) {
		if (++c->digits > CHUNK_DIGITS_MAX || c->left > INT64_MAX / 16)
			return E_SYNTAX;
		c->left = c->left * 16 + hex_value(b);
		return OK;
	}
	if (c->digits == 0)
		return E_SYNTAX;
	if (b == ' ' || b == '\t')
		c->state = CHUNK_BWS;
	else if (b == '\r')
		c->state = CHUNK_SIZE_LF;
	else if (b == ';')
		c->state = CHUNK_EXT;
	else
		return E_SYNTAX;
	return OK;
}

static enum status
step_bws(struct http1_chunked *c, char b)
{
	if (b == ';')
		c->state = CHUNK_EXT;
	else if (b != ' ' && b != '\t')
		return E_SYNTAX;
	return OK;
}

static bool
is_text(char b)
{
	return (b >= ' ' && b != 0x7f) || b == '\t' || (unsigned char)b >= 0x80;
}

static enum status
step_ext(struct http1_chunked *c, char b)
{
	if (b == '\r')
		c->state = CHUNK_SIZE_LF;
	else if (!is_text(b))
		return E_SYNTAX;
	return OK;
}

static enum status
step_size_lf(struct http1_chunked *c, char b)
{
	if (b != '\n')
		return E_SYNTAX;
	c->state = c->left > 0 ? CHUNK_DATA : TRAILER_START;
	c->overhead = 0;
	c->digits = 0;
	return OK;
}

static bool
is_tchar(char b)
{
	return ascii_is_alnum(b) ||
	    (b != '\0' && strchr("!#$%&'*+-.^_`|~", b) != NULL);
}

static enum status
step_trailer_start(struct http1_chunked *c, char b)
{
	if (b == '\r')
		c->state = TRAILER_END_LF;
	else if (is_tchar(b))
		c->state = TRAILER_NAME;
	else
		return E_SYNTAX;
	return OK;
}

static enum status
step_trailer(struct http1_chunked *c, char b)
{
	if (c->state == TRAILER_NAME) {
		if (b == ':')
			c->state = TRAILER_VALUE;
		else if (!is_tchar(b))
			return E_SYNTAX;
		return OK;
	}
	if (b == '\r')
		c->state = TRAILER_LF;
	else if (!is_text(b))
		return E_SYNTAX;
	return OK;
}

static enum status
step_expect(struct http1_chunked *c, char b, char want, enum chunk_state next)
{
	if (b != want)
		return E_SYNTAX;
	c->state = (uint8_t)next;
	return OK;
}

/* One byte that is not body data. */
static enum status
step(struct http1_chunked *c, char b)
{
	switch ((enum chunk_state)c->state) {
	case CHUNK_SIZE:
		return step_size(c, b);
	case CHUNK_BWS:
		return step_bws(c, b);
	case CHUNK_EXT:
		return step_ext(c, b);
	case CHUNK_SIZE_LF:
		return step_size_lf(c, b);
	case CHUNK_DATA_CR:
		return step_expect(c, b, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		return step_expect(c, b, '\n', CHUNK_SIZE);
	case TRAILER_START:
		return step_trailer_start(c, b);
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return step_trailer(c, b);
	case TRAILER_LF:
		return step_expect(c, b, '\n', TRAILER_START);
	case TRAILER_END_LF:
		return step_expect(c, b, '\n', CHUNK_DONE);
	case CHUNK_DATA:
	case CHUNK_DONE:
	case CHUNK_BROKEN:
		break;
	}
	return E_SYNTAX;
}

static bool
in_trailer_field(uint8_t state)
{
	return state >= TRAILER_NAME && state <= TRAILER_LF;
}

/* Counts @b against the ceiling of its line, steps, and keeps trailers. */
static enum status
step_bounded(struct http1_chunked *c, char b, struct buf *trailers)
{
	bool line = c->state <= CHUNK_SIZE_LF;
	bool field = in_trailer_field(c->state);
	enum status st;

	if (line || c->state >= TRAILER_START)
		c->overhead++;
	if (c->overhead > (line ? CHUNK_LINE_BYTES_MAX : TRAILERS_BYTES_MAX))
		return E_LIMIT;
	st = step(c, b);
	if (st != OK || trailers == NULL)
		return st;
	if (field || in_trailer_field(c->state))
		buf_putc(trailers, b);
	return buf_status(trailers);
}

static struct slice
take_data(struct http1_chunked *c, struct slice in)
{
	struct slice data =
	    slice_head(in, c->left < in.n ? (size_t)c->left : in.n);

	c->left -= data.n;
	if (c->left == 0)
		c->state = CHUNK_DATA_CR;
	return data;
}

enum status
http1_chunked_feed(struct http1_chunked *c, struct slice in, struct slice *data,
    size_t *used, struct buf *trailers)
{
	size_t at = 0;
	enum status st;

	*data = (struct slice){ .p = in.p, .n = 0 };
	while (at < in.n && c->state != CHUNK_DONE) {
		if (c->state == CHUNK_DATA) {
			*data = take_data(c, slice_from(in, at));
			at += data->n;
			break;
		}
		st = step_bounded(c, in.p[at++], trailers);
		if (st != OK) {
			c->state = CHUNK_BROKEN;
			*used = at;
			return st;
		}
	}
	*used = at;
	return c->state == CHUNK_DONE ? OK : E_PARTIAL;
}
