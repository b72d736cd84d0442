/* Handshakes with destinations: how many at a time, and what they are counted
 * as. */
#include "tests/unit/proxy/secure_steps.h"

#include "base/metrics.h"
#include "proxy/worker.h"

enum { UID = 1000 }; /* the stand-in's clients */

/* All but @left of what one uid may have. */
static void
take_all_but(unsigned left)
{
	for (unsigned i = left; i < SHARED_HANDSHAKES_PER_UID; i++)
		assert_int_equal(shared_enter_handshake(fake.shared, UID), OK);
}

static void
who_finds_no_room_waits_for_it_and_dials_nothing(void **state)
{
	(void)state;
	take_all_but(0);
	ask();
	assert_int_equal(told, 0);
	assert_int_equal(fake.dials, 0);
	shared_leave_handshake(fake.shared, UID);
	tick(20);
	fake_pass_ms(1);
	ready();
	assert_int_equal(fake.dials, 1);
}

static void
room_that_never_comes_is_not_waited_for_long(void **state)
{
	(void)state;
	take_all_but(0);
	ask();
	tick(59000);
	assert_int_equal(told, 0);
	tick(2000);
	refused(REASON_LIMIT_REACHED);
	assert_int_equal(fake.dials, 0);
}

static void
who_leaves_while_it_waits_for_room_leaves_nothing_behind(void **state)
{
	(void)state;
	take_all_but(0);
	ask();
	finish();
	shared_leave_handshake(fake.shared, UID);
	fake_pass_ms(1);
	assert_int_equal(fake.dials, 0);
	assert_int_equal(shared_enter_handshake(fake.shared, UID), OK);
}

static void
a_share_is_free_again_however_it_ended(void **state)
{
	(void)state;
	take_all_but(1);
	ask();
	assert_int_equal(outcome, REQUEST_READY);
	finish();
	tls.step = E_DENIED;
	tls.why = REASON_TLS_FAILED;
	ask();
	assert_int_equal(request_code(the_request), REASON_TLS_FAILED);
	finish();
	fake.dial_code = REASON_CONNECT_REFUSED;
	ask();
	assert_int_equal(request_code(the_request), REASON_CONNECT_REFUSED);
	finish();
	fake.dial_code = REASON_NONE;
	tls.step = E_PARTIAL;
	ask();
	assert_int_equal(shared_enter_handshake(fake.shared, UID), E_LIMIT);
	finish(); /* it leaves in the middle */
	assert_int_equal(shared_enter_handshake(fake.shared, UID), OK);
}

static void
where_a_worker_has_no_room_nothing_is_dialled(void **state)
{
	(void)state;
	tls.full = true;
	ask();
	assert_int_equal(told, 0);
	assert_int_equal(fake.dials, 0);
	tls.full = false;
	fake_pass_ms(1);
	ready();
}

static void
handshakes_and_their_failures_are_counted(void **state)
{
	int64_t all = metric_get(METRIC_UPSTREAM_TLS_TOTAL);
	int64_t bad = metric_get(METRIC_UPSTREAM_TLS_ERRORS_TOTAL);

	(void)state;
	ask();
	finish();
	assert_int_equal(metric_get(METRIC_UPSTREAM_TLS_TOTAL), all + 1);
	assert_int_equal(metric_get(METRIC_UPSTREAM_TLS_ERRORS_TOTAL), bad);
	tls.step = E_DENIED;
	tls.why = REASON_TLS_CERTIFICATE;
	ask();
	finish();
	assert_int_equal(metric_get(METRIC_UPSTREAM_TLS_TOTAL), all + 2);
	assert_int_equal(metric_get(METRIC_UPSTREAM_TLS_ERRORS_TOTAL), bad + 1);
}

#define S(name) \
	cmocka_unit_test_setup_teardown(name, secure_setup, secure_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		S(who_finds_no_room_waits_for_it_and_dials_nothing),
		S(room_that_never_comes_is_not_waited_for_long),
		S(who_leaves_while_it_waits_for_room_leaves_nothing_behind),
		S(a_share_is_free_again_however_it_ended),
		S(where_a_worker_has_no_room_nothing_is_dialled),
		S(handshakes_and_their_failures_are_counted),
	};

	return cmocka_run_group_tests_name(
	    "secure_limits", tests, secure_group_setup, NULL);
}
