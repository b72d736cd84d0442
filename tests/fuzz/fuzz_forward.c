/* Forwarded messages: whatever goes on must be a message that our own strict
 * parser reads, with one Host, one framing and nothing of another hop. */
#include "proxy/forward_body.h"
#include "proxy/forward_head.h"
#include "proxy/forward_map.h"

#include <stdlib.h>

static const struct forward_route proxy_route = { .kind = FORWARD_ROUTE_PROXY };

static const struct forward_route gateway_route = {
	.kind = FORWARD_ROUTE_GATEWAY,
	.host = "up.example",
	.port = 8443,
	.prefix = "/base",
	.own_host = "127.0.0.1:3190",
};

static const struct forward_route tunnel_route = {
	.kind = FORWARD_ROUTE_TUNNEL,
	.host = "up.example",
	.port = 443,
	.prefix = "",
};

enum { FIELDS_ADDED = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static size_t
count(const struct http1_fields *f, const char *name)
{
	size_t n = 0, at = http1_field_find(f, name, 0);

	for (; at < f->n; at = http1_field_find(f, name, at + 1))
		n++;
	return n;
}

static uint64_t
decode(const struct http1_framing *framing, struct slice in)
{
	struct forward_body b;
	struct buf out;
	uint64_t sum = 0;
	size_t used = 0;

	forward_body_init(&b, framing, false);
	buf_init(&out, in.n + FORWARD_BODY_OVERHEAD);
	if (forward_body_feed(&b, in, &used, &out) == OK)
		for (size_t i = 0; i < out.n; i++)
			sum = sum * 31 + (unsigned char)out.p[i] + 1;
	buf_release(&out);
	forward_body_release(&b);
	return sum;
}

/* A body written anew decodes to the same bytes, and ends where it ended. */
static void
check_body(const struct http1_framing *framing, struct slice in)
{
	bool chunked = framing->body == HTTP1_BODY_CHUNKED;
	struct forward_body b;
	struct buf out;
	size_t used = 0;

	forward_body_init(&b, framing, chunked);
	buf_init(&out, in.n + FORWARD_BODY_OVERHEAD);
	if (forward_body_feed(&b, in, &used, &out) == OK) {
		check(b.done && used <= in.n);
		check(decode(framing, in) == decode(framing, buf_slice(&out)));
	}
	check(buf_status(&out) == OK);
	buf_release(&out);
	forward_body_release(&b);
}

static void
check_request(const struct forward_request *r)
{
	struct http1_request again;
	struct http1_framing framing;
	struct http1_error error;
	struct forward_line line;
	struct buf out;

	/* What is added must still fit our own parser's ceiling. */
	if (r->http.fields.n > HTTP1_FIELDS_MAX - FIELDS_ADDED)
		return;
	buf_init(&out, 65536);
	forward_head_put_request(r, "wayleave", &out, &line);
	check(http1_parse_request(buf_slice(&out), &again, &error) == OK);
	check(http1_request_framing(&again, &framing, &error) == OK);
	check(framing.body == r->framing.body &&
	    framing.length == r->framing.length);
	check(count(&again.fields, "host") == 1);
	check(count(&again.fields, "connection") ==
	    (r->websocket[0] != '\0' ? 1 : 0));
	check(count(&again.fields, "upgrade") ==
	    count(&again.fields, "connection"));
	check(count(&again.fields, "proxy-authorization") == 0);
	check(count(&again.fields, "x-forwarded-for") == 0);
	check(count(&again.fields, "via") == count(&r->http.fields, "via") + 1);
	check(slice_eq(
	    again.method, slice_head(buf_slice(&out), line.method_bytes)));
	check(line.path_at + line.path_bytes <= out.n);
	buf_release(&out);
}

static void
try_response(
    struct slice head, struct slice body, const struct forward_route *gateway)
{
	struct forward_answer how = { .name = "wayleave",
		.route = gateway,
		.own = SLICE("127.0.0.1:3190") };
	struct http1_response r, again;
	struct http1_framing framing, framing_again;
	struct http1_error error;
	struct buf out;

