/* Owns the traffic: listen, read, ask, resolve, ask again, connect, relay,
 * record.
 *
 * One connection's story: listener.c accepts it on a worker's loop and
 * workload.c asks the kernel whose it is. session.c gathers the first bytes
 * (by the first one: SOCKS5 or HTTP/1) and makes one struct request of
 * whatever protocol it was. request.c asks the policy for the name, the
 * resolver for addresses, the policy for the route, and the dialer for a
 * socket to one judged address; then the `open` record is written and only
 * then the first byte goes out. tunnel.c (CONNECT, SOCKS5) checks the
 * ClientHello and splices; forward.c (absolute-form) sends the request on,
 * message by message. finish() writes the one `request` record, whatever
 * happened.
 *
 * Everything here runs on the loop of the worker it was made on. What the
 * proxy needs of others it asks through the ports below, which the agent
 * fills in. Ports never call back from inside the call, and never after a
 * cancel. */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "base/clock.h"
#include "base/peer.h"
#include "base/record.h"
#include "base/secret.h"
#include "policy/policy.h"

struct event_base;
struct budget_ledger;
struct tls_ca;
struct tls_trust;

/** Name servers for one suffix ("" is all other names). */
struct proxy_dns_zone {
	char suffix[HOST_BYTES];
	struct policy_listener servers[8]; /**< address and port */
	size_t n_servers;
};

struct proxy_dns_config {
	struct proxy_dns_zone *zones; /**< zones[0] is the default */
	size_t n_zones;
	unsigned timeout_ms;
	unsigned attempts;
	unsigned max_ttl_s;
};

struct proxy_limits {
	unsigned connections; /**< in total, all workers */
	unsigned connections_per_uid;
	unsigned head_bytes;
	unsigned h2_streams; /**< at a time, of one connection */
	unsigned head_ms;    /**< whole head, not per byte */
	unsigned connect_ms;
	unsigned tls_ms; /**< a whole handshake with a destination */
	unsigned idle_ms;
	unsigned hello_ms;         /**< ClientHello after the CONNECT answer */
	unsigned linger_ms;        /**< draining after an early answer */
	unsigned upstreams_idle;   /**< kept for others, all workers */
	unsigned upstream_idle_ms; /**< for so long */
};

/** A listener whose requests all go to one https destination. */
struct proxy_gateway {
	char name[64];
	char listener[512];    /**< byte for byte as the listener is named */
	char host[HOST_BYTES]; /**< canonical */
	uint16_t port;
	char prefix[256]; /**< put before the path of each request, or "" */
};

/**
 * Immutable once published; counted; one per generation. The agent builds
 * it aside. `release` runs with the last reference, on any thread.
 */
struct proxy_snapshot {
	_Atomic unsigned refs;
	uint64_t generation;
	struct policy *policy; /**< one reference */
	struct proxy_dns_config dns;
	struct proxy_limits limits;
	struct policy_self self;
	char name[64];                        /**< Via and Proxy-Status */
	char cgroup_root[256];                /**< where cgroup2 is mounted */
	bool exe_lookup;                      /**< some rule has `exes` */
	const struct proxy_gateway *gateways; /**< the snapshot's own */
	size_t n_gateways;
	/** Who signs for inspected hosts, one reference; NULL: nobody. */
	struct tls_ca *inspection_ca;
	void (*release)(struct proxy_snapshot *s);
};

struct proxy_snapshot *proxy_snapshot_ref(struct proxy_snapshot *s);
void proxy_snapshot_unref(struct proxy_snapshot *s);
/** The gateway that serves @listener, borrowed from @s, or NULL. */
const struct proxy_gateway *proxy_snapshot_gateway(
    const struct proxy_snapshot *s, const char *listener);

/** Somebody who waits for a port's answer; owned by the asker. */
struct proxy_wait {
	/** Called once on the asker's loop, unless cancelled before. */
	void (*done)(struct proxy_wait *w, enum status st);
	void *priv; /**< of the port's implementation */
};

