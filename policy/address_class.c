/* The table of address classes. */
#include "policy/address_class.h"

#include <string.h>

/* IANA special-purpose registries (RFC 6890) and the platforms' own
 * addresses. The longest prefix that holds an address gives its class;
 * what no row holds is public for IPv4 and reserved for IPv6. */
struct row {
	uint8_t family;
	uint8_t b[16];
	uint8_t bits;
	uint8_t class; /**< enum address_class */
	const char *name;
};

#define V4(a, b, c, d, bits, class, name)                            \
	{                                                            \
		ADDR_V4, { a, b, c, d }, bits, ADDRESS_##class, name \
	}
#define W(x) (uint8_t)((x) >> 8), (uint8_t)((x)&255)
#define V6(a, b, c, d, bits, class, name)                                   \
	{                                                                   \
		ADDR_V6, { W(a), W(b), W(c), W(d) }, bits, ADDRESS_##class, \
		    name                                                    \
	}
#define V6_LOW(a, b, g, h, bits, class, name)                                \
	{                                                                    \
		ADDR_V6, { W(a), W(b), 0, 0, 0, 0, 0, 0, 0, 0, W(g), W(h) }, \
		    bits, ADDRESS_##class, name                              \
	}

/* clang-format off */
static const struct row rows[] = {
	V4(0, 0, 0, 0, 8, NEVER, "this network"),
	V4(10, 0, 0, 0, 8, PRIVATE, "private"),
	V4(100, 64, 0, 0, 10, PRIVATE, "shared"),
	V4(100, 100, 100, 200, 32, NEVER, "cloud metadata"),
	V4(127, 0, 0, 0, 8, NEVER, "loopback"),
	V4(168, 63, 129, 16, 32, NEVER, "Azure platform"),
	V4(169, 254, 0, 0, 16, NEVER, "link-local"),
	V4(169, 254, 169, 254, 32, NEVER, "instance metadata"),
	V4(172, 16, 0, 0, 12, PRIVATE, "private"),
	V4(192, 0, 0, 0, 24, NEVER, "protocol assignments"),
	V4(192, 0, 2, 0, 24, NEVER, "documentation"),
	V4(192, 31, 196, 0, 24, PUBLIC, "AS112"),
	V4(192, 52, 193, 0, 24, PUBLIC, "AMT"),
	V4(192, 88, 99, 0, 24, NEVER, "6to4 relay"),
	V4(192, 168, 0, 0, 16, PRIVATE, "private"),
	V4(192, 175, 48, 0, 24, PUBLIC, "AS112"),
	V4(198, 18, 0, 0, 15, NEVER, "benchmarking"),
	V4(198, 51, 100, 0, 24, NEVER, "documentation"),
	V4(203, 0, 113, 0, 24, NEVER, "documentation"),
	V4(224, 0, 0, 0, 4, NEVER, "multicast"),
	V4(240, 0, 0, 0, 4, NEVER, "reserved"),
	V4(255, 255, 255, 255, 32, NEVER, "broadcast"),

	/* Unallocated space is reserved, but for global unicast. */
	V6(0, 0, 0, 0, 0, NEVER, "reserved"),
	V6(0x2000, 0, 0, 0, 3, PUBLIC, "global unicast"),
	V6(0, 0, 0, 0, 96, NEVER, "IPv4-compatible"),
	V6_LOW(0, 0, 0, 0, 128, NEVER, "unspecified"),
	V6_LOW(0, 0, 0, 1, 128, NEVER, "loopback"),
	{ ADDR_V6, { [8] = 0xff, [9] = 0xff }, 96, ADDRESS_NEVER, "SIIT" },
	V6(0x64, 0xff9b, 0, 0, 96, NEVER, "NAT64"),
	V6(0x64, 0xff9b, 1, 0, 48, NEVER, "NAT64"),
	V6(0x100, 0, 0, 0, 64, NEVER, "discard"),
	V6(0x100, 0, 0, 1, 64, NEVER, "dummy"),
	V6(0x2001, 0, 0, 0, 23, NEVER, "protocol assignments"),
	V6(0x2001, 0, 0, 0, 32, NEVER, "Teredo"),
	V6(0x2001, 2, 0, 0, 48, NEVER, "benchmarking"),
	V6(0x2001, 3, 0, 0, 32, PUBLIC, "AMT"),
	V6(0x2001, 4, 0x112, 0, 48, PUBLIC, "AS112"),
	V6(0x2001, 0x10, 0, 0, 28, NEVER, "ORCHID"),
	V6(0x2001, 0x20, 0, 0, 28, NEVER, "ORCHIDv2"),
	V6(0x2001, 0x30, 0, 0, 28, NEVER, "drone identifiers"),
	V6(0x2001, 0xdb8, 0, 0, 32, NEVER, "documentation"),
	V6(0x2002, 0, 0, 0, 16, NEVER, "6to4"),
	V6(0x2620, 0x4f, 0x8000, 0, 48, PUBLIC, "AS112"),
	V6(0x3fff, 0, 0, 0, 20, NEVER, "documentation"),
	V6(0x5f00, 0, 0, 0, 16, NEVER, "SRv6 identifiers"),
	V6(0xfc00, 0, 0, 0, 7, PRIVATE, "unique local"),
	V6_LOW(0xfd00, 0xec2, 0, 0x254, 128, NEVER, "cloud metadata"),
	V6_LOW(0xfd20, 0xce, 0, 0x254, 128, NEVER, "cloud metadata"),
	V6(0xfe80, 0, 0, 0, 10, NEVER, "link-local"),
	V6(0xfec0, 0, 0, 0, 10, NEVER, "site-local"),
	V6(0xff00, 0, 0, 0, 8, NEVER, "multicast"),
};

