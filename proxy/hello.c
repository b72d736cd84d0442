/* A bounded ClientHello parser over fragmented TLS records. */
#include "proxy/hello.h"

#include <string.h>

enum {
	RECORD_HEAD_BYTES = 5,
	RECORD_BYTES_MAX = 16384, /* RFC 8446 5.1 */
	CONTENT_HANDSHAKE = 22,
	HANDSHAKE_CLIENT_HELLO = 1,
	HANDSHAKE_HEAD_BYTES = 4,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ECH = 0xfe0d,
	EXTENSION_ESNI = 0xffce, /* the drafts before ECH */
};

/* A cursor that goes bad instead of past the end. */
struct cursor {
	const uint8_t *p;
	size_t n;
	bool bad;
};

static const uint8_t *
cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || n > c->n) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	c->n -= n;
	return p;
}

static unsigned
cursor_uint(struct cursor *c, size_t bytes)
{
	const uint8_t *p = cursor_take(c, bytes);
	unsigned v = 0;

	for (size_t i = 0; p != NULL && i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

/* A vector with a length of @bytes bytes before it. */
static struct cursor
cursor_vector(struct cursor *c, size_t bytes)
{
	size_t n = cursor_uint(c, bytes);
	const uint8_t *p = cursor_take(c, n);

	return (struct cursor){ .p = p, .n = p == NULL ? 0 : n, .bad = c->bad };
}

/* RFC 6066 3: one host_name, no more; an empty list is malformed. */
static bool
read_server_name(struct cursor ext, struct hello *out)
{
	struct cursor list = cursor_vector(&ext, 2);
	unsigned type = cursor_uint(&list, 1);
	struct cursor name = cursor_vector(&list, 2);

	if (list.bad || name.bad || ext.n != 0 || list.n != 0 || type != 0)
		return false;
	if (name.n == 0 || name.n > sizeof out->sni)
		return false;
	memcpy(out->sni, name.p, name.n);
	out->sni_n = (uint8_t)name.n;
	return true;
}

/* RFC 8446 4.2: no type twice; the bitmap keeps that linear. */
static bool
read_extensions(struct cursor list, struct hello *out)
{
	uint8_t seen[65536 / 8] = { 0 };

	while (list.n > 0) {
		unsigned type = cursor_uint(&list, 2);
		struct cursor ext = cursor_vector(&list, 2);
		uint8_t bit = (uint8_t)(1U << (type & 7));

		if (list.bad || ext.bad || (seen[type >> 3] & bit) != 0)
			return false;
		seen[type >> 3] |= bit;
		if (type == EXTENSION_ECH || type == EXTENSION_ESNI)
			out->kind = POLICY_HELLO_ECH;
		if (type == EXTENSION_SERVER_NAME &&
		    !read_server_name(ext, out))
			return false;
	}
	return true;
}

/* Literal addresses are not permitted in HostName (RFC 6066 3). */
static bool
sni_is_address(const struct hello *h)
{
	struct slice s = { .p = h->sni, .n = h->sni_n };
	struct addr a;

	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = slice_head(slice_from(s, 1), s.n - 2);
	return addr_parse(s, &a) == OK;
}

static bool
read_client_hello(struct cursor c, struct hello *out)
{
	struct cursor session, suites, compression, extensions;

	(void)cursor_take(&c, 2 + 32); /* legacy_version, random */
	session = cursor_vector(&c, 1);
	suites = cursor_vector(&c, 2);
	compression = cursor_vector(&c, 1);
	if (c.bad || session.n > 32 || suites.n < 2 || suites.n % 2 != 0 ||
	    compression.n < 1)
		return false;
	out->kind = POLICY_HELLO_OK;
	if (c.n > 0) {
		extensions = cursor_vector(&c, 2);
		if (c.bad || c.n != 0 || !read_extensions(extensions, out))
			return false;
	}
	if (out->kind == POLICY_HELLO_OK &&
	    (out->sni_n == 0 || sni_is_address(out)))
		out->kind = POLICY_HELLO_NO_SNI;
	return true;
}

static enum status
hello_refuse(bool is_tls, struct hello *out)
{
	*out = (struct hello){ .kind = POLICY_HELLO_NOT_TLS, .is_tls = is_tls };
	return OK;
}

/* @n bytes of a handshake message, its head included. */
static bool
read_handshake(const uint8_t *body, size_t n, struct hello *out)
{
	const struct cursor c = { .p = body + HANDSHAKE_HEAD_BYTES,
		.n = n - HANDSHAKE_HEAD_BYTES };

	return read_client_hello(c, out);
}

/* The records' contents in one piece; the caller knows that they fit. */
static bool
read_records(const struct hello_scan *s, struct slice raw, struct hello *out)
{
	/* No record is empty, which gcc 14 cannot see. */
	uint8_t body[HELLO_BYTES_MAX] = { 0 };
	size_t n = 0;

	for (size_t at = 0; at < s->at;) {
		size_t len = (size_t)(uint8_t)raw.p[at + 3] << 8 |
		    (size_t)(uint8_t)raw.p[at + 4];
		memcpy(body + n, raw.p + at + RECORD_HEAD_BYTES, len);
		n += len;
		at += RECORD_HEAD_BYTES + len;
	}
	return read_handshake(body, n, out);
}

static enum status
hello_finish(const struct hello_scan *s, struct slice raw, struct hello *out)
{
	struct hello found = { .is_tls = true };
	const uint8_t *first = (const uint8_t *)raw.p + RECORD_HEAD_BYTES;
	/* Mostly it is one record, and need not be copied. */
	bool whole = s->at == RECORD_HEAD_BYTES + s->body;

	if (whole ? !read_handshake(first, s->body, &found)
	          : !read_records(s, raw, &found))
		return hello_refuse(true, out);
	*out = found;
	return OK;
}

/* Whether what has come of a record's head can be that of a ClientHello. */
static bool
record_is_plausible(const struct hello_scan *s, const uint8_t *p, size_t n)
{
	size_t len;

	if (p[0] != CONTENT_HANDSHAKE || (n > 1 && p[1] != 3))
		return false;
	if (n < RECORD_HEAD_BYTES)
		return true;
	len = (size_t)p[3] << 8 | p[4];
	if (len == 0 || len > RECORD_BYTES_MAX)
		return false;
	return s->body > 0 || n <= RECORD_HEAD_BYTES ||
	    p[RECORD_HEAD_BYTES] == HANDSHAKE_CLIENT_HELLO;
}

static void
scan_take(struct hello_scan *s, const uint8_t *content, size_t len)
{
	for (size_t i = 0; i < len && s->body + i < sizeof s->head; i++)
		s->head[s->body + i] = content[i];
	s->body += len;
	s->at += RECORD_HEAD_BYTES + len;
	if (s->body >= sizeof s->head)
		s->want = HANDSHAKE_HEAD_BYTES + ((size_t)s->head[1] << 16) +
		    ((size_t)s->head[2] << 8) + s->head[3];
}

enum status
hello_read(struct hello_scan *s, struct slice raw, struct hello *out)
{
	while (raw.n > s->at) {
		const uint8_t *p = (const uint8_t *)raw.p + s->at;
		size_t n = raw.n - s->at, len;

		if (!record_is_plausible(s, p, n))
			return hello_refuse(
			    s->at > 0 || p[0] == CONTENT_HANDSHAKE, out);
		if (n < RECORD_HEAD_BYTES)
			break;
		len = (size_t)p[3] << 8 | p[4];
		if (s->at + RECORD_HEAD_BYTES + len > HELLO_BYTES_MAX)
			return hello_refuse(true, out);
		if (n < RECORD_HEAD_BYTES + len)
			break;
		scan_take(s, p + RECORD_HEAD_BYTES, len);
		/* The keys change after it: nothing may share its record. */
		if (s->want > HELLO_BYTES_MAX ||
		    (s->want > 0 && s->body > s->want))
			return hello_refuse(true, out);
		if (s->body == s->want)
			return hello_finish(s, raw, out);
	}
	return raw.n >= HELLO_BYTES_MAX ? hello_refuse(true, out) : E_PARTIAL;
}

void
hello_alert(enum reason code, uint8_t out[HELLO_ALERT_BYTES])
{
	/* RFC 8446 6: fatal; decode_error, access_denied, internal_error,
	 * unrecognized_name */
	uint8_t description = code == REASON_NOT_TLS ? 50
	    : code == REASON_ECH_REFUSED             ? 49
	    : code == REASON_LIMIT_REACHED           ? 80
	                                             : 112;
	const uint8_t alert[HELLO_ALERT_BYTES] = { 21, 3, 3, 0, 2, 2,
		description };

	memcpy(out, alert, sizeof alert);
}
