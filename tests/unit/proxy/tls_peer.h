/* The server at the other end of a socketpair, for tests of our client. */
#ifndef TESTS_UNIT_PROXY_TLS_PEER_H
#define TESTS_UNIT_PROXY_TLS_PEER_H

#include "proxy/tls_client.h"
#include "tests/unit/proxy/tls_pki.h"

#include <openssl/ssl.h>

/** OpenSSL's, over an ordinary socket BIO; level 0: it would do anything. */
struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;   /**< its end */
	int ours; /**< the client's; who takes it sets -1 */
};

/** What peers with that certificate share; @chain (NULL: none) is sent along.
 */
SSL_CTX *peer_ctx_new(
    const struct pki_cert *cert, const struct pki_cert *chain);
void peer_open(struct peer *p, SSL_CTX *ctx);
/** Both at once. */
void peer_init(
    struct peer *p, const struct pki_cert *cert, const struct pki_cert *chain);
void peer_release(struct peer *p);

/** Trusts @root alone. */
struct tls_client_ctx *peer_client_ctx(const struct pki_cert *root);

/** Both ends by turns until ours has its answer. */
enum status peer_shake(struct peer *p, struct tls_client *h, enum reason *why);

#define LINK_HOST "acct1.blob.example"

/** A stream of ours and who is at its other end. */
struct link {
	struct peer peer;
	struct stream s;
};

/** Borrows @cert, which is LINK_HOST's. */
void link_open(struct link *l, struct tls_client_ctx *ctx,
    const struct pki_cert *cert, int version);
void link_close(struct link *l);
void peer_says(struct link *l, const char *p, size_t n);
/** What the peer has read of ours; 0 also at its end. */
size_t peer_takes(struct link *l, char *to, size_t room);
/** Reads as an owner does: again while there is more inside. */
enum status take_all(struct link *l, char *to, size_t room, size_t *n);

#endif
