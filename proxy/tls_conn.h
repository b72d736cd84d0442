/* One TLS connection: OpenSSL's, over a socket that is never waited for. */
#ifndef PROXY_TLS_CONN_H
#define PROXY_TLS_CONN_H

#include "base/buf.h"
#include "proxy/stream.h"

#include <openssl/types.h>

/** Handshake messages that may come after the handshake: tickets and key
 * updates, each of which costs us work and the peer next to none. */
enum { TLS_LATE_MESSAGES_MAX = 32 };

/** How what the peer sends came to its end. */
enum tls_end {
	TLS_END_NONE,
	TLS_END_CLEAN,  /**< it said so */
	TLS_END_CUT,    /**< the socket ended, and it had not */
	TLS_END_BROKEN, /**< what came is no TLS */
};

struct tls_home;

/** For tls_*.c and stream_tls.c alone. */
struct tls_conn {
	SSL *ssl;
	int fd;                /**< borrowed */
	bool corked;           /**< more will be written at once */
	bool drained;          /**< the socket gave its end */
	bool settled;          /**< the handshake is over */
	bool mute;             /**< nothing may be written any more */
	bool h2;               /**< a server that would speak it */
	struct tls_home *home; /**< keeps its sessions; NULL: nobody does */
	enum tls_end end;
	unsigned late;    /**< handshake messages since it was over */
	struct buf early; /**< what was read of the socket before */
	size_t early_at;  /**< bytes of it that are used */
};

/** Sets what every connection of @ctx needs of us; once for each. */
void tls_conn_prepare(SSL_CTX *ctx);
/** Borrows @fd. E_NOMEM. *out is owned. */
enum status tls_conn_create(
    SSL_CTX *ctx, int fd, struct tls_conn **out) ATTR_MUST_USE;
/** NULL-safe. Says nothing to the peer. */
void tls_conn_destroy(struct tls_conn *c);

/** Takes @c, whose handshake is over, and its socket. */
struct stream stream_tls(struct tls_conn *c);

#endif
