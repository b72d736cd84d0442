/* When one token is fetched again: pure arithmetic on a monotonic clock.
 *
 * All times are milliseconds of CLOCK_BOOTTIME, so that suspend counts and
 * steps of the wall clock do not; the wall clock is looked at once more when
 * a token is served. @random is a uniform 32-bit number from the caller. */
#ifndef IDENTITY_SCHEDULE_H
#define IDENTITY_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SCHEDULE_LAST_MS = 300 * 1000,       /**< clients refetch below this */
	SCHEDULE_MARGIN_MS = 25 * 60 * 1000, /**< above every client's window */
	SCHEDULE_REFUSED_MS = 30 * 1000,     /**< negative cache of a 4xx */
	SCHEDULE_FORCE_MS = 30 * 1000,       /**< between forced refreshes */
};

#define SCHEDULE_NEVER INT64_MAX

/** What is known of one (identity, resource); all fields are private. */
struct schedule {
	int64_t expires_ms; /**< 0 while there is no token */
	int64_t life_ms;    /**< as it was when the token was fetched */
	int64_t next_ms;    /**< no fetch before this */
	int64_t used_ms;    /**< last time somebody asked */
	int64_t refused_until_ms;
	int64_t gone_since_ms; /**< first of a row of 410; -1 */
	int64_t bypass_ms;     /**< last bypass_cache; -1 */
	unsigned failures;     /**< in a row */
	bool stale;            /**< the source gave what had expired */
	int64_t forced_ms;     /**< last forced refresh; -1 */
};

/** A good answer. */
struct schedule_token {
	int64_t life_ms;       /**< left now, > 0 */
	int64_t refresh_in_ms; /**< negative: not given */
	bool unchanged;        /**< the same token as before */
};

/** A bad one. */
struct schedule_fault {
	int http_status;        /**< 0: no answer, or one that is no token */
	int64_t retry_after_ms; /**< negative: not given */
	bool stale;             /**< a token, but one that had expired */
};

/** A key that was just asked for; due at once. */
void schedule_init(struct schedule *s, int64_t now_ms);
void schedule_used(struct schedule *s, int64_t now_ms);
void schedule_succeeded(struct schedule *s, int64_t now_ms,
    const struct schedule_token *token, uint32_t random);
void schedule_failed(struct schedule *s, int64_t now_ms,
    const struct schedule_fault *fault, uint32_t random);
/** Due at once: the clocks disagree. */
void schedule_hurry(struct schedule *s, int64_t now_ms);

/**
 * A client says that its token was revoked: due at once, past the source's
 * own cache. False within 30 s of the last time.
 */
bool schedule_force(struct schedule *s, int64_t now_ms);

/** Milliseconds the token still has; 0 when there is none or it is over. */
int64_t schedule_left(const struct schedule *s, int64_t now_ms);
/** When to fetch next; SCHEDULE_NEVER once nobody asks any more. */
int64_t schedule_next(const struct schedule *s, int64_t now_ms);
/** Whether nobody asked for so long that the token is not renewed. */
bool schedule_is_idle(const struct schedule *s, int64_t now_ms);
/** Whether the source said no a short time ago. */
bool schedule_is_refused(const struct schedule *s, int64_t now_ms);
/** Whether a fetch now should ask IMDS to leave its own cache. */
bool schedule_wants_bypass(const struct schedule *s, int64_t now_ms);
/** Such a fetch was sent. */
void schedule_bypassed(struct schedule *s, int64_t now_ms);

#endif
