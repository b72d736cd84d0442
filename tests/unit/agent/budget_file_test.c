/* The file of upload budgets: what is counted stays, and nothing foreign is
 * taken for it. */
#include "tests/unit/test.h"

#include "agent/budget_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* statfs(2): what they say of themselves. */
#define FS_BTRFS 0x9123683E
#define FS_ZFS   0x2FC12FC1

static char dir[64], path[80];

static atomic_uint synced;
int __wrap_msync(void *at, size_t n, int how);

int
__wrap_msync(void *at, size_t n, int how)
{
	if (at != NULL && n == sizeof(struct budget_ledger) && how == MS_SYNC)
		(void)atomic_fetch_add(&synced, 1);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/budget-file-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/budgets", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static void
what_was_counted_is_there_after_the_end(void **state)
{
	struct status_detail detail;
	struct budget_file *l, *again;
	struct budget_entry *e;
	struct statfs fs;
	struct stat st;

	(void)state;
	assert_int_equal(budget_file_open(dir, &l, &detail), OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* No page of it is a hole, but where zeros take no room anyway. */
	assert_int_equal(statfs(path, &fs), 0);
	assert_true(fs.f_type == FS_BTRFS || fs.f_type == FS_ZFS ||
	    st.st_blocks * 512 >= st.st_size);
	assert_int_equal(
	    budget_find(budget_file_ledger(l), "up", 1000, &e), OK);
	assert_int_equal(budget_take(e, 100, 60), 60);
	/* A crash: nobody closes it. */
	assert_int_equal(budget_file_open(dir, &again, &detail), OK);
	assert_int_equal(
	    budget_find(budget_file_ledger(again), "up", 1000, &e), OK);
	assert_int_equal(budget_take(e, 100, 60), 40);
	budget_file_close(l);
	budget_file_close(again);
	budget_file_close(NULL);
}

/* A crash of the machine costs seconds, an orderly end nothing. */
static void
what_was_counted_is_written_back_all_the_time(void **state)
{
	struct status_detail detail;
	struct budget_file *f;
	unsigned before;

	(void)state;
	atomic_store(&synced, 0);
	assert_int_equal(budget_file_open(dir, &f, &detail), OK);
	for (int i = 0; i < 100 && atomic_load(&synced) < 2; i++)
		(void)usleep(100000);
	assert_true(atomic_load(&synced) >= 2);
	before = atomic_load(&synced);
	budget_file_close(f);
	assert_true(atomic_load(&synced) > before);
}

static void
put(const char *text, size_t bytes, mode_t mode)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void
what_is_something_else_is_left_alone(void **state)
{
	struct status_detail detail;
	struct budget_file *l = NULL;

	(void)state;
	put("wayleave", 8, 0600);
	assert_int_equal(budget_file_open(dir, &l, &detail), E_DENIED);
	put("something else", sizeof(struct budget_ledger), 0600);
	assert_int_equal(budget_file_open(dir, &l, &detail), E_DENIED);
	assert_non_null(strstr(detail.text, "move it away"));
	put("wayleave upload budgets 1\n", sizeof(struct budget_ledger), 0666);
	assert_int_equal(budget_file_open(dir, &l, &detail), E_DENIED);
	assert_null(l);
	(void)unlink(path);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(budget_file_open(dir, &l, &detail), E_IO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_was_counted_is_there_after_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_was_counted_is_written_back_all_the_time, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_something_else_is_left_alone, setup, teardown),
	};
	return cmocka_run_group_tests_name("budget_file", tests, NULL, NULL);
}