/* clang-format on */

static struct cidr
row_cidr(const struct row *r)
{
	struct cidr c = { .base = { .family = r->family }, .bits = r->bits };

	memcpy(c.base.b, r->b, sizeof c.base.b);
	return c;
}

/* Interface ids 0:5efe:v4 and 200:5efe:v4 tunnel to the IPv4 address in
 * them, under any prefix (RFC 5214 6.1). */
static bool
is_isatap(const struct addr *a)
{
	return a->family == ADDR_V6 && (a->b[8] & 0xfd) == 0 && a->b[9] == 0 &&
	    a->b[10] == 0x5e && a->b[11] == 0xfe;
}

static const struct row *
row_of(const struct addr *a)
{
	const struct row *best = NULL;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cidr c;

		if (rows[i].family != a->family ||
		    (rows[i].bits >= 8 && rows[i].b[0] != a->b[0]) ||
		    (best != NULL && rows[i].bits < best->bits))
			continue;
		c = row_cidr(&rows[i]);
		if (cidr_contains(&c, a))
			best = &rows[i];
	}
	return best;
}

enum address_class
address_class(const struct addr *a)
{
	struct addr plain = addr_unmap(a);
	const struct row *r;

	if ((plain.family != ADDR_V4 && plain.family != ADDR_V6) ||
	    is_isatap(&plain))
		return ADDRESS_NEVER;
	r = row_of(&plain);
	return r == NULL ? ADDRESS_PUBLIC : (enum address_class)r->class;
}

const char *
address_never_name(const struct addr *a)
{
	struct addr plain = addr_unmap(a);
	const struct row *r;

	if (plain.family != ADDR_V4 && plain.family != ADDR_V6)
		return "unknown";
	if (is_isatap(&plain))
		return "ISATAP";
	r = row_of(&plain);
	return r != NULL && r->class == ADDRESS_NEVER ? r->name : NULL;
}

const char *
cidr_never_name(const struct cidr *c)
{
	const char *own = address_never_name(&c->base);

	if (own != NULL)
		return own;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cidr never = row_cidr(&rows[i]);

		if (never.base.family == c->base.family &&
		    rows[i].class == ADDRESS_NEVER && rows[i].bits >= c->bits &&
		    cidr_contains(c, &never.base))
			return rows[i].name;
	}
	/* ::ffff:0:0/96 never comes as a destination of its own. */
	return c->base.family == ADDR_V6 &&
	        addr_unmap(&c->base).family == ADDR_V4
	    ? "IPv4-mapped"
	    : NULL;
}
