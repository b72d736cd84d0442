/* A table of the cgroup2 tree, made anew when an id is missing. */
#include "proxy/cgroup.h"

#include "base/buf.h"
#include "base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	CGROUPS_MAX = 65536,
	DEPTH_MAX = 32,
	PATH_BYTES_MAX = 4096,
	MISS_MS = 1000,
	MISSES_KEPT = 64,
};

struct node {
	uint64_t id;
	char *path;
};

struct table {
	struct node *at; /* open addressing; path NULL: free */
	size_t cap;      /* a power of two */
	size_t n;
};

struct miss {
	uint64_t id;
	int64_t boot_ms;
};

struct cgroup_map {
	char *root;
	struct table table;
	bool live;
	struct miss misses[MISSES_KEPT];
	size_t next_miss;
};

static size_t
slot_of(const struct table *t, uint64_t id)
{
	size_t i = (size_t)(id * 0x9e3779b97f4a7c15u >> 32) & (t->cap - 1);

	while (t->at[i].path != NULL && t->at[i].id != id)
		i = (i + 1) & (t->cap - 1);
	return i;
}

static void
table_release(struct table *t)
{
	for (size_t i = 0; i < t->cap; i++)
		free(t->at[i].path);
	free(t->at);
	memset(t, 0, sizeof *t);
}

static bool
table_grow(struct table *t)
{
	struct table bigger = { .cap = t->cap == 0 ? 256 : t->cap * 2 };

	bigger.at = calloc(bigger.cap, sizeof bigger.at[0]);
	if (bigger.at == NULL)
		return false;
	for (size_t i = 0; i < t->cap; i++) {
		if (t->at[i].path != NULL)
			bigger.at[slot_of(&bigger, t->at[i].id)] = t->at[i];
	}
	bigger.n = t->n;
	free(t->at);
	*t = bigger;
	return true;
}

static bool
table_put(struct table *t, uint64_t id, struct slice path)
{
	struct node *node;

	if (t->n >= CGROUPS_MAX || (t->n * 2 >= t->cap && !table_grow(t)))
		return false;
	node = &t->at[slot_of(t, id)];
	if (node->path != NULL)
		return true;
	node->path = strndup(path.p, path.n);
	if (node->path == NULL)
		return false;
	node->id = id;
	t->n++;
	return true;
}

static const char *
table_find(const struct table *t, uint64_t id)
{
	return t->cap == 0 ? NULL : t->at[slot_of(t, id)].path;
}

static bool walk_children(
    struct table *t, DIR *dir, struct buf *path, unsigned depth);

/* One child folder: its inode is the cgroup's id (kernfs, 64 bits). */
static bool
walk_child(struct table *t, int dir_fd, const struct dirent *de,
    struct buf *path, unsigned depth)
{
	size_t was = path->n;
	int fd;
	DIR *dir;
	bool ok;

	buf_putc(path, '/');
	buf_puts(path, de->d_name);
	if (buf_status(path) != OK ||
	    !table_put(t, (uint64_t)de->d_ino, buf_slice(path)))
		return false;
	fd = openat(dir_fd, de->d_name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		/* Gone since, or closed to us: what is below stays unknown. */
		if (fd >= 0)
			(void)close(fd);
		path->n = was;
		return true;
	}
	ok = walk_children(t, dir, path, depth + 1);
	(void)closedir(dir);
	path->n = was;
	return ok;
}

/* False stops the walk: no memory, or more than we are willing to hold. */
static bool
walk_children(struct table *t, DIR *dir, struct buf *path, unsigned depth)
{
	const struct dirent *de;

	if (depth > DEPTH_MAX)
		return true;
	while ((de = readdir(dir)) != NULL) {
		if (de->d_type != DT_DIR || strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		if (!walk_child(t, dirfd(dir), de, path, depth))
			return false;
	}
	return true;
}

static bool
is_cgroup2(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static void
scan(struct cgroup_map *m)
{
	struct table fresh = { 0 };
	struct buf path;
	struct stat st;
	DIR *dir = opendir(m->root);

	m->live = dir != NULL && is_cgroup2(dirfd(dir)) &&
	    fstat(dirfd(dir), &st) == 0;
	if (m->live) {
		buf_init(&path, PATH_BYTES_MAX);
		if (table_put(&fresh, (uint64_t)st.st_ino, SLICE("/")))
			(void)walk_children(&fresh, dir, &path, 0);
		buf_release(&path);
		table_release(&m->table);
		m->table = fresh;
	}
	if (dir != NULL)
		(void)closedir(dir);
}

enum status
cgroup_map_create(const char *root, struct cgroup_map **out)
{
	struct cgroup_map *m = calloc(1, sizeof *m);

	if (m == NULL)
		return E_NOMEM;
	m->root = strdup(root);
	if (m->root == NULL) {
		free(m);
		return E_NOMEM;
	}
	scan(m);
	*out = m;
	return OK;
}

void
cgroup_map_destroy(struct cgroup_map *m)
{
	if (m == NULL)
		return;
	table_release(&m->table);
	free(m->root);
	free(m);
}

bool
cgroup_map_is_live(const struct cgroup_map *m)
{
	return m->live;
}

static bool
missed_lately(struct cgroup_map *m, uint64_t id, int64_t now_ms)
{
	for (size_t i = 0; i < MISSES_KEPT; i++) {
		const struct miss *miss = &m->misses[i];

		if (miss->id == id && miss->boot_ms != 0 &&
		    now_ms - miss->boot_ms < MISS_MS)
			return true;
	}
	return false;
}

const char *
cgroup_map_find(struct cgroup_map *m, uint64_t id)
{
	const char *path = table_find(&m->table, id);
	int64_t now_ms;

	if (path != NULL)
		return path;
	now_ms = clock_boot_ms(&clock_system);
	if (missed_lately(m, id, now_ms))
		return NULL;
	scan(m);
	path = table_find(&m->table, id);
	if (path == NULL) {
		m->misses[m->next_miss] = (struct miss){ id, now_ms };
		m->next_miss = (m->next_miss + 1) % MISSES_KEPT;
	}
	return path;
}

static bool
names_unit(struct slice part)
{
	return (part.n > strlen(".service") &&
	           slice_ends(part, SLICE(".service"))) ||
	    (part.n > strlen(".scope") && slice_ends(part, SLICE(".scope")));
}

enum status
cgroup_unit(const char *path, char *out, size_t out_bytes)
{
	struct slice rest = slice_of(path);

	while (rest.n > 0) {
		struct slice part = slice_head(rest, slice_find(rest, '/'));

		if (names_unit(part))
			return slice_copy(part, out, out_bytes) ? OK : E_LIMIT;
		rest = slice_from(rest, part.n + 1);
	}
	return slice_copy(SLICE(""), out, out_bytes) ? OK : E_LIMIT;
}

enum status
cgroup_of_proc(struct slice text, char *out, size_t out_bytes)
{
	const struct slice deleted = SLICE(" (deleted)");

	while (text.n > 0) {
		struct slice line = slice_head(text, slice_find(text, '\n'));

		text = slice_from(text, line.n + 1);
		if (!slice_starts(line, SLICE("0::/")))
			continue;
		line = slice_from(line, strlen("0::"));
		/* Outside of our cgroup namespace: its outermost unit is not
		 * to be seen from here. */
		if (slice_starts(line, SLICE("/..")))
			return E_INVALID;
		if (slice_ends(line, deleted))
			line = slice_head(line, line.n - deleted.n);
		return slice_copy(line, out, out_bytes) ? OK : E_LIMIT;
	}
	return E_NOTFOUND;
}
