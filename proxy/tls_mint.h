/* The certificates by which inspected hosts are shown to the clients. */
#ifndef PROXY_TLS_MINT_H
#define PROXY_TLS_MINT_H

#include "base/status.h"

#include <openssl/types.h>
#include <stdint.h>

/** How long a leaf lasts: short, as nobody can revoke one. */
enum { TLS_LEAF_DAYS = 7, TLS_LEAF_BACK_S = 3600 };

/**
 * Who signs them, with the one key that all its leaves have. Immutable,
 * counted, thread-safe.
 */
struct tls_ca;

/**
 * References @cert and @key, and makes the leaves' key: off the loops.
 * E_INVALID: they do not belong together, or @cert may not sign. E_NOMEM.
 * *out is owned.
 */
enum status tls_ca_new(
    X509 *cert, EVP_PKEY *key, struct tls_ca **out) ATTR_MUST_USE;
struct tls_ca *tls_ca_ref(struct tls_ca *ca);
/** NULL-safe. */
void tls_ca_unref(struct tls_ca *ca);
/** Borrowed. */
X509 *tls_ca_cert(const struct tls_ca *ca);
/** Borrowed: the key of every leaf. */
EVP_PKEY *tls_ca_leaf_key(const struct tls_ca *ca);

/**
 * A leaf for @host, a canonical name, and nothing else. E_INVALID: @host is
 * none. E_NOMEM. *out is owned. Source: RFC 5280 4.1, 4.2.
 */
enum status tls_ca_mint(const struct tls_ca *ca, const char *host,
    int64_t now_unix_s, X509 **out) ATTR_MUST_USE;

#endif
