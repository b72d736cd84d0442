#include "tests/unit/test.h"

#include "agent/mailbox.h"
#include "agent/userdb.h"

#include <event2/event.h>
#include <string.h>

struct fixture {
	struct event_base *base;
	struct mailbox *box;
	struct userdb *db;
	int woken;
};

static void
on_woken(void *arg)
{
	struct fixture *f = arg;

	f->woken++;
	event_base_loopbreak(f->base);
}

static void
setup(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(mailbox_create(f->base, 16, &f->box), OK);
	assert_int_equal(userdb_create(&f->db), OK);
}

static void
teardown(struct fixture *f)
{
	userdb_destroy(f->db);
	mailbox_destroy(f->box);
	event_base_free(f->base);
}

static void
a_first_look_up_waits_and_a_second_is_answered_at_once(void **state)
{
	struct fixture f;
	struct peer p = { .known = true, .uid = 0 };
	struct userdb_wait *wait = NULL;

	(void)state;
	setup(&f);
	assert_int_equal(
	    userdb_lookup(f.db, &p, f.box, on_woken, &f, &wait), E_PARTIAL);
	assert_non_null(wait);
	event_base_loop(f.base, EVLOOP_NO_EXIT_ON_EMPTY);
	assert_int_equal(f.woken, 1);
	assert_int_equal(
	    userdb_lookup(f.db, &p, f.box, on_woken, &f, &wait), OK);
	assert_string_equal(p.user, "root");
	assert_true(p.n_groups >= 1);
	assert_int_equal(p.groups[0].gid, 0);
	assert_string_equal(p.groups[0].name, "root");
	teardown(&f);
}

static void
a_cancelled_wait_is_never_woken(void **state)
{
	struct fixture f;
	struct peer p = { .known = true, .uid = 0 };
	struct userdb_wait *wait = NULL;

	(void)state;
	setup(&f);
	assert_int_equal(
	    userdb_lookup(f.db, &p, f.box, on_woken, &f, &wait), E_PARTIAL);
	userdb_cancel(wait);
	teardown(&f);
	assert_int_equal(f.woken, 0);
}

static void
a_uid_without_an_entry_has_no_name_and_no_groups(void **state)
{
	struct fixture f;
	struct peer p = { .known = true, .uid = 3999999999U };

	(void)state;
	setup(&f);
	assert_int_equal(userdb_lookup_now(f.db, &p), OK);
	assert_string_equal(p.user, "");
	assert_int_equal(p.n_groups, 0);
	teardown(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_first_look_up_waits_and_a_second_is_answered_at_once),
		cmocka_unit_test(a_cancelled_wait_is_never_woken),
		cmocka_unit_test(
		    a_uid_without_an_entry_has_no_name_and_no_groups),
	};
	return cmocka_run_group_tests_name("userdb", tests, NULL, NULL);
}
