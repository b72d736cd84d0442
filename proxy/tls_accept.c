/* The server's side of a handshake, with a leaf that our own CA has signed. */
#include "proxy/tls_accept.h"

#include "base/host.h"
#include "base/metrics.h"
#include "proxy/tls_conn.h"

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
	LEAF_SETS = 256,         /* a power of two */
	LEAF_HOLD_S = 24 * 3600, /* a leaf is used no longer than that */
};

/* A certificate that was minted before. */
struct leaf {
	LIST_ENTRY(leaf) link;   /* in its set */
	TAILQ_ENTRY(leaf) order; /* the one used last comes first */
	X509 *cert;
	int64_t minted_unix_s;
	char host[];
};

struct tls_accept_ctx {
	unsigned refs; /* its owner's and one for each handshake */
	struct tls_ca *ca;
	SSL_CTX *ssl;
	LIST_HEAD(, leaf) sets[LEAF_SETS];
	TAILQ_HEAD(leaf_list, leaf) leaves;
	size_t n_leaves;
};

struct tls_accept {
	struct tls_accept_ctx *ctx;
	struct tls_conn *conn;
	const char *problem;
	bool refused;
};

static const unsigned char h1_only[] = "\x08http/1.1";
static const unsigned char h2_first[] = "\x02h2\x08http/1.1";

/* RFC 7301 3.2: who offers none that we speak is taken to mean HTTP/1.1. */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *n_out,
    const unsigned char *offered, unsigned n_offered, void *arg)
{
	const struct tls_conn *c = SSL_get_app_data(ssl);
	unsigned char *chosen = NULL;
	int found = SSL_select_next_proto(&chosen, n_out,
	    c->h2 ? h2_first : h1_only,
	    (c->h2 ? sizeof h2_first : sizeof h1_only) - 1, offered, n_offered);

	(void)arg;
	*out = chosen;
	return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK
	                                       : SSL_TLSEXT_ERR_NOACK;
}

/* Whatever /etc/ssl/openssl.cnf says: all that matters is set here. There are
 * no tickets: who was one host must not be resumed as another. */
