/* Equal clients share their facts, unequal ones never do. */
#include "tests/unit/test.h"

#include "proxy/peer_pool.h"

#include <string.h>

static const struct peer_group groups[2] = { { 100, "users" }, { 7, "lp" } };

static struct peer_pool pool;

static struct peer
alice(void)
{
	return (struct peer){ .known = true,
		.uid = 1000,
		.user = "alice",
		.groups = groups,
		.n_groups = 2,
		.unit = "job-1.service",
		.cgroup = "/system.slice/job-1.service",
		.exe = "" };
}

static bool
pool_is_empty(void)
{
	for (size_t i = 0; i < PEER_POOL_BUCKETS; i++)
		if (!LIST_EMPTY(&pool.buckets[i]))
			return false;
	return true;
}

static void
equal_facts_are_one_until_the_last_lets_go(void **state)
{
	char unit[] = "job-1.service", cgroup[] = "/system.slice/job-1.service";
	struct peer a = alice(), b = alice();
	const struct peer *one, *two;

	(void)state;
	b.unit = unit;
	b.cgroup = cgroup;
	one = peer_pool_keep(&pool, &b);
	assert_non_null(one);
	/* What was borrowed for the call may change. */
	memset(unit, 'x', sizeof unit - 1);
	memset(cgroup, 'x', sizeof cgroup - 1);
	two = peer_pool_keep(&pool, &a);
	assert_ptr_equal(one, two);
	peer_pool_let_go(one);
	assert_false(pool_is_empty());
	assert_string_equal(two->unit, "job-1.service");
	assert_string_equal(two->cgroup, "/system.slice/job-1.service");
	assert_string_equal(two->exe, "");
	assert_string_equal(two->user, "alice");
	assert_true(two->known);
	peer_pool_let_go(two);
	peer_pool_let_go(NULL);
	assert_true(pool_is_empty());
}

/* Whatever one field says, a decision may hang on it. */
static void
facts_that_differ_in_one_point_are_kept_apart(void **state)
{
	enum { POINTS = 11 };
	struct peer other[POINTS];
	struct peer a = alice();
	const struct peer *kept[POINTS], *first = peer_pool_keep(&pool, &a);

	(void)state;
	for (size_t i = 0; i < POINTS; i++)
		other[i] = alice();
	other[0].known = false;
	other[1].uid = 1001;
	other[2].pid = 5;
	other[3].user = "mallory";
	other[4].groups = groups + 1;
	other[5].n_groups = 1;
	other[6].unit = "job-2.service";
	other[7].cgroup = "/system.slice/job-2.service";
	other[8].exe = "/bin/sh";
	other[9].cgroup_unknown = true;
	other[10].exe_unknown = true;
	for (size_t i = 0; i < POINTS; i++) {
		kept[i] = peer_pool_keep(&pool, &other[i]);
		assert_non_null(kept[i]);
		assert_ptr_not_equal(kept[i], first);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(kept[i], kept[k]);
	}
	assert_false(kept[0]->known);
	assert_string_equal(kept[6]->unit, "job-2.service");
	assert_string_equal(kept[7]->cgroup, "/system.slice/job-2.service");
	assert_string_equal(kept[8]->exe, "/bin/sh");
	for (size_t i = 0; i < POINTS; i++)
		peer_pool_let_go(kept[i]);
	peer_pool_let_go(first);
	assert_true(pool_is_empty());
}

static void
text_that_is_absent_is_empty(void **state)
{
	const struct peer nobody = { .known = false };
	const struct peer *p = peer_pool_keep(&pool, &nobody);

	(void)state;
	assert_string_equal(p->unit, "");
	assert_string_equal(p->cgroup, "");
	assert_string_equal(p->exe, "");
	assert_ptr_equal(peer_pool_keep(&pool, &nobody), p);
	peer_pool_let_go(p);
	peer_pool_let_go(p);
	assert_true(pool_is_empty());
}

static void
thousands_of_unequal_clients_are_all_kept(void **state)
{
	enum { MANY = 5000 };
	static const struct peer *kept[MANY];
	struct peer a = alice();

	(void)state;
	for (int i = 0; i < MANY; i++) {
		a.pid = i + 1;
		kept[i] = peer_pool_keep(&pool, &a);
		assert_non_null(kept[i]);
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(kept[i]->pid, i + 1);
	for (int i = 0; i < MANY; i++)
		peer_pool_let_go(kept[i]);
	assert_true(pool_is_empty());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_facts_are_one_until_the_last_lets_go),
		cmocka_unit_test(facts_that_differ_in_one_point_are_kept_apart),
		cmocka_unit_test(text_that_is_absent_is_empty),
		cmocka_unit_test(thousands_of_unequal_clients_are_all_kept),
	};
	return cmocka_run_group_tests_name("peer_pool", tests, NULL, NULL);
}
