/* TLS 1.2 and 1.3 with forward secrecy and authenticated encryption alone,
 * and a certificate that tls_verify.c likes. */
#include "proxy/tls_client.h"

#include "base/host.h"
#include "proxy/tls_conn.h"
#include "proxy/tls_sessions.h"
#include "proxy/tls_verify.h"

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

struct tls_client_ctx {
	unsigned refs; /* its owner's and one for each handshake */
	struct tls_trust *trust;
	struct tls_sessions *sessions;
	SSL_CTX *ssl;
};

struct tls_client {
	struct tls_client_ctx *ctx;
	struct tls_conn *conn;
	const char *problem;
	bool offers_h2;
};

static const unsigned char protocols[] = "\x08http/1.1";

static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_conn *c = SSL_get_app_data(ssl);

	return c->home != NULL && tls_home_keep(c->home, session);
}

/* Whatever /etc/ssl/openssl.cnf says: all that matters is set here. */
static bool
set_protocol(SSL_CTX *ctx)
{
	char groups[] = "X25519:P-256:P-384"; /* a macro casts const away */

	SSL_CTX_clear_options(ctx,
	    SSL_OP_LEGACY_SERVER_CONNECT |
	        SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
	        SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	        SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_verify_step);
	(void)SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new_session);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx,
	        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
	        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
	        "ECDHE-ECDSA-CHACHA20-POLY1305:"
	        "ECDHE-RSA-CHACHA20-POLY1305") == 1 &&
	    SSL_CTX_set_ciphersuites(ctx,
	        "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:"
	        "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
	    SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
	    SSL_CTX_set_alpn_protos(ctx, protocols, sizeof protocols - 1) == 0;
}

struct tls_client_ctx *
tls_client_ctx_new(struct tls_trust *trust)
{
	struct tls_client_ctx *ctx = calloc(1, sizeof *ctx);

	if (ctx == NULL)
		return NULL;
	ctx->refs = 1;
	ctx->trust = tls_trust_ref(trust);
	ctx->ssl = SSL_CTX_new(TLS_client_method());
	ctx->sessions = tls_sessions_new(&clock_system);
	if (ctx->ssl == NULL || ctx->sessions == NULL ||
	    !set_protocol(ctx->ssl)) {
		ERR_clear_error();
		tls_client_ctx_destroy(ctx);
		return NULL;
	}
	SSL_CTX_set1_cert_store(ctx->ssl, tls_trust_store(trust));
	tls_conn_prepare(ctx->ssl);
	return ctx;
}

void
tls_client_ctx_destroy(struct tls_client_ctx *ctx)
{
	if (ctx == NULL || --ctx->refs > 0)
		return;
	SSL_CTX_free(ctx->ssl);
	tls_sessions_destroy(ctx->sessions);
	tls_trust_unref(ctx->trust);
	free(ctx);
}

bool
tls_client_ctx_is_of(
    const struct tls_client_ctx *ctx, const struct tls_trust *trust)
{
	return ctx->trust == trust;
}

bool
tls_client_ctx_is_full(const struct tls_client_ctx *ctx)
{
	return ctx->refs > TLS_CLIENT_HANDSHAKES_MAX;
}

/* The name to verify is the name to ask for (RFC 6066 3). */
static enum status
expect_host(SSL *ssl, const char *host)
{
	enum status st = tls_verify_host(SSL_get0_param(ssl), host);
	char name[HOST_BYTES]; /* a macro casts const away */

	if (st != OK)
		return st;
	if (!slice_copy(slice_of(host), name, sizeof name))
		return E_INVALID;
	SSL_set_connect_state(ssl);
	return SSL_set_tlsext_host_name(ssl, name) == 1 ? OK : E_NOMEM;
}

enum status
tls_client_start(struct tls_client_ctx *ctx, int fd, const char *host,
    struct tls_client **out)
{
	struct tls_client *h;
	enum status st;

	if (tls_client_ctx_is_full(ctx))
		return E_LIMIT;
	h = calloc(1, sizeof *h);
	if (h == NULL)
		return E_NOMEM;
	st = tls_conn_create(ctx->ssl, fd, &h->conn);
	if (st == OK)
		st = expect_host(h->conn->ssl, host);
	ERR_clear_error();
	if (st != OK) {
		tls_conn_destroy(h->conn);
		free(h);
		return st;
	}
	h->ctx = ctx;
	ctx->refs++;
	*out = h;
	return OK;
}

