/* Stand-ins for what the core of the proxy asks: they answer as they are told,
 * always from the loop, and remember what was asked. */
#ifndef TESTS_UNIT_PROXY_FAKES_H
#define TESTS_UNIT_PROXY_FAKES_H

#include "proxy/close.h"
#include "proxy/proxy.h"

#include <event2/event.h>

enum { FAKE_RECORDS_MAX = 128, FAKE_TEXT_BYTES = 128 };

struct fake_record {
	enum record_event event;
	enum record_verdict verdict;
	enum reason code;
	bool would;
	char id[RECORD_ID_BYTES];
	char host[FAKE_TEXT_BYTES], sni[FAKE_TEXT_BYTES];
	char protocol[FAKE_TEXT_BYTES], close[FAKE_TEXT_BYTES];
	uint16_t port;
	int status;
	uint64_t up, down, generation;
	/* of a request through TLS; "" is null */
	char tls[FAKE_TEXT_BYTES], identity[FAKE_TEXT_BYTES];
	char audience[FAKE_TEXT_BYTES], token_id[FAKE_TEXT_BYTES];
	int64_t tls_ms;
};

/** What the stand-ins do; tests set it before they act. */
struct fakes {
	struct event_base *base;
	struct clock clock;
	int64_t now_ms, now_unix_s;
	/* policy: the verdict of each phase */
	enum reason name_code, route_code, request_code;
	bool bearer_seen; /**< the request phase was shown a phantom: */
	struct policy_bearer bearer;
	bool bare_seen; /**< it was told that there is no credential */
	const char *challenge;
	enum reason would_code; /**< report mode: passes, but would not */
	bool sni_any;
	bool looks_inside; /**< where it may: the tunnel is inspected */
	int64_t expires_unix_s;
	const struct policy_inject *inject;
	const struct policy_budget *budget;
	/* the others */
	bool peer_unknown, audit_sick, audit_stuck, userdb_later;
	bool half_closed; /**< a FIN of the client is no farewell */
	bool resolver_stuck, dialer_stuck; /**< no answer ever comes */
	bool resolver_cached;              /**< the answer is there at once */
	bool audit_fails;      /**< records are taken, and then not written */
	void (*on_dial)(void); /**< called from dial_start() */
	enum reason dial_code; /**< NONE: a connected pair */
	int upstream;          /**< our end of the dialled pair, or -1 */
	bool sends_at_once;    /**< TCP_NODELAY on what was accepted last */
	void (*forward_done)(void *arg); /**< of the last forward */
	void *forward_arg;
	struct forward *forward;
	enum close_reason forward_why; /**< what it will say */
	char forward_host[FAKE_TEXT_BYTES];
	uint16_t forward_port;
	unsigned rejudged, drained;
	unsigned dials, resolutions, cache_hits, forwards, denials, cancelled;
	struct fake_record records[FAKE_RECORDS_MAX];
	size_t n_records;
	struct policy *policy;
	struct proxy_ports ports;
	struct proxy_shared *shared;
	struct proxy_snapshot *snapshot; /**< the first one, generation 1 */
	struct proxy_worker *worker;
	uint16_t port; /**< where the worker listens */
};

extern struct fakes fake;

/** A worker on a loopback port, and generous limits. */
void fakes_init(void);
void fakes_release(void);
/** Another snapshot with its own limits, one reference for the caller. */
struct proxy_snapshot *fake_snapshot(uint64_t generation);
/** Runs the loop until nothing happens any more. */
void fake_run(void);
/** Lets @ms pass, in which the deadlines are noticed. */
void fake_pass_ms(int64_t ms);
/** Connects @fd to the worker. */
void fake_connect(int fd);
/** A blocking socket to the worker, with a short receive time-out. */
int fake_client(void);
/** Ends the last forward as @why, from the loop. */
void fake_end_forward(enum close_reason why);
/** Sends @text while the loop runs. */
void fake_say(int fd, const void *text, size_t n);
/** What has come on @fd by now, as text; returns its length, -1 at the end. */
long fake_hear(int fd, char *out, size_t bytes);

#endif
