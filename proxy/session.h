/* One client connection: whose it is, what it speaks, who serves it. */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include "base/http1.h"
#include "proxy/close.h"
#include "proxy/linger.h"
#include "proxy/listener.h"
#include "proxy/refusal.h"
#include "proxy/tunnel.h"
#include "proxy/worker.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

enum session_state {
	SESSION_PEER,     /**< the user database is asked */
	SESSION_FIRST,    /**< no byte has come yet */
	SESSION_HTTP,     /**< a head gathers */
	SESSION_GREETING, /**< SOCKS5: methods */
	SESSION_PASSWORD, /**< SOCKS5: RFC 1929 */
	SESSION_SOCKS,    /**< SOCKS5: the request */
	SESSION_ASKING,   /**< request.c works */
	SESSION_REFUSING, /**< refusal.c works */
	SESSION_TUNNEL,   /**< tunnel.c owns the socket */
	SESSION_FORWARD,  /**< forward.c owns the socket */
	SESSION_LAST,     /**< linger.c owns the socket */
	SESSION_ENDED,
	SESSION_STATES
};

/** What is read and asked with; a tunnel needs it no more. */
struct session_opening {
	struct session *session;
	struct event readable;
	int64_t deadline_ms;
	struct proxy_wait userdb;
	bool userdb_asked, over_limit;
	bool was_slow; /**< its head came too late */
	struct buf in;
	struct http1_scan scan;
	struct request *request;
	struct refusal *refusal;
	struct lingering *last;
};

/** For session*.c alone. */
struct session {
	union {
		LIST_ENTRY(session) link;
		struct reapable reap; /**< once it has ended */
	};
	struct proxy_worker *worker;
	const char *listener;            /**< borrowed from listener.c */
	const struct peer *peer;         /**< of the peer_pool; NULL at first */
	struct session_opening *opening; /**< NULL: a tunnel is open */
	struct tunnel *tunnel;
	struct forward *forward;
	int fd;           /**< -1 when another owns it */
	uint8_t state;    /**< enum session_state */
	uint8_t protocol; /**< enum request_protocol */
	bool counted_uid;
	bool gateway; /**< all its requests are a gateway's */
};

/** Takes @fd, which came by @from. What cannot be served is answered or
 * closed. */
void session_start(struct proxy_worker *w, int fd, const struct listener *from);
/** Closes at once, with a record where one is due. */
void session_end(struct session *s, enum close_reason why);
/** Deadlines: called a few times a second. @now_ms of the boot clock. */
void session_tick(struct session *s, int64_t now_ms, int64_t now_unix_s);
/** The snapshot changed. */
void session_rejudge(struct session *s);
/** Draining: who has not spoken yet may for half a second, the idle ones end,
 * the others end after their message. */
void session_drain(struct session *s);

/* Between session.c, session_peer.c, session_http.c and session_socks.c. */

/** The only way from state to state; asserts that the move is a legal one. */
void session_move(struct session *s, enum session_state to);
/** Writes @last (released) and closes. */
void session_say_last(struct session *s, struct buf *last);
/** Finds out whose it is, then listens to it or ends it. */
void session_identify(struct session *s);
/** The uid that it counts for. */
uint32_t session_counted_as(const struct session *s);
/** No callback of the user database comes any more. */
void session_forget_userdb(struct session *s);
/** @what with the facts of @s. */
struct request_refusal session_refusal(
    struct session *s, const struct request_refusal *what);
/** Refuses what is malformed: its record, then the answer, then the end. */
void session_refuse(struct session *s, const struct request_refusal *what);
/** Judges @host:@port; session_on_answer() follows. */
void session_ask(struct session *s, const struct host *host, uint16_t port);
/** A head may be whole. */
void session_http_read(struct session *s);
/** A SOCKS5 message may be whole. */
void session_socks_read(struct session *s);
/** The answer for a verdict, in the protocol's own words. */
void session_put_success(const struct session *s, struct buf *out);
void session_put_denial(struct session *s, struct buf *out);

#endif
