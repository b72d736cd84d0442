/* Raw DNS answers to facts: bounded, owners walked, nothing trusted. */
#ifndef PROXY_DNS_MESSAGE_H
#define PROXY_DNS_MESSAGE_H

#include "base/host.h"
#include "base/reason.h"

/** Record types that are asked for or followed (RFC 1035 3.2.2, RFC 3596). */
enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_AAAA = 28,
};

enum {
	DNS_CHAIN_MAX = 8,     /**< hops; one more is CHAIN_BROKEN */
	DNS_ADDRESSES_MAX = 32 /**< likewise */
};

/** What one answer, or A and AAAA joined, say of a name. */
struct dns_answer {
	enum reason failure; /**< DNS_* or CHAIN_BROKEN; else NONE */
	char chain[DNS_CHAIN_MAX][HOST_BYTES]; /**< CNAME targets in order */
	size_t n_chain;
	struct addr addresses[DNS_ADDRESSES_MAX];
	size_t n_addresses;
	char soa[HOST_BYTES]; /**< zone of a negative answer's SOA, or "" */
	int64_t ttl_s;        /**< may be kept so long; 0: not at all */
};

/**
 * Reads the answer to one question. Always writes @out: a message that is
 * malformed, truncated or answers another question is DNS_SERVFAIL; one
 * whose records do not lead from @name to addresses is CHAIN_BROKEN.
 * ttl_s is not capped: the least of the chain, or the SOA's for negatives.
 */
void dns_message_read(struct slice packet, const char *name, enum dns_type type,
    struct dns_answer *out);

/** An answer without content; for time-outs and refusals. */
void dns_answer_fail(struct dns_answer *out, enum reason failure);

/**
 * Joins the two families: NXDOMAIN on either is DNS_NXDOMAIN, CHAIN_BROKEN
 * on either CHAIN_BROKEN; addresses of one stand if the other gives NODATA,
 * SERVFAIL or a time-out. When both have addresses only what their chains
 * have in common from the start proves anything, so only that is kept.
 * Also caps ttl_s: positive 1..max_ttl_s, negative and half answers 10.
 */
void dns_answer_join(const struct dns_answer *a, const struct dns_answer *aaaa,
    unsigned max_ttl_s, struct dns_answer *out);

#endif
