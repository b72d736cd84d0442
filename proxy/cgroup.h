/* From a cgroup's id to its path, and from the path to the systemd unit. */
#ifndef PROXY_CGROUP_H
#define PROXY_CGROUP_H

#include "base/slice.h"
#include "base/status.h"

/** Ids and paths of the cgroup2 tree mounted somewhere. Not thread-safe. */
struct cgroup_map;

/** @root is copied. A @root that is no cgroup2 mount gives an empty map. */
enum status cgroup_map_create(
    const char *root, struct cgroup_map **out) ATTR_MUST_USE;
void cgroup_map_destroy(struct cgroup_map *m);
/** Whether @root was a cgroup2 mount when it was last looked at. */
bool cgroup_map_is_live(const struct cgroup_map *m);
/**
 * The path below the root, "/" for itself; borrowed until the next call;
 * NULL when there is no such cgroup. An id is the inode of the cgroup's
 * folder and is never given again, and a cgroup never moves, so what was
 * found once stays true. A miss walks the tree (some 2 us a cgroup, at most
 * 65,536 of them), the same missing id once a second at most.
 */
const char *cgroup_map_find(struct cgroup_map *m, uint64_t id);

/**
 * The outermost .service or .scope of @path, which is the system manager's:
 * what a user manager or a delegated subtree nests below cannot pose as a
 * unit. "" when there is none; E_LIMIT when it does not fit.
 */
enum status cgroup_unit(
    const char *path, char *out, size_t out_bytes) ATTR_MUST_USE;
/**
 * The cgroup2 path in the text of /proc/PID/cgroup. E_NOTFOUND: it has none
 * (cgroup v1 only); E_INVALID: it lies outside our cgroup namespace; E_LIMIT.
 */
enum status cgroup_of_proc(
    struct slice text, char *out, size_t out_bytes) ATTR_MUST_USE;

#endif
