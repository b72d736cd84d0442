/* Chunked bodies: whole or byte by byte, the same verdict and the same data;
 * responses' heads ride along, as they come from outside too. */
#include "base/http1.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status
decode(struct slice in, size_t step, uint64_t *sum, size_t *used_all)
{
	struct http1_chunked c;
	struct buf trailers;
	enum status st = E_PARTIAL;
	size_t at = 0, end = 0;

	http1_chunked_init(&c);
	buf_init(&trailers, 1024);
	while (st == E_PARTIAL && end < in.n) {
		size_t used = 1;
		end = in.n - end > step ? end + step : in.n;
		while (st == E_PARTIAL && used > 0) {
			struct slice run;
			st = http1_chunked_feed(&c,
			    slice_from(slice_head(in, end), at), &run, &used,
			    &trailers);
			at += used;
			for (size_t i = 0; i < run.n; i++)
				*sum = *sum * 31 + (unsigned char)run.p[i];
		}
	}
	buf_release(&trailers);
	*used_all = at;
	return st;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	uint64_t whole = 0, pieces = 0;
	size_t used = 0, used_pieces = 0;
	enum status st = decode(in, size + 1, &whole, &used);
	struct http1_response r;
	struct http1_framing f;
	struct http1_error error;

	if (decode(in, 1, &pieces, &used_pieces) != st || whole != pieces ||
	    used != used_pieces)
		abort();
	if (http1_parse_response(in, &r, &error) == OK &&
	    http1_response_framing(&r, SLICE("GET"), &f) == OK && f.dirty &&
	    f.keep_alive)
		abort();
	return 0;
}
