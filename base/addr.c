/* Addresses: strict reading by inet_pton, canonical text. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool
addr_token_ok(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (!ascii_is_hex(c) && c != '.' && c != ':')
			return false;
	}
	return true;
}

enum status
addr_parse(struct slice text, struct addr *out)
{
	char z[INET6_ADDRSTRLEN];
	struct addr a = { 0 };
	int af;

	if (!slice_copy(text, z, sizeof z) || text.n == 0 ||
	    !addr_token_ok(text))
		return E_SYNTAX;
	af = slice_find(text, ':') < text.n ? AF_INET6 : AF_INET;
	if (inet_pton(af, z, a.b) != 1)
		return E_SYNTAX;
	a.family = af == AF_INET ? ADDR_V4 : ADDR_V6;
	*out = a;
	return OK;
}

/* Whether all bits from @bits on are zero. */
static bool
addr_tail_is_zero(const struct addr *a, unsigned bits)
{
	unsigned n = a->family == ADDR_V4 ? 32 : 128;

	for (unsigned i = bits; i < n; i++)
		if ((a->b[i / 8] & (0x80U >> (i % 8))) != 0)
			return false;
	return true;
}

enum status
cidr_parse(struct slice text, struct cidr *out)
{
	size_t at = slice_find(text, '/');
	struct slice width = slice_from(text, at + 1);
	struct cidr c = { 0 };
	uint64_t bits;

	if (at == text.n || addr_parse(slice_head(text, at), &c.base) != OK)
		return E_SYNTAX;
	if ((width.n > 1 && width.p[0] == '0') || width.n > 3)
		return E_SYNTAX;
	if (!slice_to_u64(width, c.base.family == ADDR_V4 ? 32 : 128, &bits))
		return E_SYNTAX;
	if (!addr_tail_is_zero(&c.base, (unsigned)bits))
		return E_INVALID;
	c.bits = (uint8_t)bits;
	*out = c;
	return OK;
}

enum status
addr_port_parse(struct slice text, struct addr *out, uint16_t *port)
{
	struct slice host, digits;
	struct addr a;
	uint64_t v;
	size_t at;

	if (text.n > 0 && text.p[0] == '[') {
		at = slice_find(text, ']');
		if (at + 1 >= text.n || text.p[at + 1] != ':')
			return E_SYNTAX;
		host = slice_head(slice_from(text, 1), at - 1);
		digits = slice_from(text, at + 2);
	} else {
		at = slice_find(text, ':');
		if (at == text.n)
			return E_SYNTAX;
		host = slice_head(text, at);
		digits = slice_from(text, at + 1);
	}
	if (addr_parse(host, &a) != OK ||
	    (a.family == ADDR_V6) != (text.p[0] == '['))
		return E_SYNTAX;
	if (digits.n == 0 || digits.p[0] == '0' ||
	    !slice_to_u64(digits, 65535, &v))
		return E_SYNTAX;
	*out = a;
	*port = (uint16_t)v;
	return OK;
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool
cidr_contains(const struct cidr *c, const struct addr *a)
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	if (c->base.family != a->family || memcmp(c->base.b, a->b, whole) != 0)
		return false;
	return rest == 0 || ((c->base.b[whole] ^ a->b[whole]) & mask) == 0;
}

struct addr
addr_unmap(const struct addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct addr v4 = { .family = ADDR_V4 };

	if (a->family != ADDR_V6 || memcmp(a->b, mapped, sizeof mapped) != 0)
		return *a;
	memcpy(v4.b, a->b + 12, 4);
	return v4;
}

bool
addr_is_metadata(const struct addr *a)
{
	static const struct addr metadata = { ADDR_V4, { 169, 254, 169, 254 } };
	struct addr plain = addr_unmap(a);

	return addr_eq(&plain, &metadata);
}

static char *
put_octet(char *p, unsigned v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

/* As inet_ntop() does it, which goes through printf. */
static void
put_v4(const uint8_t b[4], char *out)
{
	for (size_t i = 0; i < 4; i++) {
		out = put_octet(out, b[i]);
		*out++ = '.';
	}
	out[-1] = '\0';
}

const char *
addr_text(const struct addr *a, char out[ADDR_TEXT_BYTES])
{
	if (a->family == ADDR_V4)
		put_v4(a->b, out);
	else if (a->family == ADDR_NONE ||
	    inet_ntop(AF_INET6, a->b, out, ADDR_TEXT_BYTES) == NULL)
		(void)snprintf(out, ADDR_TEXT_BYTES, "-");
	return out;
}

const char *
addr_port_text(const struct addr *a, uint16_t port, char out[ADDR_TEXT_BYTES])
{
	char host[ADDR_TEXT_BYTES];
	bool v6 = a->family == ADDR_V6;

	(void)snprintf(out, ADDR_TEXT_BYTES, "%s%.45s%s:%u", v6 ? "[" : "",
	    addr_text(a, host), v6 ? "]" : "", (unsigned)port);
	return out;
}

bool
addr_from_sockaddr(const struct sockaddr *sa, struct addr *out, uint16_t *port)
{
	struct addr a = { 0 };

	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		a.family = ADDR_V4;
		memcpy(a.b, &in.sin_addr, 4);
		*port = ntohs(in.sin_port);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		a.family = ADDR_V6;
		memcpy(a.b, &in6.sin6_addr, 16);
		*port = ntohs(in6.sin6_port);
	} else {
		return false;
	}
	*out = a;
	return true;
}

socklen_t
addr_to_sockaddr(
    const struct addr *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (a->family == ADDR_V4) {
		struct sockaddr_in in = { .sin_family = AF_INET,
			.sin_port = htons(port) };
		memcpy(&in.sin_addr, a->b, 4);
		memcpy(out, &in, sizeof in);
		return sizeof in;
	}
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };
	memcpy(&in6.sin6_addr, a->b, 16);
	memcpy(out, &in6, sizeof in6);
	return sizeof in6;
}
