/* The listening sockets: bound by us under a lock, or inherited. */
#include "agent/listeners.h"

#include "agent/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const role_names[LISTEN_ROLES] = {
	"proxy",
	"broker",
	"admin",
	"control",
	"gateway",
};

const char *
listen_role_name(enum listen_role role)
{
	return role_names[role];
}

/* One daemon a runtime folder: two would fight for Unix sockets. */
static enum status
take_lock(
    const struct config *c, struct listeners *l, struct status_detail *detail)
{
	char path[CONFIG_PATH_BYTES + 32];

	if (mkdir(c->runtime_dir, 0755) != 0 && errno != EEXIST)
		return status_set(detail, E_IO,
		    "the runtime folder \"%s\" cannot be made: %s",
		    c->runtime_dir, strerror(errno));
	(void)snprintf(path, sizeof path, "%s/wayleaved.lock", c->runtime_dir);
	l->lock_fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->lock_fd < 0)
		return status_set(detail, E_IO,
		    "the lock file \"%s\" cannot be opened: %s", path,
		    strerror(errno));
	if (flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return status_set(detail, E_BUSY,
		    "another wayleaved holds \"%s\"; stop it, or give this "
		    "one another runtime_dir",
		    path);
	return OK;
}

struct listener *
listeners_add(struct listeners *l, enum listen_role role)
{
	struct listener *n;

	if (l->n == LISTENERS_MAX)
		return NULL;
	n = &l->at[l->n++];
	memset(n, 0, sizeof *n);
	n->role = role;
	return n;
}

/* Where an inherited socket listens, as the records name it. */
static void
name_inherited(struct listener *n, int fd)
{
	struct sockaddr_storage ss;
	struct sockaddr_un sun;
	socklen_t len = sizeof ss;
	char text[ADDR_TEXT_BYTES];

	memset(&ss, 0, sizeof ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return;
	if (addr_from_sockaddr(
	        (struct sockaddr *)&ss, &n->at.addr, &n->at.port)) {
		(void)snprintf(n->at.name, sizeof n->at.name, "%s",
		    addr_port_text(&n->at.addr, n->at.port, text));
		return;
	}
	memcpy(&sun, &ss, sizeof sun);
	(void)snprintf(n->at.path, sizeof n->at.path, "%.*s",
	    (int)sizeof sun.sun_path - 1, sun.sun_path);
	(void)snprintf(n->at.name, sizeof n->at.name, "unix:%s", n->at.path);
}

/* What binds it is another's file: the rule of `listen` holds here too. */
static enum status
judge_inherited(const struct config *c, const struct listener *n,
    struct status_detail *detail)
{
	if (n->at.path[0] != '\0' || c->unsafe_listen ||
	    config_is_loopback(&n->at.addr))
		return OK;
	return status_set(detail, E_INVALID,
	    "socket activation passed \"%s\" for %s, which is not a loopback "
	    "address: others could reach it; set ListenStream= to one, or "
	    "\"unsafe_listen\": true if that is meant",
	    n->at.name, role_names[n->role]);
}

static enum status
inherit_one(const struct config *c, struct listeners *l, int fd,
    const char *name, struct status_detail *detail)
{
	struct listener *n = NULL;

	if (strcmp(name, "transparent") == 0 || strcmp(name, "dns") == 0)
		return status_set(detail, E_INVALID,
		    "socket activation passed a descriptor named \"%s\", "
		    "which is not in this version; take that socket out",
		    name);
	for (int r = 0; r < LISTEN_ROLES; r++)
		if (r != LISTEN_GATEWAY && strcmp(role_names[r], name) == 0)
			n = listeners_add(l, (enum listen_role)r);
	if (n == NULL)
		return status_set(detail, E_INVALID,
		    "socket activation passed a descriptor named \"%s\"; set "
		    "FileDescriptorName= to proxy, broker, admin or control",
		    name);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return status_set(detail, E_IO,
		    "inherited descriptor \"%s\": %s", name, strerror(errno));
	n->inherited = true;
	n->fds[0] = fd;
	n->n_fds = 1;
	name_inherited(n, fd);
	return judge_inherited(c, n, detail);
}

static enum status
inherit(
    const struct config *c, struct listeners *l, struct status_detail *detail)
{
	char *names;
	size_t n;
	enum status st = manager_sockets(&n, &names);
	struct slice rest;

	if (st != OK)
		return status_set(detail, st, "socket activation: %s",
		    st == E_NOMEM
		        ? status_text(st)
		        : "$LISTEN_FDS counts descriptors that are not open");
	rest = slice_of(names);
	for (size_t i = 0; i < n && st == OK; i++) {
		struct slice name = slice_head(rest, slice_find(rest, ':'));
		char text[256];

		/* sd_listen_fds(3): what was given no name is "unknown". */
		if (names == NULL || !slice_copy(name, text, sizeof text))
			(void)snprintf(text, sizeof text, "unknown");
		rest = slice_from(rest, name.n + 1);
		st =
		    inherit_one(c, l, MANAGER_FDS_START + (int)i, text, detail);
	}
	free(names);
	return st;
}

static bool
has_role(const struct listeners *l, enum listen_role role)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->at[i].role == role && l->at[i].inherited)
			return true;
	return false;
}

