/* The cache under simulated time: one flight, live tokens, a month of faults. */
#include "tests/unit/test.h"

#include "tests/unit/identity/cache_sim.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
flies_once_for_all_who_wait(void **state)
{
	struct sim s;
	struct cache_wait w[20];

	(void)state;
	sim_init(&s);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(sim_ask(&s, "host", "r", &w[i]), E_PARTIAL);
	assert_int_equal(s.started, 1);
	cache_cancel(s.cache, &w[3]);
	sim_land(&s, 200, 3600);
	assert_int_equal(s.ok, 19);
	assert_int_equal(sim_ask(&s, "host", "r", &w[0]), OK);
	assert_int_equal(s.started, 1);
	sim_release(&s);
}

static void
keeps_keys_apart_by_identity_and_bytes(void **state)
{
	struct sim s;
	struct cache_wait w[4];

	(void)state;
	sim_init(&s);
	assert_int_equal(sim_ask(&s, "host", "https://x", &w[0]), E_PARTIAL);
	assert_int_equal(sim_ask(&s, "host", "https://x/", &w[1]), E_PARTIAL);
	assert_int_equal(sim_ask(&s, "alice", "https://x", &w[2]), E_PARTIAL);
	assert_int_equal(s.started, 3);
	assert_int_equal(sim_ask(&s, "nobody", "x", &w[3]), E_NOTFOUND);
	for (unsigned i = 0; i < 3; i++)
		sim_land(&s, 200, 3600);
	sim_release(&s);
}

static void
serves_the_live_token_to_its_end_and_not_a_second_more(void **state)
{
	struct sim s;
	struct cache_wait w;
	unsigned served = 0;

	(void)state;
	sim_init(&s);
	assert_int_equal(sim_ask(&s, "host", "r", &w), E_PARTIAL);
	sim_land(&s, 200, 3600);
	for (unsigned i = 0; i < 3599; i++) {
		enum status st;
		while (s.n_flights > 0)
			sim_land(&s, 500, 0);
		st = sim_ask(&s, "host", "r", &w);
		if (st == E_PARTIAL) { /* the last minutes wait a little */
			sim_land(&s, 500, 0);
			st = s.ok-- > 0 ? OK : E_TIMEOUT;
		}
		served += st == OK;
		sim_pass(&s, S);
	}
	assert_in_range(served, 3598, 3599);
	sim_pass(&s, S);
	while (s.n_flights > 0)
		sim_land(&s, 500, 0);
	assert_int_not_equal(sim_ask(&s, "host", "r", &w), OK);
	cache_cancel(s.cache, &w);
	sim_release(&s);
}

static void
waits_five_seconds_and_no_more(void **state)
{
	struct sim s;
	struct cache_wait w;

	(void)state;
	sim_init(&s);
	assert_int_equal(sim_ask(&s, "host", "r", &w), E_PARTIAL);
	sim_pass(&s, 4999);
	assert_int_equal(s.late, 0);
	sim_pass(&s, 2);
	assert_int_equal(s.late, 1);
	sim_release(&s);
}

static void
tells_a_refusal_at_once_and_forgets_it(void **state)
{
	struct sim s;
	struct cache_wait w;

	(void)state;
	sim_init(&s);
	assert_int_equal(sim_ask(&s, "host", "r", &w), E_PARTIAL);
	sim_land(&s, 400, 0);
	assert_int_equal(s.denied, 1);
	assert_int_equal(sim_ask(&s, "host", "r", &w), E_DENIED);
	sim_pass(&s, 31 * S);
	assert_int_equal(s.started, 2);
	sim_land(&s, 200, 3600);
	assert_int_equal(sim_ask(&s, "host", "r", &w), OK);
	sim_release(&s);
}

