/* A worker and a request.c that do as they are told, for forward_test.c. */
#ifndef TESTS_UNIT_PROXY_FORWARD_FAKE_H
#define TESTS_UNIT_PROXY_FORWARD_FAKE_H

#include "proxy/forward.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

enum { FAKE_LOG_MAX = 256 };

struct fake_end {
	char host[64], to[64], method[16], path[64], close[16];
	enum reason code;
	int status;
	uint64_t bytes_up, bytes_down;
	bool reused, tls;
	int bearer; /**< what the client brought, of enum in forward_route.h */
	char bearer_value[64];
};

/** One client, the destinations it reaches, and what was recorded. */
struct fake {
	struct event_base *base;
	struct proxy_snapshot snapshot;
	struct proxy_snapshot *now; /**< after a reload; NULL: the same */
	struct proxy_ports ports;
	struct forward *forward;
	int client_fd;   /**< the client's own end */
	int upstream_fd; /**< the destination's end of the last connection */
	bool keep_upstreams; /**< the ends of all are in `upstreams` */
	int upstreams[FAKE_LOG_MAX];
	bool done;
	/* What the next question is answered with. */
	enum reason code;
	bool allowed;      /**< request_still_allowed() */
	int64_t expires_s; /**< of the rule */
	size_t budget;     /**< may go up */
	unsigned started, dialled;
	struct fake_end ended[FAKE_LOG_MAX];
	size_t n_ended;
	/* What the rule injects, and what the upstream is spoken to by. */
	struct secret *token;
	const struct stream_ops *ops;
	struct proxy_gateway gateway;
	unsigned dropped; /**< tokens whose memory was given back */
	unsigned pooled;  /**< upstreams that were given to the pool */
	struct upstream_facts pooled_facts;
	bool fresh; /**< what the last question said of the pool */
	bool pool_has_one;
	/* What comes of asking for another token. */
	enum status renew_status;
	bool renews;
	unsigned renewals;
	void (*renewed)(void *arg, bool another);
	void *renewed_arg;
	bool hold_refusal;
	struct request *held_refusal;
	bool hold; /**< answers wait for fake_release() */
	struct request *held;
	/* The broker. */
	enum status ask_status;
	struct proxy_broker_ask *ask;
	char ask_head[512];
	bool ask_cancelled;
};

extern struct fake fake;
/** The limit that fake_start() gives to a head. */
extern unsigned fake_head_ms;
/** What time it is to the worker: the kernel's, where no test says. */
extern const struct clock *fake_clock;

/** What the next start answers the first question with. */
struct fake_next {
	enum reason code;
	struct secret *token; /**< borrowed */
	const struct stream_ops *ops;
	uint16_t gateway_port; /**< 0: 443 */
	bool hold, pool_has_one;
};

extern struct fake_next fake_next;

/** Whose requests they are. */
extern const struct peer fake_peer;

/** Makes all but a forward; gives the agent's end of the client's socket. */
int fake_prepare(void);
/** A forward with @first already read; limits in milliseconds. */
void fake_start(const char *first);
/** The same on a gateway's listener, 127.0.0.1:3190, to https://up.example/base. */
void fake_start_gateway(const char *first);
/** The same inside a SOCKS5 tunnel to up.example:443. */
void fake_start_inside(const char *first);
void fake_stop(void);
/** Lets the held answer come. */
void fake_release(void);
/** Lets the held refusal be recorded. */
void fake_release_refusal(void);
/** Turns the loop until nothing moves any more. */
void fake_turn(void);
void fake_client_says(const char *text);
void fake_upstream_says(const char *text);
/** What has arrived since the last call, NUL-terminated; borrowed. */
const char *fake_client_got(void);
const char *fake_upstream_got(void);
bool fake_client_at_end(void);
bool fake_upstream_at_end(void);
void fake_upstream_closes(void);

#endif
