/* What the kernel and the user database say of a local client. */
#ifndef BASE_PEER_H
#define BASE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer_group {
	uint32_t gid;
	const char *name; /**< "" when the database has none */
};

/**
 * Facts about one client, all borrowed. Unknown text is "". A peer that is
 * not `known` is denied everywhere, whatever the other fields say.
 */
struct peer {
	bool known;
	uint32_t uid;
	int32_t pid; /**< 0 where only sock_diag spoke */
	const char *user;
	const struct peer_group *groups;
	size_t n_groups;
	const char *unit;    /**< outermost .service or .scope */
	const char *cgroup;  /**< "/system.slice/job-1.service" */
	const char *exe;     /**< "" unless the exe drop-in is in force */
	bool cgroup_unknown; /**< it has one, and it could not be found out */
	bool exe_unknown;    /**< likewise */
};

#endif
