/* A cursor over one DNS message, and the walk from question to addresses. */
#include "proxy/dns_message.h"

#include <string.h>

enum {
	HEADER_BYTES = 12,
	/* Relevant answer records looked at; more is no honest answer. */
	RECORDS_MAX = 256,
	/* A name of 255 octets has at most 127 labels; each may be a jump. */
	POINTERS_MAX = 127,
	CLASS_IN = 1,
	RCODE_OK = 0,
	RCODE_NXDOMAIN = 3,
};

/** The message as one asks it; reads past the end set `bad`. */
struct cursor {
	const uint8_t *p;
	size_t n;
	size_t at;
	bool bad;
};

struct rr {
	size_t owner; /* offset of the owner name */
	uint16_t type;
	uint16_t class_;
	uint32_t ttl_s;
	size_t rdata;
	size_t rdata_bytes;
};

struct rr_set {
	struct rr at[RECORDS_MAX];
	size_t n;
	bool overflow;
};

/* What of an owner's records the walk saw. */
struct owned {
	size_t n_cnames;
	size_t n_addresses;
	const struct rr *cname;
};

static unsigned
take_u8(struct cursor *c)
{
	if (c->bad || c->at >= c->n) {
		c->bad = true;
		return 0;
	}
	return c->p[c->at++];
}

static uint16_t
take_u16(struct cursor *c)
{
	unsigned high = take_u8(c);

	return (uint16_t)(high << 8 | take_u8(c));
}

static uint32_t
take_u32(struct cursor *c)
{
	uint32_t high = take_u16(c);

	return high << 16 | take_u16(c);
}

static void
skip(struct cursor *c, size_t n)
{
	if (c->bad || n > c->n - c->at)
		c->bad = true;
	else
		c->at += n;
}

/* Moves past a name without following it (RFC 1035 4.1.4). */
static void
skip_name(struct cursor *c)
{
	while (!c->bad) {
		unsigned len = take_u8(c);

		if (len == 0)
			return;
		if ((len & 0xc0u) == 0xc0u) {
			skip(c, 1);
			return;
		}
		if (len > 63)
			c->bad = true;
		else
			skip(c, len);
	}
}

/* Host names only: a NUL, a dot or a backslash inside a label would make two
 * names look alike in text, so such a label fails the whole name. */
static bool
put_label(struct cursor *c, size_t len, char *out, size_t *used)
{
	if (*used + len + (*used > 0) >= HOST_BYTES)
		return false;
	if (*used > 0)
		out[(*used)++] = '.';
	for (size_t i = 0; i < len; i++) {
		char ch = (char)take_u8(c);

		if (!ascii_is_alnum(ch) && ch != '-' && ch != '_')
			return false;
		out[(*used)++] = ascii_lower(ch);
	}
	return !c->bad;
}

/* The canonical text of the name at @at; false when it is not one of ours.
 * Each pointer must go back before the last, which also ends every loop. */
static bool
read_name(struct slice packet, size_t at, char out[HOST_BYTES])
{
	struct cursor c = { (const uint8_t *)packet.p, packet.n, at, false };
	size_t used = 0, limit = at;

	for (unsigned pointers = 0; pointers <= POINTERS_MAX;) {
		unsigned len = take_u8(&c);

		if (c.bad)
			return false;
		if (len == 0) {
			out[used] = '\0';
			return true;
		}
		if ((len & 0xc0u) == 0xc0u) {
			size_t to = (len & 0x3fu) << 8 | take_u8(&c);

			if (c.bad || to >= limit)
				return false;
			limit = c.at = to;
			pointers++;
		} else if (len > 63 || !put_label(&c, len, out, &used)) {
			return false;
		}
	}
	return false;
}

static void
take_rr(struct cursor *c, struct rr *out)
{
	out->owner = c->at;
	skip_name(c);
	out->type = take_u16(c);
	out->class_ = take_u16(c);
	out->ttl_s = take_u32(c);
	/* RFC 2181 8: a TTL with the top bit set is 0. */
	if (out->ttl_s > INT32_MAX)
		out->ttl_s = 0;
	out->rdata_bytes = take_u16(c);
	out->rdata = c->at;
	skip(c, out->rdata_bytes);
}

static bool
is_followed(const struct rr *rr, enum dns_type type)
{
	return rr->class_ == CLASS_IN &&
	    (rr->type == DNS_TYPE_CNAME || rr->type == (uint16_t)type);
}

