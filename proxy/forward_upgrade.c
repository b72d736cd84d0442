/* RFC 6455 4: both sides say that they mean it, or it is no WebSocket. */
#include "proxy/forward_upgrade.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum { ACCEPT_BYTES = 29 };

static bool
is_upgrade(const struct http1_fields *f)
{
	struct slice to;

	return http1_field_has_token(f, "connection", SLICE("upgrade")) &&
	    http1_field_only(f, "upgrade", &to) == OK &&
	    slice_is_nocase(to, "websocket");
}

/* 16 bytes in base64. */
static bool
is_key(struct slice key)
{
	if (key.n != WEBSOCKET_KEY_BYTES - 1 || key.p[22] != '=' ||
	    key.p[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++)
		if (!ascii_is_alnum(key.p[i]) && key.p[i] != '+' &&
		    key.p[i] != '/')
			return false;
	return true;
}

bool
websocket_is_asked(const struct http1_request *r, char key[WEBSOCKET_KEY_BYTES])
{
	struct slice version, value;

	return slice_is(r->method, "GET") && r->version == HTTP1_1 &&
	    is_upgrade(&r->fields) &&
	    http1_field_only(&r->fields, "sec-websocket-version", &version) ==
	    OK &&
	    slice_is(version, "13") &&
	    http1_field_only(&r->fields, "sec-websocket-key", &value) == OK &&
	    is_key(value) && slice_copy(value, key, WEBSOCKET_KEY_BYTES);
}

bool
websocket_is_accepted(const struct http1_response *r, const char *key)
{
	char text[WEBSOCKET_KEY_BYTES + sizeof GUID];
	unsigned char digest[SHA_DIGEST_LENGTH], wanted[ACCEPT_BYTES];
	size_t n = strlen(key);
	struct slice value;

	if (key[0] == '\0' || !is_upgrade(&r->fields) ||
	    http1_field_only(&r->fields, "sec-websocket-accept", &value) != OK)
		return false;
	memcpy(text, key, n);
	memcpy(text + n, GUID, sizeof GUID - 1);
	(void)SHA1((const unsigned char *)text, n + sizeof GUID - 1, digest);
	(void)EVP_EncodeBlock(wanted, digest, sizeof digest);
	return slice_is(value, (const char *)wanted);
}
