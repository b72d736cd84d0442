/* A stream whose bytes go through TLS. */
#include "proxy/tls_conn.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* What is offered at a time: one record (RFC 8446 5.1). */
enum { RECORD_BYTES = 16384 };

/* The peer is gone without its close_notify: what it sent may be cut off
 * (RFC 8446 6.1). */
static bool
is_truncation(int error, int socket_error)
{
	unsigned long reason = ERR_peek_error();

	if (error == SSL_ERROR_SSL)
		return ERR_GET_LIB(reason) == ERR_LIB_SSL &&
		    ERR_GET_REASON(reason) ==
		    SSL_R_UNEXPECTED_EOF_WHILE_READING;
	return error == SSL_ERROR_SYSCALL && socket_error == ECONNRESET;
}

/* No more bytes come, for one reason or another. */
static void
note_end(struct tls_conn *c, int error, int socket_error)
{
	if (error == SSL_ERROR_ZERO_RETURN) {
		c->end = TLS_END_CLEAN;
		return;
	}
	c->mute = true;
	c->end =
	    is_truncation(error, socket_error) ? TLS_END_CUT : TLS_END_BROKEN;
}

static enum status
tell_end(struct stream *s, const struct tls_conn *c)
{
	s->eof = c->end != TLS_END_BROKEN;
	s->clean = c->end == TLS_END_CLEAN;
	return s->eof ? OK : E_IO;
}

/* One record, or a part of it; false: there is none now. */
static bool
read_record(struct stream *s, char *to, size_t room, size_t *n)
{
	struct tls_conn *c = s->priv;
	int error, socket_error;

	ERR_clear_error();
	errno = 0;
	if (SSL_read_ex(c->ssl, to, room, n) == 1)
		return true;
	socket_error = errno;
	error = SSL_get_error(c->ssl, 0);
	if (error == SSL_ERROR_WANT_WRITE)
		s->read_waits_write = true;
	else if (error != SSL_ERROR_WANT_READ)
		note_end(c, error, socket_error);
	return false;
}

static enum status
tls_read(struct stream *s, char *to, size_t room, size_t *got)
{
	struct tls_conn *c = s->priv;
	bool pending = true;

	s->more = s->read_waits_write = false;
	while (pending && *got < room && c->end == TLS_END_NONE) {
		size_t n = 0;

		/* What is inside then is a part of a record, of no use yet. */
		s->more = false;
		if (!read_record(s, to + *got, room - *got, &n))
			break;
		*got += n;
		pending = SSL_has_pending(c->ssl) == 1;
		s->more = pending;
	}
	if (c->late > TLS_LATE_MESSAGES_MAX) {
		c->mute = true;
		c->end = TLS_END_BROKEN;
	}
	if (c->end == TLS_END_NONE)
		return OK;
	/* First the bytes; their end is told by the next call. */
	s->more = *got > 0;
	return *got > 0 ? OK : tell_end(s, c);
}

/* The peer may have answered before it went: that can be read all the same,
 * but not after an error of the protocol. */
static enum status
write_failed(struct tls_conn *c, int error)
{
	c->mute = true;
	if (error != SSL_ERROR_SYSCALL && c->end == TLS_END_NONE)
		c->end = TLS_END_BROKEN;
	return E_IO;
}

static enum status
tls_write(struct stream *s, struct slice b, bool more_follows, size_t *put)
{
	struct tls_conn *c = s->priv;

	s->write_waits_read = false;
	while (*put < b.n) {
		struct slice piece =
		    slice_head(slice_from(b, *put), RECORD_BYTES);
		size_t n = 0;
		int error;

		if (c->mute)
			return E_IO;
		c->corked = more_follows || *put + piece.n < b.n;
		ERR_clear_error();
		if (SSL_write_ex(c->ssl, piece.p, piece.n, &n) == 1) {
			*put += n;
			s->stuck = 0;
			continue;
		}
		error = SSL_get_error(c->ssl, 0);
		if (error != SSL_ERROR_WANT_WRITE &&
		    error != SSL_ERROR_WANT_READ)
			return write_failed(c, error);
		s->write_waits_read = error == SSL_ERROR_WANT_READ;
		s->stuck = piece.n;
		return E_PARTIAL;
	}
	return OK;
}

/* After an error nothing may be said (SSL_shutdown(3)); with half a record on
 * its way nothing can be. */
static void
tls_end(struct stream *s)
{
	struct tls_conn *c = s->priv;

	if (c->mute || s->stuck > 0)
		return;
	c->mute = true;
	c->corked = false;
	ERR_clear_error();
	(void)SSL_shutdown(c->ssl);
	ERR_clear_error();
}

static void
tls_abort(struct stream *s)
{
	struct tls_conn *c = s->priv;

	c->mute = true;
}

static void
tls_release(struct stream *s)
{
	tls_conn_destroy(s->priv);
}

static const struct stream_ops tls_ops = {
	.read = tls_read,
	.write = tls_write,
	.end = tls_end,
	.abort = tls_abort,
	.release = tls_release,
};

struct stream
stream_tls(struct tls_conn *c)
{
	c->settled = true;
	/* The peer's first words may have come with its last of the handshake.
	 */
	return (struct stream){ .fd = c->fd,
		.ops = &tls_ops,
		.priv = c,
		.more = SSL_has_pending(c->ssl) == 1 || c->early.n > 0 };
}