static void
waits_a_moment_for_a_fresh_one_in_the_last_minutes(void **state)
{
	struct sim s;
	struct cache_wait w;

	(void)state;
	sim_init(&s);
	assert_int_equal(sim_ask(&s, "host", "r", &w), E_PARTIAL);
	sim_land(&s, 200, 200); /* under 300 s left from the start */
	sim_pass(&s, 120 * S);
	assert_int_equal(s.n_flights, 1);
	assert_int_equal(sim_ask(&s, "host", "r", &w), E_PARTIAL);
	sim_pass(&s, 899);
	assert_int_equal(s.ok, 1);
	sim_pass(&s, 2);
	assert_int_equal(s.ok, 2); /* the old one, which still lives */
	assert_int_equal(s.bypassed, 1);
	sim_land(&s, 200, 3600);
	assert_int_equal(sim_ask(&s, "host", "r", &w), OK);
	sim_release(&s);
}

static void
asks_again_when_a_clock_jumps(void **state)
{
	struct sim s;
	struct cache_wait w;

	(void)state;
	sim_init(&s);
	assert_int_equal(sim_ask(&s, "host", "r", &w), E_PARTIAL);
	sim_land(&s, 200, 3600);
	s.wall_ms -= 24 * H; /* back: the boot clock still ends it */
	assert_int_equal(sim_ask(&s, "host", "r", &w), OK);
	assert_int_equal(s.n_flights, 1);
	sim_land(&s, 200, 3600);
	assert_int_equal(sim_ask(&s, "host", "r", &w), OK);
	assert_int_equal(s.n_flights, 0);
	s.wall_ms += 48 * H; /* forward: not trusted until it is renewed */
	assert_int_equal(sim_ask(&s, "host", "r", &w), E_PARTIAL);
	assert_int_equal(s.n_flights, 1);
	sim_land(&s, 200, 3600);
	assert_int_equal(s.ok, 2);
	sim_release(&s);
}

static void
renews_a_revoked_token_for_the_one_who_says_so(void **state)
{
	/* SHA-256 of "TOKEN" */
	static const char hash[] =
	    "f98103e9217f099208569d295c1b276f1821348636c268c854bb2a086e0037cd";
	struct cache_wait w[2];
	struct sim s;

	(void)state;
	sim_init(&s);
	assert_int_equal(sim_ask(&s, "host", "r", &w[0]), E_PARTIAL);
	sim_land(&s, 200, 3600);
	sim_pass(&s, MIN);
	s.revoked = "0000000000000000";
	assert_int_equal(sim_ask(&s, "host", "r", &w[0]), OK);
	assert_int_equal(s.started, 1);
	s.revoked = hash;
	assert_int_equal(sim_ask(&s, "host", "r", &w[0]), E_PARTIAL);
	assert_int_equal(s.started, 2);
	assert_int_equal(s.bypassed, 1);
	/* Nobody else loses a live token for it, nor may it be hammered. */
	s.revoked = NULL;
	assert_int_equal(sim_ask(&s, "host", "r", &w[1]), OK);
	s.revoked = hash;
	assert_int_equal(sim_ask(&s, "host", "r", &w[1]), OK);
	s.token = "OTHER";
	sim_land(&s, 200, 3000);
	assert_int_equal(s.ok, 2);
	assert_int_equal(sim_ask(&s, "host", "r", &w[1]), OK);
	assert_int_equal(s.started, 2);
	sim_release(&s);
}

static void
drops_the_tokens_of_identities_that_go(void **state)
{
	struct sim s;
	struct cache_wait w[2];

	(void)state;
	sim_init(&s);
	assert_int_equal(sim_ask(&s, "host", "r", &w[0]), E_PARTIAL);
	sim_land(&s, 200, 3600);
	assert_int_equal(sim_ask(&s, "alice", "r", &w[1]), E_PARTIAL);
	assert_int_equal(cache_set_configs(s.cache, sim_configs, 1), OK);
	assert_int_equal(s.n_flights, 0);
	sim_pass(&s, 1);
	assert_int_equal(s.gone, 1);
	assert_int_equal(sim_ask(&s, "host", "r", &w[0]), OK);
	assert_int_equal(sim_ask(&s, "alice", "r", &w[1]), E_NOTFOUND);
	sim_release(&s);
}