static bool
set_protocol(SSL_CTX *ctx)
{
	char groups[] = "X25519:P-256:P-384"; /* a macro casts const away */

	SSL_CTX_clear_options(ctx,
	    SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
	        SSL_OP_ALLOW_CLIENT_RENEGOTIATION |
	        SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
	        SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
	    SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx,
	        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
	        "ECDHE-ECDSA-CHACHA20-POLY1305") == 1 &&
	    SSL_CTX_set_ciphersuites(ctx,
	        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
	        "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
	    SSL_CTX_set1_groups_list(ctx, groups) == 1;
}

struct tls_accept_ctx *
tls_accept_ctx_new(struct tls_ca *ca)
{
	struct tls_accept_ctx *ctx = calloc(1, sizeof *ctx);

	if (ctx == NULL)
		return NULL;
	ctx->refs = 1;
	ctx->ca = tls_ca_ref(ca);
	TAILQ_INIT(&ctx->leaves);
	ctx->ssl = SSL_CTX_new(TLS_server_method());
	if (ctx->ssl == NULL || !set_protocol(ctx->ssl)) {
		ERR_clear_error();
		tls_accept_ctx_destroy(ctx);
		return NULL;
	}
	tls_conn_prepare(ctx->ssl);
	return ctx;
}

static void
leaf_drop(struct tls_accept_ctx *ctx, struct leaf *l)
{
	LIST_REMOVE(l, link);
	TAILQ_REMOVE(&ctx->leaves, l, order);
	ctx->n_leaves--;
	X509_free(l->cert);
	free(l);
}

void
tls_accept_ctx_destroy(struct tls_accept_ctx *ctx)
{
	struct leaf *l;

	if (ctx == NULL || --ctx->refs > 0)
		return;
	while ((l = TAILQ_FIRST(&ctx->leaves)) != NULL)
		leaf_drop(ctx, l);
	SSL_CTX_free(ctx->ssl);
	tls_ca_unref(ctx->ca);
	free(ctx);
}

bool
tls_accept_ctx_is_of(const struct tls_accept_ctx *ctx, const struct tls_ca *ca)
{
	return ctx->ca == ca;
}

/* FNV-1a: only hosts that the policy names come here. */
static size_t
set_of(const char *host)
{
	uint32_t h = 2166136261U;

	for (; *host != '\0'; host++)
		h = (h ^ (uint8_t)*host) * 16777619U;
	return h & (LEAF_SETS - 1);
}

static struct leaf *
leaf_find(struct tls_accept_ctx *ctx, const char *host, int64_t now)
{
	struct leaf *l;

	LIST_FOREACH(l, &ctx->sets[set_of(host)], link)
		if (strcmp(l->host, host) == 0)
			break;
	/* A clock that was set back makes none last for ever. */
	if (l != NULL &&
	    (now < l->minted_unix_s || now - l->minted_unix_s > LEAF_HOLD_S)) {
		leaf_drop(ctx, l);
		l = NULL;
	}
	if (l != NULL) {
		TAILQ_REMOVE(&ctx->leaves, l, order);
		TAILQ_INSERT_HEAD(&ctx->leaves, l, order);
	}
	return l;
}

static enum status
leaf_make(struct tls_accept_ctx *ctx, const char *host, int64_t now,
    struct leaf **out)
{
	size_t n = strlen(host) + 1;
	struct leaf *l = calloc(1, sizeof *l + n);
	enum status st;

	if (l == NULL)
		return E_NOMEM;
	memcpy(l->host, host, n);
	l->minted_unix_s = now;
	st = tls_ca_mint(ctx->ca, host, now, &l->cert);
	if (st != OK) {
		free(l);
		return st;
	}
	if (ctx->n_leaves == TLS_ACCEPT_LEAVES_MAX)
		leaf_drop(ctx, TAILQ_LAST(&ctx->leaves, leaf_list));
	LIST_INSERT_HEAD(&ctx->sets[set_of(host)], l, link);
	TAILQ_INSERT_HEAD(&ctx->leaves, l, order);
	ctx->n_leaves++;
	metric_add(METRIC_LEAVES_MINTED_TOTAL, 1);
	*out = l;
	return OK;
}

static enum status
show_leaf(const struct tls_accept_params *params, SSL *ssl)
{
	struct tls_accept_ctx *ctx = params->ctx;
	struct leaf *l = leaf_find(ctx, params->host, params->now_unix_s);
	enum status st = OK;

	if (l == NULL)
		st = leaf_make(ctx, params->host, params->now_unix_s, &l);
	if (st != OK)
		return st;
	SSL_set_accept_state(ssl);
	return SSL_use_cert_and_key(
	           ssl, l->cert, tls_ca_leaf_key(ctx->ca), NULL, 1) == 1
	    ? OK
	    : E_NOMEM;
}

enum status
tls_accept_start(
    const struct tls_accept_params *params, struct tls_accept **out)
{
	struct tls_accept *h;
	enum status st;

	if (params->ctx->refs > TLS_ACCEPT_HANDSHAKES_MAX)
		return E_LIMIT;
	h = calloc(1, sizeof *h);
	if (h == NULL)
		return E_NOMEM;
	st = tls_conn_create(params->ctx->ssl, params->fd, &h->conn);
	if (st == OK)
		st = show_leaf(params, h->conn->ssl);
	if (st == OK) {
		h->conn->h2 = params->h2;
		buf_init(&h->conn->early, params->early.n);
		buf_put_slice(&h->conn->early, params->early);
		st = buf_status(&h->conn->early);
	}
	ERR_clear_error();
	if (st != OK) {
		tls_conn_destroy(h->conn);
		free(h);
		return st;
	}
	h->ctx = params->ctx;
	h->ctx->refs++;
	*out = h;
	return OK;
}

/* @error: of SSL_get_error(). An end is no word against us. */
static enum status
fail(struct tls_accept *h, int error)
{
	unsigned long why = ERR_peek_error();

	h->conn->mute = true;
	h->refused = error == SSL_ERROR_SSL &&
	    ERR_GET_REASON(why) != SSL_R_UNEXPECTED_EOF_WHILE_READING;
	h->problem = ERR_reason_error_string(why);
	if (h->problem == NULL)
		h->problem = "the connection broke";
	ERR_clear_error();
	return E_CLOSED;
}

enum status
tls_accept_step(struct tls_accept *h, short *events)
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
	return done == 1 ? OK : fail(h, error);
}

const char *
tls_accept_problem(const struct tls_accept *h)
{
	return h->problem != NULL ? h->problem : "no end in time";
}

bool
tls_accept_was_refused(const struct tls_accept *h)
{
	return h->refused;
}

bool
tls_accept_is_h2(const struct tls_accept *h)
{
	const unsigned char *chosen = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(h->conn->ssl, &chosen, &n);
	return slice_is((struct slice){ (const char *)chosen, n }, "h2");
}

struct stream
tls_accept_take(struct tls_accept *h)
{
	struct stream s = stream_tls(h->conn);

	tls_accept_ctx_destroy(h->ctx);
	free(h);
	return s;
}

void
tls_accept_cancel(struct tls_accept *h)
{
	if (h == NULL)
		return;
	(void)close(h->conn->fd);
	tls_conn_destroy(h->conn);
	tls_accept_ctx_destroy(h->ctx);
	free(h);
}
