/* Half-life, back-off, patience: the refresh algorithm of the broker. */
#include "identity/schedule.h"

enum {
	SECOND = 1000,
	MINUTE = 60 * SECOND,
	BACKOFF_MAX_MS = 60 * SECOND,
	BACKOFF_URGENT_MS = 30 * SECOND, /**< with less than URGENT_MS left */
	BACKOFF_LEAST_MS = 100,          /**< full jitter may draw zero */
	URGENT_MS = 15 * MINUTE,
	RETRY_AFTER_MAX_MS = 5 * MINUTE,
	GONE_STEP_MS = 10 * SECOND,
	GONE_ROW_MS = 70 * SECOND,
	UNCHANGED_MAX_MS = 60 * MINUTE,
	UNCHANGED_LEAST_MS = MINUTE,
	LONG_LIFE_MS = 50 * MINUTE,
	BYPASS_LEFT_MS = 10 * MINUTE,
	BYPASS_STEP_MS = 5 * MINUTE,
	TOKENLESS_IDLE_MS = MINUTE, /**< nobody waits for what never came */
	IDLE_LEAST_MS = 10 * MINUTE,
};

static int64_t
min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Uniform in 0..@span. */
static int64_t
draw(int64_t span, uint32_t random)
{
	return (int64_t)((uint64_t)span * random / UINT32_MAX);
}

void
schedule_init(struct schedule *s, int64_t now_ms)
{
	*s = (struct schedule){
		.next_ms = now_ms,
		.used_ms = now_ms,
		.refused_until_ms = INT64_MIN,
		.gone_since_ms = -1,
		.bypass_ms = -1,
		.forced_ms = -1,
	};
}

void
schedule_used(struct schedule *s, int64_t now_ms)
{
	s->used_ms = now_ms;
}

int64_t
schedule_left(const struct schedule *s, int64_t now_ms)
{
	return max64(0, s->expires_ms - now_ms);
}

/*
 * Half-life, or what the source asked for, +-10 % so that a fleet spreads;
 * always early enough that no client's own window (20 min at most) opens
 * before ours.
 */
static int64_t
soft_delay(const struct schedule_token *t, uint32_t random)
{
	int64_t soft = t->refresh_in_ms > 0 && t->refresh_in_ms < t->life_ms
	    ? t->refresh_in_ms
	    : t->life_ms / 2;

	soft = soft * 9 / 10 + draw(soft / 5, random);
	if (t->life_ms >= LONG_LIFE_MS)
		soft = min64(soft, t->life_ms - SCHEDULE_MARGIN_MS);
	return min64(soft, t->life_ms);
}

void
schedule_succeeded(struct schedule *s, int64_t now_ms,
    const struct schedule_token *token, uint32_t random)
{
	int64_t delay;

	/* IMDS caches: the same token again is no error, only no news. */
	if (token->unchanged)
		delay = min64(token->life_ms,
		    max64(UNCHANGED_LEAST_MS,
		        min64(token->life_ms / 2, UNCHANGED_MAX_MS)));
	else
		delay = soft_delay(token, random);
	s->expires_ms = now_ms + token->life_ms;
	if (!token->unchanged || s->life_ms == 0)
		s->life_ms = token->life_ms;
	s->next_ms = now_ms + delay;
	s->failures = 0;
	s->stale = false;
	s->gone_since_ms = -1;
	s->refused_until_ms = INT64_MIN;
}

/* Full jitter: uniform in 0..min(cap, 1 s * 2^n). */
static int64_t
backoff(const struct schedule *s, int64_t now_ms, uint32_t random)
{
	int64_t left = schedule_left(s, now_ms);
	int64_t cap =
	    left > 0 && left < URGENT_MS ? BACKOFF_URGENT_MS : BACKOFF_MAX_MS;
	unsigned n = s->failures < 7 ? s->failures : 7;

	return max64(
	    BACKOFF_LEAST_MS, draw(min64(cap, (int64_t)SECOND << n), random));
}

static bool
is_refusal(int http_status)
{
	return http_status >= 400 && http_status < 500 && http_status != 404 &&
	    http_status != 408 && http_status != 410 && http_status != 429;
}

void
schedule_failed(struct schedule *s, int64_t now_ms,
    const struct schedule_fault *fault, uint32_t random)
{
	int64_t delay = backoff(s, now_ms, random);

	if (fault->http_status != 410)
		s->gone_since_ms = -1;
	else if (s->gone_since_ms < 0)
		s->gone_since_ms = now_ms;
	if (is_refusal(fault->http_status)) {
		/* Never for good: roles and identities take time to spread. */
		delay = SCHEDULE_REFUSED_MS;
		s->refused_until_ms = now_ms + SCHEDULE_REFUSED_MS;
	} else if (fault->http_status == 410 &&
	    now_ms - s->gone_since_ms <= GONE_ROW_MS) {
		delay = GONE_STEP_MS; /* IMDS updates itself: back in 70 s */
	}
	if (fault->retry_after_ms > 0)
		delay = max64(
		    delay, min64(fault->retry_after_ms, RETRY_AFTER_MAX_MS));
	s->stale = fault->stale;
	if (s->failures < UINT32_MAX)
		s->failures++;
	s->next_ms = now_ms + delay;
}

void
schedule_hurry(struct schedule *s, int64_t now_ms)
{
	s->next_ms = min64(s->next_ms, now_ms);
}

bool
schedule_force(struct schedule *s, int64_t now_ms)
{
	if (s->forced_ms >= 0 && now_ms - s->forced_ms < SCHEDULE_FORCE_MS)
		return false;
	s->forced_ms = now_ms;
	s->bypass_ms = -1;
	s->stale = true;
	schedule_hurry(s, now_ms);
	return true;
}

bool
schedule_is_idle(const struct schedule *s, int64_t now_ms)
{
	int64_t patience = schedule_left(s, now_ms) == 0
	    ? TOKENLESS_IDLE_MS
	    : max64(s->life_ms, IDLE_LEAST_MS);

	return now_ms - s->used_ms > patience;
}

int64_t
schedule_next(const struct schedule *s, int64_t now_ms)
{
	return schedule_is_idle(s, now_ms) ? SCHEDULE_NEVER : s->next_ms;
}

bool
schedule_is_refused(const struct schedule *s, int64_t now_ms)
{
	return now_ms < s->refused_until_ms;
}

bool
schedule_wants_bypass(const struct schedule *s, int64_t now_ms)
{
	int64_t left = schedule_left(s, now_ms);

	return (s->stale || (left > 0 && left < BYPASS_LEFT_MS)) &&
	    (s->bypass_ms < 0 || now_ms - s->bypass_ms >= BYPASS_STEP_MS);
}

void
schedule_bypassed(struct schedule *s, int64_t now_ms)
{
	s->bypass_ms = now_ms;
}
