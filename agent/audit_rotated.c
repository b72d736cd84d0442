/* The names of rotated audit files. SEQ orders them: clocks may step. */
#include "agent/audit_rotated.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct slice suffix = { ".jsonl", 6 };

/** @path in its parts; a path without ".jsonl" has no extension. */
struct parts {
	struct slice dir;  /**< "." when there is none */
	struct slice base; /**< "audit" */
	struct slice ext;  /**< ".jsonl" or empty */
};

static struct parts
parts_of(const char *path)
{
	struct parts p = { .dir = SLICE("."), .base = slice_of(path) };
	const char *slash = strrchr(path, '/');

	if (slash != NULL) {
		size_t n = (size_t)(slash - path);
		p.dir = n == 0 ? SLICE("/") : slice_head(p.base, n);
		p.base = slice_from(p.base, n + 1);
	}
	if (slice_ends(p.base, suffix)) {
		p.base = slice_head(p.base, p.base.n - suffix.n);
		p.ext = suffix;
	}
	return p;
}

void
audit_rotated_name(const char *path, int64_t unix_ns, uint64_t seq, char *out,
    size_t out_bytes)
{
	time_t s = (time_t)(unix_ns / 1000000000);
	struct slice stem = slice_of(path);
	bool ext = slice_ends(stem, suffix);
	struct tm tm = { 0 };
	char when[24];

	if (ext)
		stem.n -= suffix.n;
	(void)gmtime_r(&s, &tm);
	(void)strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm);
	(void)snprintf(out, out_bytes, "%.*s.%s-%llu%s", (int)stem.n, stem.p,
	    when, (unsigned long long)seq, ext ? ".jsonl" : "");
}

bool
audit_rotated_match(const char *path, const char *name, uint64_t *seq)
{
	static const char shape[] = ".00000000T000000Z-";
	struct parts p = parts_of(path);
	struct slice s = slice_of(name);

	if (!slice_starts(s, p.base) || !slice_ends(s, p.ext))
		return false;
	s = slice_from(s, p.base.n);
	if (s.n < sizeof shape - 1 + p.ext.n)
		return false;
	for (size_t i = 0; i < sizeof shape - 1; i++)
		if (shape[i] == '0' ? !ascii_is_digit(s.p[i])
		                    : s.p[i] != shape[i])
			return false;
	s = slice_from(s, sizeof shape - 1);
	return slice_to_u64(slice_head(s, s.n - p.ext.n), UINT64_MAX, seq);
}

/** An open folder of @path's; NULL with errno. */
static DIR *
folder_of(const char *path)
{
	struct parts p = parts_of(path);
	char dir[1024];

	if (!slice_copy(p.dir, dir, sizeof dir)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return opendir(dir);
}

/** The greatest SEQ, or the least above @after. */
static enum status
find_one(const char *path, const uint64_t *after, uint64_t *found, char *out,
    size_t out_bytes)
{
	struct parts p = parts_of(path);
	uint64_t best = 0, seq;
	bool any = false;
	const struct dirent *e;
	DIR *d = folder_of(path);

	if (d == NULL)
		return E_IO;
	while ((e = readdir(d)) != NULL) {
		if (!audit_rotated_match(path, e->d_name, &seq) ||
		    (after != NULL && seq <= *after) ||
		    (any && (after == NULL ? seq < best : seq > best)))
			continue;
		if (snprintf(out, out_bytes, "%.*s/%s", (int)p.dir.n, p.dir.p,
		        e->d_name) >= (int)out_bytes)
			continue;
		any = true;
		best = seq;
	}
	(void)closedir(d);
	if (!any)
		return E_NOTFOUND;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): never NULL */
	*found = best;
	return OK;
}

enum status
audit_rotated_newest(const char *path, char *out, size_t out_bytes)
{
	uint64_t seq;

	return find_one(path, NULL, &seq, out, out_bytes);
}

enum status
audit_rotated_next(const char *path, uint64_t *seq, char *out, size_t out_bytes)
{
	return find_one(path, seq, seq, out, out_bytes);
}

static int
u64_descending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/** The SEQ of all rotated files, newest first; owned by the caller. */
static uint64_t *
all_seqs(DIR *d, const char *path, size_t *n)
{
	uint64_t *v = NULL, seq;
	const struct dirent *e;
	size_t cap = 0;

	*n = 0;
	while ((e = readdir(d)) != NULL) {
		if (!audit_rotated_match(path, e->d_name, &seq))
			continue;
		if (*n == cap) {
			uint64_t *more;
			cap = cap == 0 ? 64 : cap * 2;
			more = reallocarray(v, cap, sizeof *v);
			if (more == NULL)
				break;
			v = more;
		}
		v[(*n)++] = seq;
	}
	if (v != NULL)
		qsort(v, *n, sizeof *v, u64_descending);
	return v;
}

void
audit_rotated_prune(const char *path, unsigned keep)
{
	const struct dirent *e;
	DIR *d = keep == 0 ? NULL : folder_of(path);
	uint64_t *v, seq;
	size_t n;

	if (d == NULL)
		return;
	v = all_seqs(d, path, &n);
	rewinddir(d);
	while (v != NULL && n > keep && (e = readdir(d)) != NULL) {
		if (!audit_rotated_match(path, e->d_name, &seq) ||
		    seq >= v[keep - 1])
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0)
			log_notice("audit: removed %s (audit.keep is %u)",
			    e->d_name, keep);
	}
	free(v);
	(void)closedir(d);
}
