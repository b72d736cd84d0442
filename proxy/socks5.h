/* SOCKS5 messages (RFC 1928, RFC 1929): read from a growing buffer. */
#ifndef PROXY_SOCKS5_H
#define PROXY_SOCKS5_H

#include "base/buf.h"
#include "base/host.h"
#include "base/reason.h"

enum {
	SOCKS5_VERSION = 5,
	SOCKS5_METHOD_NONE = 0x00,
	SOCKS5_METHOD_PASSWORD = 0x02,
	SOCKS5_METHOD_REFUSED = 0xff,
};

enum socks5_reply {
	SOCKS5_OK = 0,
	SOCKS5_FAILED = 1,
	SOCKS5_NOT_ALLOWED = 2,
	SOCKS5_UNREACHABLE = 3,
	SOCKS5_HOST_UNREACHABLE = 4,
	SOCKS5_REFUSED = 5,
	SOCKS5_TTL_EXPIRED = 6,
	SOCKS5_COMMAND = 7,
	SOCKS5_ADDRESS_TYPE = 8,
};

/*
 * Each reader looks at @in from its start: E_PARTIAL until one whole message
 * is there, then OK with *@used its length; E_SYNTAX when it is malformed.
 */

/** The methods offered; *@method is none, else password, else REFUSED. */
enum status socks5_read_greeting(
    struct slice in, size_t *used, uint8_t *method) ATTR_MUST_USE;
/** User and password are skipped: any are right, and none is kept. */
enum status socks5_read_password(struct slice in, size_t *used) ATTR_MUST_USE;

struct socks5_request {
	enum socks5_reply refusal; /**< OK, or why it cannot be served */
	enum reason code;          /**< likewise, for the record */
	struct host host;          /**< set when refusal is OK */
	uint16_t port;
};

/** The request; with an E_SYNTAX answer SOCKS5_FAILED and close. */
enum status socks5_read_request(
    struct slice in, size_t *used, struct socks5_request *out) ATTR_MUST_USE;

/** The reply that tells @code; REASON_NONE is success. */
enum socks5_reply socks5_reply_for(enum reason code);
/** Appends a reply; the bound address is 0.0.0.0:0 (never a real one). */
void socks5_put_reply(struct buf *out, enum socks5_reply reply);

#endif
