/* Tokens for what the agent injects: a loop's table, and the way to more. */
#include "tests/unit/test.h"

#include "tests/unit/agent/credential_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
asks_once_and_then_has_it_at_hand(void **state)
{
	struct asker a, b;

	(void)state;
	world.st = E_PARTIAL;
	assert_int_equal(world_ask(&a), E_PARTIAL);
	world_turn();
	assert_string_equal(world.identity, "host");
	assert_string_equal(world.audience, "https://a");
	assert_string_equal(world.spent, "");
	assert_int_equal(a.calls, 0);
	world_answer(OK);
	world_turn();
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.st, OK);
	world_got(&a, "TOKEN");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(world_ask(&b), OK);
		world_got(&b, "TOKEN");
		assert_int_equal(
		    b.ask.got.until_ms, world.boot_ms + 3600 * 1000);
	}
	world_turn();
	assert_int_equal(b.calls, 0);
	assert_int_equal(world.questions, 1);
}

static void
another_identity_or_audience_is_another_token(void **state)
{
	static const char *const keys[][2] = { { "host", "https://b" },
		{ "alice", "https://a" }, { "hos", "thttps://a" } };
	struct asker a;

	(void)state;
	world_hold();
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		world.token = "OTHER";
		assert_int_equal(
		    world_ask_for(&a, keys[i][0], keys[i][1], NULL), E_PARTIAL);
		world_turn();
		assert_int_equal(a.st, OK);
		world_got(&a, "OTHER");
	}
	assert_int_equal(world_ask(&a), OK);
	world_got(&a, "TOKEN");
}

/* A token ends by the clock that says so first. */
static void
gives_nothing_past_the_end_by_either_clock(void **state)
{
	struct asker a;

	(void)state;
	for (int i = 0; i < 2; i++) {
		world_hold();
		*(i == 0 ? &world.boot_ms : &world.unix_ms) +=
		    3600 * 1000 - CREDENTIAL_LAST_MS;
		assert_int_equal(world_ask(&a), OK);
		world_got(&a, "TOKEN");
		*(i == 0 ? &world.boot_ms : &world.unix_ms) += 1;
		assert_int_equal(world_ask(&a), E_PARTIAL);
		world_turn();
		assert_int_equal(a.st, OK);
		world_got(&a, "TOKEN");
		wiring_credentials_forget(&world.wiring);
	}
}

static void
asks_behind_for_a_token_in_use_and_only_once(void **state)
{
	struct asker a;

	(void)state;
	world_hold();
	world_pass(CREDENTIAL_SOFT_MS - 1);
	assert_int_equal(world_ask(&a), OK);
	world_got(&a, "TOKEN");
	world_turn();
	assert_int_equal(world.questions, 1);
	world_pass(1);
	world.st = E_PARTIAL;
	world.token = "NEXT";
	for (int i = 0; i < 3; i++) {
		assert_int_equal(world_ask(&a), OK);
		world_got(&a, "TOKEN");
		world_turn();
	}
	assert_int_equal(world.questions, 2);
	world_answer(OK);
	world_turn();
	assert_int_equal(world_ask(&a), OK);
	world_got(&a, "NEXT");
	assert_int_equal(a.calls, 0);
}

/* It stays, and is not asked for at each request of an outage. */
static void
keeps_a_token_that_could_not_be_had_again(void **state)
{
	struct asker a;

	(void)state;
	world_hold();
	world.st = E_TIMEOUT;
	world_pass(CREDENTIAL_SOFT_MS);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(world_ask(&a), OK);
		world_got(&a, "TOKEN");
		world_turn();
	}
	assert_int_equal(world.questions, 2);
	world_pass(CREDENTIAL_AGAIN_MS);
	assert_int_equal(world_ask(&a), OK);
	world_got(&a, "TOKEN");
	world_turn();
	assert_int_equal(world.questions, 3);
}

/* A life of 20 s: after a quarter of it the next one may be near. */
static void
asks_sooner_for_a_token_of_short_life(void **state)
{
	struct asker a;

	(void)state;
	world.left_s = 20;
	world_hold();
	world_pass(5000);
	assert_int_equal(world_ask(&a), OK);
	world_got(&a, "TOKEN");
	world_turn();
	assert_int_equal(world.questions, 2);
}

