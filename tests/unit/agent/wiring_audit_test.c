/* A record that was handed over, and what its asker hears of it. */
#include "tests/unit/test.h"

#include "agent/wiring.h"
#include "base/metrics.h"

#include <event2/event.h>

/* The writer: what it took last, to be answered by the test. */
static audit_written last_written;
static void *last_arg;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
enum status __wrap_audit_log_queue(struct audit_log *log,
    struct slice record_members, audit_written written, void *arg);
void __wrap_audit_log_wake(struct audit_log *log);

enum status
__wrap_audit_log_queue(struct audit_log *log, struct slice record_members,
    audit_written written, void *arg)
{
	(void)log;
	assert_true(record_members.n > 0);
	last_written = written;
	last_arg = arg;
	return OK;
}

void
__wrap_audit_log_wake(struct audit_log *log)
{
	(void)log;
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static struct {
	struct event_base *base;
	struct wiring wiring;
	struct proxy_wait wait;
	unsigned heard;
	enum status st;
} world;

static void
on_done(struct proxy_wait *w, enum status st)
{
	assert_ptr_equal(w, &world.wait);
	world.heard++;
	world.st = st;
}

static int
setup(void **state)
{
	(void)state;
	world.base = event_base_new();
	assert_non_null(world.base);
	world.wiring = (struct wiring){ .audit = NULL };
	assert_int_equal(
	    mailbox_create(world.base, 4, &world.wiring.mailbox), OK);
	wiring_open(&world.wiring, world.base);
	world.wait = (struct proxy_wait){ .done = on_done };
	world.heard = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	wiring_close(&world.wiring);
	mailbox_destroy(world.wiring.mailbox);
	event_base_free(world.base);
	return 0;
}

/* How many ends were counted as lost, where the writer says @st of one. */
static int64_t
lost_of(enum record_event event, bool cancelled, enum status st)
{
	int64_t before = metric_get(METRIC_AUDIT_LOST_ENDS_TOTAL);
	struct record rec;

	record_init(&rec, event);
	assert_int_equal(
	    wiring_audit_submit(&world.wiring, &rec, &world.wait), OK);
	if (cancelled)
		wiring_audit_cancel(&world.wiring, &world.wait);
	last_written(last_arg, st, false);
	mailbox_flush(world.wiring.mailbox);
	return metric_get(METRIC_AUDIT_LOST_ENDS_TOTAL) - before;
}

static void
an_end_that_nobody_waits_for_any_more_is_counted_when_it_is_lost(void **state)
{
	(void)state;
	assert_int_equal(lost_of(RECORD_REQUEST, true, E_IO), 1);
	assert_int_equal(lost_of(RECORD_REQUEST, true, OK), 0);
	/* The end of what was opened comes by itself. */
	assert_int_equal(lost_of(RECORD_OPEN, true, E_IO), 0);
	assert_int_equal(world.heard, 0);
}

static void
who_waits_is_told_and_counts_by_itself(void **state)
{
	(void)state;
	assert_int_equal(lost_of(RECORD_REQUEST, false, E_IO), 0);
	assert_int_equal(world.heard, 1);
	assert_int_equal(world.st, E_IO);
	assert_int_equal(lost_of(RECORD_REQUEST, false, OK), 0);
	assert_int_equal(world.heard, 2);
	assert_int_equal(world.st, OK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_end_that_nobody_waits_for_any_more_is_counted_when_it_is_lost),
		T(who_waits_is_told_and_counts_by_itself),
	};
	return cmocka_run_group_tests_name("wiring audit", tests, NULL, NULL);
}
