/* Reads a TLS ClientHello out of a tunnel's first flight, and no more. */
#ifndef PROXY_HELLO_H
#define PROXY_HELLO_H

#include "policy/policy.h"

/** Bytes on the wire, records and all, within which the hello must end. */
enum { HELLO_BYTES_MAX = 16384 };

/** Where the scan over the records stands; zeroed at first. */
struct hello_scan {
	size_t at;       /**< offset of the first record not yet whole */
	size_t body;     /**< handshake bytes in the whole records before it */
	size_t want;     /**< handshake bytes of the ClientHello, 0: unknown */
	uint8_t head[4]; /**< the handshake header */
};

/** What the first flight was. */
struct hello {
	enum policy_hello kind;
	bool is_tls;   /**< it began as TLS, so an alert is understood */
	uint8_t sni_n; /**< 0: there is none */
	char sni[255]; /**< as sent */
};

/**
 * Looks at all that has come so far (@raw grows at its end from call to
 * call). E_PARTIAL: more is needed. OK: @out says what it is; malformed,
 * oversized and duplicate-bearing hellos are POLICY_HELLO_NOT_TLS, an IP
 * literal as name is POLICY_HELLO_NO_SNI. Source: RFC 8446 4.1.2, 5.1;
 * RFC 6066 3; RFC 9849 (ECH).
 */
enum status hello_read(
    struct hello_scan *s, struct slice raw, struct hello *out) ATTR_MUST_USE;

/** A fatal TLS alert record. */
enum { HELLO_ALERT_BYTES = 7 };

/** The alert that tells @code (SNI_*, ECH_REFUSED, NOT_TLS) to a client. */
void hello_alert(enum reason code, uint8_t out[HELLO_ALERT_BYTES]);

#endif
