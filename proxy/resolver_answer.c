/* Facts in one block of memory, counted. */
#include "proxy/resolver_answer.h"

#include <stdlib.h>
#include <string.h>

struct answer_block {
	struct resolver_answer public;
	struct policy_chain judged;
	const char *chain[DNS_CHAIN_MAX];
	struct addr addresses[DNS_ADDRESSES_MAX];
	char text[];
};

static size_t
text_bytes(const struct dns_answer *d)
{
	size_t n = strlen(d->soa) + 1;

	for (size_t i = 0; i < d->n_chain; i++)
		n += strlen(d->chain[i]) + 1;
	return n;
}

static const char *
keep(char **to, const char *text)
{
	size_t n = strlen(text) + 1;
	char *kept = *to;

	memcpy(kept, text, n);
	*to += n;
	return kept;
}

struct resolver_answer *
resolver_answer_create(const struct dns_answer *d, bool cached)
{
	struct answer_block *b = calloc(1, sizeof *b + text_bytes(d));
	struct policy_answer *facts;
	const char *soa;
	char *text;

	if (b == NULL)
		return NULL;
	text = b->text;
	for (size_t i = 0; i < d->n_chain; i++)
		b->chain[i] = keep(&text, d->chain[i]);
	memcpy(b->addresses, d->addresses,
	    d->n_addresses * sizeof d->addresses[0]);
	soa = keep(&text, d->soa);
	facts = &b->public.facts;
	facts->failure = d->failure;
	facts->chain = b->chain;
	facts->n_chain = d->n_chain;
	facts->addresses = b->addresses;
	facts->n_addresses = d->n_addresses;
	facts->judged = &b->judged;
	facts->negative_soa = soa[0] != '\0' ? soa : NULL;
	b->public.ttl_s = d->ttl_s;
	b->public.cached = cached;
	b->public.refs = 1;
	return &b->public;
}

struct resolver_answer *
resolver_answer_ref(struct resolver_answer *a)
{
	a->refs++;
	return a;
}

/* The public part is the first member, so its address is the block's. */
void
resolver_answer_unref(struct resolver_answer *a)
{
	if (a != NULL && --a->refs == 0)
		free(a);
}
