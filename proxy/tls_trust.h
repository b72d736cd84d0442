/* The trust anchors of outgoing TLS: one set, shared by all workers. */
#ifndef PROXY_TLS_TRUST_H
#define PROXY_TLS_TRUST_H

#include "base/status.h"

#include <openssl/types.h>
#include <stdbool.h>

/** Immutable, counted, thread-safe. */
struct tls_trust;

/** Takes @store, also on failure. NULL: no memory. Returns owned. */
struct tls_trust *tls_trust_new(X509_STORE *store) ATTR_MUST_USE;
/**
 * Reads the CA certificates of a PEM file; tens of ms for those of a whole
 * system. E_INVALID: there is none in it. E_NOMEM. *out is owned.
 */
enum status tls_trust_load(
    const char *path, struct tls_trust **out) ATTR_MUST_USE;
struct tls_trust *tls_trust_ref(struct tls_trust *t);
/** NULL-safe. */
void tls_trust_unref(struct tls_trust *t);
/** Whether both have the same anchors, in the same order. */
bool tls_trust_is_same(const struct tls_trust *a, const struct tls_trust *b);
/** Borrowed. */
X509_STORE *tls_trust_store(const struct tls_trust *t);

#endif
