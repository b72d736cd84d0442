/* Where a forwarded request goes, when its listener says so. Pure. */
#ifndef PROXY_FORWARD_ROUTE_H
#define PROXY_FORWARD_ROUTE_H

#include "base/http1.h"
#include "base/uri.h"

#include "proxy/forward_fault.h"

enum forward_route_kind {
	FORWARD_ROUTE_PROXY,   /**< as the request's absolute URI says */
	FORWARD_ROUTE_GATEWAY, /**< to one https destination */
	FORWARD_ROUTE_TUNNEL,  /**< to that of the tunnel that it is in */
};

/** All borrowed; of a PROXY route nothing but the kind, of a TUNNEL no more
 * than whom it leads to and an empty prefix. */
struct forward_route {
	enum forward_route_kind kind;
	const char *host; /**< canonical */
	uint16_t port;
	const char *prefix;   /**< put before each path, or "" */
	const char *own_host; /**< what Host must say: ADDRESS:PORT */
	bool any_host;        /**< a Unix socket has no such name */
};

/** What stands for the client's own credential in a request. */
struct forward_bearer {
	enum {
		FORWARD_BEARER_NONE,
		FORWARD_BEARER_ONE,
		FORWARD_BEARER_ODD, /**< twice, hop-by-hop, or in the trailers */
	} kind;
	struct slice value; /**< of the one; borrowed from the head */
};

/**
 * Fills @uri for the origin-form @target of a request to @route. E_SYNTAX
 * with @fault.
 */
enum status forward_route_target(const struct forward_route *route,
    struct slice target, struct uri *uri,
    struct forward_fault *fault) ATTR_MUST_USE;
/** Whether the authority @value is the gateway's own name. */
bool forward_route_is_own(
    const struct forward_route *route, struct slice value);
/**
 * Whether a request speaks to this gateway by its own name, and is not sent
 * by a page of another site: either would have a browser spend what only its
 * user's programs may. In a tunnel: whether it is for the tunnel's host, as
 * no other was judged. E_SYNTAX with @fault.
 */
enum status forward_route_check_client(const struct forward_route *route,
    const struct http1_fields *f, struct forward_fault *fault) ATTR_MUST_USE;

/** Whether a Host field has a value that it may have (RFC 9110 7.2). */
bool forward_host_is_valid(struct slice value);

struct forward_bearer forward_bearer_read(const struct http1_fields *f);
/** Whether it may hold for the connection and not for the request alone: of
 * no scheme that is known for the latter. Source: RFC 4559 4. */
bool forward_bearer_signs_in(const struct forward_bearer *b);
/** The token of "Bearer TOKEN"; false where it is of another scheme. */
bool forward_bearer_token(
    const struct forward_bearer *b, struct slice *out) ATTR_MUST_USE;

#endif
