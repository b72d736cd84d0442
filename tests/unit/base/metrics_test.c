/* Counters add up over threads. */
#include "tests/unit/test.h"

#include "base/metrics.h"

#include <pthread.h>

enum { THREADS = 20, ROUNDS = 1000 };

static void *
add_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		metric_add(METRIC_BYTES_UP_TOTAL, 3);
		metric_add(METRIC_TUNNELS_OPEN, i % 2 == 0 ? 1 : -1);
		metric_deny(REASON_LOOP);
	}
	return NULL;
}

static void
counts_of_all_threads_add_up(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, add_many, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(
	    metric_get(METRIC_BYTES_UP_TOTAL), 3 * THREADS * ROUNDS);
	assert_int_equal(metric_get(METRIC_TUNNELS_OPEN), 0);
	assert_int_equal(metric_denied(REASON_LOOP), THREADS * ROUNDS);
	assert_int_equal(metric_denied(REASON_SELF), 0);
}

static void
the_table_names_each_counter(void **state)
{
	(void)state;
	assert_string_equal(
	    metric_info(METRIC_TUNNELS_OPEN)->name, "tunnels_open");
	assert_string_equal(metric_info(METRIC_TUNNELS_OPEN)->kind, "gauge");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_of_all_threads_add_up),
		cmocka_unit_test(the_table_names_each_counter),
	};
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
