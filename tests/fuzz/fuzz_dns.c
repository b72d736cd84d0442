/* Any bytes as the answer to a fixed question: bounded, and never a lie. */
#include "proxy/dns_message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char NAME[] = "acct1.blob.core.windows.net";

static void
check(const struct dns_answer *d)
{
	char again[HOST_BYTES];

	if (d->n_chain > DNS_CHAIN_MAX || d->n_addresses > DNS_ADDRESSES_MAX)
		abort();
	if ((d->failure == REASON_NONE) != (d->n_addresses > 0))
		abort();
	for (size_t i = 0; i < d->n_chain; i++) {
		struct slice name = slice_of(d->chain[i]);

		if (name.n == 0 || !slice_copy(name, again, sizeof again) ||
		    strcmp(again, NAME) == 0)
			abort();
	}
	for (size_t i = 0; i < d->n_addresses; i++) {
		struct addr plain = addr_unmap(&d->addresses[i]);

		if (plain.family != d->addresses[i].family)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice packet = { (const char *)data, size };
	static struct dns_answer a, aaaa, joined;

	dns_message_read(packet, NAME, DNS_TYPE_A, &a);
	check(&a);
	dns_message_read(packet, NAME, DNS_TYPE_AAAA, &aaaa);
	check(&aaaa);
	dns_answer_join(&a, &aaaa, 60, &joined);
	check(&joined);
	if (joined.ttl_s < 0 || joined.ttl_s > 60)
		abort();
	return 0;
}
