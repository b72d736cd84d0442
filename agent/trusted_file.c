/* Opens configuration, policy and keys so that no one could have swapped
 * them. */
#include "agent/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
owner_is_trusted(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static enum status
judge_file(
    int fd, const char *path, size_t *bytes, struct status_detail *detail)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return status_set(
		    detail, E_IO, "cannot stat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return status_set(
		    detail, E_DENIED, "\"%s\" is not a regular file", path);
	if (!owner_is_trusted(&st))
		return status_set(detail, E_DENIED,
		    "\"%s\" belongs to uid %u; only root or the daemon's own "
		    "user may own it: chown root it",
		    path, (unsigned)st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return status_set(detail, E_DENIED,
		    "\"%s\" can be written by its group or by others: "
		    "chmod go-w it",
		    path);
	*bytes = (size_t)st.st_size;
	return OK;
}

/* The folder may swap the file: it is held to the same rule. */
static enum status
judge_folder(int dirfd, const char *path, struct status_detail *detail)
{
	struct stat st;

	if (fstat(dirfd, &st) != 0)
		return status_set(
		    detail, E_IO, "cannot stat: %s", strerror(errno));
	if (!owner_is_trusted(&st))
		return status_set(detail, E_DENIED,
		    "the folder of \"%s\" belongs to uid %u; only root or the "
		    "daemon's own user may own it",
		    path, (unsigned)st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
	    (st.st_mode & S_ISVTX) == 0)
		return status_set(detail, E_DENIED,
		    "the folder of \"%s\" can be written by its group or by "
		    "others: chmod go-w it",
		    path);
	return OK;
}

static enum status
open_failed(const char *path, struct status_detail *detail)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return status_set(
		    detail, E_NOTFOUND, "\"%s\" does not exist", path);
	if (errno == ELOOP)
		return status_set(detail, E_DENIED,
		    "\"%s\" is a symbolic link, which is not followed here",
		    path);
	return status_set(detail, errno == EACCES ? E_DENIED : E_IO,
	    "\"%s\" cannot be opened: %s", path, strerror(errno));
}

/* Opens the folder of @path; *base is the last component, inside @path. */
static int
open_folder(const char *path, const char **base)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	*base = slash != NULL ? slash + 1 : path;
	if (slash == NULL)
		(void)snprintf(dir, sizeof dir, ".");
	else if (slash == path)
		(void)snprintf(dir, sizeof dir, "/");
	else if (!slice_copy((struct slice){ path, (size_t)(slash - path) },
	             dir, sizeof dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* @bytes: how many the file said it has, so that the block need not move. */
static enum status
read_all(int fd, const char *path, size_t bytes, struct buf *out,
    struct status_detail *detail)
{
	enum status st = OK;
	char chunk[16384];
	ssize_t n;

	if (bytes <= out->max - out->n && !buf_reserve(out, bytes))
		return status_set(
		    detail, buf_status(out), "\"%s\": no memory", path);
	while (st == OK && (n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			st = status_set(detail, E_IO,
			    "\"%s\" cannot be read: %s", path, strerror(errno));
			break;
		}
		buf_put(out, chunk, (size_t)n);
		st = buf_status(out);
		if (st != OK)
			(void)status_set(detail, st,
			    "\"%s\" is larger than %zu bytes", path, out->max);
	}
	if (out->wipe)
		explicit_bzero(chunk, sizeof chunk);
	return st;
}

enum status
trusted_file_read(
    const char *path, struct buf *out, struct status_detail *detail)
{
	const char *base;
	int dirfd = open_folder(path, &base);
	size_t bytes = 0;
	int fd = -1;
	enum status st;

	if (dirfd < 0)
		return open_failed(path, detail);
	st = judge_folder(dirfd, path, detail);
	if (st != OK)
		goto out;
	/* O_NONBLOCK: a FIFO in its place must not hang the start. */
	fd = openat(dirfd, base,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		st = open_failed(path, detail);
		goto out;
	}
	st = judge_file(fd, path, &bytes, detail);
	if (st == OK)
		st = read_all(fd, path, bytes, out, detail);
out:
	if (fd >= 0)
		close(fd);
	close(dirfd);
	return st;
}

static enum status
key_create(
    const char *path, uint8_t *out, size_t n, struct status_detail *detail)
{
	int fd;
	bool ok;

	if (RAND_priv_bytes(out, (int)n) != 1)
		return status_set(detail, E_INTERNAL, "no random bytes");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	if (fd < 0)
		return open_failed(path, detail);
	ok = fchmod(fd, S_IRUSR | S_IWUSR) == 0 &&
	    write(fd, out, n) == (ssize_t)n && fsync(fd) == 0;
	if (close(fd) != 0 || !ok) {
		(void)unlink(path);
		return status_set(detail, E_IO, "\"%s\" cannot be written: %s",
		    path, strerror(errno));
	}
	return OK;
}

static enum status
key_judge(int fd, const char *path, size_t *bytes, struct status_detail *detail)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return status_set(
		    detail, E_IO, "cannot stat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return status_set(detail, E_DENIED,
		    "\"%s\" must be a regular file of the daemon's user", path);
	if ((st.st_mode & ALLPERMS) != (S_IRUSR | S_IWUSR))
		return status_set(detail, E_DENIED,
		    "\"%s\" has mode %04o, not 0600: others may have read it; "
		    "remove it, and a new one is made",
		    path, (unsigned)(st.st_mode & ALLPERMS));
	*bytes = (size_t)st.st_size;
	return OK;
}

enum status
key_file_open(
    const char *path, uint8_t *out, size_t n, struct status_detail *detail)
{
	size_t bytes = 0;
	enum status st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return key_create(path, out, n, detail);
	if (fd < 0)
		return open_failed(path, detail);
	st = key_judge(fd, path, &bytes, detail);
	if (st == OK && bytes != n)
		st = status_set(detail, E_DENIED,
		    "\"%s\" has %zu bytes, not %zu; remove it, and a new one "
		    "is made",
		    path, bytes, n);
	if (st == OK && read(fd, out, n) != (ssize_t)n)
		st = status_set(detail, E_IO, "\"%s\" cannot be read", path);
	close(fd);
	return st;
}

enum status
key_file_read(const char *path, struct buf *out, struct status_detail *detail)
{
	size_t bytes = 0;
	enum status st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return open_failed(path, detail);
	st = key_judge(fd, path, &bytes, detail);
	if (st == OK)
		st = read_all(fd, path, bytes, out, detail);
	close(fd);
	return st;
}

static bool
write_all(int fd, struct slice text)
{
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text = slice_from(text, (size_t)n);
	}
	return true;
}

enum status
trusted_file_put(const char *path, unsigned mode, struct slice text,
    struct status_detail *detail)
{
	char beside[PATH_MAX];
	int fd, n = snprintf(beside, sizeof beside, "%s.new", path);
	bool ok;

	if (n < 0 || (size_t)n >= sizeof beside)
		return status_set(detail, E_IO, "\"%s\" is too long", path);
	(void)unlink(beside);
	/* Never wider than @mode, whatever the umask, also for a moment. */
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	ok = fd >= 0 && write_all(fd, text) && fchmod(fd, (mode_t)mode) == 0 &&
	    fsync(fd) == 0;
	if (fd >= 0 && close(fd) != 0)
		ok = false;
	if (ok && rename(beside, path) == 0)
		return OK;
	n = errno;
	if (fd >= 0)
		(void)unlink(beside);
	return status_set(
	    detail, E_IO, "\"%s\" cannot be written: %s", path, strerror(n));
}
