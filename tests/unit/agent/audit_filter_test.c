/* Which records a filter takes, and what the columns show. */
#include "tests/unit/test.h"

#include "agent/audit_filter.h"

#include <string.h>

static const char text[] =
    "{\"time\":\"2026-11-23T10:20:30.500000000Z\",\"seq\":5,"
    "\"id\":\"ABCDEFGHIJ\",\"event\":\"request\",\"verdict\":\"allow\","
    "\"would\":\"deny\",\"code\":\"HOST_NOT_ALLOWED\",\"rule\":null,"
    "\"workload\":{\"names\":[\"jobs\",\"all\"],\"uid\":1001,"
    "\"user\":\"alice\",\"unit\":\"job-1.service\"},"
    "\"host\":\"acct1.blob.core.windows.net\",\"port\":443,"
    "\"ms\":{\"total\":12}}";

static json_t *
record(void)
{
	json_t *r = json_loads(text, 0, NULL);

	assert_non_null(r);
	return r;
}

static void
each_condition_takes_and_refuses(void **state)
{
	static const struct {
		struct audit_filter f;
		bool want;
	} table[] = {
		{ { 0 }, true },
		{ { .verdict = "allow" }, true },
		{ { .verdict = "deny" }, false },
		{ { .would = "deny" }, true },
		{ { .code = "host_not_allowed" }, true },
		{ { .code = "SELF" }, false },
		{ { .host = "ACCT1.blob.core.windows.net" }, true },
		{ { .host = "*.core.windows.net" }, true },
		{ { .host = "*.acct1.blob.core.windows.net" }, false },
		{ { .host = "blob.core.windows.net" }, false },
		{ { .user = "alice" }, true },
		{ { .user = "1001" }, true },
		{ { .user = "0" }, false },
		{ { .unit = "job-1.service" }, true },
		{ { .unit = "job-2.service" }, false },
		{ { .workload = "all" }, true },
		{ { .workload = "none" }, false },
		{ { .event = "open" }, false },
		{ { .id = "ABCDEFGHIJ" }, true },
		{ { .rule = "lake" }, false },
		{ { .verdict = "allow", .user = "bob" }, false },
	};

	json_t *r = record();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (audit_filter_matches(&table[i].f, r) != table[i].want)
			fail_msg("row %d", (int)i);
	json_decref(r);
}

static void
times_are_read_in_three_shapes(void **state)
{
	static const int64_t now = 1795429231000000000; /* 10:20:31 */

	static const struct {
		const char *since, *until;
		bool want;
	} table[] = {
		{ "2026-11-23", NULL, true },
		{ "2026-11-24", NULL, false },
		{ "2026-11-23T10:20:30Z", NULL, true },
		{ "2026-11-23T10:20:30.5Z", NULL, true },
		{ "2026-11-23T10:20:30.51Z", NULL, false },
		{ NULL, "2026-11-23T10:20:30.5Z", false },
		{ NULL, "2026-11-24", true },
		{ "1s", NULL, true },
		{ "0s", NULL, false },
		{ "15m", "1s", false },
		{ "15m", "0s", true },
		{ "2h", "1h", false },
	};

	static const char *const bad[] = { "", "yesterday", "2026-11",
		"2026-11-23 10:20:30", "2026-11-23T10:20:30", "1w", "m", "-1m",
		"2026-11-23T10:20:30.Z", "99999d" };
	json_t *r = record();
	const char *which = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct audit_filter f = { .since = table[i].since,
			.until = table[i].until };
		assert_int_equal(audit_filter_times(&f, now, &which), OK);
		if (audit_filter_matches(&f, r) != table[i].want)
			fail_msg("row %d", (int)i);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct audit_filter f = { .since = bad[i] };
		if (audit_filter_times(&f, now, &which) != E_SYNTAX)
			fail_msg("taken: %s", bad[i]);
		assert_ptr_equal(which, bad[i]);
	}
	json_decref(r);
}

static void
columns_show_members_lists_and_nulls(void **state)
{
	static const struct {
		const char *column, *want;
	} table[] = { { "seq", "5" }, { "host", "acct1.blob.core.windows.net" },
		{ "workload", "jobs+all" }, { "uid", "1001" }, { "rule", "" },
		{ "ms", "12" }, { "audience", "" }, { "port", "443" } };

	json_t *r = record();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct buf b;
		buf_init(&b, 256);
		audit_column_put(&b, r, table[i].column);
		assert_true(slice_is(buf_slice(&b), table[i].want));
		buf_release(&b);
	}
	assert_null(audit_column_known("token"));
	assert_string_equal(audit_column_known("host"), "host");
	json_decref(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_condition_takes_and_refuses),
		cmocka_unit_test(times_are_read_in_three_shapes),
		cmocka_unit_test(columns_show_members_lists_and_nulls),
	};
	return cmocka_run_group_tests_name("audit filter", tests, NULL, NULL);
}
