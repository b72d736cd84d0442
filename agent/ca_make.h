/* The inspection CA's key and certificate, as objects and as PEM text. */
#ifndef AGENT_CA_MAKE_H
#define AGENT_CA_MAKE_H

#include "base/buf.h"

#include <openssl/types.h>

enum {
	CA_BACK_S = 3600, /**< it begins so much before it was made */
	CA_DAYS = 3650,
};

/** A new ECDSA key on P-256. *out is owned. E_INTERNAL. */
enum status ca_make_key(EVP_PKEY **out) ATTR_MUST_USE;
/**
 * A certificate of @key, signed by it, that may sign leaves and nothing else;
 * @name is the deployment's. *out is owned. E_INTERNAL.
 * Source: RFC 5280 4.1, 4.2.1.
 */
enum status ca_make_cert(const char *name, EVP_PKEY *key, int64_t now_unix_s,
    X509 **out) ATTR_MUST_USE;

/** Appends PEM; @out is a secret buffer. E_INTERNAL, or the buffer's. */
enum status ca_put_key(struct buf *out, EVP_PKEY *key) ATTR_MUST_USE;
enum status ca_put_cert(struct buf *out, X509 *cert) ATTR_MUST_USE;

/** An EC or RSA key of at least 112 bits of strength, or E_INVALID. */
enum status ca_read_key(struct slice pem, EVP_PKEY **out) ATTR_MUST_USE;
/** The first certificate of @pem, or E_INVALID. */
enum status ca_read_cert(struct slice pem, X509 **out) ATTR_MUST_USE;

/** When it was made, by what ca_make_cert() writes. */
int64_t ca_made_unix_s(const X509 *cert);
int64_t ca_ends_unix_s(const X509 *cert);

#endif
