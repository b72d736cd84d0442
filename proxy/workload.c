/* Whose connection is it? The kernel is asked, the client never. */
#include "proxy/proxy.h"

#include "base/metrics.h"
#include "proxy/cgroup.h"
#include "proxy/sock_diag.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#	define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* What user namespaces show for ids they cannot map. */
enum { UID_OVERFLOW = 65534 };

struct peer_source {
	struct sock_diag *diag;
	struct cgroup_map *cgroups;
	bool exe_lookup;
};

enum status
peer_source_create(
    const char *cgroup_root, bool exe_lookup, struct peer_source **out)
{
	struct peer_source *s = calloc(1, sizeof *s);
	enum status st;

	if (s == NULL)
		return E_NOMEM;
	s->exe_lookup = exe_lookup;
	st = sock_diag_open(&s->diag);
	if (st == OK)
		st = cgroup_map_create(cgroup_root, &s->cgroups);
	if (st != OK) {
		peer_source_destroy(s);
		return st;
	}
	*out = s;
	return OK;
}

void
peer_source_destroy(struct peer_source *s)
{
	if (s == NULL)
		return;
	sock_diag_close(s->diag);
	cgroup_map_destroy(s->cgroups);
	free(s);
}

static void
facts_clear(struct peer_facts *out)
{
	/* The texts are long, and only read up to their ends. */
	out->peer = (struct peer){ .known = false };
	out->unit[0] = out->cgroup[0] = out->exe[0] = '\0';
	out->peer.user = "";
	out->peer.unit = out->unit;
	out->peer.cgroup = out->cgroup;
	out->peer.exe = out->exe;
}

static bool
uid_is_someone(uint32_t uid)
{
	return uid != UID_OVERFLOW && uid != UINT32_MAX;
}

/* A small file of /proc, whole, or false. */
static bool
read_proc(
    int32_t pid, const char *name, char *buf, size_t bytes, struct slice *out)
{
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, bytes);
	(void)close(fd);
	if (n <= 0 || (size_t)n == bytes)
		return false;
	*out = (struct slice){ buf, (size_t)n };
	return true;
}

/* False when the facts would be wrong, not merely absent. */
static bool
fill_cgroup_of_pid(struct peer_facts *out)
{
	char buf[8192];
	struct slice text;
	enum status st;

	if (!read_proc(out->peer.pid, "cgroup", buf, sizeof buf, &text))
		return false;
	st = cgroup_of_proc(text, out->cgroup, sizeof out->cgroup);
	/* cgroup v1 only: the policy is told that it knows no unit. */
	out->peer.cgroup_unknown = st == E_NOTFOUND;
	if (st == E_NOTFOUND)
		return true;
	return st == OK &&
	    cgroup_unit(out->cgroup, out->unit, sizeof out->unit) == OK;
}

static void
fill_exe(struct peer_facts *out)
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/%d/exe", (int)out->peer.pid);
	n = readlink(path, out->exe, sizeof out->exe);
	if (n < 0 || (size_t)n >= sizeof out->exe)
		n = 0;
	out->exe[n] = '\0';
	out->peer.exe_unknown = n == 0;
}

/* Whether the process still runs: until it is reaped its pid is its own, so
 * what /proc/PID said before this was said of it. */
static bool
pidfd_is_alive(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* SO_PEERCRED is of connect(2) and cannot change. /proc is read between
 * taking a pidfd and asking whether it still lives; kernels before 6.5 have
 * no SO_PEERPIDFD, and there a reused pid is not noticed. */
static bool
lookup_unix(struct peer_source *s, int fd, struct peer_facts *out)
{
	struct ucred cred = { 0, UINT32_MAX, UINT32_MAX };
	socklen_t n = sizeof cred;
	int pidfd = -1;
	socklen_t pidfd_n = sizeof pidfd;
	bool ok;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0 ||
	    cred.pid <= 0 || !uid_is_someone(cred.uid))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &pidfd_n) != 0) {
		if (errno == ESRCH)
			return false;
		pidfd = -1;
	}
	out->peer.uid = cred.uid;
	out->peer.pid = cred.pid;
	ok = fill_cgroup_of_pid(out);
	if (ok && s->exe_lookup)
		fill_exe(out);
	if (pidfd >= 0) {
		ok = ok && pidfd_is_alive(pidfd);
		(void)close(pidfd);
	}
	return ok;
}

