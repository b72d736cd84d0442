/* The allocator knows each block's size: no header of our own is needed. */
#include "base/wiping.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool starved;

void *
wiping_malloc(size_t n)
{
	void *p = malloc(n);

	if (p == NULL)
		starved = true;
	return p;
}

bool
wiping_starved(void)
{
	bool was = starved;

	starved = false;
	return was;
}

void *
wiping_calloc(size_t count, size_t size)
{
	return calloc(count, size);
}

char *
wiping_strdup(const char *s)
{
	return strdup(s);
}

void
wiping_free(void *p)
{
	if (p == NULL)
		return;
	OPENSSL_cleanse(p, malloc_usable_size(p));
	free(p);
}

void *
wiping_realloc(void *p, size_t n)
{
	size_t old = p == NULL ? 0 : malloc_usable_size(p);
	void *q = malloc(n);

	if (p == NULL || q == NULL)
		return q;
	memcpy(q, p, n < old ? n : old);
	wiping_free(p);
	return q;
}
