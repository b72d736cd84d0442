/* A denial that did not come from a request of ours: malformed, limits. */
#ifndef PROXY_REFUSAL_H
#define PROXY_REFUSAL_H

#include "proxy/request.h"

/** All borrowed for the call; @peer and @listener live until done(). */
struct request_refusal {
	struct proxy_worker *worker;
	enum request_protocol protocol;
	bool inside;             /**< the tunnel: it is HTTP all the same */
	const struct peer *peer; /**< NULL: unknown */
	const char *listener;
	enum reason code;
	const char *detail; /**< static clause that says more, or NULL */
	int status;         /**< overrides the table's status; 0: the table's */
	struct slice method;
	const char *host; /**< canonical, or NULL */
	uint16_t port;
	/** Where it would have gone, for the record alone, or NULL. */
	const char *to;
	uint16_t to_port;
	/** SOCKS5 alone: what to say, and what when there is no record. */
	struct slice reply, reply_unrecorded;
};

/** One refusal whose record is being written. */
struct refusal;

/**
 * Hands over the one record. done() comes once from the loop, never from
 * inside, when it stands: @answer (taken) is what to say. When it cannot be
 * written that is AUDIT_UNAVAILABLE. NULL: no memory.
 */
struct refusal *refusal_start(const struct request_refusal *what,
    void (*done)(void *arg, struct buf *answer), void *arg);
/** Called a few times a second: as request_tick(). */
void refusal_tick(struct refusal *r, int64_t now_ms);
/** After it no done() comes. NULL is fine. */
void refusal_cancel(struct refusal *r);

/** Hands over the record of a refusal by which nothing is said. */
void refusal_note(const struct request_refusal *what);

#endif
