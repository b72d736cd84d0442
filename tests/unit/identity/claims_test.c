/* Whose keys fill the cache, and whom that hurts: nobody else. */
#include "tests/unit/test.h"

#include "tests/unit/identity/cache_sim.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { ALICE = 1000, BOB = 1001 };

/* As @uid by @grant; what waits is left to itself in @w. */
static enum status
ask_as(struct sim *s, uint32_t uid, const char *grant, const char *resource,
    struct cache_wait *w)
{
	s->uid = uid;
	s->grant = grant;
	return sim_ask(s, "host", resource, w);
}

/* One spelling of one audience, asked for and let go at once. */
static void
spell(struct sim *s, uint32_t uid, const char *grant, unsigned n)
{
	char name[64] = "https://storage.azure.com/";
	struct cache_wait w;

	for (unsigned i = 0; i < 15; i++)
		if ((n >> i & 1) != 0)
			name[8 + i] = (char)(name[8 + i] & ~0x20);
	if (ask_as(s, uid, grant, name, &w) == E_PARTIAL)
		cache_cancel(s->cache, &w);
}

/* A token that lives a day, fetched and in the cache. */
static void
hold(struct sim *s, uint32_t uid, const char *grant, const char *resource)
{
	struct cache_wait w;

	assert_int_equal(ask_as(s, uid, grant, resource, &w), E_PARTIAL);
	while (s->n_flights > 0)
		sim_land(s, 200, 86400);
	assert_int_equal(w.link == NULL, 1);
}

static void
land_all(struct sim *s)
{
	while (s->n_flights > 0)
		sim_land(s, 200, 86400);
}

static void
gives_others_their_keys_whatever_one_user_asks_for(void **state)
{
	struct cache_wait w;
	struct sim s;

	(void)state;
	sim_init(&s);
	s.start_status = E_NOMEM;
	for (unsigned i = 0; i < 3000; i++)
		spell(&s, ALICE, "g", i);
	s.start_status = OK;
	sim_pass(&s, S);
	assert_int_equal(ask_as(&s, BOB, "g", "r", &w), E_PARTIAL);
	cache_cancel(s.cache, &w);
	land_all(&s);
	sim_release(&s);
}

static void
keeps_the_live_tokens_of_others_through_a_flood(void **state)
{
	struct cache_wait w;
	struct sim s;
	unsigned n;

	(void)state;
	sim_init(&s);
	hold(&s, BOB, "g", "https://storage.azure.com/");
	hold(&s, BOB, "g", "mine");
	for (unsigned i = 0; i < 3000; i++) {
		spell(&s, ALICE, "g", i); /* the first is Bob's own key */
		sim_pass(&s, 20);
		land_all(&s);
	}
	n = s.started;
	assert_int_equal(
	    ask_as(&s, BOB, "g", "https://storage.azure.com/", &w), OK);
	assert_int_equal(ask_as(&s, BOB, "g", "mine", &w), OK);
	assert_int_equal(s.started, n);
	sim_release(&s);
}

static void
count_one(void *arg, const struct identity_listing *l)
{
	(void)l;
	++*(unsigned *)arg;
}

static unsigned
keys(struct sim *s)
{
	unsigned n = 0;

	cache_list(s->cache, count_one, &n);
	return n;
}

static void
holds_a_user_to_a_ceiling_for_each_grant_and_for_all(void **state)
{
	char name[32];
	struct sim s;

	(void)state;
	sim_init(&s);
	for (unsigned i = 0; i < 500; i++)
		spell(&s, ALICE, "g", i);
	assert_int_equal(keys(&s), CACHE_GRANT_KEYS_MAX);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof name, "g%u", i % 10);
		spell(&s, ALICE, name, 1000 + i);
	}
	assert_int_equal(keys(&s), CACHE_UID_KEYS_MAX);
	land_all(&s);
	sim_release(&s);
}

static void
spares_the_users_own_tokens_of_another_grant(void **state)
{
	struct cache_wait w;
	struct sim s;

	(void)state;
	sim_init(&s);
	hold(&s, ALICE, "other", "mine");
	for (unsigned i = 0; i < 500; i++)
		spell(&s, ALICE, "g", i);
	land_all(&s);
	assert_int_equal(ask_as(&s, ALICE, "other", "mine", &w), OK);
	sim_release(&s);
}

