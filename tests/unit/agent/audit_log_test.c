/* The audit log on real files: chain, restarts, torn tails, rotation. */
#include "tests/unit/test.h"

#include "tests/unit/agent/audit_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void
the_chain_runs_on_over_restarts(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_status s;
	struct audit_log *log = audit_fixture_open(f);
	struct audit_line first;
	struct buf b;
	struct stat st;

	audit_fixture_append(log, 10);
	audit_log_status(log, &s);
	assert_true(s.healthy);
	assert_int_equal(s.seq, 10);
	audit_log_close(log); /* checkpoint: 11 */
	log = audit_fixture_open(f);
	audit_fixture_append(log, 5);
	audit_log_close(log); /* checkpoint: 17 */

	b = audit_fixture_read(f, "audit.jsonl");
	assert_int_equal(audit_fixture_lines(buf_slice(&b)), 17);
	audit_fixture_assert_chain(buf_slice(&b), 1);
	assert_int_equal(
	    audit_line_parse(audit_fixture_line(buf_slice(&b), 0), &first), OK);
	assert_true(slice_is(first.prev, audit_hash_zero));
	buf_release(&b);
	assert_int_equal(stat(f->settings.file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
a_stop_without_new_records_adds_none(void **state)
{
	struct audit_fixture *f = *state;
	struct buf b;

	audit_log_close(audit_fixture_open(f));
	b = audit_fixture_read(f, "audit.jsonl");
	assert_int_equal(b.n, 0);
	buf_release(&b);
}

static void
a_torn_tail_is_cut_off_named_and_continued_from(void **state)
{
	struct audit_fixture *f = *state;
	static const struct slice torn = SLICE_INIT("{\"time\":\"2026-11-");
	struct audit_log *log = audit_fixture_open(f);
	char hash[AUDIT_HASH_BYTES], want[AUDIT_HASH_BYTES];
	uint64_t bytes = 0;
	struct buf b, t;

	audit_fixture_append(log, 3);
	audit_log_close(log);
	b = audit_fixture_read(f, "audit.jsonl");
	buf_release(&b);
	b = audit_fixture_read(f, "audit.jsonl");
	b.max += torn.n;
	buf_put_slice(&b, torn);
	audit_fixture_write(f, "audit.jsonl", buf_slice(&b));
	buf_release(&b);

	log = audit_fixture_open(f);
	assert_true(audit_log_torn(log, &bytes, hash));
	assert_int_equal(bytes, torn.n);
	audit_line_hash(torn, want);
	assert_string_equal(hash, want);
	audit_fixture_append(log, 2);
	audit_log_close(log);
	b = audit_fixture_read(f, "audit.jsonl");
	audit_fixture_assert_chain(buf_slice(&b), 1);
	assert_int_equal(audit_fixture_lines(buf_slice(&b)), 4 + 3);
	t = audit_fixture_read(f, "audit.jsonl.torn");
	assert_true(slice_eq(buf_slice(&t), torn));
	buf_release(&t);
	buf_release(&b);
}

static void
a_last_line_that_is_no_record_stops_the_start(void **state)
{
	struct audit_fixture *f = *state;
	struct status_detail detail = { "" };
	struct audit_log *log = NULL;

	audit_fixture_write(f, "audit.jsonl", SLICE("hello\n"));
	assert_int_equal(
	    audit_log_open(&f->settings, &log, &detail), E_INVALID);
	assert_null(log);
	assert_non_null(strstr(detail.text, "no audit record"));
}

static void
a_link_and_a_second_writer_are_refused(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log = audit_fixture_open(f), *second = NULL;
	char target[AUDIT_PATH_BYTES];

	assert_int_equal(audit_log_open(&f->settings, &second, NULL), E_BUSY);
	audit_log_close(log);
	assert_int_equal(
	    rename(f->settings.file, audit_fixture_path(f, "t", target)), 0);
	assert_int_equal(symlink(target, f->settings.file), 0);
	assert_int_equal(
	    audit_log_open(&f->settings, &second, NULL), E_INVALID);
	assert_null(second);
}

static void
a_key_that_others_may_read_is_refused(void **state)
{
	struct audit_fixture *f = *state;
	char path[AUDIT_PATH_BYTES];
	struct audit_log *log = NULL;
	struct stat st;

	audit_log_close(audit_fixture_open(f));
	(void)audit_fixture_path(f, "audit.key", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(audit_log_open(&f->settings, &log, NULL), E_DENIED);
}

static bool
holds(const struct audit_fixture *f, const char *name, struct slice want)
{
	struct buf b = audit_fixture_read(f, name);
	bool same = slice_eq(buf_slice(&b), want);

	buf_release(&b);
	return same;
}

/* Another name of the file shows whether it is still the same one. */
static void
the_public_key_is_replaced_only_where_it_is_another(void **state)
{
	struct audit_fixture *f = *state;
	char pub[AUDIT_PATH_BYTES], kept[AUDIT_PATH_BYTES];
	struct buf key;
	struct stat st;

	(void)audit_fixture_path(f, "audit.pub", pub);
	(void)audit_fixture_path(f, "kept", kept);
	audit_log_close(audit_fixture_open(f));
	key = audit_fixture_read(f, "audit.pub");
	assert_int_equal(link(pub, kept), 0);
	audit_log_close(audit_fixture_open(f));
	assert_int_equal(lstat(pub, &st), 0);
	assert_int_equal(st.st_nlink, 2);
	audit_fixture_write(f, "audit.pub", SLICE("another"));
	audit_log_close(audit_fixture_open(f));
	assert_true(holds(f, "audit.pub", buf_slice(&key)));
	assert_true(holds(f, "kept", SLICE("another")));
	assert_int_equal(unlink(pub), 0);
	assert_int_equal(symlink("kept", pub), 0);
	audit_log_close(audit_fixture_open(f));
	assert_int_equal(lstat(pub, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_true(holds(f, "kept", SLICE("another")));
	assert_int_equal(audit_fixture_count(f, "audit.pub"), 1);
	buf_release(&key);
}

static void
rotation_by_size_keeps_the_chain_and_prunes(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log;
	struct audit_status s;
	struct buf b;

	f->settings.rotate_bytes = 4096;
	f->settings.keep = 3;
	log = audit_fixture_open(f);
	for (unsigned i = 0; i < 40; i++)
		audit_fixture_append(log, 5);
	audit_log_status(log, &s);
	assert_true(s.rotations > 3);
	assert_int_equal(audit_fixture_count(f, "audit.2"), 3);
	audit_log_close(log);
	/* the chain goes on from the newest rotated file, even alone */
	(void)unlink(f->settings.file);
	log = audit_fixture_open(f);
	audit_fixture_append(log, 1);
	audit_log_close(log);
	b = audit_fixture_read(f, "audit.jsonl");
	audit_fixture_assert_chain(buf_slice(&b), s.seq + 2);
	buf_release(&b);
}

static void
reopen_goes_on_in_a_new_file_when_the_old_was_moved(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log = audit_fixture_open(f);
	char moved[AUDIT_PATH_BYTES];
	struct buf a, b;

	audit_fixture_append(log, 4);
	assert_int_equal(
	    rename(f->settings.file, audit_fixture_path(f, "old", moved)), 0);
	audit_log_reopen(log);
	audit_fixture_append(log, 4);
	audit_log_reopen(log); /* still in its place: nothing happens */
	audit_fixture_append(log, 1);
	audit_log_close(log);
	a = audit_fixture_read(f, "old");
	b = audit_fixture_read(f, "audit.jsonl");
	a.max += b.n;
	buf_put_slice(&a, buf_slice(&b));
	audit_fixture_assert_chain(buf_slice(&a), 1);
	assert_true(audit_fixture_lines(buf_slice(&b)) >= 5);
	buf_release(&a);
	buf_release(&b);
}

static int64_t fake_boot_ms;

static int64_t
fake_boot(void *ctx)
{
	(void)ctx;
	return __atomic_load_n(&fake_boot_ms, __ATOMIC_RELAXED);
}

static int64_t
fake_unix(void *ctx)
{
	(void)ctx;
	return 1795392000000000000;
}

static void
checkpoints_come_by_count_and_by_time(void **state)
{
	static const struct clock fake = { fake_boot, fake_unix, NULL };
	struct audit_fixture *f = *state;
	struct audit_log *log;
	struct audit_status s;
	struct buf b, head;

	f->settings.clock = &fake;
	log = audit_fixture_open(f);
	audit_fixture_append(log, 999);
	audit_log_status(log, &s);
	assert_int_equal(s.checkpoint_seq, 0);
	audit_fixture_append(log, 1);
	audit_log_status(log, &s);
	assert_int_equal(s.checkpoint_seq, 1001);
	audit_fixture_append(log, 1);
	__atomic_store_n(&fake_boot_ms, 60001, __ATOMIC_RELAXED);
	audit_fixture_append(log, 1);
	audit_log_status(log, &s);
	/* the writer may look at the clock before or after the record */
	assert_in_range(s.checkpoint_seq, 1003, 1004);

	audit_log_close(log);
	b = audit_fixture_read(f, "audit.jsonl");
	head = audit_fixture_read(f, "audit.head");
	assert_true(slice_ends(buf_slice(&b), buf_slice(&head)));
	assert_true(slice_starts(buf_slice(&b),
	    SLICE("{\"time\":\"2026-11-23T00:00:00.000000000Z\",\"seq\":1,"
	          "\"prev\":\"0")));
	buf_release(&b);
	buf_release(&head);
}

static void
a_log_cut_below_the_signed_head_goes_on_with_a_gap(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log = audit_fixture_open(f);
	struct audit_line line;
	struct buf b;

	audit_fixture_append(log, 8);
	audit_log_close(log); /* signed: 9 */
	b = audit_fixture_read(f, "audit.jsonl");
	audit_fixture_write(f, "audit.jsonl",
	    slice_head(
	        buf_slice(&b), audit_fixture_line(buf_slice(&b), 0).n + 1));
	buf_release(&b);
	log = audit_fixture_open(f);
	audit_fixture_append(log, 1);
	audit_log_close(log);
	b = audit_fixture_read(f, "audit.jsonl");
	assert_int_equal(
	    audit_line_parse(audit_fixture_line(buf_slice(&b), 1), &line), OK);
	assert_int_equal(line.seq, 10);
	buf_release(&b);
}

/** Records go on into a new file, and the gap shows. */
static void
a_removed_file_is_made_anew(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log = audit_fixture_open(f);
	struct buf b;

	audit_fixture_append(log, 3);
	assert_int_equal(unlink(f->settings.file), 0);
	for (int i = 0; i < 300 && access(f->settings.file, F_OK) != 0; i++) {
		audit_fixture_append(log, 1);
		audit_fixture_sleep_ms(10);
	}
	audit_fixture_append(log, 2);
	audit_log_close(log);
	b = audit_fixture_read(f, "audit.jsonl");
	assert_true(audit_fixture_lines(buf_slice(&b)) >= 3);
	assert_true(b.n > 0);
	buf_release(&b);
}

enum { THREADS = 4, EACH = 2000 };

static atomic_uint answered;

static void
count_answer(void *arg, enum status st, bool more)
{
	(void)arg;
	(void)more;
	if (st == OK)
		atomic_fetch_add(&answered, 1);
}

static void *
append_many(void *arg)
{
	for (unsigned i = 0; i < EACH;) {
		if (audit_log_append(
		        arg, audit_fixture_one, count_answer, NULL) == OK)
			i++;
		else
			audit_fixture_sleep_ms(1);
	}
	return NULL;
}

static void
many_threads_lose_nothing(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log = audit_fixture_open(f);
	pthread_t t[THREADS];
	struct buf b;

	atomic_store(&answered, 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, append_many, log), 0);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(t[i], NULL);
	audit_log_close(log);
	assert_int_equal(atomic_load(&answered), THREADS * EACH);
	b = audit_fixture_read(f, "audit.jsonl");
	audit_fixture_assert_chain(buf_slice(&b), 1);
	assert_true(audit_fixture_lines(buf_slice(&b)) >= THREADS * EACH);
	buf_release(&b);
}

static void
a_record_that_is_too_long_is_refused(void **state)
{
	struct audit_fixture *f = *state;
	struct audit_log *log = audit_fixture_open(f);
	static char big[AUDIT_MEMBERS_MAX + 1];
	struct slice s = { big, sizeof big };

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = '"';
	assert_int_equal(audit_log_append(log, s, NULL, NULL), E_LIMIT);
	s.n--;
	assert_int_equal(audit_fixture_append_one(log, s), OK);
	audit_log_close(log);
	audit_log_close(audit_fixture_open(f));
}

int
main(void)
{
#define CASE(t)                          \
	cmocka_unit_test_setup_teardown( \
	    t, audit_fixture_setup, audit_fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(the_chain_runs_on_over_restarts),
		CASE(a_stop_without_new_records_adds_none),
		CASE(a_torn_tail_is_cut_off_named_and_continued_from),
		CASE(a_last_line_that_is_no_record_stops_the_start),
		CASE(a_link_and_a_second_writer_are_refused),
		CASE(a_key_that_others_may_read_is_refused),
		CASE(the_public_key_is_replaced_only_where_it_is_another),
		CASE(rotation_by_size_keeps_the_chain_and_prunes),
		CASE(reopen_goes_on_in_a_new_file_when_the_old_was_moved),
		CASE(checkpoints_come_by_count_and_by_time),
		CASE(a_log_cut_below_the_signed_head_goes_on_with_a_gap),
		CASE(a_removed_file_is_made_anew),
		CASE(many_threads_lose_nothing),
		CASE(a_record_that_is_too_long_is_refused),
	};
	return cmocka_run_group_tests_name("audit log", tests, NULL, NULL);
}