static void
take_answers(struct cursor *c, size_t n, enum dns_type type, struct rr_set *out)
{
	out->n = 0;
	out->overflow = false;
	for (size_t i = 0; i < n && !c->bad; i++) {
		struct rr rr;

		take_rr(c, &rr);
		if (c->bad || !is_followed(&rr, type))
			continue;
		if (out->n == RECORDS_MAX)
			out->overflow = true;
		else
			out->at[out->n++] = rr;
	}
}

static bool
owner_is(struct slice packet, const struct rr *rr, const char *name)
{
	char owner[HOST_BYTES];

	return read_name(packet, rr->owner, owner) && strcmp(owner, name) == 0;
}

static struct owned
records_of(struct slice packet, const struct rr_set *set, const char *name)
{
	struct owned o = { 0, 0, NULL };

	for (size_t i = 0; i < set->n; i++) {
		const struct rr *rr = &set->at[i];

		if (!owner_is(packet, rr, name))
			continue;
		if (rr->type == DNS_TYPE_CNAME) {
			o.n_cnames++;
			o.cname = rr;
		} else {
			o.n_addresses++;
		}
	}
	return o;
}

static void
lower_ttl(struct dns_answer *out, uint32_t ttl_s)
{
	if (out->ttl_s > (int64_t)ttl_s)
		out->ttl_s = (int64_t)ttl_s;
}

static bool
is_in_chain(const struct dns_answer *a, const char *question, const char *name)
{
	if (strcmp(question, name) == 0)
		return true;
	for (size_t i = 0; i < a->n_chain; i++) {
		if (strcmp(a->chain[i], name) == 0)
			return true;
	}
	return false;
}

/* Follows CNAMEs from the question to the last owner. False: broken. */
static bool
walk_chain(struct slice packet, const struct rr_set *set, const char *question,
    struct dns_answer *out)
{
	const char *name = question;

	for (;;) {
		struct owned o = records_of(packet, set, name);
		char target[HOST_BYTES];

		if (o.n_cnames == 0)
			return true;
		/* RFC 2181 10.1: a CNAME stands alone at its owner. */
		if (o.n_cnames > 1 || o.n_addresses > 0)
			return false;
		if (out->n_chain == DNS_CHAIN_MAX ||
		    !read_name(packet, o.cname->rdata, target) ||
		    target[0] == '\0' || is_in_chain(out, question, target))
			return false;
		memcpy(out->chain[out->n_chain], target, sizeof target);
		name = out->chain[out->n_chain++];
		lower_ttl(out, o.cname->ttl_s);
	}
}

static bool
read_address(struct slice packet, const struct rr *rr, struct addr *out)
{
	size_t want = rr->type == DNS_TYPE_A ? 4 : 16;

	if (rr->rdata_bytes != want)
		return false;
	memset(out, 0, sizeof *out);
	out->family = rr->type == DNS_TYPE_A ? ADDR_V4 : ADDR_V6;
	memcpy(out->b, packet.p + rr->rdata, want);
	return true;
}

static bool
has_address(const struct dns_answer *a, const struct addr *addr)
{
	for (size_t i = 0; i < a->n_addresses; i++) {
		if (addr_eq(&a->addresses[i], addr))
			return true;
	}
	return false;
}

/* Addresses of the last owner alone. False: too many, or only foreign ones. */
static bool
gather_addresses(struct slice packet, const struct rr_set *set,
    const char *last, struct dns_answer *out)
{
	size_t foreign = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct rr *rr = &set->at[i];
		struct addr addr;

		if (rr->type == DNS_TYPE_CNAME)
			continue;
		if (!owner_is(packet, rr, last) ||
		    !read_address(packet, rr, &addr)) {
			foreign++;
			continue;
		}
		lower_ttl(out, rr->ttl_s);
		/* A mapped IPv4 address has no place in an AAAA record. */
		if (addr_unmap(&addr).family != addr.family ||
		    has_address(out, &addr))
			continue;
		if (out->n_addresses == DNS_ADDRESSES_MAX)
			return false;
		out->addresses[out->n_addresses++] = addr;
	}
	return out->n_addresses > 0 || foreign == 0;
}

/* The SOA of a negative answer: its zone, and how long that may be kept
 * (RFC 2308 5). One whose zone does not hold @last proves nothing. */
