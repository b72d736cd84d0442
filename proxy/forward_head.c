/* Rewrites heads as RFC 9110 7.6 asks of a proxy. */
#include "proxy/forward_head.h"

#include "proxy/forward_map.h"
#include "proxy/forward_path.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Of one hop only, whether Connection names them or not (RFC 9110 7.6.1,
 * 11.7). Transfer-Encoding and Host are written anew. */
static const struct slice hop_by_hop[] = {
	SLICE_INIT("connection"),
	SLICE_INIT("proxy-connection"),
	SLICE_INIT("keep-alive"),
	SLICE_INIT("te"),
	SLICE_INIT("transfer-encoding"),
	SLICE_INIT("upgrade"),
	SLICE_INIT("http2-settings"),
	SLICE_INIT("proxy-authorization"),
	SLICE_INIT("proxy-authenticate"),
	SLICE_INIT("proxy-authentication-info"),
};

/* What a client says about other hops is not believed, nor told on. */
static const struct slice claims[] = {
	SLICE_INIT("forwarded"),
	SLICE_INIT("x-real-ip"),
	SLICE_INIT("x-upstream-https-proxy"),
};

/* To drop these by naming them in Connection would change the message. */
static const struct slice not_hop_by_hop[] = {
	SLICE_INIT("host"),
	SLICE_INIT("authorization"),
	SLICE_INIT("content-length"),
	SLICE_INIT("transfer-encoding"),
	SLICE_INIT("via"),
};

static bool
is_one_of(struct slice name, const struct slice *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq_nocase(name, names[i]))
			return true;
	return false;
}

bool
forward_trailer_is_allowed(struct slice name)
{
	static const struct slice forbidden[] = {
		SLICE_INIT("content-length"),
		SLICE_INIT("host"),
		SLICE_INIT("trailer"),
		SLICE_INIT("content-encoding"),
		SLICE_INIT("content-type"),
		SLICE_INIT("content-range"),
		SLICE_INIT("authorization"),
		SLICE_INIT("set-cookie"),
		SLICE_INIT("cookie"),
		SLICE_INIT("cache-control"),
		SLICE_INIT("expect"),
		SLICE_INIT("max-forwards"),
		SLICE_INIT("pragma"),
		SLICE_INIT("range"),
		SLICE_INIT("date"),
		SLICE_INIT("expires"),
		SLICE_INIT("location"),
		SLICE_INIT("retry-after"),
		SLICE_INIT("vary"),
		SLICE_INIT("warning"),
		SLICE_INIT("via"),
		SLICE_INIT("age"),
		SLICE_INIT("www-authenticate"),
		SLICE_INIT("if-match"),
		SLICE_INIT("if-none-match"),
		SLICE_INIT("if-modified-since"),
		SLICE_INIT("if-unmodified-since"),
		SLICE_INIT("if-range"),
		SLICE_INIT("proxy-status"),
	};

	return !is_one_of(name, hop_by_hop, ARRAY_LEN(hop_by_hop)) &&
	    !is_one_of(name, claims, ARRAY_LEN(claims)) &&
	    !is_one_of(name, forbidden, ARRAY_LEN(forbidden)) &&
	    !tenants_own_field(name) &&
	    !slice_eq_nocase(slice_head(name, 12), SLICE("x-forwarded-"));
}

bool
forward_method_is_idempotent(struct slice method)
{
	return slice_is(method, "GET") || slice_is(method, "HEAD") ||
	    slice_is(method, "OPTIONS") || slice_is(method, "PUT") ||
	    slice_is(method, "DELETE");
}

static bool
has_connection(const struct http1_fields *f)
{
	return http1_field_find(f, "connection", 0) < f->n;
}

/* @spared: a name that somebody else judges, or empty. */
static bool
connection_names(const struct http1_fields *f, struct slice spared)
{
	if (!has_connection(f))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(not_hop_by_hop); i++)
		if (!slice_eq(not_hop_by_hop[i], spared) &&
		    http1_field_has_token(f, "connection", not_hop_by_hop[i]))
			return true;
	return false;
}

