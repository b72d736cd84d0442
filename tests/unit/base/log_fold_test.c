/* Lines that come again and again. */
#include "tests/unit/test.h"

#include "base/log_fold.h"

static struct log_fold fold;

static int
forget(void **state)
{
	(void)state;
	fold = (struct log_fold){ 0 };
	return 0;
}

static void
a_line_is_due_again_after_ten_seconds(void **state)
{
	(void)state;
	assert_true(log_fold_is_due(&fold, "a.test", "broke", 1000));
	assert_false(log_fold_is_due(&fold, "a.test", "broke", 1000));
	assert_false(log_fold_is_due(&fold, "a.test", "broke", 10999));
	assert_true(log_fold_is_due(&fold, "a.test", "broke", 11000));
	assert_false(log_fold_is_due(&fold, "a.test", "broke", 11001));
}

static void
another_line_is_due_at_once(void **state)
{
	(void)state;
	assert_true(log_fold_is_due(&fold, "a.test", "broke", 1000));
	assert_true(log_fold_is_due(&fold, "a.test", "expired", 1000));
	assert_true(log_fold_is_due(&fold, "b.test", "broke", 1000));
	assert_true(log_fold_is_due(&fold, "a.testb", "roke", 1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    a_line_is_due_again_after_ten_seconds, forget),
		cmocka_unit_test_setup(another_line_is_due_at_once, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
