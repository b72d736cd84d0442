/* One destination asked for, from the question to its one record.
 *
 * Whatever protocol it came by, a request runs the same steps in request.c:
 * name verdict, resolver, route verdict, dialer, `open` record; through TLS also
 * the credential that its rule injects, before the dialer, and a handshake. Then its
 * owner (tunnel.c or forward.c) moves the bytes, and request_finish() writes
 * the `request` record. There is no other way out. */
#ifndef PROXY_REQUEST_H
#define PROXY_REQUEST_H

#include "proxy/forward_route.h"
#include "proxy/proxy.h"
#include "proxy/stream.h"
#include "proxy/upstream.h"

enum request_protocol {
	REQUEST_CONNECT,
	REQUEST_FORWARD,
	REQUEST_SOCKS5,
	REQUEST_GATEWAY,
};

struct request;

/** All borrowed for the call; what lasts is copied. */
struct request_params {
	struct proxy_worker *worker;
	enum request_protocol protocol;
	const struct peer *peer; /**< lives as long as the request */
	const char *listener;    /**< likewise */
	struct host host;
	uint16_t port;
	bool plaintext;
	bool tls; /**< by a handshake of our own, as @host */
	bool h2;  /**< in which HTTP/2 is asked for */
	/** The client's own credential; lives until done(). NULL: not seen.
	 * Without @tls it goes on as it is, but for a phantom. */
	const struct forward_bearer *bearer;
	struct slice method;
	struct slice path;
	/** What is in plain sight of it; lives as long as the request. */
	const struct policy_target *target;
	bool local; /**< we answer ourselves: no address is asked for */
	/** An idle upstream to that host and port, to use instead of dialling
	 * if it is judged fit; lives until done(). */
	const struct upstream_facts *reuse;
	bool fresh; /**< one that was there has failed: no other such */
};

enum request_outcome {
	REQUEST_READY,  /**< allowed, recorded, connected (unless local, or to
	                     be looked into) */
	REQUEST_DENIED, /**< request_code() says why, its record is written */
};

/**
 * Starts judging. done() comes once from the loop, never from inside. NULL:
 * no memory. The owner must end with request_finish() in every case.
 */
struct request *request_start(const struct request_params *params,
    void (*done)(void *arg, enum request_outcome outcome), void *arg);

/** Called a few times a second before done(): an audit that does not answer
 * within five seconds is one that fails. */
void request_tick(struct request *r, int64_t now_ms);

/** A dialled socket (taken by the caller), or -1 when the idle one fits. */
int request_take_fd(struct request *r);
/** The same, with what is on it. */
struct stream request_take_stream(struct request *r);
/** Whether the idle one fits, and no other was made. */
bool request_is_reused(const struct request *r);
/** What goes with the request in place of the client's own, or NULL. */
const struct secret *request_credential(const struct request *r);
/**
 * READY, and the destination does not take the token: whether there is
 * another one by now. OK: *@another says so at once; E_PARTIAL: done() will.
 * E_NOTFOUND: no token was sent.
 */
enum status request_renew(struct request *r,
    void (*done)(void *arg, bool another), void *arg,
    bool *another) ATTR_MUST_USE;
/** It has gone: its memory is the caller's, its name stays for the records. */
struct secret *request_take_credential(struct request *r);
enum reason request_code(const struct request *r);
/** The HTTP status of its refusal. */
int request_status(const struct request *r);
const char *request_id(const struct request *r);
const struct policy_verdict *request_verdict(const struct request *r);
/** Of the connection that it goes through. */
struct upstream_facts request_upstream(const struct request *r);
/** Judges the first flight of a tunnel and notes the SNI for the record. */
enum reason request_judge_hello(
    struct request *r, enum policy_hello hello, struct slice sni);

struct request_end {
	int status; /**< HTTP status that the client got; 0: none */
	uint64_t bytes_up, bytes_down;
	const char *close; /**< static word of the schema's list */
};

/**
 * After a hello that was refused: hands over the final record, and done()
 * comes from the loop when it stands (request_code() says AUDIT_UNAVAILABLE
 * where it could not be written). request_finish() then only frees.
 */
void request_record_refusal(struct request *r, const struct request_end *end,
    void (*done)(void *arg, enum request_outcome outcome), void *arg);
/**
 * Frees what a tunnel that relays needs no more: there is no record left to
 * wait for, only the last one to write.
 */
void request_rest(struct request *r);

/** Whose it is, and where it leads to. */
struct request_origin {
	enum request_protocol protocol;
	const struct peer *peer; /**< borrowed as by the request */
	const char *listener;    /**< likewise */
	struct host host;
	uint16_t port;
};

void request_tell_origin(const struct request *r, struct request_origin *out);
/** Whether it passed only to be looked into; then there is no socket. */
bool request_is_inspected(const struct request *r);
/** Another verdict after READY (SNI_*, UPSTREAM_*): for the final record. */
void request_set_code(struct request *r, enum reason code);
/**
 * How many of @want bytes may go up now by the budget of its rule; they are
 * counted as sent until request_uploaded() says how many were.
 */
size_t request_upload_room(struct request *r, size_t want);
void request_uploaded(struct request *r, size_t n);
/** Whether its uploads are counted; a reload may change that. */
bool request_has_budget(const struct request *r);
/** What is counted and was not sent is not counted any more. */
void request_upload_rest(struct request *r);
/** Milliseconds to the first upstream byte are measured when this is called. */
void request_note_first_byte(struct request *r);

/**
 * Renders the denial (contract 5: status line with code and id, Proxy-Status,
 * problem+json, Connection: close). Without the body for HEAD.
 */
void request_render_denial(struct request *r, struct buf *out);

/** Writes the `request` record unless it stands, cancels, frees @r. */
void request_finish(struct request *r, const struct request_end *end);

/**
 * Asked when a snapshot changes or an `expires` passes: judges again with
 * the facts of the opening. False: it must end now.
 */
bool request_still_allowed(struct request *r);

#endif
