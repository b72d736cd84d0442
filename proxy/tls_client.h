/* TLS towards an upstream: who does not prove to be that host gets no byte. */
#ifndef PROXY_TLS_CLIENT_H
#define PROXY_TLS_CLIENT_H

#include "base/reason.h"
#include "proxy/stream.h"
#include "proxy/tls_trust.h"

/** Handshakes at a time by one context: each holds locked memory. */
enum { TLS_CLIENT_HANDSHAKES_MAX = 512 };

/** What one worker's handshakes have in common; costs a ms to make. */
struct tls_client_ctx;
/** One handshake. */
struct tls_client;

/** References @trust. NULL: no memory. Returns owned. */
struct tls_client_ctx *tls_client_ctx_new(
    struct tls_trust *trust) ATTR_MUST_USE;
/** Handshakes under way go on. NULL-safe. */
void tls_client_ctx_destroy(struct tls_client_ctx *ctx);
/** Whether it was made of @trust. */
bool tls_client_ctx_is_of(
    const struct tls_client_ctx *ctx, const struct tls_trust *trust);

/** Whether no handshake may be started now. */
bool tls_client_ctx_is_full(const struct tls_client_ctx *ctx);

/**
 * A handshake on @fd (connected, non-blocking), taken on success alone. The
 * peer has to be @host, a canonical name. Nothing is sent yet. E_NOMEM,
 * E_LIMIT (too many are under way), E_INVALID (@host is no such name).
 */
enum status tls_client_start(struct tls_client_ctx *ctx, int fd,
    const char *host, struct tls_client **out) ATTR_MUST_USE;
/**
 * Before the first step: has the peer, which is at @port, show no certificate
 * if it did a while ago, and keeps what it needs to be spared the next time.
 */
void tls_client_resume(struct tls_client *h, const char *host, uint16_t port);
/** Before the first step: asks for HTTP/2, or HTTP/1.1 (RFC 7301). */
void tls_client_offer_h2(struct tls_client *h);
/** After OK: whether HTTP/2 was agreed on. */
bool tls_client_is_h2(const struct tls_client *h);
/** Forgets whom it has met. NULL-safe. */
void tls_client_ctx_forget(struct tls_client_ctx *ctx);
/**
 * Goes on as far as the socket lets it. OK: the peer is @host. E_PARTIAL:
 * call again upon *@events (EV_READ or EV_WRITE). E_DENIED: *@why is
 * TLS_CERTIFICATE or TLS_FAILED, and cancel is all that is left. The deadline
 * is the caller's.
 */
enum status tls_client_step(
    struct tls_client *h, short *events, enum reason *why) ATTR_MUST_USE;
/** What was wrong, in OpenSSL's words, for the log; also where time was up. */
const char *tls_client_problem(const struct tls_client *h);
/** After OK: the version, such as "TLSv1.3" or "TLSv1.3 resumed", for the
 * record. Static. */
const char *tls_client_word(const struct tls_client *h);
/** After OK, once: the stream; @h is freed. */
struct stream tls_client_take(struct tls_client *h);
/** Closes the socket and frees @h. NULL-safe. */
void tls_client_cancel(struct tls_client *h);

#endif
