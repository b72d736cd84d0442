/* The counts of upload budgets, in a file that all threads write through its
 * mapping: the kernel keeps what a crash of the process leaves there. */
#include "agent/budget_file.h"

#include "agent/config.h"
#include "agent/trusted_file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct budget_file {
	struct budget_ledger *ledger;
	pthread_t thread;
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t wake;
	bool over;
};

static const char form[] = "wayleave upload budgets 1\n";

/* Written whole: a page of a hole that finds the disk full would be fatal. */
static enum status
make(const char *path, struct status_detail *detail)
{
	struct buf text;
	enum status st;

	buf_init(&text, sizeof(struct budget_ledger));
	if (!buf_reserve(&text, sizeof(struct budget_ledger)))
		return status_set(detail, E_NOMEM, "no memory");
	memset(text.p, 0, sizeof(struct budget_ledger));
	memcpy(text.p, form, sizeof form);
	text.n = sizeof(struct budget_ledger);
	st = trusted_file_put(path, 0600, buf_slice(&text), detail);
	buf_release(&text);
	return st;
}

static enum status
judge(int fd, const char *path, struct status_detail *detail)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return status_set(
		    detail, E_IO, "cannot stat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return status_set(detail, E_DENIED,
		    "\"%s\" must be a file that the daemon's user alone writes",
		    path);
	if (st.st_size != (off_t)sizeof(struct budget_ledger))
		return status_set(detail, E_DENIED,
		    "\"%s\" is no file of budgets; move it away, and counting "
		    "begins anew",
		    path);
	return OK;
}

static enum status
map(int fd, const char *path, struct budget_ledger **out,
    struct status_detail *detail)
{
	void *at =
	    mmap(NULL, sizeof **out, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct budget_ledger *l = at;

	if (at == MAP_FAILED)
		return status_set(detail, errno == ENOMEM ? E_NOMEM : E_IO,
		    "cannot map \"%s\": %s", path, strerror(errno));
	if (memcmp(l->form, form, sizeof form) != 0) {
		(void)munmap(at, sizeof *l);
		return status_set(detail, E_DENIED,
		    "\"%s\" is no file of budgets; move it away, and counting "
		    "begins anew",
		    path);
	}
	*out = l;
	return OK;
}

static enum status
open_file(const char *path, int *fd, struct status_detail *detail)
{
	*fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (*fd >= 0)
		return OK;
	return status_set(detail, errno == ENOENT ? E_NOTFOUND : E_IO,
	    "cannot open \"%s\": %s", path, strerror(errno));
}

static enum status
open_ledger(
    const char *path, struct budget_ledger **out, struct status_detail *detail)
{
	int fd = -1;
	enum status st = open_file(path, &fd, detail);

	if (st == E_NOTFOUND) {
		st = make(path, detail);
		if (st == OK)
			st = open_file(path, &fd, detail);
	}
	if (st != OK)
		return st;
	st = judge(fd, path, detail);
	if (st == OK)
		st = map(fd, path, out, detail);
	(void)close(fd);
	return st;
}

/* A disk that fails is said once, and so is its being well again. */
static bool
say_if(bool before, bool written)
{
	if (before && !written)
		log_warning("upload budgets: what was sent is not on the disk: "
		            "%s",
		    strerror(errno));
	else if (written && !before)
		log_info("upload budgets: what was sent is on the disk again");
	return written;
}

/* A crash of the machine costs no more than this; a disk that is slow delays
 * nobody. */
static void *
write_back(void *arg)
{
	struct budget_file *f = arg;
	struct timespec until;
	bool written = true;

	(void)pthread_mutex_lock(&f->lock);
	while (!f->over) {
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		(void)pthread_cond_timedwait(&f->wake, &f->lock, &until);
		(void)pthread_mutex_unlock(&f->lock);
		written = say_if(
		    written, msync(f->ledger, sizeof *f->ledger, MS_SYNC) == 0);
		(void)pthread_mutex_lock(&f->lock);
	}
	(void)pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* By a clock that nobody sets, and without signals, which are the loop's. */
static bool
start(struct budget_file *f)
{
	pthread_condattr_t by;
	sigset_t all, before;
	int error;

	(void)pthread_condattr_init(&by);
	(void)pthread_condattr_setclock(&by, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&f->lock, NULL);
	(void)pthread_cond_init(&f->wake, &by);
	(void)pthread_condattr_destroy(&by);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&f->thread, NULL, write_back, f);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0;
}

enum status
budget_file_open(const char *state_dir, struct budget_file **out,
    struct status_detail *detail)
{
	char path[CONFIG_PATH_BYTES + 16];
	struct budget_file *f = calloc(1, sizeof *f);
	enum status st;

	if (f == NULL)
		return status_set(detail, E_NOMEM, "no memory");
	(void)snprintf(path, sizeof path, "%s/budgets", state_dir);
	st = open_ledger(path, &f->ledger, detail);
	if (st != OK) {
		free(f);
		return st;
	}
	if (!start(f)) {
		(void)munmap(f->ledger, sizeof *f->ledger);
		free(f);
		return status_set(detail, E_NOMEM, "no thread for budgets");
	}
	*out = f;
	return OK;
}

struct budget_ledger *
budget_file_ledger(struct budget_file *f)
{
	return f->ledger;
}

void
budget_file_close(struct budget_file *f)
{
	if (f == NULL)
		return;
	(void)pthread_mutex_lock(&f->lock);
	f->over = true;
	(void)pthread_cond_signal(&f->wake);
	(void)pthread_mutex_unlock(&f->lock);
	(void)pthread_join(f->thread, NULL);
	(void)pthread_cond_destroy(&f->wake);
	(void)pthread_mutex_destroy(&f->lock);
	(void)munmap(f->ledger, sizeof *f->ledger);
	free(f);
}