static enum status
check_host(const struct http1_request *r, struct forward_fault *fault)
{
	struct slice v;
	enum status st = http1_field_only(&r->fields, "host", &v);

	if (st == E_NOTFOUND && r->version == HTTP1_0)
		return OK;
	if (st == E_NOTFOUND)
		return forward_fault_set(
		    fault, REASON_BAD_REQUEST, 0, "Host is missing");
	if (st != OK)
		return forward_fault_set(
		    fault, REASON_BAD_REQUEST, 0, "Host stands twice");
	if (!forward_host_is_valid(v))
		return forward_fault_set(
		    fault, REASON_BAD_REQUEST, 0, "Host is malformed");
	return OK;
}

/* "1.1 NAME (comment)": the second word is who received it. */
static bool
via_names(const struct http1_fields *f, const char *name)
{
	size_t at = http1_field_find(f, "via", 0);

	for (; at < f->n; at = http1_field_find(f, "via", at + 1)) {
		struct slice rest = f->at[at].value, e;
		while (http1_list_next(&rest, &e)) {
			e = slice_trim_ows(slice_from(e, slice_find(e, ' ')));
			e = slice_head(e, slice_find(e, ' '));
			if (slice_eq_nocase(e, slice_of(name)))
				return true;
		}
	}
	return false;
}

static enum status
check_absolute(struct forward_request *r, struct forward_fault *fault)
{
	enum status st = uri_parse(r->http.target, &r->uri);

	if (st == E_INVALID)
		return forward_fault_set(fault, REASON_BAD_HOST, 0, NULL);
	if (st != OK)
		return forward_fault_set(fault, REASON_BAD_REQUEST, 0,
		    "this is a proxy: use CONNECT or an absolute URI");
	if (r->uri.scheme != URI_HTTP)
		return forward_fault_set(fault, REASON_BAD_REQUEST, 0,
		    "https is reached by CONNECT");
	return OK;
}

static enum status
check_target(const struct forward_route *route, struct forward_request *r,
    struct forward_fault *fault)
{
	enum status st;

	if (slice_is(r->http.method, "CONNECT"))
		return forward_fault_set(fault, REASON_BAD_REQUEST, 0,
		    r->secure ? "no tunnel is opened from here"
		              : "CONNECT comes first on its connection");
	st = r->secure
	    ? forward_route_target(route, r->http.target, &r->uri, fault)
	    : check_absolute(r, fault);
	if (st != OK)
		return st;
	if (!forward_path_ok(r->uri.path, r->secure))
		return forward_fault_set(fault, REASON_BAD_REQUEST, 0,
		    "the path can be read in two ways");
	return OK;
}

/* RFC 9110 7.6.2: counted down for OPTIONS, never invented. */
static enum status
check_max_forwards(struct forward_request *r, struct forward_fault *fault)
{
	struct slice v;
	uint64_t n = 1;
	enum status st;

	if (slice_is(r->http.method, "TRACE"))
		return forward_fault_set(fault, REASON_METHOD_NOT_ALLOWED, 0,
		    "TRACE is refused by this proxy");
	st = http1_field_only(&r->http.fields, "max-forwards", &v);
	if (st == E_NOTFOUND || !slice_is(r->http.method, "OPTIONS"))
		return OK;
	if (st != OK || !slice_to_u64(v, UINT32_MAX, &n))
		return forward_fault_set(
		    fault, REASON_BAD_REQUEST, 0, "Max-Forwards is malformed");
	r->answer_here = n == 0;
	return OK;
}

enum status
forward_head_read(struct slice head, const struct forward_route *route,
    const char *name, struct forward_request *out, struct forward_fault *fault)
{
	struct http1_error error = { .status = 400 };
	struct slice spared = SLICE("");
	struct forward_fault stranger = *fault;
	enum status st;

	out->answer_here = false;
	out->secure = route->kind != FORWARD_ROUTE_PROXY;
	out->prefix = out->secure ? slice_of(route->prefix) : SLICE("");
	out->tenants = NULL;
	out->bearer = (struct forward_bearer){ .kind = FORWARD_BEARER_NONE };
	out->uri = (struct uri){ .scheme = URI_HTTP };
	if (http1_parse_request(head, &out->http, &error) != OK) {
		out->http.method = (struct slice){ .n = 0 };
		return forward_fault_set(
		    fault, REASON_BAD_REQUEST, error.status, error.detail);
	}
	if (http1_request_framing(&out->http, &out->framing, &error) != OK)
		return forward_fault_set(
		    fault, REASON_BAD_REQUEST, error.status, error.detail);
	st = check_target(route, out, fault);
	if (st == OK)
		st = check_host(&out->http, fault);
	if (out->secure &&
	    forward_route_check_client(route, &out->http.fields, &stranger) !=
	        OK) {
		/* It does not learn what is behind a gateway. */
		if (route->kind == FORWARD_ROUTE_GATEWAY)
			out->uri = (struct uri){ .scheme = URI_HTTP };
		if (st == OK)
			*fault = stranger;
		return E_SYNTAX;
	}
	if (st != OK)
		return st;
	out->bearer = forward_bearer_read(&out->http.fields);
	/* What that means the rule that injects will say. */
	if (out->secure)
		spared = SLICE("authorization");
	if (connection_names(&out->http.fields, spared))
		return forward_fault_set(fault, REASON_BAD_REQUEST, 0,
		    "Connection names a field that is not hop-by-hop");
	if (via_names(&out->http.fields, name))
		return forward_fault_set(fault, REASON_LOOP, 0, NULL);
	/* Elsewhere nobody could see that it is one. */
	if (!out->secure || out->framing.body != HTTP1_BODY_NONE ||
	    !websocket_is_asked(&out->http, out->websocket))
		out->websocket[0] = '\0';
	return check_max_forwards(out, fault);
}

