/* Upload budgets: nobody sends a byte more, however many try. */
#include "tests/unit/test.h"

#include "proxy/budget.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, LIMIT = 1000003, PIECE = 777 };

static void
each_user_of_each_rule_has_a_count(void **state)
{
	struct budget_ledger *l = calloc(1, sizeof *l);
	struct budget_entry *a, *b, *c, *again;

	(void)state;
	assert_int_equal(budget_find(l, "up", 1000, &a), OK);
	assert_int_equal(budget_find(l, "up", 1001, &b), OK);
	assert_int_equal(budget_find(l, "up2", 1000, &c), OK);
	assert_ptr_not_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_int_equal(budget_take(a, 10, 7), 7);
	assert_int_equal(budget_take(a, 10, 7), 3);
	assert_true(budget_is_spent(a, 10));
	assert_int_equal(budget_take(a, 10, 7), 0);
	budget_give(a, 2);
	assert_false(budget_is_spent(a, 10));
	assert_int_equal(budget_take(b, 10, 20), 10);
	assert_int_equal(budget_find(l, "up", 1000, &again), OK);
	assert_ptr_equal(again, a);
	/* A smaller budget than what is used gives nothing, and no more. */
	assert_int_equal(budget_take(a, 5, 1), 0);
	free(l);
}

static void
a_full_ledger_refuses_who_is_not_in_it(void **state)
{
	struct budget_ledger *l = calloc(1, sizeof *l);
	struct budget_entry *e;

	(void)state;
	for (uint32_t i = 0; i < BUDGET_ENTRIES; i++)
		assert_int_equal(budget_find(l, "up", i, &e), OK);
	assert_int_equal(budget_find(l, "up", 7, &e), OK);
	assert_int_equal(budget_find(l, "up", BUDGET_ENTRIES, &e), E_LIMIT);
	free(l);
}

struct spender {
	pthread_t thread;
	struct budget_ledger *ledger;
	enum status found;
	size_t sent;
};

/* What it comes to is judged by the thread that may fail the test. */
static void *
spend(void *arg)
{
	struct spender *s = arg;
	struct budget_entry *e;
	size_t n;

	s->found = budget_find(s->ledger, "up", 1000, &e);
	if (s->found != OK)
		return NULL;
	while ((n = budget_take(e, LIMIT, PIECE)) > 0) {
		/* Now and then a piece does not go out whole. */
		if (n == PIECE && s->sent % 3 == 0) {
			budget_give(e, 5);
			n -= 5;
		}
		s->sent += n;
	}
	return NULL;
}

static void
many_at_once_spend_it_to_the_byte(void **state)
{
	struct budget_ledger *l = calloc(1, sizeof *l);
	struct spender all[THREADS] = { 0 };
	size_t sum = 0;

	(void)state;
	for (size_t i = 0; i < THREADS; i++) {
		all[i].ledger = l;
		assert_int_equal(
		    pthread_create(&all[i].thread, NULL, spend, &all[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(all[i].thread, NULL), 0);
		assert_int_equal(all[i].found, OK);
		sum += all[i].sent;
	}
	assert_true(sum <= LIMIT && sum > LIMIT - THREADS * 5);
	free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_user_of_each_rule_has_a_count),
		cmocka_unit_test(a_full_ledger_refuses_who_is_not_in_it),
		cmocka_unit_test(many_at_once_spend_it_to_the_byte),
	};
	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
