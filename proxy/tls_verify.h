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

#endif
