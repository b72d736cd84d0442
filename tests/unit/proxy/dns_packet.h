/* Hand-made DNS messages, for tests alone. */
#ifndef TESTS_UNIT_PROXY_DNS_PACKET_H
#define TESTS_UNIT_PROXY_DNS_PACKET_H

#include "base/slice.h"

#include <string.h>

struct dns_packet {
	uint8_t b[65535];
	size_t n;
};

static inline void
packet_u8(struct dns_packet *p, unsigned v)
{
	if (p->n < sizeof p->b)
		p->b[p->n++] = (uint8_t)v;
}

static inline void
packet_u16(struct dns_packet *p, unsigned v)
{
	packet_u8(p, v >> 8 & 0xff);
	packet_u8(p, v & 0xff);
}

static inline void
packet_u32(struct dns_packet *p, uint32_t v)
{
	packet_u16(p, v >> 16);
	packet_u16(p, v & 0xffff);
}

/** Dots part labels; no compression. */
static inline void
packet_name(struct dns_packet *p, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		packet_u8(p, (unsigned)n);
		for (size_t i = 0; i < n; i++)
			packet_u8(p, (uint8_t)name[i]);
		name += n + (name[n] == '.');
	}
	packet_u8(p, 0);
}

static inline void
packet_count(struct dns_packet *p, size_t section)
{
	size_t at = 4 + section * 2;
	unsigned n = (unsigned)(p->b[at] << 8 | p->b[at + 1]) + 1;

	p->b[at] = (uint8_t)(n >> 8);
	p->b[at + 1] = (uint8_t)n;
}

/** A header and one question; @flags such as 0x8180, or 0x8183. */
static inline void
packet_begin(
    struct dns_packet *p, unsigned flags, const char *name, unsigned type)
{
	p->n = 0;
	packet_u16(p, 0x1234);
	packet_u16(p, flags);
	packet_u32(p, 0);
	packet_u32(p, 0);
	packet_name(p, name);
	packet_u16(p, type);
	packet_u16(p, 1);
	packet_count(p, 0);
}

static inline void
packet_rr(
    struct dns_packet *p, const char *owner, unsigned type, uint32_t ttl_s)
{
	packet_count(p, 1);
	packet_name(p, owner);
	packet_u16(p, type);
	packet_u16(p, 1);
	packet_u32(p, ttl_s);
}

static inline void
packet_a(struct dns_packet *p, const char *owner, uint32_t ttl_s, uint32_t v4)
{
	packet_rr(p, owner, 1, ttl_s);
	packet_u16(p, 4);
	packet_u32(p, v4);
}

static inline void
packet_aaaa(
    struct dns_packet *p, const char *owner, uint32_t ttl_s, const char *v6)
{
	packet_rr(p, owner, 28, ttl_s);
	packet_u16(p, 16);
	for (size_t i = 0; i < 16; i++)
		packet_u8(p, (uint8_t)v6[i]);
}

static inline void
packet_cname(
    struct dns_packet *p, const char *owner, uint32_t ttl_s, const char *target)
{
	packet_rr(p, owner, 5, ttl_s);
	packet_u16(p, (unsigned)strlen(target) + 2);
	packet_name(p, target);
}

/** In the authority section; call it last. */
static inline void
packet_soa(
    struct dns_packet *p, const char *zone, uint32_t ttl_s, uint32_t minimum_s)
{
	packet_count(p, 2);
	packet_name(p, zone);
	packet_u16(p, 6);
	packet_u16(p, 1);
	packet_u32(p, ttl_s);
	packet_u16(p, 22);
	packet_u8(p, 0);
	packet_u8(p, 0);
	for (int i = 0; i < 4; i++)
		packet_u32(p, 1);
	packet_u32(p, minimum_s);
}

static inline struct slice
packet_slice(const struct dns_packet *p)
{
	return (struct slice){ (const char *)p->b, p->n };
}

#endif
