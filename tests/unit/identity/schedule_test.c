/* The refresh algorithm, moment by moment, and the budget toward IMDS. */
#include "tests/unit/test.h"

#include "identity/budget.h"
#include "identity/schedule.h"

#define S   INT64_C(1000)
#define MIN (60 * S)
#define H   (60 * MIN)

enum { LOW = 0 };

#define HIGH UINT32_MAX
#define MID  (UINT32_MAX / 2)

static struct schedule
with_token(int64_t now, int64_t life, uint32_t random)
{
	struct schedule s;

	schedule_init(&s, now);
	schedule_succeeded(&s, now,
	    &(struct schedule_token){ .life_ms = life, .refresh_in_ms = -1 },
	    random);
	return s;
}

static void
fault_at(struct schedule *s, int64_t now, int status, int64_t retry, uint32_t r)
{
	schedule_failed(s, now,
	    &(struct schedule_fault){
	        .http_status = status, .retry_after_ms = retry },
	    r);
}

static void
is_due_at_once_when_new(void **state)
{
	struct schedule s;

	(void)state;
	schedule_init(&s, 77);
	assert_int_equal(schedule_next(&s, 77), 77);
	assert_int_equal(schedule_left(&s, 77), 0);
	assert_false(schedule_wants_bypass(&s, 77));
}

static void
refreshes_at_half_life_give_or_take_a_tenth(void **state)
{
	struct schedule s = with_token(0, 24 * H, LOW);

	(void)state;
	assert_int_equal(s.next_ms, 24 * H / 2 * 9 / 10);
	s = with_token(0, 24 * H, HIGH);
	assert_in_range(s.next_ms, 13 * H, 24 * H / 2 * 11 / 10);
	s = with_token(0, 24 * H, MID);
	assert_in_range(s.next_ms, 12 * H - MIN, 12 * H + MIN);
}

static void
stays_ahead_of_the_widest_client_window(void **state)
{
	(void)state;
	for (int64_t life = 50 * MIN; life < 24 * H; life += 7 * MIN) {
		struct schedule s = with_token(0, life, HIGH);
		assert_true(s.next_ms <= life - SCHEDULE_MARGIN_MS);
	}
}

static void
obeys_refresh_in_when_it_makes_sense(void **state)
{
	struct schedule_token t = { .life_ms = 10 * H, .refresh_in_ms = H };
	struct schedule s;

	(void)state;
	schedule_init(&s, 0);
	schedule_succeeded(&s, 0, &t, MID);
	assert_in_range(s.next_ms, 54 * MIN, 66 * MIN);
	t.refresh_in_ms = 11 * H; /* past the end: nonsense */
	schedule_succeeded(&s, 0, &t, MID);
	assert_in_range(s.next_ms, 4 * H, 6 * H);
}

static void
takes_the_same_token_again_for_no_news(void **state)
{
	struct schedule_token t = {
		.life_ms = 10 * H, .refresh_in_ms = -1, .unchanged = true
	};
	struct schedule s = with_token(0, 24 * H, MID);

	(void)state;
	schedule_succeeded(&s, 14 * H, &t, MID);
	assert_int_equal(s.next_ms, 15 * H);
	t.life_ms = 30 * MIN;
	schedule_succeeded(&s, 0, &t, MID);
	assert_int_equal(s.next_ms, 15 * MIN);
	t.life_ms = MIN;
	schedule_succeeded(&s, 0, &t, MID);
	assert_int_equal(s.next_ms, MIN);
	/* A source that renews at the very end is asked then, not after. */
	t.life_ms = 7 * S;
	schedule_succeeded(&s, 0, &t, MID);
	assert_int_equal(s.next_ms, 7 * S);
}

static void
forgets_a_refusal_with_the_first_token(void **state)
{
	struct schedule_fault no = { .http_status = 400, .retry_after_ms = -1 };
	struct schedule_token t = { .life_ms = H, .refresh_in_ms = -1 };
	struct schedule s;

	(void)state;
	schedule_init(&s, 0);
	schedule_failed(&s, 0, &no, MID);
	assert_true(schedule_is_refused(&s, S));
	schedule_succeeded(&s, S, &t, MID);
	assert_false(schedule_is_refused(&s, S));
}

static void
bypasses_the_sources_cache_near_the_end_and_rarely(void **state)
{
	struct schedule s = with_token(0, H, MID);

	(void)state;
	assert_false(schedule_wants_bypass(&s, 50 * MIN));
	assert_true(schedule_wants_bypass(&s, 50 * MIN + 1));
	schedule_bypassed(&s, 51 * MIN);
	assert_false(schedule_wants_bypass(&s, 55 * MIN));
	assert_true(schedule_wants_bypass(&s, 56 * MIN));
	assert_false(schedule_wants_bypass(&s, 60 * MIN));
	schedule_failed(&s, 61 * MIN,
	    &(struct schedule_fault){ .retry_after_ms = -1, .stale = true }, 0);
	assert_true(schedule_wants_bypass(&s, 61 * MIN));
}

