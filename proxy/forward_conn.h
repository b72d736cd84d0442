/* The inside of one forwarded client connection, for forward*.c alone.
 *
 * One message's story: forward.c gathers a head; forward_judge.c reads it,
 * refuses what is malformed, writes the head for the destination and asks
 * request.c. When that is READY, forward_exchange.c moves both bodies and the
 * answer, and ends the message: the idle upstream is kept, and the next head
 * is read. What is refused or ended early goes out by linger.c. */
#ifndef PROXY_FORWARD_CONN_H
#define PROXY_FORWARD_CONN_H

#include "proxy/close.h"
#include "proxy/forward.h"
#include "proxy/forward_body.h"
#include "proxy/forward_head.h"
#include "proxy/forward_side.h"
#include "proxy/linger.h"
#include "proxy/refusal.h"
#include "proxy/upstream_pool.h"
#include "proxy/worker.h"

enum forward_state {
	FORWARD_HEAD,     /**< a request head is awaited */
	FORWARD_ASKING,   /**< request.c works */
	FORWARD_EXCHANGE, /**< bytes move */
	FORWARD_RENEWING, /**< an answer waits while a token is asked for */
	FORWARD_BROKER,   /**< the broker works */
	FORWARD_REFUSING, /**< refusal.c works */
	FORWARD_LAST,     /**< linger.c has the socket */
	FORWARD_OVER,
};

enum {
	FORWARD_RESPONSE_HEAD_BYTES = 65536,
	FORWARD_HEAD_SLACK = 1024, /**< Via, Host, Date */
	FORWARD_PIECE_BYTES = 65536,
	FORWARD_DENIAL_BYTES = 16384,
	FORWARD_INTERIM_MAX = 32,         /**< 1xx answers to one request */
	FORWARD_CREDENTIAL_BYTES = 32768, /**< also held back of an answer */
	FORWARD_KEPT_BYTES = 32768, /**< of a body, to send it once more */
};

/** One message. */
struct forward_exchange {
	struct request *request; /**< NULL: none, or recorded */
	struct buf head; /**< as it goes to the destination, but for what
	                      stands for `bearer` */
	struct forward_bearer bearer;
	struct forward_bearer brought; /**< the same; of plain requests, too */
	struct buf bearer_value;       /**< secret: what both borrow */
	struct forward_line line;
	struct host host;
	uint16_t port;
	struct http1_framing framing;
	struct policy_target *target; /**< owned; the request borrows it */
	struct forward_body up, down;
	struct secret *watched; /**< that the answer must not have; or NULL */
	struct guard guard;     /**< borrows from it */
	bool is_head, client_1_0, keep_client;
	bool wants_h2;   /**< of the destination */
	bool local;      /**< it goes no further: we answer */
	bool reused;     /**< by the idle upstream */
	bool retried;    /**< once already */
	bool injected;   /**< with a token of ours */
	bool renewed;    /**< another token was asked for already */
	bool body_began; /**< some of the client's body was taken */
	bool keeps;      /**< all of it that was taken is kept */
	struct buf kept;
	bool replays;    /**< `kept` goes before what the client still sends */
	size_t replayed; /**< bytes of `kept` that went out again */
	bool abandoned;  /**< the destination takes no more of the body */
	bool answer_began; /**< its final head is on the way to the client */
	bool broken;       /**< the destination's socket failed */
	bool heard;        /**< a byte of the destination came */
	bool keep_upstream;
	unsigned interim;
	int status;
	uint64_t bytes_up, bytes_down;
	char websocket[WEBSOCKET_KEY_BYTES]; /**< "": it asks for none */
	char *own; /**< owned: what the client calls the gateway; or NULL */
};