	if (http1_parse_response(head, &r, &error) != OK ||
	    http1_response_framing(&r, SLICE("GET"), &framing) != OK ||
	    r.fields.n > HTTP1_FIELDS_MAX - FIELDS_ADDED)
		return;
	how.chunked = framing.body == HTTP1_BODY_CHUNKED;
	buf_init(&out, 65536);
	if (forward_head_put_response(&r, &framing, &how, &out) == OK) {
		check(http1_parse_response(buf_slice(&out), &again, &error) ==
		    OK);
		check(http1_response_framing(
		          &again, SLICE("GET"), &framing_again) == OK);
		check(
		    !framing_again.dirty && framing_again.body == framing.body);
		check_body(&framing, body);
	}
	buf_release(&out);
}

/* A gateway's goes to its own upstream, under its own prefix, without what the
 * client would be known by. */
static void
check_gateway(const struct forward_request *r)
{
	struct http1_request again;
	struct http1_error error;
	struct forward_line line;
	struct slice host;
	struct buf out;

	if (r->http.fields.n > HTTP1_FIELDS_MAX - FIELDS_ADDED)
		return;
	check_request(r);
	buf_init(&out, 65536);
	forward_head_put_request(r, "wayleave", &out, &line);
	check(http1_parse_request(buf_slice(&out), &again, &error) == OK);
	check(slice_starts(again.target, SLICE("/base/")));
	check(slice_eq(slice_from(again.target, 5), r->http.target));
	check(http1_field_only(&again.fields, "host", &host) == OK &&
	    slice_is(host, "up.example:8443"));
	check(count(&again.fields, "authorization") == 0);
	check((r->bearer.kind == FORWARD_BEARER_NONE) <=
	    (count(&r->http.fields, "authorization") == 0));
	buf_release(&out);
}

static void
try_gateway(struct slice head)
{
	struct forward_fault fault = { .code = REASON_NONE };
	struct forward_request r;
	struct slice host;
	struct buf text;

	if (forward_head_read(head, &gateway_route, "wayleave", &r, &fault) !=
	    OK) {
		check(fault.code != REASON_NONE);
		return;
	}
	check(http1_field_only(&r.http.fields, "host", &host) == OK &&
	    (slice_is(host, "127.0.0.1:3190") ||
	        slice_is_nocase(slice_head(host, 9), "localhost")));
	buf_init(&text, 0);
	check(forward_map_forth(&gateway_route, &r.http.fields, &text) == OK);
	check_gateway(&r);
	buf_release(&text);
}

/* In a tunnel no other host is asked for. */
static void
try_tunnel(struct slice head)
{
	struct forward_fault fault = { .code = REASON_NONE };
	struct forward_request r;
	struct slice host;

	if (forward_head_read(head, &tunnel_route, "wayleave", &r, &fault) !=
	    OK) {
		check(fault.code != REASON_NONE);
		return;
	}
	check(http1_field_only(&r.http.fields, "host", &host) == OK &&
	    slice_is_nocase(slice_head(host, 10), "up.example") &&
	    r.uri.authority.port == 443 && r.http.target.n > 0 &&
	    r.http.target.p[0] == '/');
	check_request(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	struct http1_error error;
	struct forward_fault fault;
	struct forward_request r;
	size_t scanned = 0, end = 0;

	if (http1_head_end(in, 16384, &scanned, &end, &error) != OK)
		return 0;
	try_response(slice_head(in, end), slice_from(in, end), NULL);
	try_response(slice_head(in, end), slice_from(in, end), &gateway_route);
	try_gateway(slice_head(in, end));
	try_tunnel(slice_head(in, end));
	if (forward_head_read(slice_head(in, end), &proxy_route, "wayleave", &r,
	        &fault) != OK) {
		check(fault.code != REASON_NONE);
		return 0;
	}
	check_request(&r);
	check_body(&r.framing, slice_from(in, end));
	return 0;
}
