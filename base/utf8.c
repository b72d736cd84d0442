/* Reads UTF-8 strictly. */
#include "base/utf8.h"

uint32_t
utf8_next(struct slice s, size_t *len)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1
	    : c < 0xc2      ? 0
	    : c < 0xe0      ? 2
	    : c < 0xf0      ? 3
	    : c < 0xf5      ? 4
	                    : 0;
	uint32_t v;

	*len = 1;
	if (n == 1)
		return c;
	if (n == 0 || s.n < n)
		return 0xfffd;
	v = c & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		unsigned char more = (unsigned char)s.p[i];
		if ((more & 0xc0) != 0x80)
			return 0xfffd;
		v = v << 6 | (more & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0xfffd;
	*len = n;
	return v;
}
