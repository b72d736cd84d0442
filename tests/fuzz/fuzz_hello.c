/* The ClientHello parser: whole and in pieces it must say the same. */
#include "proxy/hello.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice all = { .p = (const char *)data, .n = size };
	struct hello_scan whole = { 0 }, pieces = { 0 };
	struct hello a, b;
	enum status st, last = E_PARTIAL;

	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	st = hello_read(&whole, all, &a);
	for (size_t n = 1; n <= size && last == E_PARTIAL; n++)
		last = hello_read(&pieces, slice_head(all, n), &b);
	if (st != last)
		abort();
	if (st == OK && (a.kind != b.kind || a.sni_n != b.sni_n))
		abort();
	return 0;
}
