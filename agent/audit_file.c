/* The audit file on disk: opened, appended to, cut back to whole lines. */
#include "agent/audit_file.h"

#include "agent/audit_rotated.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024 };

enum status
audit_file_open(
    struct audit_file *f, const char *path, struct status_detail *detail)
{
	struct stat st;
	int fd;

	if (!slice_copy(slice_of(path), f->path, sizeof f->path))
		return status_set(
		    detail, E_INVALID, "%.64s...: the path is too long", path);
	fd = open(path,
	    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
	    0600);
	if (fd < 0)
		return status_set(detail, errno == ELOOP ? E_INVALID : E_IO,
		    "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return status_set(
		    detail, E_INVALID, "%s: not a regular file", path);
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)close(fd);
		return status_set(detail, E_BUSY,
		    "%s: another process writes this file", path);
	}
	f->fd = fd;
	f->size = (uint64_t)st.st_size;
	f->dirty = false;
	return OK;
}

void
audit_file_close(struct audit_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
}

/** pread() that is only content with all of it. */
static bool
read_at(int fd, char *out, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t got = pread(fd, out, n, (off_t)at);
		if (got <= 0)
			return false;
		out += got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return true;
}

/** *out: the byte after the last newline before @end, or 0. */
static bool
line_start(int fd, uint64_t end, uint64_t *out)
{
	char block[BLOCK_BYTES];

	while (end > 0) {
		size_t n = end < sizeof block ? (size_t)end : sizeof block;
		const char *nl;
		if (!read_at(fd, block, n, end - n))
			return false;
		nl = memrchr(block, '\n', n);
		if (nl != NULL) {
			*out = end - n + (size_t)(nl - block) + 1;
			return true;
		}
		end -= n;
	}
	*out = 0;
	return true;
}

/**
 * The last line that ends before @end, where @end follows a newline.
 * E_NOTFOUND: there is none. E_SYNTAX: it is no record.
 */
static enum status
last_line(int fd, uint64_t end, struct audit_tail *out)
{
	static const size_t max = AUDIT_LINE_MAX;
	char line[AUDIT_LINE_MAX];
	struct audit_line parsed;
	struct slice s;
	uint64_t start;

	if (end == 0)
		return E_NOTFOUND;
	if (!line_start(fd, end - 1, &start))
		return E_IO;
	if (end - 1 - start > max)
		return E_SYNTAX;
	s = (struct slice){ line, (size_t)(end - 1 - start) };
	if (!read_at(fd, line, s.n, start))
		return E_IO;
	if (audit_line_parse(s, &parsed) != OK)
		return E_SYNTAX;
	out->seq = parsed.seq;
	audit_line_hash(s, out->hash);
	return OK;
}

/** Copies [@from, f->size) to FILE.torn and says what it was. */
static enum status
torn_save(const struct audit_file *f, uint64_t from, struct audit_tail *out)
{
	char path[AUDIT_PATH_BYTES + 8];
	char block[BLOCK_BYTES];
	unsigned char md[32];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct buf hex;
	int fd;
	bool ok;

	(void)snprintf(path, sizeof path, "%s.torn", f->path);
	fd = open(
	    path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	ok = fd >= 0 && ctx != NULL &&
	    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
	for (uint64_t at = from; ok && at < f->size;) {
		uint64_t left = f->size - at;
		size_t n = left < sizeof block ? (size_t)left : sizeof block;
		ok = read_at(f->fd, block, n, at) &&
		    write(fd, block, n) == (ssize_t)n &&
		    EVP_DigestUpdate(ctx, block, n) == 1;
		at += n;
	}
	ok = ok && fsync(fd) == 0 && EVP_DigestFinal_ex(ctx, md, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	if (fd >= 0)
		(void)close(fd);
	if (!ok)
		return E_IO;
	buf_init(&hex, AUDIT_HASH_BYTES);
	buf_put_hex(&hex, md, sizeof md);
	ok = slice_copy(buf_slice(&hex), out->torn_hash, AUDIT_HASH_BYTES);
	buf_release(&hex);
	out->torn_bytes = f->size - from;
	return ok ? OK : E_NOMEM;
}

/** The newest rotated file's last line; nothing to find is fine. */
static enum status
tail_of_rotated(const char *path, struct audit_tail *out)
{
	char name[AUDIT_PATH_BYTES + 64];
	uint64_t end;
	enum status st;
	int fd;
	off_t size;

	st = audit_rotated_newest(path, name, sizeof name);
	if (st != OK)
		return st == E_NOTFOUND ? OK : st;
	fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return E_IO;
	size = lseek(fd, 0, SEEK_END);
	st = E_IO;
	if (size >= 0 && line_start(fd, (uint64_t)size, &end))
		st = last_line(fd, end, out);
	(void)close(fd);
	return st == E_NOTFOUND ? OK : st;
}

enum status
audit_file_tail(
    struct audit_file *f, struct audit_tail *out, struct status_detail *detail)
{
	struct audit_tail t = { 0 };
	uint64_t end;
	enum status st = E_IO;

	memcpy(t.hash, audit_hash_zero, sizeof t.hash);
	if (!line_start(f->fd, f->size, &end))
		goto out;
	st = last_line(f->fd, end, &t);
	if (st == E_NOTFOUND)
		st = tail_of_rotated(f->path, &t);
	if (st == OK && end < f->size)
		st = torn_save(f, end, &t);
	if (st == OK && end < f->size)
		st = audit_file_cut(f, end);
out:
	if (st == E_SYNTAX)
		return status_set(detail, E_INVALID,
		    "%s: its last line is no audit record, so the chain cannot "
		    "go on from it; see what it is, move the file away, start "
		    "again",
		    f->path);
	if (st != OK)
		return status_set(
		    detail, st, "%s: %s", f->path, strerror(errno));
	*out = t;
	return OK;
}

enum status
audit_file_write(struct audit_file *f, struct slice s, size_t *done)
{
	size_t n = 0;

	while (f->fd >= 0 && n < s.n) {
		ssize_t put = write(f->fd, s.p + n, s.n - n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			break;
		n += (size_t)put;
	}
	if (n == s.n) {
		f->size += n;
		return OK;
	}
	if (f->fd < 0)
		errno = EBADF;
	if (n > 0)
		f->dirty = true;
	*done = n;
	return E_IO;
}

enum status
audit_file_cut(struct audit_file *f, uint64_t size)
{
	f->size = size;
	f->dirty = true;
	if (f->fd < 0 || ftruncate(f->fd, (off_t)size) != 0)
		return E_IO;
	f->dirty = false;
	return OK;
}

bool
audit_file_in_place(const struct audit_file *f)
{
	struct stat at_path, open_one;

	return f->fd >= 0 && fstat(f->fd, &open_one) == 0 &&
	    lstat(f->path, &at_path) == 0 &&
	    at_path.st_dev == open_one.st_dev &&
	    at_path.st_ino == open_one.st_ino;
}

bool
audit_file_was_removed(const struct audit_file *f)
{
	struct stat st;

	return f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_nlink == 0;
}

enum status
audit_file_rotate(struct audit_file *f, int64_t unix_ns, uint64_t seq)
{
	char path[AUDIT_PATH_BYTES];
	char to[AUDIT_PATH_BYTES + 64];

	memcpy(path, f->path, sizeof path);
	audit_rotated_name(path, unix_ns, seq, to, sizeof to);
	if (renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
		return E_IO;
	audit_file_close(f);
	return audit_file_open(f, path, NULL) == OK ? OK : E_IO;
}
