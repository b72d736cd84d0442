/* The worker's inside, for the files of proxy/ alone. */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "proxy/proxy.h"
#include "proxy/resolver.h"

struct log_fold;
struct peer_pool;
struct relay_pool;
struct session;
struct tls_accept_ctx;
struct turns;
struct upstream_pool;

/* Borrowed views for request.c, tunnel.c, forward.c and session.c. */
struct event_base *worker_base(struct proxy_worker *w);
const struct clock *worker_clock(struct proxy_worker *w);
const struct proxy_ports *worker_ports(struct proxy_worker *w);
struct resolver *worker_resolver(struct proxy_worker *w);
struct proxy_shared *worker_shared(struct proxy_worker *w);
struct peer_source *worker_peers(struct proxy_worker *w);
struct peer_pool *worker_peer_pool(struct proxy_worker *w);
struct relay_pool *worker_relay_pool(struct proxy_worker *w);
/** Idle connections to destinations; NULL: they are not kept (any more). */
struct upstream_pool *worker_upstreams(struct proxy_worker *w);
/** The current snapshot; take a reference to keep it. */
struct proxy_snapshot *worker_snapshot(struct proxy_worker *w);
/** How many connections a uid may have now, of all workers. */
unsigned worker_uid_share(struct proxy_worker *w);
bool worker_is_draining(const struct proxy_worker *w);

/** What handshakes of this worker have in common; NULL: nothing yet. *@trust
 * is the epoch of whom they believe. */
struct tls_client_ctx *worker_tls(struct proxy_worker *w, uint64_t *trust);
/** The epoch of whom to believe now; never 0. */
uint64_t worker_trust(const struct proxy_worker *w);

/** What handshakes with clients have in common; NULL: there is no CA. */
struct tls_accept_ctx *worker_accept(struct proxy_worker *w);
/** Lets the above go where the snapshot has another CA: its key may have been
 * stolen. Handshakes under way keep it until they end. */
void worker_forget_ca(struct proxy_worker *w);

/** What the worker has logged of late. */
struct log_fold *worker_log_fold(struct proxy_worker *w);
/** Where handshakes wait, which are dear. */
struct turns *worker_turns(struct proxy_worker *w);

/** Within what is freed at the end of a turn; needed from then on only. */
struct reapable {
	struct reapable *next;
	void (*destroy)(struct reapable *r);
};

/** Has @destroy free what @r is in at the end of this turn of the loop. */
void worker_reap(struct proxy_worker *w, struct reapable *r,
    void (*destroy)(struct reapable *r));

/* session.c says when one comes and goes. */
void worker_session_opened(struct proxy_worker *w, struct session *s);
void worker_session_closed(struct proxy_worker *w, struct session *s);

/* Beyond the cap so many still hear LIMIT_REACHED before silence. */
enum { SHARED_CONNECTIONS_OVER = 64 };

/* Counts of all workers (proxy.c). Every enter has its leave. */

/** The number of connections with this one. */
unsigned shared_enter(struct proxy_shared *s);
void shared_leave(struct proxy_shared *s);
/** How many beyond that still hear so. */
unsigned shared_over(const struct proxy_shared *s);
/** A gateway's listener more, or less: no connection has its descriptor. */
void shared_gateway_opened(struct proxy_shared *s);
void shared_gateway_closed(struct proxy_shared *s);
/** One idle upstream more; false: there is no room, of @max or by far of the
 * descriptors. */
bool shared_idle_enter(struct proxy_shared *s, unsigned max);
void shared_idle_leave(struct proxy_shared *s);
/** Whether descriptors are so few that idle upstreams must make room. */
bool shared_is_crowded(const struct proxy_shared *s);
/** The @configured number of connections, or as many as can be served. */
unsigned shared_ceiling(struct proxy_shared *s, unsigned configured);
unsigned shared_total(const struct proxy_shared *s);
/** The number of this uid's connections with this one; E_LIMIT, E_NOMEM. */
enum status shared_enter_uid(
    struct proxy_shared *s, uint32_t uid, unsigned *count) ATTR_MUST_USE;
void shared_leave_uid(struct proxy_shared *s, uint32_t uid);

/** Handshakes at a time of one uid, so that no one has them all. */
enum { SHARED_HANDSHAKES_PER_UID = 128 };

/** Every OK has its leave. E_LIMIT, E_NOMEM. */
enum status shared_enter_handshake(
    struct proxy_shared *s, uint32_t uid) ATTR_MUST_USE;
void shared_leave_handshake(struct proxy_shared *s, uint32_t uid);

/** The uid that it counts for. */
static inline uint32_t
peer_counted_as(const struct peer *p)
{
	return p->known ? p->uid : UINT32_MAX;
}

/**
 * Whom to believe; a reference for the caller, or NULL. *@epoch is another
 * whenever they are others.
 */
struct tls_trust *shared_trust(struct proxy_shared *s, uint64_t *epoch);
uint64_t shared_trust_epoch(const struct proxy_shared *s);

/** Where uploads are counted, or NULL. */
struct budget_ledger *shared_ledger(const struct proxy_shared *s);

enum { SHARED_KEY_BYTES = 32 };

/** The id of a refusal with that key: the last one's if within 10 s. */
void shared_refusal_id(struct proxy_shared *s,
    const uint8_t key[SHARED_KEY_BYTES], int64_t now_ms,
    char id[RECORD_ID_BYTES]);

#endif
