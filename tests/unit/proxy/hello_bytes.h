/* A plain TLS 1.2 ClientHello for the tests of hello.c and of tunnels. */
#ifndef TESTS_UNIT_PROXY_HELLO_BYTES_H
#define TESTS_UNIT_PROXY_HELLO_BYTES_H

#include "base/buf.h"

/* Everything before the extensions: version, random, no session, one suite. */
static inline void
hello_put_front(struct buf *b)
{
	static const char random[32] = { 7 };

	buf_put(b, "\3\3", 2);
	buf_put(b, random, sizeof random);
	buf_put(b, "\0\0\2\xc0\x2f\1\0", 7);
}

static inline void
hello_put_u16(struct buf *b, size_t v)
{
	buf_putc(b, (char)(v >> 8));
	buf_putc(b, (char)v);
}

static inline void
hello_put_sni(struct buf *b, struct slice name)
{
	hello_put_u16(b, 0);
	hello_put_u16(b, name.n + 5);
	hello_put_u16(b, name.n + 3);
	buf_putc(b, 0);
	hello_put_u16(b, name.n);
	buf_put_slice(b, name);
}

/* @extensions in a whole handshake message, in records of @record bytes. */
static inline void
hello_put_records(struct buf *out, struct slice extensions, size_t record)
{
	struct buf m;

	buf_init(&m, 1 << 18);
	hello_put_front(&m);
	hello_put_u16(&m, extensions.n);
	buf_put_slice(&m, extensions);
	{
		struct buf whole;
		size_t at = 0;

		buf_init(&whole, 1 << 18);
		buf_putc(&whole, 1);
		buf_putc(&whole, (char)(m.n >> 16));
		hello_put_u16(&whole, m.n & 0xffff);
		buf_put_slice(&whole, buf_slice(&m));
		for (; at < whole.n; at += record) {
			struct slice part = slice_head(
			    slice_from(buf_slice(&whole), at), record);
			buf_put(out, "\x16\3\1", 3);
			hello_put_u16(out, part.n);
			buf_put_slice(out, part);
		}
		buf_release(&whole);
	}
	buf_release(&m);
}

/* The usual one: a name and nothing else, in one record. */
static inline void
hello_put(struct buf *out, struct slice name)
{
	struct buf ext;

	buf_init(&ext, 4096);
	hello_put_sni(&ext, name);
	hello_put_records(out, buf_slice(&ext), 16384);
	buf_release(&ext);
}

#endif
