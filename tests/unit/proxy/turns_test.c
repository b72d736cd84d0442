/* Dear work by turns of the loop. */
#include "tests/unit/test.h"

#include "base/clock.h"
#include "proxy/turns.h"

#include <string.h>

enum { MANY = 40 };

static struct event_base *base;
static struct turns turns;

static struct job {
	struct turn turn;
	char name;
	bool stuck;
	unsigned calls;
} jobs[MANY];

static char order[256];
static size_t n_order;

static bool
job_run(void *arg)
{
	struct job *j = arg;

	j->calls++;
	if (!j->stuck)
		order[n_order++] = j->name;
	return !j->stuck;
}

static int
set_up(void **state)
{
	(void)state;
	base = event_base_new();
	turns_init(&turns, base);
	memset(order, 0, sizeof order);
	n_order = 0;
	for (size_t i = 0; i < MANY; i++)
		jobs[i] =
		    (struct job){ .turn = { .run = job_run, .arg = &jobs[i] },
			    .name = (char)('0' + i) };
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	turns_release(&turns);
	event_base_free(base);
	return 0;
}

static void
wait_all(size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_true(turns_wait(&turns, &jobs[i].turn));
}

static void
no_more_than_eight_run_between_two_looks_at_the_sockets(void **state)
{
	size_t before = 0;

	(void)state;
	wait_all(MANY);
	assert_int_equal(n_order, 0);
	while (n_order < MANY) {
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
		assert_true(n_order - before <= TURNS_AT_A_TIME);
		before = n_order;
	}
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(order[i], '0' + i);
}

static void
who_cannot_go_on_holds_nobody_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < 20; i++)
		jobs[i].stuck = true;
	wait_all(22);
	(void)event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(order, "DE");
	jobs[7].stuck = false;
	(void)event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(order, "DE7");
}

static void
where_nobody_can_go_on_the_loop_rests(void **state)
{
	int64_t began = clock_boot_ms(&clock_system);
	unsigned passes = 0, pauses;

	(void)state;
	jobs[0].stuck = true;
	wait_all(1);
	for (; passes < 5; passes++)
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
	/* On a busy machine a pause may be over by now. */
	pauses = (unsigned)((clock_boot_ms(&clock_system) - began) /
	    (TURNS_PAUSE_MS / 2));
	assert_in_range(jobs[0].calls, 1, 1 + pauses);
	assert_true(evtimer_pending(&turns.timer, NULL));
	/* And who comes then does not wait for that. */
	assert_true(turns_wait(&turns, &jobs[1].turn));
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	assert_string_equal(order, "1");
}

static void
who_left_is_not_called(void **state)
{
	(void)state;
	wait_all(3);
	turns_leave(&turns, &jobs[2].turn);
	turns_leave(&turns, &jobs[0].turn);
	turns_leave(&turns, &jobs[0].turn);
	(void)event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(order, "1");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_more_than_eight_run_between_two_looks_at_the_sockets),
		T(who_cannot_go_on_holds_nobody_up),
		T(where_nobody_can_go_on_the_loop_rests),
		T(who_left_is_not_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
