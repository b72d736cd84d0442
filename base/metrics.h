/* Counters that any thread may add to, read together by admin. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/reason.h"

/* clang-format off */
#define METRIC_TABLE(X) \
	X(CONNECTIONS_TOTAL, "connections_total", "counter", "Client connections accepted") \
	X(CONNECTIONS_OPEN, "connections_open", "gauge", "Client connections open now") \
	X(REQUESTS_ALLOWED_TOTAL, "requests_allowed_total", "counter", "Requests and tunnels allowed") \
	X(REQUESTS_DENIED_TOTAL, "requests_denied_total", "counter", "Requests and tunnels denied") \
	X(REQUESTS_WOULD_DENY_TOTAL, "requests_would_deny_total", "counter", "Requests that enforce mode would deny") \
	X(H2_STREAMS_TOTAL, "h2_streams_total", "counter", "Messages that came by HTTP/2") \
	X(TUNNELS_OPEN, "tunnels_open", "gauge", "Tunnels open now") \
	X(BYTES_UP_TOTAL, "bytes_up_total", "counter", "Bytes from clients to destinations") \
	X(BYTES_DOWN_TOTAL, "bytes_down_total", "counter", "Bytes from destinations to clients") \
	X(UPSTREAMS_IDLE, "upstreams_idle", "gauge", "Connections to destinations kept for the next request") \
	X(UPSTREAMS_POOLED_TOTAL, "upstreams_pooled_total", "counter", "Requests that went on with a connection of the pool") \
	X(UPSTREAM_TLS_TOTAL, "upstream_tls_total", "counter", "TLS handshakes with destinations") \
	X(UPSTREAM_TLS_ERRORS_TOTAL, "upstream_tls_errors_total", "counter", "TLS handshakes with destinations that failed") \
	X(CLIENT_TLS_TOTAL, "client_tls_total", "counter", "TLS handshakes with clients of inspected tunnels") \
	X(CLIENT_TLS_ERRORS_TOTAL, "client_tls_errors_total", "counter", "TLS handshakes with clients that failed") \
	X(LEAVES_MINTED_TOTAL, "leaves_minted_total", "counter", "Certificates made for inspected hosts") \
	X(DNS_QUERIES_TOTAL, "dns_queries_total", "counter", "Questions sent to name servers") \
	X(DNS_CACHE_HITS_TOTAL, "dns_cache_hits_total", "counter", "Answers given from the cache") \
	X(TOKENS_SERVED_TOTAL, "tokens_served_total", "counter", "Tokens handed to workloads") \
	X(PHANTOMS_ISSUED_TOTAL, "phantoms_issued_total", "counter", "Phantoms among the tokens handed to workloads") \
	X(ECHOES_REFUSED_TOTAL, "echoes_refused_total", "counter", "Answers not passed on for the credential in them") \
	X(TOKENS_REFUSED_TOTAL, "tokens_refused_total", "counter", "Token requests refused") \
	X(TOKEN_FETCHES_TOTAL, "token_fetches_total", "counter", "Token requests sent upstream") \
	X(TOKEN_FETCH_ERRORS_TOTAL, "token_fetch_errors_total", "counter", "Token requests that failed upstream") \
	X(TOKENS_EVICTED_TOTAL, "tokens_evicted_total", "counter", "Cached tokens let go for another of the same user") \
	X(AUDIT_RECORDS_TOTAL, "audit_records_total", "counter", "Audit records written") \
	X(AUDIT_ERRORS_TOTAL, "audit_errors_total", "counter", "Audit writes that failed") \
	X(AUDIT_LOST_ENDS_TOTAL, "audit_lost_ends_total", "counter", "Final records that could not be written") \
	X(RELOADS_TOTAL, "reloads_total", "counter", "Reloads that took effect") \
	X(RELOAD_ERRORS_TOTAL, "reload_errors_total", "counter", "Reloads that failed; the last good policy stays") \
	X(LIMIT_HITS_TOTAL, "limit_hits_total", "counter", "Requests refused by a limit") \
	X(ACCEPT_PAUSES_TOTAL, "accept_pauses_total", "counter", "Times a listener had to stop accepting for a while") \
	X(PEER_UNKNOWN_TOTAL, "peer_unknown_total", "counter", "Clients the kernel could not name")

/* clang-format on */

enum metric {

#define METRIC_ENUM(name, text, kind, help) METRIC_##name,
	METRIC_TABLE(METRIC_ENUM)
#undef METRIC_ENUM
	    METRIC_COUNT
};

/** Relaxed atomics on a slot of the calling thread; never blocks. */
void metric_add(enum metric m, int64_t delta);
void metric_deny(enum reason r);
int64_t metric_get(enum metric m);
int64_t metric_denied(enum reason r);

/** The table's text: name without prefix, kind and help. */
struct metric_info {
	const char *name, *kind, *help;
};
const struct metric_info *metric_info(enum metric m);

#endif
