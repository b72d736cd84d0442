#include "tests/unit/test.h"

#include "agent/mailbox.h"
#include "agent/userdb.h"

#include <event2/event.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

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

/* Needs root: another /etc/group in a mount namespace of our own. */
static void
more_groups_than_one_expects_are_all_there(void **state)
{
	enum { GROUPS = 700 };

	struct fixture f;
	struct peer p = { .known = true, .uid = 0 };
	char path[] = "/tmp/userdb-XXXXXX";
	int fd = mkstemp(path);
	bool last = false;

	(void)state;
	assert_true(fd >= 0);
	for (int i = 0; i < GROUPS; i++)
		(void)dprintf(fd, "many%d:x:%d:root\n", i, 5000 + i);
	(void)close(fd);
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount(path, "/etc/group", NULL, MS_BIND, NULL) != 0) {
		(void)unlink(path);
		skip();
	}
	setup(&f);
	assert_int_equal(userdb_lookup_now(f.db, &p), OK);
	assert_int_equal(p.n_groups, GROUPS + 1);
	for (size_t i = 0; i < p.n_groups; i++)
		last |= strcmp(p.groups[i].name, "many699") == 0;
	assert_true(last);
	assert_int_equal(umount("/etc/group"), 0);
	teardown(&f);
	(void)unlink(path);
}

struct slow_job {
	struct userdb_job job; /* first */
	sem_t *go;
	int *ran;
};

static void
run_when_told(struct userdb_job *job)
{
	struct slow_job *j = (struct slow_job *)job;

	assert_int_equal(sem_wait(j->go), 0);
	++*j->ran;
}

static void
ignore(struct mail *m)
{
	(void)m;
}

static void
a_client_waits_for_one_job_at_most(void **state)
{
	struct slow_job jobs[3];
	struct fixture f;
	struct peer p = { .known = true, .uid = 0 };
	struct userdb_wait *wait = NULL;
	sem_t go;
	int ran = 0;

	(void)state;
	assert_int_equal(sem_init(&go, 0, 0), 0);
	setup(&f);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i] = (struct slow_job){ .job.mail.deliver = ignore,
			.job.box = f.box,
			.job.run = run_when_told,
			.go = &go,
			.ran = &ran };
		userdb_run_job(f.db, &jobs[i].job);
	}
	assert_int_equal(
	    userdb_lookup(f.db, &p, f.box, on_woken, &f, &wait), E_PARTIAL);
	assert_int_equal(sem_post(&go), 0);
	event_base_loop(f.base, EVLOOP_NO_EXIT_ON_EMPTY);
	assert_int_equal(f.woken, 1);
	assert_true(ran <= 1);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(sem_post(&go), 0);
	teardown(&f);
	(void)sem_destroy(&go);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_first_look_up_waits_and_a_second_is_answered_at_once),
		cmocka_unit_test(a_cancelled_wait_is_never_woken),
		cmocka_unit_test(a_client_waits_for_one_job_at_most),
		cmocka_unit_test(
		    a_uid_without_an_entry_has_no_name_and_no_groups),
		cmocka_unit_test(more_groups_than_one_expects_are_all_there),
	};
	return cmocka_run_group_tests_name("userdb", tests, NULL, NULL);
}