static bool
end_from(const struct sockaddr_storage *ss, struct sock_diag_end *out)
{
	if (!addr_from_sockaddr(
	        (const struct sockaddr *)ss, &out->addr, &out->port))
		return false;
	out->addr = addr_unmap(&out->addr);
	return true;
}

static bool
end_of(int fd, int (*name)(int, struct sockaddr *, socklen_t *),
    struct sock_diag_end *out)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;

	return name(fd, (struct sockaddr *)&ss, &n) == 0 && end_from(&ss, out);
}

/* An id that the tree does not hold is of a cgroup that was removed under
 * its socket: whose unit it was cannot be told, so it is nobody's. */
static bool
fill_cgroup_of_id(struct peer_source *s, const struct sock_diag_owner *owner,
    struct peer_facts *out)
{
	const char *path;

	if (!owner->has_cgroup || !cgroup_map_is_live(s->cgroups)) {
		out->peer.cgroup_unknown = true;
		return true;
	}
	path = cgroup_map_find(s->cgroups, owner->cgroup_id);
	return path != NULL &&
	    slice_copy(slice_of(path), out->cgroup, sizeof out->cgroup) &&
	    cgroup_unit(path, out->unit, sizeof out->unit) == OK;
}

/* The client's socket is the one whose ends are ours, the other way round.
 * While we are connected nobody else can have them, and a reset cannot be
 * undone: so what the kernel said is of our client if we still are. */
static bool
lookup_tcp(struct peer_source *s, int fd, const struct sockaddr_storage *client,
    struct peer_facts *out)
{
	struct sock_diag_end local, remote;
	struct sock_diag_owner owner;

	if (!end_from(client, &local) || !end_of(fd, getsockname, &remote) ||
	    sock_diag_lookup(s->diag, &local, &remote, &owner) != OK ||
	    !uid_is_someone(owner.uid) || !peer_still_connected(fd))
		return false;
	out->peer.uid = owner.uid;
	return fill_cgroup_of_id(s, &owner, out);
}

void
peer_source_lookup(struct peer_source *s, int fd, struct peer_facts *out)
{
	struct sockaddr_storage client;
	socklen_t n = sizeof client;
	bool known = false;

	facts_clear(out);
	/* sock_diag names no process. */
	out->peer.exe_unknown = true;
	if (getpeername(fd, (struct sockaddr *)&client, &n) != 0)
		client.ss_family = AF_UNSPEC;
	if (client.ss_family == AF_UNIX)
		known = lookup_unix(s, fd, out);
	else if (client.ss_family == AF_INET || client.ss_family == AF_INET6)
		known = lookup_tcp(s, fd, &client, out);
	if (!known) {
		facts_clear(out);
		metric_add(METRIC_PEER_UNKNOWN_TOTAL, 1);
	}
	out->peer.known = known;
}

/* A FIN says that no more is sent; only the socket's owner says who waits. */
static bool
tcp_is_orphaned(struct peer_source *s, int fd)
{
	struct sock_diag_end local, remote;
	struct sock_diag_owner owner;

	if (!end_of(fd, getpeername, &local) ||
	    !end_of(fd, getsockname, &remote))
		return true;
	return sock_diag_lookup(s->diag, &local, &remote, &owner) == E_NOTFOUND;
}

bool
peer_has_left(struct peer_source *s, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };
	int domain = AF_UNSPEC;
	socklen_t n = sizeof domain;

	if (poll(&p, 1, 0) != 1)
		return false;
	if ((p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
		return true;
	/* A Unix socket tells a half-close from a close by itself. */
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) != 0)
		return true;
	return domain != AF_UNIX && tcp_is_orphaned(s, fd);
}

bool
peer_still_connected(int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;

	return getpeername(fd, (struct sockaddr *)&ss, &n) == 0;
}