void
tls_client_resume(struct tls_client *h, const char *host, uint16_t port)
{
	/* Without memory it is a handshake like all others. */
	h->conn->home = tls_home_new(h->ctx->sessions, host, port);
	if (h->conn->home != NULL)
		tls_home_offer(h->conn->home, h->conn->ssl);
}

void
tls_client_ctx_forget(struct tls_client_ctx *ctx)
{
	if (ctx != NULL)
		tls_sessions_flush(ctx->sessions);
}

static enum status
fail(struct tls_client *h, enum reason *why)
{
	unsigned long error = ERR_peek_error();
	long verdict = SSL_get_verify_result(h->conn->ssl);

	h->conn->mute = true;
	h->problem = verdict != X509_V_OK
	    ? X509_verify_cert_error_string(verdict)
	    : ERR_reason_error_string(error);
	if (h->problem == NULL)
		h->problem = SSL_is_init_finished(h->conn->ssl)
		    ? "the session is not what was asked for"
		    : "the connection broke";
	*why =
	    verdict != X509_V_OK ? REASON_TLS_CERTIFICATE : REASON_TLS_FAILED;
	ERR_clear_error();
	return E_DENIED;
}

/* What OpenSSL has seen to already, and what it leaves to its user. Where
 * memory fails it can lose the name to look for, and then looks for none: the
 * name that it found is there only if it did. A session that goes on is of
 * this host, and was kept when all that had been seen to. */
static bool
is_as_asked(const struct tls_client *h)
{
	const unsigned char *chosen = NULL;
	SSL *ssl = h->conn->ssl;
	unsigned n = 0;

	SSL_get0_alpn_selected(ssl, &chosen, &n);
	return SSL_get_verify_result(ssl) == X509_V_OK &&
	    SSL_get0_peer_certificate(ssl) != NULL &&
	    (SSL_session_reused(ssl) == 1 || SSL_get0_peername(ssl) != NULL) &&
	    (n == 0 || (h->offers_h2 && tls_client_is_h2(h)) ||
	        slice_is((struct slice){ (const char *)chosen, n },
	            (const char *)protocols + 1));
}

enum status
tls_client_step(struct tls_client *h, short *events, enum reason *why)
{
	SSL *ssl = h->conn->ssl;
	int done, error;

	ERR_clear_error();
	done = SSL_do_handshake(ssl);
	error = SSL_get_error(ssl, done);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		*events = error == SSL_ERROR_WANT_READ ? EV_READ : EV_WRITE;
		return E_PARTIAL;
	}
	if (done != 1 || !is_as_asked(h))
		return fail(h, why);
	if (h->conn->home != NULL)
		tls_home_settle(h->conn->home, ssl);
	return OK;
}

const char *
tls_client_problem(const struct tls_client *h)
{
	return h->problem != NULL ? h->problem : "no end in time";
}

const char *
tls_client_word(const struct tls_client *h)
{
	bool is_resumed = SSL_session_reused(h->conn->ssl) == 1;

	if (SSL_version(h->conn->ssl) == TLS1_2_VERSION)
		return is_resumed ? "TLSv1.2 resumed" : "TLSv1.2";
	return is_resumed ? "TLSv1.3 resumed" : "TLSv1.3";
}

struct stream
tls_client_take(struct tls_client *h)
{
	struct stream s = stream_tls(h->conn);

	tls_client_ctx_destroy(h->ctx);
	free(h);
	return s;
}

void
tls_client_cancel(struct tls_client *h)
{
	if (h == NULL)
		return;
	(void)close(h->conn->fd);
	tls_conn_destroy(h->conn);
	tls_client_ctx_destroy(h->ctx);
	free(h);
}

void
tls_client_offer_h2(struct tls_client *h)
{
	static const unsigned char names[] = "\x02h2\x08http/1.1";

	/* Where that fails HTTP/1.1 is what is spoken. */
	h->offers_h2 =
	    SSL_set_alpn_protos(h->conn->ssl, names, sizeof names - 1) == 0;
}

bool
tls_client_is_h2(const struct tls_client *h)
{
	const unsigned char *name = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(h->conn->ssl, &name, &n);
	return n == 2 && memcmp(name, "h2", 2) == 0;
}