static void
put_field(struct buf *out, const struct http1_field *f)
{
	buf_put_slice(out, f->name);
	buf_puts(out, ": ");
	buf_put_slice(out, f->value);
	buf_puts(out, "\r\n");
}

static bool
is_dropped(const struct http1_fields *all, struct slice name)
{
	return is_one_of(name, hop_by_hop, ARRAY_LEN(hop_by_hop)) ||
	    (has_connection(all) &&
	        http1_field_has_token(all, "connection", name));
}

static bool
is_claim(struct slice name)
{
	return is_one_of(name, claims, ARRAY_LEN(claims)) ||
	    slice_eq_nocase(slice_head(name, 12), SLICE("x-forwarded-"));
}

static void
put_via(struct buf *out, enum http1_version version, const char *name)
{
	buf_puts(out, version == HTTP1_0 ? "Via: 1.0 " : "Via: 1.1 ");
	buf_puts(out, name);
	buf_puts(out, "\r\n");
}

static const char upgrade[] = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

/* RFC 9112 3.2.1, 3.2.4: an empty path is "/", and "*" with OPTIONS. */
static void
put_request_line(
    const struct forward_request *r, struct buf *out, struct forward_line *line)
{
	const struct uri *u = &r->uri;

	buf_put_slice(out, r->http.method);
	buf_putc(out, ' ');
	line->method_bytes = r->http.method.n;
	line->path_at = out->n;
	line->path_bytes = r->prefix.n + (u->path.n > 0 ? u->path.n : 1);
	buf_put_slice(out, r->prefix);
	if (u->path_query.n == 0 && slice_is(r->http.method, "OPTIONS"))
		buf_putc(out, '*');
	else if (u->path.n == 0)
		buf_putc(out, '/');
	buf_put_slice(out, u->path_query);
	buf_puts(out, " HTTP/1.1\r\nHost: ");
	/* RFC 9112 3.2.2: from the target, whatever Host said. */
	if (u->authority.host.kind == HOST_IP &&
	    u->authority.host.addr.family == ADDR_V6)
		buf_printf(out, "[%s]", u->authority.host.name);
	else
		buf_puts(out, u->authority.host.name);
	if (u->authority.has_port)
		buf_printf(out, ":%u", (unsigned)u->authority.port);
	buf_puts(out, "\r\n");
}

static void
put_request_field(const struct forward_request *r, const struct http1_field *f,
    struct buf *out)
{
	uint64_t n = 0;

	if (slice_is_nocase(f->name, "expect") && r->http.version == HTTP1_0)
		return; /* RFC 9110 10.1.1 */
	if (slice_is_nocase(f->name, "max-forwards") &&
	    slice_is(r->http.method, "OPTIONS") &&
	    slice_to_u64(f->value, UINT32_MAX, &n) && n > 0)
		buf_printf(out, "%.*s: %u\r\n", (int)f->name.n, f->name.p,
		    (unsigned)(n - 1));
	else
		put_field(out, f);
}

static void
put_own(struct buf *out, const char *name, const char *value)
{
	if (value != NULL) {
		buf_puts(out, name);
		buf_puts(out, value);
		buf_puts(out, "\r\n");
	}
}

