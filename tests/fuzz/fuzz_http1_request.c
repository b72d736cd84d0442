/* Request heads: what is accepted must read the same in pieces, and hold no
 * byte that another parser could take for the end of a line. */
#include "base/http1.h"
#include "base/uri.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
check_fields(const struct http1_fields *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct slice v = f->at[i].value;
		check(f->at[i].name.n > 0);
		check(slice_find(v, '\r') == v.n);
		check(slice_find(v, '\n') == v.n);
		check(slice_find(v, '\0') == v.n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	struct http1_error error = { 0 };
	struct http1_framing framing = { 0 };
	struct http1_request r;
	struct uri uri;
	struct http1_scan scan = { 0 }, cut = { 0 };
	size_t end = 0, cut_end = 0;
	enum status st, st_cut = E_PARTIAL;
	bool early;

	st = http1_request_head_end(in, 4096, &scan, &end, &error);
	for (size_t n = 0; n <= size && st_cut == E_PARTIAL; n++)
		st_cut = http1_request_head_end(
		    slice_head(in, n), 4096, &cut, &cut_end, &error);
	/* In pieces a bad line may be seen before the end. */
	early = st_cut == E_SYNTAX && st != E_SYNTAX;
	check(early || (st_cut == st && (st != OK || cut_end == end)));
	if (st != OK) {
		check(!early || st == E_LIMIT);
		return 0;
	}
	check(end <= size);
	if (early) {
		check(
		    http1_parse_request(slice_head(in, end), &r, &error) != OK);
		return 0;
	}
	if (http1_parse_request(slice_head(in, end), &r, &error) != OK) {
		check(error.status >= 400 && error.detail != NULL);
		return 0;
	}
	check_fields(&r.fields);
	if (http1_request_framing(&r, &framing, &error) != OK)
		check(error.status == 400 || error.status == 501);
	else if (framing.body == HTTP1_BODY_CHUNKED)
		check(http1_field_find(&r.fields, "content-length", 0) ==
		    r.fields.n);
	if (uri_parse(r.target, &uri) == OK)
		check(uri.authority.port > 0 &&
		    strlen(uri.authority.host.name) > 0);
	return 0;
}