static void
read_soa(struct slice packet, const struct rr *rr, const char *last,
    struct dns_answer *out)
{
	struct cursor c = { (const uint8_t *)packet.p,
		rr->rdata + rr->rdata_bytes, rr->rdata, false };
	char zone[HOST_BYTES];
	uint32_t minimum_s;

	skip_name(&c);
	skip_name(&c);
	skip(&c, 16);
	minimum_s = take_u32(&c);
	if (c.bad || !read_name(packet, rr->owner, zone))
		return;
	if (zone[0] != '\0' && !host_in_suffix(slice_of(last), slice_of(zone)))
		return;
	memcpy(out->soa, zone, sizeof zone);
	out->ttl_s = INT64_MAX;
	lower_ttl(out, rr->ttl_s);
	lower_ttl(out, minimum_s);
}

/* Nothing of this type at the end of the chain. Without an SOA the answer is
 * no proof of absence, so it is not kept. */
static void
read_negative(struct slice packet, struct cursor *c, size_t n_authority,
    const char *last, struct dns_answer *out)
{
	out->ttl_s = 0;
	for (size_t i = 0; i < n_authority && out->soa[0] == '\0'; i++) {
		struct rr rr;

		take_rr(c, &rr);
		if (c->bad)
			break;
		if (rr.type == DNS_TYPE_SOA && rr.class_ == CLASS_IN)
			read_soa(packet, &rr, last, out);
	}
	if (c->bad)
		dns_answer_fail(out, REASON_DNS_SERVFAIL);
}

struct header {
	uint16_t flags;
	uint16_t n_questions, n_answers, n_authority;
};

static void
take_header(struct cursor *c, struct header *out)
{
	skip(c, 2); /* the id: c-ares has matched it */
	out->flags = take_u16(c);
	out->n_questions = take_u16(c);
	out->n_answers = take_u16(c);
	out->n_authority = take_u16(c);
	skip(c, 2);
}

/* An answer (QR), to a standard query, whole (no TC), to our one question. */
static bool
answers_question(struct slice packet, struct cursor *c, const struct header *h,
    const char *name, enum dns_type type)
{
	char asked[HOST_BYTES];
	unsigned rcode = h->flags & 0xfu;
	size_t at = c->at;
	uint16_t asked_type, asked_class;

	skip_name(c);
	asked_type = take_u16(c);
	asked_class = take_u16(c);
	return !c->bad && (h->flags & 0xfa00u) == 0x8000u &&
	    h->n_questions == 1 &&
	    (rcode == RCODE_OK || rcode == RCODE_NXDOMAIN) &&
	    asked_type == (uint16_t)type && asked_class == CLASS_IN &&
	    read_name(packet, at, asked) && strcmp(asked, name) == 0;
}

void
dns_answer_fail(struct dns_answer *out, enum reason failure)
{
	memset(out, 0, sizeof *out);
	out->failure = failure;
}

static void
read_sections(struct slice packet, struct cursor *c, const struct header *h,
    const char *name, enum dns_type type, struct dns_answer *out)
{
	bool nxdomain = (h->flags & 0xfu) == RCODE_NXDOMAIN;
	struct rr_set set;
	const char *last;

	take_answers(c, h->n_answers, type, &set);
	if (c->bad) {
		out->failure = REASON_DNS_SERVFAIL;
		return;
	}
	out->ttl_s = INT64_MAX;
	if (set.overflow || !walk_chain(packet, &set, name, out)) {
		dns_answer_fail(out, REASON_CHAIN_BROKEN);
		return;
	}
	last = out->n_chain > 0 ? out->chain[out->n_chain - 1] : name;
	if (!gather_addresses(packet, &set, last, out) ||
	    (nxdomain && out->n_addresses > 0)) {
		dns_answer_fail(out, REASON_CHAIN_BROKEN);
		return;
	}
	if (out->n_addresses > 0)
		return;
	out->failure = nxdomain ? REASON_DNS_NXDOMAIN : REASON_DNS_NODATA;
	read_negative(packet, c, h->n_authority, last, out);
}

void
dns_message_read(struct slice packet, const char *name, enum dns_type type,
    struct dns_answer *out)
{
	struct cursor c = { (const uint8_t *)packet.p, packet.n, 0, false };
	struct header h;

	dns_answer_fail(out, REASON_DNS_SERVFAIL);
	if (packet.n < HEADER_BYTES)
		return;
	take_header(&c, &h);
	if (!answers_question(packet, &c, &h, name, type))
		return;
	out->failure = REASON_NONE;
	read_sections(packet, &c, &h, name, type, out);
}
