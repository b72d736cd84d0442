/* TLS towards the client of an inspected tunnel: we are its destination. */
#ifndef PROXY_TLS_ACCEPT_H
#define PROXY_TLS_ACCEPT_H

#include "base/slice.h"
#include "proxy/stream.h"
#include "proxy/tls_mint.h"

#include <stdbool.h>
#include <stdint.h>

/** Leaves that are kept, and handshakes at a time, by one context. */
enum { TLS_ACCEPT_LEAVES_MAX = 1024, TLS_ACCEPT_HANDSHAKES_MAX = 512 };

/** What one worker's handshakes have in common; costs a ms to make. */
struct tls_accept_ctx;
/** One handshake. */
struct tls_accept;

/** References @ca. NULL: no memory. Returns owned. */
struct tls_accept_ctx *tls_accept_ctx_new(struct tls_ca *ca) ATTR_MUST_USE;
/** Handshakes under way go on. NULL-safe. */
void tls_accept_ctx_destroy(struct tls_accept_ctx *ctx);
/** Whether its leaves are @ca's. */
bool tls_accept_ctx_is_of(
    const struct tls_accept_ctx *ctx, const struct tls_ca *ca);

struct tls_accept_params {
	struct tls_accept_ctx *ctx;
	int fd; /**< connected, non-blocking; taken on success alone */
	const char *host; /**< whom the client wants: a canonical name */
	int64_t now_unix_s;
	struct slice early; /**< what was read of @fd already; copied */
	bool h2;            /**< HTTP/2 is spoken, too */
};

/**
 * A handshake in which we are @host. Nothing is sent yet. E_NOMEM, E_LIMIT
 * (too many are under way), E_INVALID (@host is no such name).
 */
enum status tls_accept_start(const struct tls_accept_params *params,
    struct tls_accept **out) ATTR_MUST_USE;
/**
 * Goes on as far as the socket lets it. OK: it is done. E_PARTIAL: call again
 * upon *@events (EV_READ or EV_WRITE). E_CLOSED: the client did not want it;
 * cancel is all that is left. The deadline is the caller's.
 */
enum status tls_accept_step(struct tls_accept *h, short *events) ATTR_MUST_USE;
/** What was wrong, in OpenSSL's words, for the log. */
const char *tls_accept_problem(const struct tls_accept *h);
/** After E_CLOSED: by an alert or by what is no TLS, not by an end alone. */
bool tls_accept_was_refused(const struct tls_accept *h);
/** After OK: whether HTTP/2 was chosen (RFC 7301). */
bool tls_accept_is_h2(const struct tls_accept *h);
/** After OK, once: the stream; @h is freed. */
struct stream tls_accept_take(struct tls_accept *h);
/** Closes the socket and frees @h. NULL-safe. */
void tls_accept_cancel(struct tls_accept *h);

#endif
