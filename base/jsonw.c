/* JSON out: commas, escapes, nothing else. */
#include "base/jsonw.h"

#include "base/utf8.h"

#include <string.h>

void
jsonw_init(struct jsonw *w, struct buf *out)
{
	*w = (struct jsonw){ .out = out };
}

static void
put_u16(struct buf *out, uint32_t v)
{
	unsigned char b[2] = { (unsigned char)(v >> 8), (unsigned char)v };

	buf_puts(out, "\\u");
	buf_put_hex(out, b, 2);
}

enum { LANE_BYTES = 16 };

/* Sixteen bytes that the compiler compares at once where the machine can. */
typedef unsigned char lane __attribute__((vector_size(LANE_BYTES)));

/* Whether none of the sixteen bytes needs to be escaped. */
static bool
is_plain_lane(const char *p)
{
	uint64_t halves[2];
	lane v, hits;

	memcpy(&v, p, sizeof v);
	hits = (lane)(v < 0x20) | (lane)(v >= 0x7f) | (lane)(v == '"') |
	    (lane)(v == '\\');
	memcpy(halves, &hits, sizeof halves);
	return (halves[0] | halves[1]) == 0;
}

/* How many bytes at the front stand for themselves. */
static size_t
plain_bytes(struct slice s)
{
	size_t i = 0;

	while (s.n - i >= LANE_BYTES && is_plain_lane(s.p + i))
		i += LANE_BYTES;
	/* The last lane may look at some of the bytes again. */
	if (s.n >= LANE_BYTES && s.n - i < LANE_BYTES &&
	    is_plain_lane(s.p + s.n - LANE_BYTES))
		return s.n;
	for (; i < s.n; i++) {
		char c = s.p[i];
		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			break;
	}
	return i;
}

static void
escape(struct buf *out, struct slice s)
{
	while (s.n > 0) {
		size_t len = plain_bytes(s);
		uint32_t v;

		buf_put(out, s.p, len);
		s = slice_from(s, len);
		if (s.n == 0)
			break;
		v = utf8_next(s, &len);
		if (v == '"' || v == '\\') {
			buf_putc(out, '\\');
			buf_putc(out, (char)v);
		} else if (v < 0x10000) {
			put_u16(out, v);
		} else {
			put_u16(out, 0xd800 + ((v - 0x10000) >> 10));
			put_u16(out, 0xdc00 + ((v - 0x10000) & 0x3ff));
		}
		s = slice_from(s, len);
	}
}

void
jsonw_string(struct buf *out, struct slice s)
{
	buf_putc(out, '"');
	escape(out, s);
	buf_putc(out, '"');
}

static void
jsonw_key(struct jsonw *w, const char *key)
{
	if (w->comma)
		buf_putc(w->out, ',');
	w->comma = true;
	if (key == NULL)
		return;
	jsonw_string(w->out, slice_of(key));
	buf_putc(w->out, ':');
}

static void
jsonw_open(struct jsonw *w, const char *key, char c)
{
	jsonw_key(w, key);
	buf_putc(w->out, c);
	w->comma = false;
}

static void
jsonw_close(struct jsonw *w, char c)
{
	buf_putc(w->out, c);
	w->comma = true;
}

void
jsonw_object(struct jsonw *w, const char *key)
{
	jsonw_open(w, key, '{');
}

void
jsonw_object_end(struct jsonw *w)
{
	jsonw_close(w, '}');
}

void
jsonw_array(struct jsonw *w, const char *key)
{
	jsonw_open(w, key, '[');
}

void
jsonw_array_end(struct jsonw *w)
{
	jsonw_close(w, ']');
}

void
jsonw_slice(struct jsonw *w, const char *key, struct slice s)
{
	jsonw_key(w, key);
	jsonw_string(w->out, s);
}

void
jsonw_str(struct jsonw *w, const char *key, const char *s)
{
	if (s == NULL)
		jsonw_null(w, key);
	else
		jsonw_slice(w, key, slice_of(s));
}

void
jsonw_u64(struct jsonw *w, const char *key, uint64_t v)
{
	jsonw_key(w, key);
	buf_put_u64(w->out, v);
}

void
jsonw_i64(struct jsonw *w, const char *key, int64_t v)
{
	jsonw_key(w, key);
	buf_put_i64(w->out, v);
}

void
jsonw_bool(struct jsonw *w, const char *key, bool v)
{
	jsonw_key(w, key);
	buf_puts(w->out, v ? "true" : "false");
}

void
jsonw_null(struct jsonw *w, const char *key)
{
	jsonw_key(w, key);
	buf_puts(w->out, "null");
}

void
jsonw_raw(struct jsonw *w, const char *key, struct slice json)
{
	jsonw_key(w, key);
	buf_put_slice(w->out, json);
}
