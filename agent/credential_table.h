/* Tokens that one loop has at hand, by identity and audience.
 *
 * Pure but for the references to secrets: times come in by the clock. A token
 * is never given past its end by either clock, the one that does not step or
 * the wall clock; and after a while somebody is to ask again behind its back,
 * so that the cache knows it is in use and brings the next one. */
#ifndef AGENT_CREDENTIAL_TABLE_H
#define AGENT_CREDENTIAL_TABLE_H

#include "base/clock.h"
#include "proxy/proxy.h"

enum {
	CREDENTIALS_MAX = 256,          /**< of one loop; the oldest goes */
	CREDENTIAL_SOFT_MS = 60 * 1000, /**< then it is asked for again */
	CREDENTIAL_AGAIN_MS = 5 * 1000, /**< when that failed */
	CREDENTIAL_LAST_MS = 10 * 1000, /**< with less left it is not given */
};

struct credential_table;

struct credential_key {
	const char *identity, *audience;
};

/** A token as the cache gave it; @secret is borrowed. */
struct credential_news {
	struct secret *secret;
	char token_id[SECRET_ID_BYTES];
	int64_t until_ms;      /**< of the boot clock */
	int64_t until_unix_ms; /**< of the wall clock */
};

/** @clock is kept. E_NOMEM. */
enum status credential_table_create(
    const struct clock *clock, struct credential_table **out) ATTR_MUST_USE;
/** NULL-safe. */
void credential_table_destroy(struct credential_table *t);

/**
 * True, and *out with a reference of its own, where one is there that is not
 * @spent_id (or NULL). *ageing: it is to be asked for again, by this caller
 * alone: credential_table_put() or credential_table_failed() follows.
 */
bool credential_table_get(struct credential_table *t,
    const struct credential_key *key, const char *spent_id,
    struct proxy_credential *out, bool *ageing) ATTR_MUST_USE;
/** In the place of the one there was; forgets it where memory is short. */
void credential_table_put(struct credential_table *t,
    const struct credential_key *key, const struct credential_news *news);
/** There was no answer: what there is stays, and is asked for later. */
void credential_table_failed(
    struct credential_table *t, const struct credential_key *key);
/** Lets go of what has ended: no longer in memory than it is worth. */
void credential_table_sweep(struct credential_table *t);
/** Forgets all: the identities may be others now. */
void credential_table_drop(struct credential_table *t);

#endif