static void
lets_go_of_what_was_asked_for_longest_ago(void **state)
{
	char name[32];
	struct cache_wait w;
	struct sim s;

	(void)state;
	sim_init(&s);
	for (unsigned i = 0; i < CACHE_GRANT_KEYS_MAX; i++) {
		snprintf(name, sizeof name, "r%u", i);
		hold(&s, ALICE, "g", name);
		sim_pass(&s, S);
	}
	assert_int_equal(ask_as(&s, ALICE, "g", "r0", &w), OK);
	hold(&s, ALICE, "g", "new"); /* in the place of r1 */
	assert_int_equal(ask_as(&s, ALICE, "g", "r0", &w), OK);
	assert_int_equal(ask_as(&s, ALICE, "g", "r2", &w), OK);
	assert_int_equal(ask_as(&s, ALICE, "g", "r1", &w), E_PARTIAL);
	land_all(&s);
	assert_int_equal(keys(&s), CACHE_GRANT_KEYS_MAX);
	sim_release(&s);
}

static void
never_lets_go_of_a_key_that_somebody_waits_for(void **state)
{
	static struct cache_wait w[CACHE_GRANT_KEYS_MAX];
	struct cache_wait more;
	char name[32];
	struct sim s;

	(void)state;
	sim_init(&s);
	for (unsigned i = 0; i < CACHE_GRANT_KEYS_MAX; i++) {
		snprintf(name, sizeof name, "r%u", i);
		assert_int_equal(
		    ask_as(&s, ALICE, "g", name, &w[i]), E_PARTIAL);
	}
	assert_int_equal(ask_as(&s, ALICE, "g", "new", &more), E_LIMIT);
	assert_int_equal(ask_as(&s, BOB, "g", "new", &more), E_PARTIAL);
	cache_cancel(s.cache, &more);
	/* Nobody lost a place in the queue for it. */
	for (unsigned i = 0; i < 100 && s.ok < CACHE_GRANT_KEYS_MAX; i++) {
		land_all(&s);
		sim_pass(&s, 100);
	}
	assert_in_range(s.ok + s.late, CACHE_GRANT_KEYS_MAX, 1000);
	assert_in_range(s.ok, 40, 1000); /* ten a second for five seconds */
	land_all(&s);
	sim_release(&s);
}

static void
fetches_for_users_in_turn(void **state)
{
	static struct cache_wait w[CACHE_GRANT_KEYS_MAX];
	struct cache_wait bob;
	char name[32];
	struct sim s;

	(void)state;
	sim_init(&s);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "r%u", i);
		assert_int_equal(
		    ask_as(&s, ALICE, "g", name, &w[i]), E_PARTIAL);
	}
	sim_pass(&s, 10);
	land_all(&s);
	s.ok = 0;
	assert_int_equal(ask_as(&s, BOB, "g", "bob", &bob), E_PARTIAL);
	/* Alice's forty would take four seconds. */
	sim_pass(&s, 1100);
	land_all(&s);
	assert_null(bob.link);
	assert_true(s.ok > 0);
	for (unsigned i = 0; i < 40; i++)
		cache_cancel(s.cache, &w[i]);
	land_all(&s);
	sim_release(&s);
}

/* Adds keys that are nobody's else. */
static void
fill(struct sim *s, unsigned users, unsigned each)
{
	unsigned before = keys(s);

	for (unsigned u = 0; u < users; u++)
		for (unsigned i = 0; i < each; i++)
			spell(s, 2000 + u, "g", u * each + i);
	land_all(s);
	assert_int_equal(keys(s) - before, users * each);
}

static void
takes_from_those_who_hold_most_when_the_table_is_full(void **state)
{
	struct cache_wait w;
	char name[32];
	struct sim s;

	(void)state;
	sim_init(&s);
	hold(&s, BOB, "g", "mine");
	fill(&s, 15, CACHE_GRANT_KEYS_MAX);
	for (unsigned i = 0; i < CACHE_GRANT_KEYS_MAX; i++) {
		snprintf(name, sizeof name, "r%u", i);
		assert_int_equal(ask_as(&s, ALICE, "g", name, &w), E_PARTIAL);
		cache_cancel(s.cache, &w);
		assert_in_range(keys(&s), 1, CACHE_ENTRIES_MAX);
	}
	assert_int_equal(keys(&s), CACHE_ENTRIES_MAX);
	land_all(&s);
	assert_int_equal(ask_as(&s, BOB, "g", "mine", &w), OK);
	/* As many as the largest: now it goes round among Alice's own. */
	assert_int_equal(ask_as(&s, ALICE, "g", "one more", &w), E_PARTIAL);
	cache_cancel(s.cache, &w);
	land_all(&s);
	assert_int_equal(keys(&s), CACHE_ENTRIES_MAX);
	sim_release(&s);
}

