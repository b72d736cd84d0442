/* Tokens of our own that stand for a real one, on this machine alone.
 *
 * A phantom has the form of a JSON Web Token (RFC 7519), so that a client can
 * read from it whose it is and how long it lives; but it is signed with a key
 * that nobody else has, names us as its issuer, and says to whom it was given.
 * Whoever brings one is held to that, and the real one goes on in its place.
 * Pure: no clock, no state. */
#ifndef IDENTITY_PHANTOM_H
#define IDENTITY_PHANTOM_H

#include "base/buf.h"

enum {
	PHANTOM_KEY_BYTES = 32,
	PHANTOM_TEXT_MAX = 4096,
	PHANTOM_ID_BYTES = 33, /**< 32 lower-case hex digits and a NUL */
};

/** To whom it was given, and for what. */
struct phantom {
	char id[PHANTOM_ID_BYTES]; /**< the real one's secret_id() first */
	uint32_t uid;
	char unit[128];      /**< of the peer; "" when it has none */
	char audience[1024]; /**< as it was asked for */
	char identity[64];   /**< a configured one's name */
	char grant[64];      /**< by which it was given */
	int64_t expires_unix_s;
	int64_t issued_unix_s; /**< for clients; not read back */
	int64_t epoch; /**< in which it was given out: see identity_ports */
};

/**
 * Derives the key that they are signed with from the @secret of the state, so
 * that they outlive a restart. False if libcrypto fails.
 */
bool phantom_key(const uint8_t secret[PHANTOM_KEY_BYTES],
    uint8_t out[PHANTOM_KEY_BYTES]) ATTR_MUST_USE;

/**
 * Appends the one that stands for @real, a token of @p->identity, within the
 * deployment @name: the claims that clients read are copied, and it ends when
 * @real does, at @p->expires_unix_s at the latest. E_INVALID: @real is no JSON
 * Web Token with claims. E_LIMIT past PHANTOM_TEXT_MAX; E_NOMEM. On failure
 * @out may hold a part.
 */
enum status phantom_make(const uint8_t key[PHANTOM_KEY_BYTES],
    const struct phantom *p, const char *name, struct slice real,
    struct buf *out) ATTR_MUST_USE;

/**
 * Reads @text. E_NOTFOUND: it is not even of our form. E_DENIED: it is, but
 * we did not make it; how much of it is right takes no part in the time. Only
 * what is signed is looked into. E_NOMEM.
 */
enum status phantom_read(const uint8_t key[PHANTOM_KEY_BYTES],
    struct slice text, struct phantom *out) ATTR_MUST_USE;

#endif