static void
backs_off_with_full_jitter_and_a_cap(void **state)
{
	struct schedule s;
	int64_t caps[] = { 1, 2, 4, 8, 16, 32, 60, 60, 60 };

	(void)state;
	schedule_init(&s, 0);
	for (unsigned i = 0; i < sizeof caps / sizeof caps[0]; i++) {
		struct schedule low = s;
		fault_at(&low, 0, 500, -1, LOW);
		assert_int_equal(low.next_ms, 100);
		fault_at(&s, 0, 500, -1, HIGH);
		assert_int_equal(s.next_ms, caps[i] * S);
	}
	s = with_token(0, 14 * MIN, MID);
	for (unsigned i = 0; i < 9; i++)
		fault_at(&s, 0, 0, -1, HIGH);
	assert_int_equal(s.next_ms, 30 * S);
}

static void
honours_retry_after_up_to_five_minutes(void **state)
{
	struct schedule s;

	(void)state;
	schedule_init(&s, 0);
	fault_at(&s, 0, 429, 20 * S, HIGH);
	assert_int_equal(s.next_ms, 20 * S);
	fault_at(&s, 0, 503, 9 * H, HIGH);
	assert_int_equal(s.next_ms, 5 * MIN);
}

static void
steps_through_a_410_and_backs_off_after_it(void **state)
{
	struct schedule s;
	int64_t now = 0;

	(void)state;
	schedule_init(&s, 0);
	for (unsigned i = 0; i < 8; i++) {
		fault_at(&s, now, 410, -1, HIGH);
		assert_int_equal(s.next_ms, now + 10 * S);
		assert_false(schedule_is_refused(&s, now));
		now = s.next_ms;
	}
	fault_at(&s, now, 410, -1, HIGH);
	assert_int_equal(s.next_ms, now + MIN);
	fault_at(&s, now, 500, -1, HIGH);
	fault_at(&s, now, 410, -1, HIGH);
	assert_int_equal(s.next_ms, now + 10 * S);
}

static void
remembers_a_refusal_for_thirty_seconds_only(void **state)
{
	static const int refusals[] = { 400, 401, 403, 405 };
	static const int others[] = { 0, 302, 404, 408, 410, 429, 500 };
	struct schedule s;

	(void)state;
	for (unsigned i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		schedule_init(&s, 0);
		fault_at(&s, 0, refusals[i], -1, HIGH);
		assert_true(schedule_is_refused(&s, 30 * S - 1));
		assert_false(schedule_is_refused(&s, 30 * S));
		assert_int_equal(s.next_ms, 30 * S);
	}
	for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
		schedule_init(&s, 0);
		fault_at(&s, 0, others[i], -1, HIGH);
		assert_false(schedule_is_refused(&s, 0));
	}
}

static void
lets_idle_keys_rest(void **state)
{
	struct schedule s = with_token(0, 24 * H, MID);

	(void)state;
	assert_int_equal(schedule_next(&s, 13 * H), s.next_ms);
	schedule_used(&s, H);
	s.expires_ms = 48 * H; /* refreshed meanwhile */
	assert_false(schedule_is_idle(&s, 25 * H));
	assert_true(schedule_is_idle(&s, 25 * H + 1));
	assert_true(schedule_next(&s, 26 * H) == SCHEDULE_NEVER);
	schedule_used(&s, 26 * H);
	assert_int_equal(schedule_next(&s, 26 * H), s.next_ms);
}

static void
never_starts_more_than_ten_in_any_second(void **state)
{
	struct budget b;
	int64_t starts[400];
	unsigned n = 0;

	(void)state;
	budget_init(&b);
	for (int64_t now = 0; now < 10 * S; now += 7)
		while (n < 400 && budget_start(&b, now, false)) {
			starts[n++] = now;
			budget_end(&b);
		}
	assert_in_range(n, 95, 100);
	for (unsigned i = 10; i < n; i++)
		assert_true(starts[i] - starts[i - 10] >= 1000);
}

static void
leaves_room_for_those_who_wait(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b);
	for (unsigned i = 0; i < 3; i++)
		assert_true(budget_start(&b, 0, true));
	assert_false(budget_start(&b, 0, true));
	assert_true(budget_next_ms(&b, 0, true) == INT64_MAX);
	assert_true(budget_start(&b, 0, false));
	assert_false(budget_start(&b, 0, false));
	for (unsigned i = 0; i < 4; i++)
		budget_end(&b);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(budget_start(&b, 0, true));
		budget_end(&b);
	}
	assert_false(budget_start(&b, 0, true));
	assert_int_equal(budget_next_ms(&b, 0, true), 1000);
	assert_true(budget_start(&b, 0, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_due_at_once_when_new),
		cmocka_unit_test(refreshes_at_half_life_give_or_take_a_tenth),
		cmocka_unit_test(stays_ahead_of_the_widest_client_window),
		cmocka_unit_test(obeys_refresh_in_when_it_makes_sense),
		cmocka_unit_test(takes_the_same_token_again_for_no_news),
		cmocka_unit_test(forgets_a_refusal_with_the_first_token),
		cmocka_unit_test(
		    bypasses_the_sources_cache_near_the_end_and_rarely),
		cmocka_unit_test(backs_off_with_full_jitter_and_a_cap),
		cmocka_unit_test(honours_retry_after_up_to_five_minutes),
		cmocka_unit_test(steps_through_a_410_and_backs_off_after_it),
		cmocka_unit_test(remembers_a_refusal_for_thirty_seconds_only),
		cmocka_unit_test(lets_idle_keys_rest),
		cmocka_unit_test(never_starts_more_than_ten_in_any_second),
		cmocka_unit_test(leaves_room_for_those_who_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