static void
put_tenants(const struct policy_tenants *t, struct buf *out)
{
	put_own(out, "Restrict-Access-To-Tenants: ", t->allowed);
	put_own(out, "Restrict-Access-Context: ", t->context);
	put_own(out, "sec-Restrict-Tenant-Access-Policy: ", t->policy);
}

void
forward_head_put_request(const struct forward_request *r, const char *name,
    struct buf *out, struct forward_line *line)
{
	const struct http1_fields *all = &r->http.fields;

	put_request_line(r, out, line);
	for (size_t i = 0; i < all->n; i++) {
		struct slice n = all->at[i].name;
		if (!slice_is_nocase(n, "host") && !is_dropped(all, n) &&
		    !is_claim(n) &&
		    !(r->tenants != NULL && tenants_own_field(n)) &&
		    !(r->secure && slice_is_nocase(n, "authorization")))
			put_request_field(r, &all->at[i], out);
	}
	if (r->tenants != NULL)
		put_tenants(r->tenants, out);
	put_via(out, r->http.version, name);
	if (r->framing.body == HTTP1_BODY_CHUNKED)
		buf_puts(out, "Transfer-Encoding: chunked\r\n");
	if (r->websocket[0] != '\0')
		buf_puts(out, upgrade);
	buf_puts(out, "\r\n");
}

void
forward_head_put_broker(const struct forward_request *r, struct buf *out)
{
	const struct http1_fields *all = &r->http.fields;
	struct forward_line line;

	put_request_line(r, out, &line);
	for (size_t i = 0; i < all->n; i++) {
		struct slice n = all->at[i].name;
		if (!slice_is_nocase(n, "host") && !is_dropped(all, n))
			put_field(out, &all->at[i]);
	}
	buf_puts(out, "Connection: close\r\n\r\n");
}

/* RFC 9110 5.6.7, in no locale. */
static void
put_date(struct buf *out, int64_t now_unix_s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)now_unix_s;
	struct tm tm = { 0 };

	(void)gmtime_r(&t, &tm);
	buf_printf(out, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
	    days + (size_t)(3 * tm.tm_wday), tm.tm_mday,
	    months + (size_t)(3 * tm.tm_mon), tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
}

/* RFC 9112 6.1, 6.3: not beside a coding, nor where no body can be. */
static bool
length_is_dropped(
    const struct http1_response *r, const struct http1_framing *framing)
{
	return framing->body == HTTP1_BODY_CHUNKED || r->status < 200 ||
	    r->status == 204 ||
	    http1_field_find(&r->fields, "transfer-encoding", 0) < r->fields.n;
}

static void
put_response_field(const struct http1_field *f,
    const struct forward_answer *how, struct buf *out)
{
	buf_put_slice(out, f->name);
	buf_puts(out, ": ");
	if (how->route == NULL ||
	    !forward_map_back(how->route, how->own, f, out))
		buf_put_slice(out, f->value);
	buf_puts(out, "\r\n");
}

enum status
forward_head_put_response(const struct http1_response *r,
    const struct http1_framing *framing, const struct forward_answer *how,
    struct buf *out)
{
	const struct http1_fields *all = &r->fields;
	bool no_length = length_is_dropped(r, framing);

	/* 407 is this hop's own word (RFC 9110 15.5.8); nobody asked for 101. */
	if (connection_names(all, SLICE("")) || r->status == 407 ||
	    (r->status == 101 && !how->websocket))
		return E_SYNTAX;
	buf_puts(out, "HTTP/1.1 ");
	buf_put_u64(out, (uint64_t)r->status); /* 100 to 999 */
	buf_putc(out, ' ');
	buf_put_slice(out, r->reason);
	buf_puts(out, "\r\n");
	for (size_t i = 0; i < all->n; i++) {
		struct slice n = all->at[i].name;
		if (!is_dropped(all, n) &&
		    !(no_length && slice_is_nocase(n, "content-length")))
			put_response_field(&all->at[i], how, out);
	}
	if (http1_field_find(all, "date", 0) == all->n && r->status >= 200)
		put_date(out, how->now_unix_s);
	put_via(out, r->version, how->name);
	if (how->chunked)
		buf_puts(out, "Transfer-Encoding: chunked\r\n");
	if (how->websocket)
		buf_puts(out, upgrade);
	if (how->close)
		buf_puts(out, "Connection: close\r\n");
	buf_puts(out, "\r\n");
	return buf_status(out);
}