/** The audit: a record is handed over, and its batch is awaited. */
struct proxy_audit_port {
	/**
	 * Serialises @rec at once. With @wait, done() comes after write(2) of
	 * its batch returned. E_BUSY: queue full; E_IO: the audit is failing.
	 * In both cases nothing was taken and no done() comes.
	 */
	enum status (*submit)(
	    void *ctx, const struct record *rec, struct proxy_wait *wait);
	/** No done() any more; what was taken may yet be written. */
	void (*cancel)(void *ctx, struct proxy_wait *wait);
	/** Whether new requests may pass at all (false: AUDIT_UNAVAILABLE). */
	bool (*healthy)(void *ctx);
	void *ctx;
};

/** The user database: filled off the loop. */
struct proxy_userdb_port {
	/**
	 * Fills user and groups of @peer from its uid. OK at once when cached;
	 * E_PARTIAL: done() will come, then ask again. The pointers stay valid
	 * while the process lives.
	 */
	enum status (*lookup)(
	    void *ctx, struct peer *peer, struct proxy_wait *wait);
	void (*cancel)(void *ctx, struct proxy_wait *wait);
	void *ctx;
};

/** IMDS requests that came in absolute form are answered by the broker. */
struct proxy_broker_ask {
	struct proxy_wait wait;
	const struct peer *peer; /**< borrowed until done or cancelled */
	const char *listener;    /**< for the record; borrowed for the call */
	struct slice
	    head; /**< one whole head in origin-form, borrowed for the call */
	struct buf
	    response; /**< secret: the whole response, owned by the asker */
};

struct proxy_broker_port {
	enum status (*ask)(void *ctx, struct proxy_broker_ask *ask);
	void (*cancel)(void *ctx, struct proxy_broker_ask *ask);
	void *ctx;
};

/** A token of an identity of ours, for an audience. */
struct proxy_credential {
	struct secret *secret; /**< one reference */
	char identity[64];
	char token_id[SECRET_ID_BYTES];
	int64_t until_ms; /**< of the boot clock: not used from then on */
};

/** What a rule injects, asked for; all is borrowed until done or cancelled. */
struct proxy_credential_ask {
	struct proxy_wait wait;
	const char *identity, *audience, *rule;
	const char *spent_id;        /**< not this one again, or NULL */
	struct proxy_credential got; /**< on OK: the asker's */
};

/** Tokens for what the agent itself asks for: the worker's own table first. */
struct proxy_credential_port {
	/**
	 * OK at once with @ask->got, or E_PARTIAL: done() comes, with OK or why
	 * not. E_LIMIT, E_NOMEM: no room; all else: there is no token now.
	 * NULL: there never is one.
	 */
	enum status (*ask)(void *ctx, struct proxy_credential_ask *ask);
	void (*cancel)(void *ctx, struct proxy_credential_ask *ask);
	void *ctx;
};

/** One of the agent's own tokens, as it was given out: what it is good for. */
struct proxy_phantom {
	uint32_t uid;
	char unit[128];
	char audience[1024];
	char identity[64]; /**< whose token goes on in its place */
	char grant[64];
	char id[33]; /**< its first 12 digits are the real one's token_id */
	int64_t expires_unix_s;
};

struct proxy_phantom_port {
	/**
	 * At once, on any thread. E_NOTFOUND: @text is none of ours at all;
	 * E_DENIED: it looks like ours, but is made up, has ended or was
	 * revoked: of those two @out says what they were, else it is left
	 * alone; E_NOMEM. NULL: there are none.
	 */
	enum status (*read)(
	    void *ctx, struct slice text, struct proxy_phantom *out);
	void *ctx;
};

/** Past denials, so that equal ones share an id and `why ID` finds them. */
struct proxy_denial {
	char id[RECORD_ID_BYTES];
	const struct record *record;
	const struct policy_explanation *explanation;
};

struct proxy_denial_port {
	/** Called for each denial after it was rendered; copies what it keeps. */
	void (*note)(void *ctx, const struct proxy_denial *d);
	void *ctx;
};

struct proxy_ports {
	struct proxy_audit_port audit;
	struct proxy_userdb_port userdb;
	struct proxy_broker_port broker;
	struct proxy_credential_port credentials;
	struct proxy_phantom_port phantoms;
	struct proxy_denial_port denials;
};

/** One loop's share of the proxy. */
struct proxy_worker;

struct proxy_worker_config {
	struct event_base *base;         /**< kept */
	const struct clock *clock;       /**< kept */
	const struct proxy_ports *ports; /**< kept */
	struct proxy_snapshot *snapshot; /**< referenced */
	struct proxy_shared *shared;     /**< kept; counters of all workers */
};

