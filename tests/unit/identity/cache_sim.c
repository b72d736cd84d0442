/* Time, flights and waiters of the simulated cache. */
#include "tests/unit/test.h"

#include "tests/unit/identity/cache_sim.h"

#include <string.h>

static int64_t
sim_boot(void *ctx)
{
	const struct sim *s = ctx;

	return s->now_ms;
}

static int64_t
sim_unix(void *ctx)
{
	const struct sim *s = ctx;

	return (s->now_ms + s->wall_ms) * 1000000;
}

int64_t
sim_true_s(const struct sim *s)
{
	return EPOCH_S + s->now_ms / 1000;
}

static enum status
sim_fetch(void *ctx, const struct identity_config *config,
    struct slice resource, bool bypass, struct cache_flight *flight)
{
	struct sim *s = ctx;

	assert_true(config->name[0] != '\0' && resource.n > 0);
	if (s->start_status != OK)
		return s->start_status;
	if (s->started >= 10 &&
	    s->now_ms - s->starts_ms[s->started % 10] < 1000)
		s->too_fast++;
	s->starts_ms[s->started % 10] = s->now_ms;
	s->started++;
	s->bypassed += bypass;
	assert_true(s->n_flights < FLIGHTS);
	s->flights[s->n_flights++] = flight;
	if (s->n_flights > s->max_flights)
		s->max_flights = s->n_flights;
	return OK;
}

static void
sim_forget(struct sim *s, struct cache_flight *flight)
{
	for (unsigned i = 0; i < s->n_flights; i++)
		if (s->flights[i] == flight) {
			s->flights[i] = s->flights[--s->n_flights];
			return;
		}
	fail_msg("no such flight");
}

static void
sim_cancel(void *ctx, struct cache_flight *flight)
{
	sim_forget(ctx, flight);
}

static void
sim_wake(void *ctx, int64_t boot_ms)
{
	struct sim *s = ctx;

	s->wake_ms = boot_ms;
}

uint32_t
sim_random(void *ctx)
{
	struct sim *s = ctx;

	s->seed = s->seed * 1664525 + 1013904223;
	return s->seed ^ (s->seed >> 15);
}

const struct identity_config sim_configs[2] = {
	{ .name = "host", .endpoint = "http://169.254.169.254" },
	{ .name = "alice", .endpoint = "http://169.254.169.254" },
};

void
sim_init(struct sim *s)
{
	struct cache_ports ports = {
		.fetch = sim_fetch,
		.fetch_cancel = sim_cancel,
		.wake = sim_wake,
		.random = sim_random,
		.ctx = s,
	};

	memset(s, 0, sizeof *s);
	s->clock = (struct clock){ sim_boot, sim_unix, s };
	s->now_ms = 1000000;
	s->wall_ms = EPOCH_S * S;
	s->wake_ms = INT64_MAX;
	s->seed = 1;
	s->token = "TOKEN";
	assert_int_equal(cache_create(&s->clock, &ports, &s->cache), OK);
	assert_int_equal(cache_set_configs(s->cache, sim_configs, 2), OK);
}

void
sim_land(struct sim *s, int status, int64_t life_s)
{
	struct cache_flight *f = s->flights[0];
	struct token_json t = { .client_id = "cid", .refresh_in_s = -1 };
	struct cache_landing l = { .http_status = status,
		.retry_after_ms = -1,
		.now_unix_s = sim_true_s(s),
		.error = "fault" };

	assert_true(s->n_flights > 0);
	sim_forget(s, f);
	if (status == 200) {
		t.expires_unix_s = sim_true_s(s) + life_s;
		assert_int_equal(
		    secret_create(slice_of(s->token), &t.secret), OK);
		l.token = &t;
	}
	cache_landed(f, &l);
}

void
sim_pass(struct sim *s, int64_t ms)
{
	int64_t end = s->now_ms + ms;

	while (s->wake_ms <= end) {
		if (s->wake_ms > s->now_ms)
			s->now_ms = s->wake_ms;
		s->wake_ms = INT64_MAX;
		cache_turn(s->cache);
		if (s->wake_ms <= s->now_ms)
			s->wake_ms = s->now_ms + 1; /* no loop is that fast */
	}
	s->now_ms = end;
}

static void
sim_check(struct sim *s, struct cache_token *t)
{
	if (t->left_s < 1 || t->expires_unix_s <= sim_true_s(s) ||
	    t->expires_unix_s - sim_true_s(s) < t->left_s - 1)
		s->after_end++;
	secret_unref(t->secret);
	t->secret = NULL;
}

static void
on_done(struct cache_wait *w, enum status st)
{
	struct sim *s = w->priv;

	if (st == OK)
		sim_check(s, &w->token);
	s->ok += st == OK;
	s->denied += st == E_DENIED;
	s->late += st == E_TIMEOUT;
	s->gone += st == E_NOTFOUND;
}

enum status
sim_ask(struct sim *s, const char *identity, const char *resource,
    struct cache_wait *w)
{
	struct cache_token t;
	enum status st;

	*w = (struct cache_wait){ .done = on_done,
		.priv = s,
		.revoked = s->revoked,
		.uid = s->uid,
		.grant = s->grant };
	st = cache_ask(s->cache, identity, slice_of(resource), w, &t);
	if (st == OK)
		sim_check(s, &t);
	return st;
}

void
sim_release(struct sim *s)
{
	assert_int_equal(s->after_end, 0);
	assert_int_equal(s->too_fast, 0);
	assert_in_range(s->max_flights, 0, 4);
	cache_destroy(s->cache);
	assert_int_equal(s->n_flights, 0);
}
