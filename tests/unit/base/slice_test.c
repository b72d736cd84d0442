#include "tests/unit/test.h"

#include "base/slice.h"

static void
numbers_are_digits_only_and_never_wrap(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(slice_to_u64(SLICE("65535"), 65535, &v));
	assert_int_equal(v, 65535);
	assert_false(slice_to_u64(SLICE("65536"), 65535, &v));
	assert_false(slice_to_u64(SLICE("+1"), 65535, &v));
	assert_false(slice_to_u64(SLICE(""), 65535, &v));
	assert_false(
	    slice_to_u64(SLICE("18446744073709551616"), UINT64_MAX, &v));
	assert_true(
	    slice_to_u64(SLICE("18446744073709551615"), UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
}

static void
copies_only_what_fits(void **state)
{
	char out[4] = { 'x', 'x', 'x', 'x' };

	(void)state;
	assert_true(slice_copy(SLICE("ab"), out, sizeof out));
	assert_string_equal(out, "ab");
	assert_true(slice_copy(SLICE("abc"), out, sizeof out));
	assert_string_equal(out, "abc");
	assert_true(slice_copy(SLICE("a"), out, sizeof out));
	assert_string_equal(out, "a");
	assert_false(slice_copy(SLICE("abcd"), out, sizeof out));
	assert_string_equal(out, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_digits_only_and_never_wrap),
		cmocka_unit_test(copies_only_what_fits),
	};
	return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