/* A socket file that nobody listens on is a leftover of a crash. */
static void
remove_leftover(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return;
	if (lstat(sun->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(fd, (const struct sockaddr *)sun, sizeof *sun) != 0 &&
	    errno == ECONNREFUSED)
		(void)unlink(sun->sun_path);
	close(fd);
}

static enum status
bind_failed(const struct listener *n, struct status_detail *detail)
{
	int e = errno;

	return status_set(detail, e == EADDRINUSE ? E_BUSY : E_IO,
	    "%s%s \"%s\": %s%s", n->role == LISTEN_GATEWAY ? "" : "listen.",
	    role_names[n->role], n->at.name, strerror(e),
	    e == EADDRINUSE ? "; another program has it" : "");
}

static enum status
open_unix(struct listener *n, struct status_detail *detail)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(sun.sun_path, n->at.path, sizeof sun.sun_path);
	if (fd < 0)
		return bind_failed(n, detail);
	remove_leftover(&sun);
	if (bind(fd, (const struct sockaddr *)&sun, sizeof sun) != 0) {
		enum status st = bind_failed(n, detail);

		close(fd);
		n->at.path[0] = '\0'; /* another's, not ours to remove */
		return st;
	}
	/* 0666: who may do what is decided by SO_PEERCRED, not by the mode. */
	if (chmod(n->at.path, 0666) != 0 || listen(fd, SOMAXCONN) != 0) {
		enum status st = bind_failed(n, detail);

		close(fd);
		return st;
	}
	n->fds[0] = fd;
	n->n_fds = 1;
	return OK;
}

static int
bind_tcp(const struct listener *n, bool reuse_port)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&n->at.addr, n->at.port, &ss);
	const int one = 1;
	int fd =
	    socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    (ss.ss_family == AF_INET6 &&
	        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) !=
	            0) ||
	    (reuse_port &&
	        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) !=
	            0) ||
	    bind(fd, (const struct sockaddr *)&ss, len) != 0) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

/* The first bind is exclusive; only when it holds the port is the option set
 * that lets our own others join it. */
static enum status
open_tcp(struct listener *n, unsigned n_sockets, struct status_detail *detail)
{
	const int one = 1;

	for (unsigned i = 0; i < n_sockets; i++) {
		int fd = bind_tcp(n, i > 0);

		if (fd < 0)
			return bind_failed(n, detail);
		n->fds[n->n_fds++] = fd;
		if (i == 0 && n_sockets > 1 &&
		    setsockopt(
		        fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0)
			return bind_failed(n, detail);
	}
	for (size_t i = 0; i < n->n_fds; i++)
		if (listen(n->fds[i], SOMAXCONN) != 0)
			return bind_failed(n, detail);
	return OK;
}

enum status
listener_open(
    struct listener *n, unsigned n_sockets, struct status_detail *detail)
{
	return n->at.path[0] != '\0' ? open_unix(n, detail)
	                             : open_tcp(n, n_sockets, detail);
}

static enum status
open_role(struct listeners *l, enum listen_role role,
    const struct config_listeners *list, unsigned n_sockets,
    struct status_detail *detail)
{
	enum status st = OK;

	if (has_role(l, role))
		return OK;
	for (size_t i = 0; i < list->n && st == OK; i++) {
		struct listener *n = listeners_add(l, role);

		if (n == NULL)
			return status_set(
			    detail, E_LIMIT, "too many listeners");
		n->at = list->at[i];
		st = listener_open(n, n_sockets, detail);
	}
	return st;
}

static enum status
open_gateways(struct listeners *l, const struct config *config,
    unsigned n_workers, struct status_detail *detail)
{
	struct listeners_change *c = NULL;
	enum status st = listeners_prepare(l, config, n_workers, &c, detail);

	if (st == OK)
		listeners_commit(l, c);
	return st;
}

enum status
listeners_open(const struct config *config, unsigned n_workers,
    struct listeners *out, struct status_detail *detail)
{
	enum status st;

	memset(out, 0, sizeof *out);
	out->lock_fd = -1;
	if (n_workers > LISTENER_FDS_MAX)
		n_workers = LISTENER_FDS_MAX;
	st = take_lock(config, out, detail);
	if (st == OK)
		st = inherit(config, out, detail);
	if (st == OK)
		st = open_role(
		    out, LISTEN_PROXY, &config->proxy, n_workers, detail);
	if (st == OK)
		st = open_role(out, LISTEN_BROKER, &config->broker, 1, detail);
	if (st == OK)
		st = open_role(out, LISTEN_ADMIN, &config->admin, 1, detail);
	if (st == OK)
		st =
		    open_role(out, LISTEN_CONTROL, &config->control, 1, detail);
	if (st == OK)
		st = open_gateways(out, config, n_workers, detail);
	if (st != OK)
		listeners_close(out);
	return st;
}

void
listener_end(struct listener *n)
{
	for (size_t k = 0; k < n->n_fds; k++)
		if (n->fds[k] >= 0)
			close(n->fds[k]);
	if (n->at.path[0] != '\0' && !n->inherited)
		(void)unlink(n->at.path);
}

void
listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		listener_end(&l->at[i]);
	l->n = 0;
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	l->lock_fd = -1;
}

int
listener_take(struct listener *l, unsigned index)
{
	int fd;

	if (l->n_fds == 1)
		return fcntl(l->fds[0], F_DUPFD_CLOEXEC, 3);
	fd = l->fds[index];
	l->fds[index] = -1;
	return fd;
}
