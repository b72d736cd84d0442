/* Gets tokens, keeps them, hands them out: sources, cache, refresh, broker.
 *
 * One token's story: broker.c gets a head on the control loop and asks
 * endpoint.c which of the contract's shapes it is and whether it is well
 * formed. The caller is known from the kernel; the allow_token port says
 * which identity may answer. cache.c looks under (identity, resource): a
 * fresh token is answered from memory, an ageing one too while schedule.c
 * has a refresh run behind, and where there is none the request joins the
 * one flight. source_imds.c asks through fetch.c (libcurl's only home), and
 * token_json.c reads the answer into locked memory. The `token` record is
 * written, then the answer goes out, and is wiped after its last byte.
 *
 * Everything runs on the control loop. Identity knows no proxy and no
 * policy: what it needs of them stands in the ports below. */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include "base/clock.h"
#include "base/peer.h"
#include "base/record.h"
#include "base/secret.h"

struct event_base;

enum identity_source { IDENTITY_IMDS };

enum identity_selector {
	IDENTITY_SELECTOR_NONE,
	IDENTITY_CLIENT_ID,
	IDENTITY_OBJECT_ID,
	IDENTITY_MI_RES_ID,
};

/** One entry of `identities`. */
struct identity_config {
	char name[64];
	enum identity_source source;
	char endpoint[256]; /**< "http://169.254.169.254" */
	enum identity_selector selector;
	char selector_value[512];
};

/** Somebody who waits; owned by the asker. */
struct identity_wait {
	void (*done)(struct identity_wait *w, enum status st);
	void *priv; /**< of the port's implementation, as in proxy_wait */
};

struct identity_token_question {
	const struct peer *peer;
	struct slice audience;
	const char *identity; /**< name found by the selector, or NULL */
};

struct identity_token_answer {
	bool allowed;
	enum reason code;
	char grant[64];
	char identity[64]; /**< whose token; "" = the first configured */
	char detail[256];
	uint64_t policy_generation;
	char policy_sha256[65];
	const char *mode; /**< "enforce" or "report": static; NULL unknown */
	/** One of ours is given in the token's place: identity/phantom.h. */
	bool phantom;
};

struct identity_ports {
	/** The policy's word on one request; pure, at once. */
	void (*allow_token)(void *ctx, const struct identity_token_question *q,
	    struct identity_token_answer *out);
	/**
	 * The generation, digest and mode in force, for the record of what is
	 * refused before the policy is asked. NULL: such records name none.
	 */
	void (*policy_now)(void *ctx, struct identity_token_answer *out);
	/** As the proxy's audit port. */
	enum status (*audit_submit)(
	    void *ctx, const struct record *rec, struct identity_wait *wait);
	void (*audit_cancel)(void *ctx, struct identity_wait *wait);
	/**
	 * For people: a refusal, as it is recorded. Equal ones within ten
	 * seconds have one id. NULL: nobody is told.
	 */
	void (*note_refusal)(void *ctx, const struct record *rec);
	/**
	 * What is given out now is of this epoch: each revocation begins a new
	 * one, whatever the clocks do. NULL: there are none.
	 */
	int64_t (*phantom_epoch)(void *ctx);
	/**
	 * Whose connection @fd is. OK: *out is valid until the connection is
	 * closed with peer_release(); E_PARTIAL: done() comes, then ask again.
	 */
	enum status (*peer_lookup)(void *ctx, int fd, struct identity_wait *w,
	    const struct peer **out);
	void (*peer_cancel)(void *ctx, struct identity_wait *w);
	void (*peer_release)(void *ctx, const struct peer *peer);
	bool (*peer_still_connected)(void *ctx, int fd);
	/**
	 * Whether @peer may reach the Databricks workspace @host (canonical
	 * name, port 443); pure, at once. NULL: nobody may.
	 */
	bool (*host_allowed)(
	    void *ctx, const struct peer *peer, struct slice host);
	void *ctx;
};

struct identity_limits {
	unsigned connections;
	unsigned connections_per_uid; /**< 0: no limit of its own */
	unsigned head_ms;             /**< for a whole request head */
	unsigned idle_ms;             /**< between two requests */
};

struct identity_settings {
	struct event_base *base;   /**< kept */
	const struct clock *clock; /**< kept */
	struct identity_ports ports;
	const uint8_t
	    *broker_key;  /**< 32 bytes, copied: signs caller headers */
	const char *name; /**< of the deployment, copied; phantoms say it */
	struct identity_limits limits;
};

