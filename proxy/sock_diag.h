/* One exact question to the kernel: whose is the socket with these ends? */
#ifndef PROXY_SOCK_DIAG_H
#define PROXY_SOCK_DIAG_H

#include "base/addr.h"

/** One kept netlink socket. Not thread-safe. */
struct sock_diag;

struct sock_diag_end {
	struct addr addr;
	uint16_t port;
};

struct sock_diag_owner {
	uint32_t uid;
	uint32_t inode; /**< never 0 */
	bool has_cgroup;
	uint64_t cgroup_id;
};

enum status sock_diag_open(struct sock_diag **out) ATTR_MUST_USE;
void sock_diag_close(struct sock_diag *s);
/**
 * Owner of the TCP socket whose local end is @local and whose peer is
 * @remote, in this network namespace. E_NOTFOUND: none, or one that its
 * process has closed (inode 0, for which the kernel says uid 0). E_IO.
 */
enum status sock_diag_lookup(struct sock_diag *s,
    const struct sock_diag_end *local, const struct sock_diag_end *remote,
    struct sock_diag_owner *out) ATTR_MUST_USE;

#endif