static void
a_spent_token_is_not_given_again(void **state)
{
	char id[SECRET_ID_BYTES];
	struct asker a;

	(void)state;
	world_hold();
	assert_int_equal(world_ask(&a), OK);
	memcpy(id, a.ask.got.token_id, sizeof id);
	world_got(&a, "TOKEN");
	world.token = "NEXT";
	assert_int_equal(world_ask_for(&a, "host", "https://a", id), E_PARTIAL);
	world_turn();
	assert_string_equal(world.spent, id);
	assert_int_equal(a.st, OK);
	world_got(&a, "NEXT");
	/* What there is now is another. */
	assert_int_equal(world_ask_for(&a, "host", "https://a", id), OK);
	world_got(&a, "NEXT");
	assert_int_equal(world.questions, 2);
}

static void
who_cancels_hears_nothing_and_the_table_has_it(void **state)
{
	struct asker a, b;

	(void)state;
	world.st = E_PARTIAL;
	assert_int_equal(world_ask(&a), E_PARTIAL);
	wiring_credential_cancel(&world.wiring, &a.ask);
	wiring_credential_cancel(&world.wiring, &a.ask);
	world_turn();
	world_answer(OK);
	world_turn();
	assert_int_equal(a.calls, 0);
	assert_null(a.ask.got.secret);
	assert_int_equal(world_ask(&b), OK);
	world_got(&b, "TOKEN");
}

static void
says_why_there_is_none(void **state)
{
	static const enum status sts[] = { E_TIMEOUT, E_DENIED, E_NOTFOUND,
		E_LIMIT, E_NOMEM };
	struct asker a;

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_LEN(sts); i++) {
		enum status st = sts[i / 2];

		world.st = i % 2 == 0 ? E_PARTIAL : st;
		assert_int_equal(world_ask(&a), E_PARTIAL);
		world_turn();
		if (i % 2 == 0)
			world_answer(st);
		world_turn();
		assert_int_equal(a.calls, 1);
		assert_int_equal(a.st, st);
		assert_null(a.ask.got.secret);
	}
}

static void
a_full_way_is_said_at_once(void **state)
{
	struct asker a[BOX_MAX], more;

	(void)state;
	world.st = E_DENIED;
	for (int i = 0; i < BOX_MAX; i++)
		assert_int_equal(world_ask(&a[i]), E_PARTIAL);
	assert_int_equal(world_ask(&more), E_BUSY);
	world_turn();
	for (int i = 0; i < BOX_MAX; i++)
		assert_int_equal(a[i].calls, 1);
	assert_int_equal(more.calls, 0);
	/* What is at hand does not need it, and is asked for behind later. */
	world.st = OK;
	world_hold();
	world_pass(CREDENTIAL_SOFT_MS);
	world.st = E_DENIED;
	for (int i = 0; i < BOX_MAX; i++)
		assert_int_equal(
		    world_ask_for(&a[i], "other", "https://a", NULL),
		    E_PARTIAL);
	assert_int_equal(world_ask(&more), OK);
	world_got(&more, "TOKEN");
	world_turn();
	world_pass(CREDENTIAL_AGAIN_MS);
	world.st = OK;
	world.token = "NEXT";
	assert_int_equal(world_ask(&more), OK);
	world_got(&more, "TOKEN");
	world_turn();
	assert_int_equal(world_ask(&more), OK);
	world_got(&more, "NEXT");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(asks_once_and_then_has_it_at_hand),
		TEST(another_identity_or_audience_is_another_token),
		TEST(gives_nothing_past_the_end_by_either_clock),
		TEST(asks_behind_for_a_token_in_use_and_only_once),
		TEST(keeps_a_token_that_could_not_be_had_again),
		TEST(asks_sooner_for_a_token_of_short_life),
		TEST(a_spent_token_is_not_given_again),
		TEST(who_cancels_hears_nothing_and_the_table_has_it),
		TEST(says_why_there_is_none),
		TEST(a_full_way_is_said_at_once),
	};
	bool locked;

	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