struct identity;

enum status identity_create(const struct identity_settings *settings,
    struct identity **out) ATTR_MUST_USE;
void identity_destroy(struct identity *id);
/**
 * Opens the library that tokens are fetched with. It takes milliseconds that
 * a start does not wait for: call it once the workers serve, before the loop
 * runs. Fails as fetcher_open(), with @detail.
 */
enum status identity_open_library(
    struct identity *id, struct status_detail *detail) ATTR_MUST_USE;
/**
 * Replaces the list, or changes nothing and fails; tokens of identities that
 * stay are kept.
 */
enum status identity_set_configs(struct identity *id,
    const struct identity_config *configs, size_t n) ATTR_MUST_USE;
/** For what is opened or waited for from now on. */
void identity_set_limits(
    struct identity *id, const struct identity_limits *limits);
/** Takes @fd, a listening socket, also on failure. @name is copied. */
enum status identity_listen(
    struct identity *id, int fd, const char *name) ATTR_MUST_USE;
/** Stops accepting; waiting requests get 503. */
void identity_drain(struct identity *id);

/** A broker request that came by another door (the proxy's port). */
struct identity_ask {
	struct identity_wait wait;
	const struct peer *peer; /**< borrowed until done */
	const char *listener;    /**< for the record */
	struct slice
	    head; /**< whole head, origin-form, borrowed for the call */
	struct buf *response; /**< secret; gets the whole response */
	void *priv;
};
/**
 * Only the IMDS paths and Host 169.254.169.254. OK: the response is there and
 * no done() comes; E_PARTIAL: done() comes, with OK once the response is
 * there. E_NOMEM.
 */
enum status identity_ask(
    struct identity *id, struct identity_ask *ask) ATTR_MUST_USE;
/** No done() after this; harmless after it. */
void identity_ask_cancel(struct identity *id, struct identity_ask *ask);

/** A token for a request that the agent itself puts it into. */
struct identity_credential {
	/**
	 * OK: @secret is the asker's. E_DENIED: the source refuses it.
	 * E_TIMEOUT: nothing came in time. E_NOTFOUND: there is no such
	 * identity any more.
	 */
	struct identity_wait wait;
	const char *identity; /**< a configured one's name; for the call */
	const char *audience; /**< as the source is asked; for the call */
	/** secret_id() of one that the destination refused, which will not do
	 * again; NULL: any. For the call. */
	const char *spent_id;
	struct secret *secret; /**< one reference */
	int64_t left_s;        /**< of its life, at least 1 */
	void *priv;
};
/**
 * Whether it may be had was decided by the asker, who also records it. OK: it
 * is there, and no done() comes; E_PARTIAL: done() comes. Otherwise as done(),
 * E_NOMEM and E_LIMIT (too many are waited for). Nothing is left waiting when
 * the identity is destroyed.
 */
enum status identity_credential(
    struct identity *id, struct identity_credential *c) ATTR_MUST_USE;
/** No done() after this; harmless after it. */
void identity_credential_cancel(
    struct identity *id, struct identity_credential *c);

/** The caller's own X-IDENTITY-HEADER, hex and a NUL, from the state key. */
enum { IDENTITY_HEADER_BYTES = 65 };

void identity_header_for(
    const struct identity *id, uint32_t uid, char out[IDENTITY_HEADER_BYTES]);
/** The CAPABILITY of /w/CAPABILITY/..., for the same uid only. */
void identity_capability_for(
    const struct identity *id, uint32_t uid, char out[IDENTITY_HEADER_BYTES]);

/** What `token list` shows: never the token. */
struct identity_listing {
	const char *identity;
	const char *audience;
	char token_id[SECRET_ID_BYTES]; /**< "" while there is none */
	int64_t expires_unix_s;
	int64_t refresh_unix_s;
	int64_t last_used_unix_s;
	const char *state; /**< "fresh" "refreshing" "failing" "expired" */
	char last_error[128];
};

/** Calls @each for every key; the strings live for the call. */
void identity_list(const struct identity *id,
    void (*each)(void *arg, const struct identity_listing *l), void *arg);
/** Whether each identity that was asked for was reached once. */
bool identity_is_ready(const struct identity *id);

#endif
