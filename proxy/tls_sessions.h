/* TLS sessions to go on with: a handshake that proves nothing anew. */
#ifndef PROXY_TLS_SESSIONS_H
#define PROXY_TLS_SESSIONS_H

#include "base/clock.h"
#include "base/status.h"

#include <openssl/types.h>
#include <stdbool.h>

/**
 * The sessions of one worker with those that it has verified, by host and
 * port. One that is resumed shows no certificate (RFC 8446 4.6.1), so that a
 * session lasts an hour at most, no longer than any certificate of the chain
 * that was verified, and what is resumed makes none that lasts longer.
 */
struct tls_sessions;
/** One connection's part in it. */
struct tls_home;
struct ssl_session_st;

/** @clock is kept. NULL: no memory. Returns owned. */
struct tls_sessions *tls_sessions_new(const struct clock *clock) ATTR_MUST_USE;
/** NULL-safe. Homes go on, and keep nothing any more. */
void tls_sessions_destroy(struct tls_sessions *t);
/** Forgets all, also what connections that are there will be given. */
void tls_sessions_flush(struct tls_sessions *t);

/** NULL: no memory. Returns owned. */
struct tls_home *tls_home_new(
    struct tls_sessions *t, const char *host, uint16_t port) ATTR_MUST_USE;
/** NULL-safe. */
void tls_home_destroy(struct tls_home *h);
/** Before the handshake of @ssl: has it go on with a session, if there is. */
void tls_home_offer(struct tls_home *h, SSL *ssl);
/** The peer of @ssl was verified, or has gone on: its sessions are kept. */
void tls_home_settle(struct tls_home *h, SSL *ssl);
/** An SSL_SESSION came: whether it is taken. */
bool tls_home_keep(struct tls_home *h, struct ssl_session_st *session);

#endif
