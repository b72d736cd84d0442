/* The server at the other end of a socketpair, for tests of our client. */
#include "tests/unit/proxy/tls_peer.h"

#include "tests/unit/test.h"

#include <event2/event.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 1000, PEER_ROOM_BYTES = 32768 };

SSL_CTX *
peer_ctx_new(const struct pki_cert *cert, const struct pki_cert *chain)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_non_null(ctx);
	SSL_CTX_set_security_level(ctx, 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert->x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, cert->key), 1);
	if (chain != NULL)
		assert_int_equal(SSL_CTX_add1_chain_cert(ctx, chain->x509), 1);
	return ctx;
}

void
peer_open(struct peer *p, SSL_CTX *ctx)
{
	const int room = PEER_ROOM_BYTES;
	int fds[2];

	assert_int_equal(
	    socketpair(
	        AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	/* Whatever net.core.wmem_default is, it can be filled. */
	assert_int_equal(
	    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
	assert_int_equal(SSL_CTX_up_ref(ctx), 1);
	*p = (struct peer){ .ctx = ctx, .fd = fds[1], .ours = fds[0] };
	p->ssl = SSL_new(p->ctx);
	assert_non_null(p->ssl);
	assert_int_equal(SSL_set_fd(p->ssl, p->fd), 1);
	SSL_set_accept_state(p->ssl);
}

void
peer_init(
    struct peer *p, const struct pki_cert *cert, const struct pki_cert *chain)
{
	SSL_CTX *ctx = peer_ctx_new(cert, chain);

	peer_open(p, ctx);
	SSL_CTX_free(ctx);
}

void
peer_release(struct peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	if (p->fd >= 0)
		(void)close(p->fd);
	if (p->ours >= 0)
		(void)close(p->ours);
}

struct tls_client_ctx *
peer_client_ctx(const struct pki_cert *root)
{
	X509_STORE *store = X509_STORE_new();
	struct tls_trust *trust;
	struct tls_client_ctx *ctx;

	assert_non_null(store);
	assert_int_equal(X509_STORE_add_cert(store, root->x509), 1);
	trust = tls_trust_new(store);
	assert_non_null(trust);
	ctx = tls_client_ctx_new(trust);
	assert_non_null(ctx);
	assert_true(tls_client_ctx_is_of(ctx, trust));
	tls_trust_unref(trust);
	return ctx;
}

enum status
peer_shake(struct peer *p, struct tls_client *h, enum reason *why)
{
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		short events = 0;
		enum status st = tls_client_step(h, &events, why);

		if (st != E_PARTIAL) {
			if (st == OK)
				assert_int_equal(SSL_do_handshake(p->ssl), 1);
			return st;
		}
		assert_int_equal(events, EV_READ);
		ERR_clear_error();
		(void)SSL_do_handshake(p->ssl);
		ERR_clear_error();
	}
	fail_msg("the handshake does not end");
	return E_INTERNAL;
}

void
link_open(struct link *l, struct tls_client_ctx *ctx,
    const struct pki_cert *cert, int version)
{
	enum reason why = REASON_NONE;
	struct tls_client *h = NULL;

	peer_init(&l->peer, cert, NULL);
	(void)SSL_set_mode(l->peer.ssl,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	assert_int_equal(SSL_set_max_proto_version(l->peer.ssl, version), 1);
	assert_int_equal(
	    tls_client_start(ctx, l->peer.ours, LINK_HOST, &h), OK);
	l->peer.ours = -1;
	assert_int_equal(peer_shake(&l->peer, h, &why), OK);
	l->s = tls_client_take(h);
}

void
link_close(struct link *l)
{
	stream_close(&l->s);
	peer_release(&l->peer);
}

void
peer_says(struct link *l, const char *p, size_t n)
{
	ERR_clear_error();
	assert_int_equal(SSL_write(l->peer.ssl, p, (int)n), (int)n);
}

enum status
take_all(struct link *l, char *to, size_t room, size_t *n)
{
	enum status st;

	do {
		size_t got;

		st = stream_read(&l->s, to + *n, room - *n, &got);
		if (st == OK)
			*n += got;
	} while (st == OK && l->s.more && *n < room);
	return st;
}

size_t
peer_takes(struct link *l, char *to, size_t room)
{
	size_t n = 0;
	int got;

	do {
		ERR_clear_error();
		got = SSL_read(l->peer.ssl, to + n, (int)(room - n));
		if (got > 0)
			n += (size_t)got;
	} while (got > 0 && n < room);
	return n;
}
