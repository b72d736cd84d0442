/* Tokens by (identity, resource): one flight each, live ones always served.
 *
 * Knows no loop and no network: time comes from the clock, fetches and the
 * one timer are ports. Callbacks of waiters come from cache_turn() and
 * cache_landed() only, never from inside cache_ask(). */
#ifndef IDENTITY_CACHE_H
#define IDENTITY_CACHE_H

#include "base/clock.h"
#include "identity/identity.h"
#include "identity/token_json.h"

enum {
	CACHE_ENTRIES_MAX = 1024,
	CACHE_UID_KEYS_MAX = 128,  /**< that one user holds */
	CACHE_GRANT_KEYS_MAX = 64, /**< that one user holds by one grant */
	CACHE_OWN_KEYS_MAX = 256,  /**< that the agent itself holds */
	CACHE_WAIT_MS = 5000,      /**< while there is no token yet */
	CACHE_WAIT_FRESH_MS = 900, /**< while the old one is about to end */
};

/** Who asks where the agent itself does: (uid_t)-1 is nobody's. */
#define CACHE_OWN_UID UINT32_MAX

struct cache;
struct cache_entry;

/** What an asker gets; it owns one reference. */
struct cache_token {
	struct secret *secret;
	char client_id[64];
	int64_t expires_unix_s;
	int64_t not_before_unix_s;
	int64_t left_s; /**< at least 1 */
};

/** Owned by the asker until done() or cache_cancel(). */
struct cache_wait {
	/**
	 * OK: @token is the asker's. E_DENIED: the source refused. E_TIMEOUT:
	 * nothing came in time. E_NOTFOUND: the identity was removed.
	 */
	void (*done)(struct cache_wait *w, enum status st);
	void *priv;
	/**
	 * In: the SHA-256 of a token that was revoked, 64 hex digits or the
	 * first 12 (secret_id()), or NULL; that one is not good enough then.
	 * Borrowed for cache_ask().
	 */
	const char *revoked;
	uint32_t uid;      /**< in: who asks */
	const char *grant; /**< in: by which grant; borrowed, may be NULL */
	struct cache_token token;
	/* private */
	struct cache_wait *next, **link;
	int64_t deadline_ms;
	uint64_t generation; /**< the least that will do */
};

/** One fetch under way; lives in the cache. */
struct cache_flight {
	void *priv, *owner; /**< of the port's implementation */
	struct cache *cache;
	struct cache_entry *entry;
};

/** How a fetch ended. */
struct cache_landing {
	const struct token_json *token; /**< its secret is taken; or NULL */
	bool stale;                     /**< it was a token, but an old one */
	int http_status;                /**< 0: no answer */
	int64_t retry_after_ms;         /**< negative: not given */
	int64_t now_unix_s;             /**< the source's clock */
	const char *error;              /**< for people; borrowed */
};

struct cache_ports {
	/** Starts; cache_landed() comes later, never from inside. */
	enum status (*fetch)(void *ctx, const struct identity_config *config,
	    struct slice resource, bool bypass, struct cache_flight *flight);
	/** No cache_landed() after this. */
	void (*fetch_cancel)(void *ctx, struct cache_flight *flight);
	/** Call cache_turn() at @boot_ms, or a little later; replaces. */
	void (*wake)(void *ctx, int64_t boot_ms);
	uint32_t (*random)(void *ctx);
	void *ctx;
};

/** @clock is kept, @ports copied. */
enum status cache_create(const struct clock *clock,
    const struct cache_ports *ports, struct cache **out) ATTR_MUST_USE;
/** Waiters must be gone. NULL-safe. */
void cache_destroy(struct cache *c);
/** Entries of identities that changed or went end with E_NOTFOUND. */
enum status cache_set_configs(struct cache *c,
    const struct identity_config *configs, size_t n) ATTR_MUST_USE;

/** The identity of that name, the first for ""; NULL: none. Borrowed. */
const struct identity_config *cache_config(
    const struct cache *c, const char *identity);
/** The identity that a client's selector means; NULL: none. Borrowed. */
const struct identity_config *cache_config_selected(
    const struct cache *c, enum identity_selector selector, const char *value);

/**
 * OK and *out; E_PARTIAL: @w will be called. E_DENIED, E_TIMEOUT as above,
 * at once. E_NOTFOUND: no such identity. E_NOMEM. E_LIMIT: the user waits for
 * as many keys as one may hold; otherwise the key that this user asked for
 * longest ago makes room.
 */
enum status cache_ask(struct cache *c, const char *identity,
    struct slice resource, struct cache_wait *w,
    struct cache_token *out) ATTR_MUST_USE;
void cache_cancel(struct cache *c, struct cache_wait *w);

/** Does what is due now, and asks to be woken for the rest. */
void cache_turn(struct cache *c);
void cache_landed(
    struct cache_flight *flight, const struct cache_landing *landing);

void cache_list(const struct cache *c,
    void (*each)(void *arg, const struct identity_listing *l), void *arg);
/** False while an identity that was asked for has never been reached. */
bool cache_is_ready(const struct cache *c);

#endif
