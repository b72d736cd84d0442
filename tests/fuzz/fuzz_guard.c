/* Answers watched for a token: in whatever pieces it comes, it is found if it
 * is there, and everything else passes byte for byte. */
#include "base/buf.h"
#include "proxy/guard.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_put(void *arg, struct slice s)
{
	buf_put_slice(arg, s);
}

/* The first byte is the token's length, the second that of the pieces. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const void *p = data;
	struct slice all = { .p = p, .n = size }, token, text, rest;
	struct guard_out out = { .put = on_put };
	enum status st = OK;
	struct guard g;
	struct buf got;
	size_t piece;
	bool there;

	if (size < 3)
		return 0;
	token = slice_head(slice_from(all, 2), 1 + data[0] % 64);
	piece = 1 + data[1] % 64;
	text = rest = slice_from(slice_from(all, 2), token.n);
	there = text.n >= token.n &&
	    memmem(text.p, text.n, token.p, token.n) != NULL;
	buf_init(&got, 1 << 22);
	out.arg = &got;
	guard_init(&g, token);
	while (st == OK && rest.n > 0) {
		st = guard_feed(&g, slice_head(rest, piece), &out);
		rest = slice_from(rest, piece);
	}
	if (there != (st == E_DENIED))
		abort();
	if (st == OK && guard_end(&g, &out) == OK &&
	    !slice_eq(buf_slice(&got), text))
		abort();
	buf_release(&got);
	return 0;
}
