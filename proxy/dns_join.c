/* A and AAAA to one answer (contract: NXDOMAIN on either, all addresses). */
#include "proxy/dns_message.h"

#include <string.h>

enum { NEGATIVE_TTL_S = 10 };

static bool
stands(const struct dns_answer *a)
{
	return a->failure == REASON_NONE && a->n_addresses > 0;
}

static bool
fails_with(const struct dns_answer *a, const struct dns_answer *b,
    enum reason failure, const struct dns_answer **which)
{
	if (a->failure == failure)
		*which = a;
	else if (b->failure == failure)
		*which = b;
	else
		return false;
	return true;
}

static int64_t
clamp_s(int64_t v, int64_t low, int64_t high)
{
	if (v < low)
		return low;
	return v > high ? high : v;
}

/* Only what both chains begin with leads to every address. */
static void
keep_common_chain(struct dns_answer *out, const struct dns_answer *other)
{
	size_t i = 0;

	while (i < out->n_chain && i < other->n_chain &&
	    strcmp(out->chain[i], other->chain[i]) == 0)
		i++;
	for (size_t k = i; k < out->n_chain; k++)
		out->chain[k][0] = '\0';
	out->n_chain = i;
}

static void
join_addresses(const struct dns_answer *a, const struct dns_answer *aaaa,
    struct dns_answer *out)
{
	*out = *a;
	if (a->n_addresses + aaaa->n_addresses > DNS_ADDRESSES_MAX) {
		dns_answer_fail(out, REASON_CHAIN_BROKEN);
		return;
	}
	memcpy(out->addresses + a->n_addresses, aaaa->addresses,
	    aaaa->n_addresses * sizeof aaaa->addresses[0]);
	out->n_addresses += aaaa->n_addresses;
	if (aaaa->ttl_s < out->ttl_s)
		out->ttl_s = aaaa->ttl_s;
	keep_common_chain(out, aaaa);
}

static void
cap_ttl(const struct dns_answer *a, const struct dns_answer *aaaa,
    unsigned max_ttl_s, struct dns_answer *out)
{
	bool half = a->failure == REASON_DNS_SERVFAIL ||
	    a->failure == REASON_DNS_TIMEOUT ||
	    aaaa->failure == REASON_DNS_SERVFAIL ||
	    aaaa->failure == REASON_DNS_TIMEOUT;
	int64_t max_s = max_ttl_s;

	if (out->failure != REASON_NONE || half)
		max_s = max_s < NEGATIVE_TTL_S ? max_s : NEGATIVE_TTL_S;
	if (out->failure == REASON_NONE)
		out->ttl_s = clamp_s(out->ttl_s, 1, max_s < 1 ? 1 : max_s);
	else if (out->failure == REASON_DNS_NXDOMAIN ||
	    (out->failure == REASON_DNS_NODATA && !half))
		out->ttl_s = clamp_s(out->ttl_s, 0, max_s);
	else
		out->ttl_s = 0;
}

/* Neither family has an address: the most telling failure speaks. */
static void
join_failures(const struct dns_answer *a, const struct dns_answer *aaaa,
    struct dns_answer *out)
{
	const struct dns_answer *which;

	if (fails_with(a, aaaa, REASON_DNS_TIMEOUT, &which) ||
	    fails_with(a, aaaa, REASON_DNS_SERVFAIL, &which)) {
		*out = *which;
		return;
	}
	which = a->soa[0] == '\0' && aaaa->soa[0] != '\0' ? aaaa : a;
	*out = *which;
	if (aaaa->ttl_s < out->ttl_s)
		out->ttl_s = aaaa->ttl_s;
	if (a->ttl_s < out->ttl_s)
		out->ttl_s = a->ttl_s;
	/* A chain that ends nowhere, and no SOA that says so. */
	if (out->n_chain > 0 && out->soa[0] == '\0')
		dns_answer_fail(out, REASON_CHAIN_BROKEN);
}

void
dns_answer_join(const struct dns_answer *a, const struct dns_answer *aaaa,
    unsigned max_ttl_s, struct dns_answer *out)
{
	const struct dns_answer *which;

	if (fails_with(a, aaaa, REASON_DNS_NXDOMAIN, &which) ||
	    fails_with(a, aaaa, REASON_CHAIN_BROKEN, &which))
		*out = *which;
	else if (stands(a) && stands(aaaa))
		join_addresses(a, aaaa, out);
	else if (stands(a))
		*out = *a;
	else if (stands(aaaa))
		*out = *aaaa;
	else
		join_failures(a, aaaa, out);
	cap_ttl(a, aaaa, max_ttl_s, out);
}
