/* What the tests of the audit share: a folder of their own and its files. */
#include "tests/unit/test.h"

#include "tests/unit/agent/audit_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const struct slice audit_fixture_one = { "\"id\":\"A\",\"event\":\"open\"",
	23 };

int
audit_fixture_setup(void **state)
{
	struct audit_fixture *f = calloc(1, sizeof *f);

	if (f == NULL)
		return -1;
	audit_fixture_init(f);
	*state = f;
	return 0;
}

int
audit_fixture_teardown(void **state)
{
	audit_fixture_release(*state);
	free(*state);
	return 0;
}

void
audit_fixture_sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

void
audit_fixture_init(struct audit_fixture *f)
{
	*f = (struct audit_fixture){ .dir = "/tmp/wayleave-audit.XXXXXX" };
	assert_non_null(mkdtemp(f->dir));
	f->settings.deny_on_failure = true;
	(void)audit_fixture_path(f, "audit.jsonl", f->settings.file);
	(void)snprintf(
	    f->settings.state_dir, sizeof f->settings.state_dir, "%s", f->dir);
}

void
audit_fixture_release(struct audit_fixture *f)
{
	DIR *d = opendir(f->dir);
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	assert_int_equal(rmdir(f->dir), 0);
}

char *
audit_fixture_path(const struct audit_fixture *f, const char *name, char *out)
{
	(void)snprintf(out, AUDIT_PATH_BYTES, "%s/%s", f->dir, name);
	return out;
}

struct buf
audit_fixture_read(const struct audit_fixture *f, const char *name)
{
	char path[AUDIT_PATH_BYTES];
	struct stat st;
	struct buf b;
	int fd = open(audit_fixture_path(f, name, path), O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	buf_init(&b, (size_t)st.st_size + 1);
	assert_true(buf_reserve(&b, (size_t)st.st_size + 1));
	assert_int_equal(read(fd, b.p, (size_t)st.st_size), st.st_size);
	b.n = (size_t)st.st_size;
	(void)close(fd);
	return b;
}

void
audit_fixture_write(
    const struct audit_fixture *f, const char *name, struct slice s)
{
	char path[AUDIT_PATH_BYTES];
	int fd = open(audit_fixture_path(f, name, path),
	    O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, s.p, s.n), (ssize_t)s.n);
	(void)close(fd);
}

size_t
audit_fixture_count(const struct audit_fixture *f, const char *prefix)
{
	DIR *d = opendir(f->dir);
	const struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += slice_starts(slice_of(e->d_name), slice_of(prefix));
	(void)closedir(d);
	return n;
}

struct audit_log *
audit_fixture_open(struct audit_fixture *f)
{
	struct audit_log *log = NULL;
	struct status_detail detail = { "" };

	if (audit_log_open(&f->settings, &log, &detail) != OK)
		fail_msg("%s", detail.text);
	return log;
}

/** Counts down as records are written. */
struct latch {
	pthread_mutex_t lock;
	pthread_cond_t zero;
	unsigned left;
	enum status st;
};

static void
latch_down(void *arg, enum status st, bool more)
{
	struct latch *l = arg;

	(void)more;
	pthread_mutex_lock(&l->lock);
	if (st != OK)
		l->st = st;
	if (--l->left == 0)
		pthread_cond_signal(&l->zero);
	pthread_mutex_unlock(&l->lock);
}

static enum status
latch_wait(struct latch *l)
{
	pthread_mutex_lock(&l->lock);
	while (l->left > 0)
		pthread_cond_wait(&l->zero, &l->lock);
	pthread_mutex_unlock(&l->lock);
	return l->st;
}

void
audit_fixture_append(struct audit_log *log, unsigned n)
{
	struct latch l = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
		n, OK };
	char text[64];

	for (unsigned i = 0; i < n; i++) {
		int len = snprintf(text, sizeof text,
		    "\"id\":\"R%u\",\"event\":\"request\"", i);
		struct slice s = { text, (size_t)len };
		assert_int_equal(audit_log_append(log, s, latch_down, &l), OK);
	}
	assert_int_equal(latch_wait(&l), OK);
}

enum status
audit_fixture_append_one(struct audit_log *log, struct slice members)
{
	struct latch l = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
		1, OK };
	enum status st = audit_log_append(log, members, latch_down, &l);

	return st != OK ? st : latch_wait(&l);
}

struct slice
audit_fixture_line(struct slice file, size_t i)
{
	while (i-- > 0) {
		assert_true(slice_find(file, '\n') < file.n);
		file = slice_from(file, slice_find(file, '\n') + 1);
	}
	assert_true(slice_find(file, '\n') < file.n);
	return slice_head(file, slice_find(file, '\n'));
}

size_t
audit_fixture_lines(struct slice file)
{
	size_t n = 0;

	for (size_t i = 0; i < file.n; i++)
		n += file.p[i] == '\n';
	return n;
}

void
audit_fixture_assert_chain(struct slice file, uint64_t first_seq)
{
	char prev[AUDIT_HASH_BYTES] = "";
	size_t n = audit_fixture_lines(file);

	for (size_t i = 0; i < n; i++) {
		struct slice text = audit_fixture_line(file, 0);
		struct audit_line line;
		assert_int_equal(audit_line_parse(text, &line), OK);
		assert_int_equal(line.seq, first_seq + i);
		if (i > 0)
			assert_true(slice_is(line.prev, prev));
		audit_line_hash(text, prev);
		file = slice_from(file, text.n + 1);
	}
	assert_int_equal(file.n, 0);
}
