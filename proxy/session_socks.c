/* The SOCKS5 side of a session, and the answers in either protocol. */
#include "proxy/session.h"

#include "proxy/socks5.h"

#include <sys/socket.h>

enum { REPLY_BYTES_MAX = 16 };

static void
socks_refuse(
    struct session *s, enum socks5_reply reply, struct request_refusal what)
{
	struct buf said, unrecorded;

	buf_init(&said, REPLY_BYTES_MAX);
	buf_init(&unrecorded, REPLY_BYTES_MAX);
	socks5_put_reply(&said, reply);
	socks5_put_reply(&unrecorded, SOCKS5_FAILED);
	what.reply = buf_slice(&said);
	what.reply_unrecorded = buf_slice(&unrecorded);
	session_refuse(s, &what);
	buf_release(&said);
	buf_release(&unrecorded);
}

/* What is no SOCKS5 gets no reply that it would not understand. */
static void
socks_refuse_bytes(struct session *s)
{
	const struct request_refusal what = { .code = REASON_BAD_REQUEST,
		.detail = "broken SOCKS5" };

	session_refuse(s, &what);
}

/* Two bytes onto a socket that has carried nothing else. */
static bool
socks_send2(struct session *s, uint8_t a, uint8_t b)
{
	const uint8_t bytes[2] = { a, b };

	return send(s->fd, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    (ssize_t)sizeof bytes;
}

static enum status
socks_greeting(struct session *s)
{
	const char refused[2] = { SOCKS5_VERSION, (char)SOCKS5_METHOD_REFUSED };
	const struct request_refusal what = { .code = REASON_BAD_REQUEST,
		.detail = "no SOCKS5 method that is offered here",
		.reply = { .p = refused, .n = sizeof refused } };
	uint8_t method = SOCKS5_METHOD_REFUSED;
	size_t used = 0;
	enum status st =
	    socks5_read_greeting(buf_slice(&s->opening->in), &used, &method);

	if (st != OK)
		return st;
	if (method == SOCKS5_METHOD_REFUSED) {
		session_refuse(s, &what);
		return E_CLOSED;
	}
	buf_consume(&s->opening->in, used);
	if (!socks_send2(s, SOCKS5_VERSION, method)) {
		session_end(s, CLOSE_CLIENT);
		return E_CLOSED;
	}
	session_move(
	    s, method == SOCKS5_METHOD_NONE ? SESSION_SOCKS : SESSION_PASSWORD);
	return OK;
}

static enum status
socks_password(struct session *s)
{
	size_t used = 0;
	enum status st =
	    socks5_read_password(buf_slice(&s->opening->in), &used);

	if (st != OK)
		return st;
	/* Identity is the kernel's; what was typed here is dropped. */
	s->opening->in.wipe = true;
	buf_consume(&s->opening->in, used);
	s->opening->in.wipe = false;
	if (!socks_send2(s, 1, 0)) {
		session_end(s, CLOSE_CLIENT);
		return E_CLOSED;
	}
	session_move(s, SESSION_SOCKS);
	return OK;
}

static enum status
socks_request(struct session *s)
{
	struct socks5_request r;
	struct request_refusal what = { .code = REASON_NONE };
	size_t used = 0;
	enum status st =
	    socks5_read_request(buf_slice(&s->opening->in), &used, &r);

	if (st != OK)
		return st;
	buf_consume(&s->opening->in, used);
	what.port = r.port;
	what.code = r.code;
	if (r.refusal == SOCKS5_OK)
		what.host = r.host.name;
	if (r.refusal == SOCKS5_OK && s->opening->over_limit) {
		what.code = REASON_LIMIT_REACHED;
		r.refusal = SOCKS5_FAILED;
	}
	if (r.refusal != SOCKS5_OK)
		socks_refuse(s, r.refusal, what);
	else
		session_ask(s, &r.host, r.port);
	return E_CLOSED;
}

void
session_socks_read(struct session *s)
{
	enum status st = OK;

	/* All three may have come at once. */
	while (st == OK) {
		if (s->state == SESSION_GREETING)
			st = socks_greeting(s);
		else if (s->state == SESSION_PASSWORD)
			st = socks_password(s);
		else
			st = socks_request(s);
	}
	if (st == E_SYNTAX)
		socks_refuse_bytes(s);
}

void
session_put_success(const struct session *s, struct buf *out)
{
	/* RFC 9110 9.3.6: neither Content-Length nor Transfer-Encoding. */
	if (s->protocol == REQUEST_CONNECT)
		buf_puts(out, "HTTP/1.1 200 Connection established\r\n\r\n");
	else
		socks5_put_reply(out, SOCKS5_OK);
}

void
session_put_denial(struct session *s, struct buf *out)
{
	if (s->protocol == REQUEST_CONNECT)
		request_render_denial(s->opening->request, out);
	else
		socks5_put_reply(
		    out, socks5_reply_for(request_code(s->opening->request)));
}
