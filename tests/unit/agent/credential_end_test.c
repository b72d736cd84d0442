/* What ends a loop's tokens: other identities, time, threads, the end. */
#include "tests/unit/test.h"

#include "tests/unit/agent/credential_world.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void
another_snapshot_forgets_them_all(void **state)
{
	struct asker a;
	size_t used, total;

	(void)state;
	world_hold();
	wiring_credentials_forget(&world.wiring);
	secret_arena_usage(&used, &total);
	assert_int_equal(used, world.secret_bytes);
	world.token = "ANOTHERS";
	assert_int_equal(world_ask(&a), E_PARTIAL);
	world_turn();
	world_got(&a, "ANOTHERS");
}

static void
what_has_ended_is_let_go_unasked(void **state)
{
	size_t used, total;

	(void)state;
	world_hold();
	world_pass(3600 * 1000 - 1);
	wiring_credentials_sweep(&world.wiring);
	secret_arena_usage(&used, &total);
	assert_true(used > world.secret_bytes);
	world_pass(1);
	wiring_credentials_sweep(&world.wiring);
	secret_arena_usage(&used, &total);
	assert_int_equal(used, world.secret_bytes);
}

static void
the_least_used_makes_room(void **state)
{
	struct asker a;
	char audience[32];

	(void)state;
	for (int i = 0; i <= CREDENTIALS_MAX; i++) {
		(void)snprintf(audience, sizeof audience, "a%d", i);
		assert_int_equal(
		    world_ask_for(&a, "host", audience, NULL), E_PARTIAL);
		world_turn();
		world_got(&a, "TOKEN");
		/* The first stays in use. */
		assert_int_equal(world_ask_for(&a, "host", "a0", NULL), OK);
		world_got(&a, "TOKEN");
	}
	assert_int_equal(world_ask_for(&a, "host", "a2", NULL), OK);
	world_got(&a, "TOKEN");
	assert_int_equal(world_ask_for(&a, "host", "a1", NULL), E_PARTIAL);
	world_turn();
	world_got(&a, "TOKEN");
}

static void
at_the_end_everybody_is_told_and_late_answers_go_nowhere(void **state)
{
	struct asker a, b;

	(void)state;
	world.st = E_PARTIAL;
	assert_int_equal(world_ask(&a), E_PARTIAL);
	world_turn();
	credential_desk_close(world.desk);
	assert_int_equal(world.cancels, 1);
	assert_int_equal(world_ask(&b), E_PARTIAL);
	world_turn();
	assert_int_equal(a.st, E_CLOSED);
	assert_int_equal(b.st, E_CLOSED);
	assert_int_equal(world_ask(&b), E_PARTIAL);
	wiring_credential_cancel(&world.wiring, &b.ask);
	wiring_credentials_close(&world.wiring);
	world_turn();
	assert_int_equal(b.calls, 0);
	assert_int_equal(world_ask(&b), E_CLOSED);
}

static void
without_memory_nobody_has_a_token_that_is_not_whole(void **state)
{
	struct asker a;
	enum status st;

	(void)state;
	for (long n = 0; n < 3; n++) {
		wiring_credentials_forget(&world.wiring);
		fail_in = n;
		st = world_ask(&a);
		if (st == E_PARTIAL) {
			world_turn();
			st = a.st;
		}
		fail_in = -1;
		/* Without a place in the table it is given all the same. */
		assert_int_equal(st, n == 0 ? E_NOMEM : OK);
		if (st == OK)
			world_got(&a, "TOKEN");
	}
	wiring_credentials_close(&world.wiring);
	for (long n = 0; n < 2; n++) {
		fail_in = n;
		assert_int_equal(
		    wiring_credentials_open(&world.wiring), E_NOMEM);
		assert_null(world.wiring.home);
	}
	fail_in = 2;
	assert_int_equal(wiring_credentials_open(&world.wiring), OK);
	fail_in = -1;
	/* Nor is one that ages asked for behind: it is given as it is. */
	world_hold();
	world_pass(CREDENTIAL_SOFT_MS);
	fail_in = 0;
	assert_int_equal(world_ask(&a), OK);
	fail_in = -1;
	world_got(&a, "TOKEN");
}

enum { ROUNDS = 2000 };

/* A worker: asks, cancels some, forgets now and then. */
struct threaded {
	struct event_base *base;
	struct mailbox *box;
	struct wiring wiring;
	unsigned done;
};

static void *
work(void *arg)
{
	struct threaded *t = arg;
	struct asker a[4];
	char audience[4] = "a0";

	for (int i = 0; i < ROUNDS; i++) {
		unsigned n = 0;

		for (int k = 0; k < 4; k++) {
			audience[1] = (char)('0' + (i + k) % 7);
			a[k] =
			    (struct asker){ .ask = {
				                .wait = { .done = world_done },
				                .identity = "host",
				                .audience = audience,
				            } };
			a[k].st = wiring_credential_ask(&t->wiring, &a[k].ask);
			if (a[k].st == E_PARTIAL && (i + k) % 5 == 0)
				wiring_credential_cancel(&t->wiring, &a[k].ask);
			else
				n += a[k].st == E_PARTIAL;
		}
		for (bool all = false; !all;) {
			unsigned calls = 0;

			(void)event_base_loop(t->base, EVLOOP_NONBLOCK);
			for (int k = 0; k < 4; k++)
				calls += a[k].calls;
			all = calls == n;
		}
		for (int k = 0; k < 4; k++) {
			t->done += a[k].ask.got.secret != NULL;
			secret_unref(a[k].ask.got.secret);
		}
		if (i % 3 == 0)
			wiring_credentials_forget(&t->wiring);
	}
	return NULL;
}

static _Atomic unsigned running;

static void *
work_and_say(void *arg)
{
	(void)work(arg);
	running--;
	return NULL;
}

static void
workers_ask_while_the_control_loop_answers(void **state)
{
	struct threaded t[2];
	pthread_t thread[2];

	(void)state;
	world.st = OK;
	running = ARRAY_LEN(t);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		t[i] = (struct threaded){ .base = event_base_new() };
		assert_int_equal(mailbox_create(t[i].base, 64, &t[i].box), OK);
		t[i].wiring = (struct wiring){ .mailbox = t[i].box,
			.credentials = world.desk };
		assert_int_equal(wiring_credentials_open(&t[i].wiring), OK);
		assert_int_equal(
		    pthread_create(&thread[i], NULL, work_and_say, &t[i]), 0);
	}
	while (running > 0)
		(void)event_base_loop(world.base, EVLOOP_NONBLOCK);
	world_turn();
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_in_range(t[i].done, ROUNDS, 4 * ROUNDS);
		mailbox_destroy(t[i].box);
		wiring_credentials_close(&t[i].wiring);
		event_base_free(t[i].base);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(another_snapshot_forgets_them_all),
		TEST(what_has_ended_is_let_go_unasked),
		TEST(the_least_used_makes_room),
		TEST(at_the_end_everybody_is_told_and_late_answers_go_nowhere),
		TEST(without_memory_nobody_has_a_token_that_is_not_whole),
		TEST(workers_ask_while_the_control_loop_answers),
	};
	bool locked;

	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