/* One answer of a source that has good and bad days. */
static void
month_land(struct sim *s, bool bad_day)
{
	static const int faults[] = { 0, 400, 404, 410, 429, 500, 503, 200 };
	uint32_t r = sim_random(s) >> 8;
	int status = bad_day || r % 5 == 0 ? faults[r % 8] : 200;

	sim_land(s, status, 60 + (int64_t)(r >> 4) % 86400);
}

static void
holds_through_a_month_of_random_faults(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	struct sim s;
	static struct cache_wait w[8];
	uint64_t asked = 0, answered = 0;
	int64_t end;

	(void)state;
	sim_init(&s);
	end = s.now_ms + 30 * 24 * H;
	while (s.now_ms < end) {
		uint32_t r = sim_random(&s) >> 8;
		bool bad_day = s.now_ms / (6 * H) % 5 == 0;
		enum status st;
		struct cache_wait *mine = &w[r % 8];
		if (mine->link == NULL) {
			st = sim_ask(&s, r % 3 == 0 ? "host" : "alice",
			    names[(r >> 3) % 6], mine);
			asked++;
			answered += st == OK;
		}
		sim_pass(&s, (int64_t)(r >> 5) % (2 * MIN));
		while (s.n_flights > 0 && (sim_random(&s) >> 9) % 7 != 0)
			month_land(&s, bad_day);
		if ((r >> 2) % 5000 == 0) /* somebody sets the clock */
			s.wall_ms += (int64_t)(r % 7200) * S - H;
	}
	for (unsigned i = 0; i < 8; i++)
		cache_cancel(s.cache, &w[i]);
	assert_true(asked > 20000);
	assert_true(answered + s.ok > asked / 2);
	sim_release(&s);
}

static void
see_one(void *arg, const struct identity_listing *l)
{
	unsigned *n = arg;

	assert_string_equal(l->identity, "host");
	assert_string_equal(l->audience, "r");
	assert_string_equal(l->state, "fresh");
	assert_int_equal(strlen(l->token_id), SECRET_ID_BYTES - 1);
	(*n)++;
}

static void
lists_what_it_holds_and_is_ready_when_reached(void **state)
{
	struct sim s;
	struct cache_wait w;
	unsigned n = 0;

	(void)state;
	sim_init(&s);
	assert_true(cache_is_ready(s.cache));
	assert_int_equal(sim_ask(&s, "host", "r", &w), E_PARTIAL);
	assert_false(cache_is_ready(s.cache));
	assert_int_equal(s.started, 1);
	for (unsigned i = 0; i < 20; i++) {
		sim_land(&s, 0, 0);
		assert_false(cache_is_ready(s.cache));
		sim_pass(&s, MIN);
		assert_int_equal(sim_ask(&s, "host", "r", &w), E_PARTIAL);
		assert_int_equal(s.n_flights, 1);
	}
	sim_land(&s, 200, 3600);
	assert_true(cache_is_ready(s.cache));
	cache_list(s.cache, see_one, &n);
	assert_int_equal(n, 1);
	assert_int_equal(sim_ask(&s, "host", "r", &w), OK);
	sim_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flies_once_for_all_who_wait),
		cmocka_unit_test(keeps_keys_apart_by_identity_and_bytes),
		cmocka_unit_test(
		    serves_the_live_token_to_its_end_and_not_a_second_more),
		cmocka_unit_test(waits_five_seconds_and_no_more),
		cmocka_unit_test(tells_a_refusal_at_once_and_forgets_it),
		cmocka_unit_test(
		    waits_a_moment_for_a_fresh_one_in_the_last_minutes),
		cmocka_unit_test(asks_again_when_a_clock_jumps),
		cmocka_unit_test(
		    renews_a_revoked_token_for_the_one_who_says_so),
		cmocka_unit_test(drops_the_tokens_of_identities_that_go),
		cmocka_unit_test(holds_through_a_month_of_random_faults),
		cmocka_unit_test(lists_what_it_holds_and_is_ready_when_reached),
	};
	bool locked;

	log_set_level(LOG_LEVEL_ERROR);
	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
