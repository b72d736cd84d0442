/* Readers and writers of the SOCKS5 messages. */
#include "proxy/socks5.h"

#include <string.h>

enum {
	COMMAND_CONNECT = 1,
	ATYP_V4 = 1,
	ATYP_NAME = 3,
	ATYP_V6 = 4,
	REQUEST_HEAD_BYTES = 4,
};

static uint8_t
byte_at(struct slice s, size_t i)
{
	return (uint8_t)s.p[i];
}

enum status
socks5_read_greeting(struct slice in, size_t *used, uint8_t *method)
{
	uint8_t best = SOCKS5_METHOD_REFUSED;
	size_t n;

	if (in.n >= 1 && byte_at(in, 0) != SOCKS5_VERSION)
		return E_SYNTAX;
	if (in.n < 2)
		return E_PARTIAL;
	n = byte_at(in, 1);
	if (in.n < 2 + n)
		return E_PARTIAL;
	for (size_t i = 0; i < n; i++) {
		uint8_t m = byte_at(in, 2 + i);
		if (m == SOCKS5_METHOD_NONE ||
		    (m == SOCKS5_METHOD_PASSWORD && best != SOCKS5_METHOD_NONE))
			best = m;
	}
	*method = best;
	*used = 2 + n;
	return OK;
}

enum status
socks5_read_password(struct slice in, size_t *used)
{
	size_t user, password;

	if (in.n >= 1 && byte_at(in, 0) != 1)
		return E_SYNTAX;
	if (in.n < 2)
		return E_PARTIAL;
	user = byte_at(in, 1);
	if (in.n < 3 + user)
		return E_PARTIAL;
	password = byte_at(in, 2 + user);
	if (in.n < 3 + user + password)
		return E_PARTIAL;
	*used = 3 + user + password;
	return OK;
}

/* Length of the address field at @in's byte 4, its own length byte counted. */
static enum status
address_bytes(struct slice in, uint8_t atyp, size_t *bytes)
{
	if (atyp == ATYP_V4)
		*bytes = 4;
	else if (atyp == ATYP_V6)
		*bytes = 16;
	else if (in.n <= REQUEST_HEAD_BYTES)
		return E_PARTIAL;
	else if (byte_at(in, REQUEST_HEAD_BYTES) == 0)
		return E_SYNTAX;
	else
		*bytes = 1 + (size_t)byte_at(in, REQUEST_HEAD_BYTES);
	return OK;
}

/* An address goes through the same canonicaliser as one in an authority. */
static enum status
read_host(struct slice field, uint8_t atyp, struct host *out)
{
	char text[ADDR_TEXT_BYTES + 2], digits[ADDR_TEXT_BYTES];
	struct addr a = { .family = ADDR_V4 };
	struct buf b;
	enum status st;

	if (atyp == ATYP_NAME)
		return host_parse(slice_from(field, 1), out);
	if (atyp == ATYP_V6)
		a.family = ADDR_V6;
	memcpy(a.b, field.p, field.n);
	if (atyp == ATYP_V4)
		return host_parse(slice_of(addr_text(&a, digits)), out);
	buf_init(&b, sizeof text);
	buf_printf(&b, "[%s]", addr_text(&a, digits));
	st = buf_status(&b);
	if (st == OK)
		st = host_parse(buf_slice(&b), out);
	buf_release(&b);
	return st;
}

static void
refuse(struct socks5_request *out, enum socks5_reply reply, enum reason code)
{
	out->refusal = reply;
	out->code = code;
}

enum status
socks5_read_request(struct slice in, size_t *used, struct socks5_request *out)
{
	struct socks5_request r = { .refusal = SOCKS5_OK };
	uint8_t command, atyp;
	struct slice field;
	enum status st;
	size_t bytes;

	if (in.n >= 1 && byte_at(in, 0) != SOCKS5_VERSION)
		return E_SYNTAX;
	if (in.n < REQUEST_HEAD_BYTES)
		return E_PARTIAL;
	command = byte_at(in, 1);
	atyp = byte_at(in, 3);
	*used = REQUEST_HEAD_BYTES;
	if (atyp != ATYP_V4 && atyp != ATYP_NAME && atyp != ATYP_V6) {
		/* Its length is unknown, so nothing after it can be read. */
		refuse(&r, SOCKS5_ADDRESS_TYPE, REASON_BAD_REQUEST);
		*out = r;
		return OK;
	}
	st = address_bytes(in, atyp, &bytes);
	if (st != OK)
		return st;
	if (in.n < REQUEST_HEAD_BYTES + bytes + 2)
		return E_PARTIAL;
	field = slice_head(slice_from(in, REQUEST_HEAD_BYTES), bytes);
	r.port = (uint16_t)(byte_at(in, REQUEST_HEAD_BYTES + bytes) << 8 |
	    byte_at(in, REQUEST_HEAD_BYTES + bytes + 1));
	*used = REQUEST_HEAD_BYTES + bytes + 2;
	if (command != COMMAND_CONNECT)
		refuse(&r, SOCKS5_COMMAND, REASON_BAD_REQUEST);
	else if (r.port == 0)
		refuse(&r, SOCKS5_FAILED, REASON_BAD_AUTHORITY);
	else if (read_host(field, atyp, &r.host) != OK)
		refuse(&r, SOCKS5_FAILED, REASON_BAD_HOST);
	*out = r;
	return OK;
}

enum socks5_reply
socks5_reply_for(enum reason code)
{
	if (code == REASON_NONE)
		return SOCKS5_OK;
	if (code == REASON_CONNECT_REFUSED)
		return SOCKS5_REFUSED;
	if (code == REASON_CONNECT_TIMEOUT)
		return SOCKS5_TTL_EXPIRED;
	if (code == REASON_CONNECT_UNREACHABLE)
		return SOCKS5_UNREACHABLE;
	if (strncmp(reason_code(code), "DNS_", 4) == 0 ||
	    code == REASON_CHAIN_BROKEN)
		return SOCKS5_HOST_UNREACHABLE;
	return reason_info(code)->status == 403 ? SOCKS5_NOT_ALLOWED
	                                        : SOCKS5_FAILED;
}

void
socks5_put_reply(struct buf *out, enum socks5_reply reply)
{
	const uint8_t bytes[10] = { SOCKS5_VERSION, (uint8_t)reply, 0,
		ATYP_V4 };

	buf_put(out, bytes, sizeof bytes);
}