/** Counts per uid and in total, shared by all workers (atomics). */
struct proxy_shared;
struct proxy_shared *proxy_shared_create(void);
void proxy_shared_destroy(struct proxy_shared *s);
/**
 * Whom the workers believe from now on, on any thread; referenced. Before it
 * is first set what needs TLS waits, connect_ms at most, and is NOT_READY.
 */
void proxy_shared_set_trust(struct proxy_shared *s, struct tls_trust *trust);
/**
 * Where uploads are counted, from before a rule has a budget to after the last
 * worker. Borrowed; on any thread.
 */
void proxy_shared_set_ledger(struct proxy_shared *s, struct budget_ledger *l);

enum status proxy_worker_create(const struct proxy_worker_config *config,
    struct proxy_worker **out) ATTR_MUST_USE;
/** Closes everything at once. Only on the worker's own thread. */
void proxy_worker_destroy(struct proxy_worker *w);
/**
 * Takes over a listening socket (non-blocking). @name is copied; where it is
 * a gateway's of the worker's snapshot, what it accepts speaks to that alone.
 */
enum status proxy_worker_listen(
    struct proxy_worker *w, int fd, const char *name) ATTR_MUST_USE;
/** All that a worker needs to live by another snapshot. */
struct proxy_change;
/**
 * Makes it ready, on any thread: what can fail fails here. @from is the
 * snapshot that the worker has when the change comes (borrowed); @to is
 * referenced. E_NOMEM, E_IO.
 */
enum status proxy_change_create(struct proxy_worker *w,
    const struct proxy_snapshot *from, struct proxy_snapshot *to,
    struct proxy_change **out) ATTR_MUST_USE;
/**
 * Before it is applied, on any thread: takes @fd, also on failure, which is
 * to listen as @name, a gateway of the new snapshot. E_NOMEM, E_LIMIT.
 */
enum status proxy_change_listen(
    struct proxy_change *change, int fd, const char *name) ATTR_MUST_USE;
/** Of one that was not applied; on the worker's thread. NULL-safe. */
void proxy_change_destroy(struct proxy_change *change);
/**
 * Takes @change: new decisions use its snapshot; open tunnels are judged
 * again within a second. Gateways that it has no more stop listening, and
 * what they serve ends.
 */
void proxy_worker_apply(struct proxy_worker *w, struct proxy_change *change);
/** Both at once. */
enum status proxy_worker_set_snapshot(
    struct proxy_worker *w, struct proxy_snapshot *s);
/** Stops accepting; idle connections end; @done comes when none is left. */
void proxy_worker_drain(
    struct proxy_worker *w, void (*done)(void *arg), void *arg);
size_t proxy_worker_connections(const struct proxy_worker *w);

/**
 * Whose connection this is, from the kernel: SO_PEERCRED on Unix sockets,
 * one exact sock_diag look-up on loopback TCP. For the broker, the control
 * socket and admin too. One resolver of peers per thread.
 */
struct peer_source;
enum status peer_source_create(const char *cgroup_root, bool exe_lookup,
    struct peer_source **out) ATTR_MUST_USE;
void peer_source_destroy(struct peer_source *s);

/** Owns the text that a struct peer borrows. */
struct peer_facts {
	struct peer peer;
	char unit[128];
	char cgroup[512];
	char exe[512];
};

/** Never fails: what cannot be found leaves peer.known false. No user names. */
void peer_source_lookup(struct peer_source *s, int fd, struct peer_facts *out);
/** Whether the client of @fd is still there, so that its facts still hold. */
bool peer_still_connected(int fd);

/**
 * Whether nobody holds the other end of @fd any more, also where that looks
 * like a half-close, which ends no request: the kernel is asked about the
 * socket itself. Costs a system call while the client is there.
 */
bool peer_has_left(struct peer_source *s, int fd);

/** What a resolution for `why` needs: the live resolver on a worker's loop. */
struct proxy_resolve;
struct proxy_resolve *proxy_resolve_start(struct proxy_worker *w,
    const char *name, void (*done)(void *arg, const struct policy_answer *a),
    void *arg);
void proxy_resolve_cancel(struct proxy_resolve *r);

#endif
