/* Requests to one host: their target, their sender, their credential. */
#include "proxy/forward_route.h"

#include <string.h>

/*
 * RFC 9110 7.2, by the grammar of RFC 3986 3.2: what the field says is not
 * used (RFC 9112 3.2.2), but a broken one is a broken request.
 */
bool
forward_host_is_valid(struct slice v)
{
	bool v6 = v.n > 0 && v.p[0] == '[';
	size_t end = slice_find(v, v6 ? ']' : ':');
	struct slice host = slice_head(v, end), port;

	if (v6 && end == v.n)
		return false;
	port = slice_from(v, v6 ? end + 1 : end);
	for (size_t i = v6 ? 1 : 0; i < host.n; i++)
		if (!ascii_is_alnum(host.p[i]) &&
		    strchr(v6 ? ".:" : "-._~%!$&'()*+,;=", host.p[i]) == NULL)
			return false;
	for (size_t i = 1; i < port.n; i++)
		if (!ascii_is_digit(port.p[i]))
			return false;
	return host.n > 0 && (port.n == 0 || port.p[0] == ':');
}

enum status
forward_route_target(const struct forward_route *route, struct slice target,
    struct uri *uri, struct forward_fault *fault)
{
	size_t mark = slice_find(target, '?');

	/* RFC 9112 3.2.1; a fragment and control bytes have no place in it. */
	if (!slice_starts(target, SLICE("/")))
		return forward_fault_set(fault, REASON_BAD_REQUEST, 0,
		    route->kind == FORWARD_ROUTE_GATEWAY
		        ? "this is a gateway: send a path, as to an origin"
		        : "in a tunnel send a path, as to an origin");
	for (size_t i = 0; i < target.n; i++)
		if (target.p[i] <= ' ' || target.p[i] >= 0x7f ||
		    target.p[i] == '#')
			return forward_fault_set(fault, REASON_BAD_REQUEST, 0,
			    "the path has a byte that no path may have");
	if (host_parse(slice_of(route->host), &uri->authority.host) != OK)
		return forward_fault_set(fault, REASON_BAD_HOST, 0, NULL);
	uri->scheme = URI_HTTPS;
	uri->authority.port = route->port;
	uri->authority.has_port = route->port != 443;
	uri->authority_text = slice_of(uri->authority.host.name);
	uri->path_query = target;
	uri->path = slice_head(target, mark);
	uri->query = (struct slice){ 0 };
	if (mark < target.n)
		uri->query = slice_from(target, mark + 1);
	return OK;
}

/* DNS rebinding: a page's own name may have come to mean this address. */
bool
forward_route_is_own(const struct forward_route *route, struct slice value)
{
	struct authority host, own;

	if (authority_parse(value, &host) != OK ||
	    authority_parse(slice_of(route->own_host), &own) != OK)
		return false;
	/* A client leaves the port out where it is http's own. */
	if (!host.has_port)
		host.port = 80;
	if (host.port != own.port)
		return false;
	return strcmp(host.host.name, own.host.name) == 0 ||
	    strcmp(host.host.name, "localhost") == 0;
}

/* W3C Fetch Metadata: what a browser says of the page that asks. */
static bool
is_other_site(const struct http1_fields *f)
{
	size_t at = http1_field_find(f, "sec-fetch-site", 0);

	for (; at < f->n; at = http1_field_find(f, "sec-fetch-site", at + 1))
		if (!slice_is(f->at[at].value, "same-origin") &&
		    !slice_is(f->at[at].value, "none"))
			return true;
	return false;
}

/* RFC 6454 7: browsers that know no Fetch Metadata send this with all that
 * may change something. */
static bool
is_other_origin(const struct http1_fields *f, struct slice host)
{
	struct slice origin, scheme = SLICE("http://");
	enum status st = http1_field_only(f, "origin", &origin);

	if (st == E_NOTFOUND)
		return false;
	return st != OK || !slice_starts(origin, scheme) ||
	    !slice_eq_nocase(slice_from(origin, scheme.n), host);
}

/* RFC 9110 4.2.2: 443 where it says none. */
static bool
host_is_destination(const struct forward_route *route, struct slice value)
{
	struct authority to;

	return authority_parse(value, &to) == OK &&
	    (to.has_port ? to.port : 443) == route->port &&
	    strcmp(to.host.name, route->host) == 0;
}

static enum status
check_inside(const struct forward_route *route, const struct http1_fields *f,
    struct forward_fault *fault)
{
	struct slice host;

	if (http1_field_only(f, "host", &host) == OK &&
	    host_is_destination(route, host))
		return OK;
	return forward_fault_set(fault, REASON_BAD_HOST, 0,
	    "the Host field does not name the tunnel's destination");
}

enum status
forward_route_check_client(const struct forward_route *route,
    const struct http1_fields *f, struct forward_fault *fault)
{
	struct slice host;

	if (route->kind == FORWARD_ROUTE_TUNNEL)
		return check_inside(route, f, fault);
	if (http1_field_only(f, "host", &host) != OK ||
	    (!route->any_host && !forward_route_is_own(route, host)))
		return forward_fault_set(fault, REASON_BAD_HOST, 0,
		    "the Host field does not name this gateway");
	if (is_other_site(f) || is_other_origin(f, host))
		return forward_fault_set(fault, REASON_BAD_REQUEST, 0,
		    "pages of other sites may not use a gateway");
	return OK;
}

struct forward_bearer
forward_bearer_read(const struct http1_fields *f)
{
	struct slice name = SLICE("authorization");
	struct forward_bearer b = { .kind = FORWARD_BEARER_NONE };
	size_t at = http1_field_find(f, "authorization", 0);

	if (at < f->n) {
		b.kind = FORWARD_BEARER_ONE;
		b.value = f->at[at].value;
	}
	if ((at < f->n &&
	        http1_field_find(f, "authorization", at + 1) < f->n) ||
	    http1_field_has_token(f, "connection", name) ||
	    http1_field_has_token(f, "trailer", name))
		b.kind = FORWARD_BEARER_ODD;
	return b;
}

bool
forward_bearer_signs_in(const struct forward_bearer *b)
{
	static const char *const schemes[] = { "Bearer", "Basic", "SharedKey",
		"SharedKeyLite" };
	struct slice scheme = slice_head(b->value, slice_find(b->value, ' '));

	if (b->kind == FORWARD_BEARER_NONE)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (b->kind == FORWARD_BEARER_ONE &&
		    slice_eq_nocase(scheme, slice_of(schemes[i])))
			return false;
	return true;
}

/* RFC 6750 2.1, RFC 9110 11.1. */
bool
forward_bearer_token(const struct forward_bearer *b, struct slice *out)
{
	struct slice scheme = SLICE("Bearer");

	if (b->kind != FORWARD_BEARER_ONE ||
	    !slice_eq_nocase(slice_head(b->value, scheme.n), scheme) ||
	    !slice_starts(slice_from(b->value, scheme.n), SLICE(" ")))
		return false;
	*out = slice_trim_ows(slice_from(b->value, scheme.n));
	return true;
}
