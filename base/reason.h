/* Every reason code: one table gives code, HTTP status, RFC 9209 token and
 * sentence. The names are part of the contract with users and tests. */
#ifndef BASE_REASON_H
#define BASE_REASON_H

#include "base/slice.h"

/* clang-format off */
#define REASON_TABLE(X) \
	X(HOST_NOT_ALLOWED, 403, "http_request_denied", "no rule allows this host for you") \
	X(PORT_NOT_ALLOWED, 403, "http_request_denied", "a rule names this host, but not this port") \
	X(METHOD_NOT_ALLOWED, 403, "http_request_denied", "a rule names this host, but not this method") \
	X(PATH_NOT_ALLOWED, 403, "http_request_denied", "a rule names this host, but not this path") \
	X(WORKLOAD_NOT_ALLOWED, 403, "http_request_denied", "this destination is allowed, but not to this workload") \
	X(RULE_DENIES, 403, "http_request_denied", "a deny rule matches this request") \
	X(EXCEPTION_EXPIRED, 403, "http_request_denied", "the rule that allowed this has expired") \
	X(IP_LITERAL, 403, "http_request_denied", "destinations are named, not numbered: use the host name") \
	X(PRIVATELINK_NAME, 403, "http_request_denied", "use the public name of the service; it resolves to the private endpoint") \
	X(PLAINTEXT, 403, "http_request_denied", "this destination is reached over TLS only: use https") \
	X(METADATA_PROXIED, 403, "http_request_denied", "the metadata service is not reached through a proxy") \
	X(PUBLIC_ADDRESS, 403, "destination_ip_prohibited", "the name resolves to a public address") \
	X(MIXED_ADDRESSES, 403, "destination_ip_prohibited", "the name resolves to private and public addresses at once") \
	X(UNEXPECTED_PRIVATE, 403, "destination_ip_prohibited", "the address is private, but not one of the policy's endpoints") \
	X(RESERVED_ADDRESS, 403, "destination_ip_prohibited", "the address is one that is never reached through this agent") \
	X(NO_PRIVATE_ZONE, 403, "destination_ip_prohibited", "no name of the chain lies in a private-link zone") \
	X(WRONG_ZONE, 403, "destination_ip_prohibited", "the chain passes a private-link zone of another service") \
	X(CHAIN_BROKEN, 502, "dns_error", "the answer's names do not lead from the question to the addresses") \
	X(SELF, 403, "destination_ip_prohibited", "the destination is this agent or this machine") \
	X(DNS_NXDOMAIN, 502, "dns_error", "the name does not exist") \
	X(DNS_NODATA, 502, "dns_error", "the name has no address") \
	X(DNS_SERVFAIL, 502, "dns_error", "the name server failed") \
	X(DNS_TIMEOUT, 504, "dns_timeout", "the name server did not answer") \
	X(CONNECT_REFUSED, 502, "connection_refused", "the destination refused the connection") \
	X(CONNECT_TIMEOUT, 504, "connection_timeout", "the destination did not answer") \
	X(CONNECT_UNREACHABLE, 502, "destination_ip_unroutable", "there is no route to the destination") \
	X(TLS_FAILED, 502, "tls_protocol_error", "the TLS handshake with the destination failed") \
	X(TLS_CERTIFICATE, 502, "tls_certificate_error", "the destination's certificate was not accepted") \
	X(UPSTREAM_RESET, 502, "connection_terminated", "the destination closed the connection early") \
	X(UPSTREAM_PROTOCOL, 502, "http_protocol_error", "the destination's answer breaks HTTP") \
	X(SNI_MISSING, 403, "http_request_denied", "the TLS ClientHello names no server") \
	X(SNI_MISMATCH, 403, "http_request_denied", "the TLS ClientHello names another server than the CONNECT") \
	X(NOT_TLS, 403, "http_request_denied", "only TLS may pass this tunnel") \
	X(ECH_REFUSED, 403, "http_request_denied", "the TLS ClientHello hides its server name") \
	X(SAS_REFUSED, 403, "http_request_denied", "shared access signatures are refused here") \
	X(COPY_SOURCE_REFUSED, 403, "http_request_denied", "the copy source is not allowed") \
	X(AUTHORIZATION_PRESENT, 403, "http_request_denied", "the request brings its own credential") \
	X(TOKEN_NOT_ALLOWED, 403, "http_request_denied", "no grant gives this workload a token for this audience") \
	X(TOKEN_INVALID, 403, "http_request_denied", "the token was not issued by this agent or has ended") \
	X(TOKEN_AUDIENCE, 403, "http_request_denied", "the token is for another audience") \
	X(CREDENTIAL_UNAVAILABLE, 503, "proxy_configuration_error", "no credential is available now") \
	X(BUDGET_SPENT, 403, "http_request_denied", "the rule's upload budget is spent") \
	X(RATE_LIMITED, 429, "http_request_error", "too many requests") \
	X(LIMIT_REACHED, 503, "connection_limit_reached", "a limit of the agent is reached") \
	X(AUDIT_UNAVAILABLE, 503, "proxy_internal_error", "the audit cannot be written, so nothing passes") \
	X(NOT_READY, 503, "proxy_internal_error", "the agent is starting or stopping") \
	X(BAD_REQUEST, 400, "http_request_error", "the request is malformed") \
	X(BAD_HOST, 400, "http_request_error", "the host is malformed") \
	X(BAD_AUTHORITY, 400, "http_request_error", "the destination must be HOST:PORT") \
	X(LOOP, 502, "proxy_loop_detected", "the request has passed this agent already")

/* clang-format on */

enum reason {
	REASON_NONE = 0,

#define REASON_ENUM(code, status, token, text) REASON_##code,
	REASON_TABLE(REASON_ENUM)
#undef REASON_ENUM
	    REASON_COUNT
};

struct reason_info {
	const char *code;  /**< "HOST_NOT_ALLOWED" */
	int status;        /**< HTTP status */
	const char *token; /**< RFC 9209 error type */
	const char *text;  /**< one English clause, no full stop */
};

/** Never NULL; REASON_NONE has code "" and status 200. */
const struct reason_info *reason_info(enum reason r);
const char *reason_code(enum reason r);
/** The reason of that name, or REASON_NONE. */
enum reason reason_from_code(struct slice code);
/** Whether a client that tries again unchanged may succeed. */
bool reason_is_transient(enum reason r);

#endif