static void
says_when_everybody_holds_one_key_and_the_table_is_full(void **state)
{
	struct cache_wait w;
	struct sim s;

	(void)state;
	sim_init(&s);
	fill(&s, CACHE_ENTRIES_MAX, 1);
	assert_int_equal(ask_as(&s, ALICE, "g", "r", &w), E_LIMIT);
	/* Unused for a day, the keys are forgotten. */
	sim_pass(&s, 60 * H);
	land_all(&s);
	sim_pass(&s, 60 * H);
	assert_int_equal(keys(&s), 0);
	assert_int_equal(ask_as(&s, ALICE, "g", "r", &w), E_PARTIAL);
	cache_cancel(s.cache, &w);
	sim_release(&s);
}

static void
the_agents_own_keys_are_pushed_out_by_nobody(void **state)
{
	struct cache_wait w;
	struct sim s;
	unsigned n;

	(void)state;
	sim_init(&s);
	for (unsigned i = 0; i < CACHE_GRANT_KEYS_MAX + 2; i++) {
		char name[32];
		snprintf(name, sizeof name, "own%u", i);
		hold(&s, CACHE_OWN_UID, NULL, name);
		sim_pass(&s, S);
	}
	/* It holds more than anybody, which others would pay for. */
	fill(&s, CACHE_ENTRIES_MAX - CACHE_GRANT_KEYS_MAX - 2, 1);
	n = s.started;
	assert_int_equal(ask_as(&s, ALICE, "g", "r", &w), E_LIMIT);
	assert_int_equal(ask_as(&s, CACHE_OWN_UID, NULL, "own0", &w), OK);
	assert_int_equal(ask_as(&s, CACHE_OWN_UID, NULL, "own1", &w), OK);
	assert_int_equal(s.started, n);
	/* And each makes room for it. */
	assert_int_equal(
	    ask_as(&s, CACHE_OWN_UID, NULL, "more", &w), E_PARTIAL);
	cache_cancel(s.cache, &w);
	assert_int_equal(keys(&s), CACHE_ENTRIES_MAX);
	assert_int_equal(ask_as(&s, CACHE_OWN_UID, NULL, "own2", &w), OK);
	land_all(&s);
	sim_release(&s);
}

static void
the_agent_too_holds_only_so_many_keys(void **state)
{
	struct cache_wait w;
	struct sim s;

	(void)state;
	sim_init(&s);
	for (unsigned i = 0; i <= CACHE_OWN_KEYS_MAX; i++) {
		spell(&s, CACHE_OWN_UID, NULL, i);
		sim_pass(&s, 20);
		land_all(&s);
	}
	assert_int_equal(keys(&s), CACHE_OWN_KEYS_MAX);
	assert_int_equal(ask_as(&s, ALICE, "g", "r", &w), E_PARTIAL);
	cache_cancel(s.cache, &w);
	land_all(&s);
	sim_release(&s);
}

static void
forgets_who_no_longer_asks_for_a_shared_key(void **state)
{
	struct cache_wait w;
	struct sim s;

	(void)state;
	sim_init(&s);
	hold(&s, ALICE, "g", "shared");
	for (unsigned i = 0; i < 60; i++) {
		enum status st = ask_as(&s, BOB, "g", "shared", &w);
		assert_true(st == OK || st == E_PARTIAL);
		sim_pass(&s, H);
		land_all(&s);
	}
	/* Alice's claim is gone: her ceiling has room for it again. */
	for (unsigned i = 0; i < CACHE_GRANT_KEYS_MAX; i++)
		spell(&s, ALICE, "g", i);
	assert_int_equal(keys(&s), CACHE_GRANT_KEYS_MAX + 1);
	land_all(&s);
	sim_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    gives_others_their_keys_whatever_one_user_asks_for),
		cmocka_unit_test(
		    keeps_the_live_tokens_of_others_through_a_flood),
		cmocka_unit_test(
		    holds_a_user_to_a_ceiling_for_each_grant_and_for_all),
		cmocka_unit_test(spares_the_users_own_tokens_of_another_grant),
		cmocka_unit_test(lets_go_of_what_was_asked_for_longest_ago),
		cmocka_unit_test(
		    never_lets_go_of_a_key_that_somebody_waits_for),
		cmocka_unit_test(fetches_for_users_in_turn),
		cmocka_unit_test(
		    takes_from_those_who_hold_most_when_the_table_is_full),
		cmocka_unit_test(
		    says_when_everybody_holds_one_key_and_the_table_is_full),
		cmocka_unit_test(the_agents_own_keys_are_pushed_out_by_nobody),
		cmocka_unit_test(the_agent_too_holds_only_so_many_keys),
		cmocka_unit_test(forgets_who_no_longer_asks_for_a_shared_key),
	};
	bool locked;

	log_set_level(LOG_LEVEL_ERROR);
	if (secret_arena_init(1 << 22, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
