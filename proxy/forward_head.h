/* Heads on their way through: what is refused, removed and added. Pure. */
#ifndef PROXY_FORWARD_HEAD_H
#define PROXY_FORWARD_HEAD_H

#include "base/http1.h"
#include "base/uri.h"
#include "policy/tenants.h"
#include "proxy/forward_fault.h"
#include "proxy/forward_route.h"
#include "proxy/forward_upgrade.h"

/** One request, read; slices point into its head, and into its route. */
struct forward_request {
	struct http1_request http;
	struct uri uri;
	struct http1_framing framing;
	bool answer_here; /**< OPTIONS with Max-Forwards: 0 */
	bool secure; /**< of a gateway or a tunnel: to its one host, by TLS */
	const struct policy_tenants *tenants; /**< to be told of, or NULL */
	struct slice prefix;                  /**< of the path; a gateway's */
	struct forward_bearer bearer;
	/** What a WebSocket's answer has to prove; "": it is none. */
	char websocket[WEBSOCKET_KEY_BYTES];
};

/**
 * Parses and checks @head: absolute-form http only, or on the @route of a
 * gateway or a tunnel origin-form only; a sound Host, framing with one
 * reading, no hop-by-hop abuse, not through @name before. E_SYNTAX
 * with @fault; then the method and the authority in @out are set as far as
 * they could be read, and empty else. Source: RFC 9112 3.2, 6.3; RFC 9110 7.6.
 */
enum status forward_head_read(struct slice head,
    const struct forward_route *route, const char *name,
    struct forward_request *out, struct forward_fault *fault) ATTR_MUST_USE;

/** What forward_head_put_request() wrote where, within the head. */
struct forward_line {
	size_t method_bytes; /**< from the start */
	size_t path_at, path_bytes;
};

/**
 * Writes the origin-form head that goes to the destination; of a secure one
 * without Authorization, which is not the client's to decide.
 */
void forward_head_put_request(const struct forward_request *r, const char *name,
    struct buf *out, struct forward_line *line);
/** The same for the broker: no Via is added, and none removed. */
void forward_head_put_broker(const struct forward_request *r, struct buf *out);

struct forward_answer {
	const char *name;
	bool chunked; /**< the body will be sent in chunks */
	bool close;   /**< tell the client that the connection ends */
	int64_t now_unix_s;
	/** Of a gateway, whose addresses it should tell; or NULL. */
	const struct forward_route *route;
	struct slice own; /**< what the client calls it */
	bool websocket;   /**< a 101 that may be told on */
};

/**
 * E_SYNTAX when the head cannot be told on: Connection names a field that
 * frames the message, or a status that no origin may send to a proxy.
 */
enum status forward_head_put_response(const struct http1_response *r,
    const struct http1_framing *framing, const struct forward_answer *how,
    struct buf *out) ATTR_MUST_USE;

/** Whether a trailer field may be passed on (RFC 9110 6.5.1). */
bool forward_trailer_is_allowed(struct slice name);

/** RFC 9110 9.2.2. */
bool forward_method_is_idempotent(struct slice method);

#endif
