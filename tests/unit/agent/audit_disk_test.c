/* The audit log when its disk fails: full, limited, and well again. */
#include "tests/unit/test.h"

#include "tests/unit/agent/audit_fixture.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void
limit_file_size(rlim_t bytes)
{
	struct rlimit rl;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &rl), 0);
	rl.rlim_cur = bytes < rl.rlim_max ? bytes : rl.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
}

static int
teardown(void **state)
{
	limit_file_size(RLIM_INFINITY);
	return audit_fixture_teardown(state);
}

/** Waits until the log says so; false after 3 s. */
static bool
becomes_healthy(struct audit_log *log)
{
	for (int i = 0; i < 300; i++) {
		if (audit_log_healthy(log))
			return true;
		audit_fixture_sleep_ms(10);
	}
	return false;
}

/** A write that stops in the middle of a line, then room again. */
static void
a_partial_write_is_cut_back_and_heals(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log = audit_fixture_open(f);
	struct audit_status s;
	struct buf b;

	(void)signal(SIGXFSZ, SIG_IGN);
	audit_fixture_append(log, 4);
	audit_log_status(log, &s);
	limit_file_size((rlim_t)s.bytes + 60);
	assert_int_equal(
	    audit_fixture_append_one(log, audit_fixture_one), E_IO);
	assert_false(audit_log_healthy(log));
	assert_int_equal(
	    audit_log_append(log, audit_fixture_one, NULL, NULL), E_IO);
	b = audit_fixture_read(f, "audit.jsonl");
	assert_int_equal(b.n, s.bytes);
	buf_release(&b);
	audit_log_status(log, &s);
	assert_string_not_equal(s.last_error, "");
	assert_int_equal(s.errors, 1);

	limit_file_size(RLIM_INFINITY);
	assert_true(becomes_healthy(log));
	audit_fixture_append(log, 2);
	audit_log_close(log);
	b = audit_fixture_read(f, "audit.jsonl");
	audit_fixture_assert_chain(buf_slice(&b), 1);
	buf_release(&b);
}

static void
with_continue_failures_are_only_counted(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log;
	struct audit_status s;

	(void)signal(SIGXFSZ, SIG_IGN);
	f->settings.deny_on_failure = false;
	log = audit_fixture_open(f);
	audit_fixture_append(log, 1);
	audit_log_status(log, &s);
	limit_file_size((rlim_t)s.bytes);
	assert_int_equal(audit_fixture_append_one(log, audit_fixture_one), OK);
	assert_int_equal(audit_fixture_append_one(log, audit_fixture_one), OK);
	assert_true(audit_log_healthy(log));
	audit_log_status(log, &s);
	assert_false(s.healthy);
	assert_int_equal(s.errors, 2);
	limit_file_size(RLIM_INFINITY);
	audit_log_close(log);
}

/** The same on a file system that is really full; needs root. */
static void
a_full_disk_denies_and_heals(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log;
	char ballast[AUDIT_PATH_BYTES];
	static const char zeros[4096];
	struct buf b;
	FILE *out;

	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", f->dir, "tmpfs", 0, "size=128k") != 0)
		skip();
	log = audit_fixture_open(f);
	audit_fixture_append(log, 4);
	out = fopen(audit_fixture_path(f, "ballast", ballast), "w");
	assert_non_null(out);
	setbuf(out, NULL);
	while (fwrite(zeros, sizeof zeros, 1, out) == 1)
		;
	(void)fclose(out);
	while (audit_fixture_append_one(log, audit_fixture_one) == OK)
		; /* what is left of the last page */
	assert_false(audit_log_healthy(log));
	assert_int_equal(unlink(ballast), 0);
	assert_true(becomes_healthy(log));
	audit_fixture_append(log, 4);
	audit_log_close(log);
	b = audit_fixture_read(f, "audit.jsonl");
	audit_fixture_assert_chain(buf_slice(&b), 1);
	buf_release(&b);
	assert_int_equal(umount(f->dir), 0);
}

int
main(void)
{
#define CASE(t) \
	cmocka_unit_test_setup_teardown(t, audit_fixture_setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_partial_write_is_cut_back_and_heals),
		CASE(with_continue_failures_are_only_counted),
		CASE(a_full_disk_denies_and_heals),
	};
	return cmocka_run_group_tests_name("audit disk", tests, NULL, NULL);
}
