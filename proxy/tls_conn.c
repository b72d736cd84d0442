/* OpenSSL over a socket by recv(2) and send(2), so that it never blocks,
 * never raises SIGPIPE and lets the kernel join what belongs together. */
#include "proxy/tls_conn.h"

#include "proxy/tls_sessions.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What came before TLS was asked to look. */
static size_t
early_read(struct tls_conn *c, char *to, size_t room)
{
	struct slice left =
	    slice_head(slice_from(buf_slice(&c->early), c->early_at), room);

	if (left.n == 0)
		return 0;
	memcpy(to, left.p, left.n);
	c->early_at += left.n;
	if (c->early_at == c->early.n) {
		buf_release(&c->early);
		c->early_at = 0;
	}
	return left.n;
}

static int
socket_read(BIO *bio, char *to, size_t room, size_t *got)
{
	struct tls_conn *c = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (c->late > TLS_LATE_MESSAGES_MAX) {
		errno = EPROTO;
		return 0;
	}
	*got = early_read(c, to, room);
	if (*got > 0)
		return 1;
	n = recv(c->fd, to, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	c->drained = n == 0;
	if (n <= 0)
		return 0;
	*got = (size_t)n;
	return 1;
}

static int
socket_write(BIO *bio, const char *from, size_t n_bytes, size_t *put)
{
	struct tls_conn *c = BIO_get_data(bio);
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (c->corked ? MSG_MORE : 0);
	ssize_t n = send(c->fd, from, n_bytes, flags);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	if (n < 0)
		return 0;
	*put = (size_t)n;
	return 1;
}

static long
socket_ctrl(BIO *bio, int cmd, long number, void *pointer)
{
	struct tls_conn *c = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	if (cmd == BIO_CTRL_EOF)
		return c->drained;
	return cmd == BIO_CTRL_FLUSH;
}

/* One for the process, never freed: connections outlive their context. */
static BIO_METHOD *
socket_method(void)
{
	static _Atomic(BIO_METHOD *) shared;
	BIO_METHOD *made, *there = atomic_load(&shared);

	if (there != NULL)
		return there;
	made = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket");
	if (made == NULL || BIO_meth_set_read_ex(made, socket_read) != 1 ||
	    BIO_meth_set_write_ex(made, socket_write) != 1 ||
	    BIO_meth_set_ctrl(made, socket_ctrl) != 1) {
		BIO_meth_free(made);
		return NULL;
	}
	if (atomic_compare_exchange_strong(&shared, &there, made))
		return made;
	BIO_meth_free(made);
	return there;
}

/* OpenSSL has no ceiling of its own for what may come after the handshake:
 * of TLS 1.3 tickets and key updates, of 1.2 requests to negotiate anew. */
static void
on_progress(const SSL *ssl, int where, int value)
{
	struct tls_conn *c = SSL_get_app_data(ssl);
	OSSL_HANDSHAKE_STATE at = SSL_get_state(ssl);

	(void)value;
	if (!c->settled)
		return;
	if (where == SSL_CB_CONNECT_LOOP &&
	    (at == TLS_ST_CR_SESSION_TICKET || at == TLS_ST_CR_KEY_UPDATE ||
	        at == TLS_ST_CR_HELLO_REQ))
		c->late++;
	if (where == SSL_CB_ACCEPT_LOOP &&
	    (at == TLS_ST_SR_KEY_UPDATE || at == TLS_ST_SR_CLNT_HELLO))
		c->late++;
}

void
tls_conn_prepare(SSL_CTX *ctx)
{
	SSL_CTX_set_info_callback(ctx, on_progress);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Else each record costs two reads: its five bytes, and the rest. */
	SSL_CTX_set_read_ahead(ctx, 1);
}

enum status
tls_conn_create(SSL_CTX *ctx, int fd, struct tls_conn **out)
{
	struct tls_conn *c = calloc(1, sizeof *c);
	BIO_METHOD *method = socket_method();
	BIO *bio = NULL;

	if (c == NULL || method == NULL)
		goto no_memory;
	c->fd = fd;
	c->ssl = SSL_new(ctx);
	bio = BIO_new(method);
	if (c->ssl == NULL || bio == NULL || SSL_set_app_data(c->ssl, c) != 1)
		goto no_memory;
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->ssl, bio, bio);
	*out = c;
	return OK;
no_memory:
	BIO_free(bio);
	tls_conn_destroy(c);
	return E_NOMEM;
}

void
tls_conn_destroy(struct tls_conn *c)
{
	if (c == NULL)
		return;
	SSL_free(c->ssl);
	buf_release(&c->early);
	tls_home_destroy(c->home);
	free(c);
}
