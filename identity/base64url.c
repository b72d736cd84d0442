/* The alphabet of JSON Web Tokens, without padding. */
#include "identity/base64url.h"

void
base64url_put(struct buf *out, const void *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                             "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *from = p;
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | from[i];
		for (have += 8; have >= 6; have -= 6)
			buf_putc(out, digits[bits >> (have - 6) & 63]);
	}
	if (have > 0)
		buf_putc(out, digits[bits << (6 - have) & 63]);
}

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

enum status
base64url_read(struct slice text, struct buf *out)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < text.n; i++) {
		int v = digit(text.p[i]);

		if (v < 0)
			return E_SYNTAX;
		bits = (bits & 0x3f) << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_putc(out, (char)(bits >> have & 0xff));
		}
	}
	if (have == 6 || (bits & ((1U << have) - 1)) != 0)
		return E_SYNTAX;
	return buf_status(out);
}
