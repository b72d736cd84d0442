/* A cache in a world of one clock and one source, all simulated. */
#ifndef TESTS_UNIT_IDENTITY_CACHE_SIM_H
#define TESTS_UNIT_IDENTITY_CACHE_SIM_H

#include "identity/cache.h"

#define S   INT64_C(1000)
#define MIN (60 * S)
#define H   (60 * MIN)

enum { FLIGHTS = 64, EPOCH_S = 1800000000 };

/* A world of one clock, one source and a few waiters. */
struct sim {
	struct clock clock;
	struct cache *cache;
	int64_t now_ms;  /**< boot clock */
	int64_t wall_ms; /**< wall clock minus boot clock */
	int64_t wake_ms;
	uint32_t seed;
	struct cache_flight *flights[FLIGHTS];
	unsigned n_flights, max_flights;
	unsigned started, bypassed;
	int64_t starts_ms[10];
	unsigned too_fast; /**< more than ten starts in a second */
	enum status start_status;
	const char *token;   /**< what the source gives */
	const char *revoked; /**< what askers say is revoked */
	uint32_t uid;        /**< who asks */
	const char *grant;   /**< and by which grant */
	unsigned ok, denied, late, gone;
	unsigned after_end; /**< served past the end of its life */
};

/** "host" and "alice". */
extern const struct identity_config sim_configs[2];

void sim_init(struct sim *s);
/** Checks what must always hold: never past the end, never over budget. */
void sim_release(struct sim *s);
uint32_t sim_random(void *ctx);
/** The time that the source and everybody but us has. */
int64_t sim_true_s(const struct sim *s);
/** The oldest flight ends; 200 brings a token of that life. */
void sim_land(struct sim *s, int status, int64_t life_s);
/** Time passes; the timer rings when it should. */
void sim_pass(struct sim *s, int64_t ms);
/** As cache_ask(); what is given is checked and let go. */
enum status sim_ask(struct sim *s, const char *identity, const char *resource,
    struct cache_wait *w);

#endif
