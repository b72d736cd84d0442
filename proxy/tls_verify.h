/* By what rules a server's certificate is the one of a host. */
#ifndef PROXY_TLS_VERIFY_H
#define PROXY_TLS_VERIFY_H

#include "base/status.h"

#include <openssl/types.h>

/**
 * Has @param ask for a server certificate of exactly @host: a name in its
 * subjectAltName (no common name, `*` only as the whole first label), strict
 * RFC 5280, 112 bits of strength. E_INVALID: @host is no name of a host.
 */
enum status tls_verify_host(
    X509_VERIFY_PARAM *param, const char *host) ATTR_MUST_USE;

/**
 * The callback of such a verification. A wildcard may stand for a name that
 * one of its issuers may not vouch for: @ctx's host itself has to lie within
 * the name constraints of them all (RFC 5280 4.2.1.10).
 */
int tls_verify_step(int ok, X509_STORE_CTX *ctx);

#endif