struct forward {
	struct reapable reap;
	struct proxy_worker *worker;
	struct proxy_snapshot *snapshot; /**< of this message */
	const struct peer *peer;
	const char *listener;
	enum request_protocol protocol;
	const struct host *inside; /**< where its tunnel leads; or NULL */
	uint16_t inside_port;
	bool secure; /**< it goes on through TLS, as one host's requests */
	uint64_t bytes_up, bytes_down; /**< of the messages that are over */
	void (*done)(void *arg);
	void *arg;
	enum forward_state state;
	enum close_reason why; /**< once it is over */
	bool draining;
	bool was_slow; /**< a head came too late */
	bool served;   /**< a message was answered already */
	bool progress; /**< another turn of the pump may help */
	bool moved;    /**< bytes did in this pump: the deadline is off */
	struct forward_side client, upstream;
	struct http1_scan client_scan;
	size_t upstream_scanned;
	struct forward_exchange x;
	struct stream held; /**< of the answer that waits */
	/* The idle upstream, when upstream is open between messages. */
	struct upstream_facts idle;
	bool signed_in; /**< the upstream, by the client: nobody else's */
	struct proxy_broker_ask ask;
	bool asking_broker;
	struct refusal *refusal;
	struct lingering *last;
	struct event wake, timer;
	int64_t deadline_ms; /**< INT64_MAX: none */
	int64_t timer_ms;    /**< when `timer` fires; INT64_MAX: never */
};

/* forward.c */

/** Runs what can run, then watches for what is needed. */
void forward_pump(struct forward *f);
/** Closes all at once and says done(). @f lives until the loop's turn ends. */
void forward_end(struct forward *f, enum close_reason why);
/** Sends @last (released) and closes, lingering. */
void forward_say_last(struct forward *f, struct buf *last);
/** Sets the deadline @ms from now; 0: none. */
void forward_deadline(struct forward *f, unsigned ms);
/** The denial that request.c has judged and recorded. */
void forward_deny(struct forward *f);
/** Takes a connection to the destination for the message. */
void forward_open_upstream(struct forward *f, struct stream s);

/** Goes on with @s, and with what was read of it. */
void forward_resume_upstream(struct forward *f, struct stream s);
/** It is idle: others may go on with it, if they are such that may. */
void forward_keep_upstream(struct forward *f);

/* forward_judge.c */

/** A head may be whole. */
void forward_read_head(struct forward *f);
/** Where its requests go. False: the gateway is no more. */
bool forward_find_route(const struct forward *f, struct forward_route *route);
/** Asks request.c about the message, with or without the idle upstream. */
void forward_ask(struct forward *f, bool reuse);
/** Refuses what request.c never saw, with its record; @r may be NULL. */
void forward_refuse(struct forward *f, const struct forward_fault *fault,
    const struct forward_request *r);

/* forward_target.c */

/** Keeps what the rules judge of the message. E_NOMEM. */
enum status forward_see(
    struct forward *f, const struct forward_request *r) ATTR_MUST_USE;

/* forward_exchange.c */

/** request.c said READY. */
void forward_exchange_start(struct forward *f);
/** One turn: moves what can be moved. */
void forward_exchange_step(struct forward *f);
/** Ends the message as failed with @code, visibly to the client. */
void forward_exchange_fail(
    struct forward *f, enum reason code, enum close_reason why);
/** Refuses a message that was READY, before the rest of it is passed on. */
void forward_exchange_refuse(
    struct forward *f, enum reason code, enum close_reason why);
/** Whether it may be sent once more when nobody knows what became of it. */
bool forward_may_repeat(const struct forward *f);
/** Writes the message's record, and lets go of what was put in. */
void forward_exchange_record(struct forward *f, enum close_reason why);

/* forward_renew.c */

/** What is needed to send the message once more, with another token. */
void forward_renew_prepare(struct forward *f);
/** The next bytes of the client's body; forward_renew_took() says how many
 * of them are used. */
struct slice forward_renew_body(const struct forward *f);
void forward_renew_took(struct forward *f, size_t used);
/**
 * Whether the 401 with @fields is not for the client, or not yet: the message
 * goes once more with another token, if there is one.
 */
bool forward_renew(struct forward *f, const struct http1_fields *fields);
void forward_renew_cancel(struct forward *f);

/* forward_broker.c */

/** Asks the broker for the IMDS answer. */
void forward_broker_ask(struct forward *f, const struct forward_request *r);
void forward_broker_cancel(struct forward *f);

#endif
