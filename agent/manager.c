/* The three small protocols of systemd that a service needs. Its library
 * would bring six others along, whose linking a start would wait for. */
#include "agent/manager.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 2048, SOCKETS_MAX = 1024 };

static bool
socket_address(struct sockaddr_un *sun, socklen_t *len)
{
	struct slice name = slice_of(getenv("NOTIFY_SOCKET"));

	if (name.n < 2 || name.n >= sizeof sun->sun_path ||
	    (name.p[0] != '/' && name.p[0] != '@'))
		return false;
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(sun->sun_path, name.p, name.n);
	if (name.p[0] == '@')
		sun->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.n);
	return true;
}

void
manager_notify(const char *fmt, ...)
{
	struct sockaddr_un sun;
	char text[TEXT_BYTES_MAX];
	socklen_t len;
	va_list ap;
	int fd;

	if (!socket_address(&sun, &len))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* One that does not listen is the manager's own fault. */
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL,
	    (const struct sockaddr *)&sun, len);
	(void)close(fd);
}

/* A number in the environment; false when it is none. */
static bool
env_number(const char *name, uint64_t max, uint64_t *out)
{
	return slice_to_u64(slice_of(getenv(name)), max, out);
}

uint64_t
manager_watchdog_us(void)
{
	uint64_t usec, pid;

	if (!env_number("WATCHDOG_USEC", UINT64_MAX - 1, &usec))
		return 0;
	if (getenv("WATCHDOG_PID") != NULL &&
	    (!env_number("WATCHDOG_PID", INT_MAX, &pid) ||
	        (pid_t)pid != getpid()))
		return 0;
	return usec;
}

static enum status
take_sockets(size_t *n, char **names)
{
	const char *joined = getenv("LISTEN_FDNAMES");
	uint64_t pid, count;
	char *copy = NULL;

	if (!env_number("LISTEN_PID", INT_MAX, &pid) ||
	    (pid_t)pid != getpid() ||
	    !env_number("LISTEN_FDS", SOCKETS_MAX, &count)) {
		*n = 0;
		*names = NULL;
		return OK;
	}
	for (int fd = MANAGER_FDS_START; fd < MANAGER_FDS_START + (int)count;
	     fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			return E_INVALID;
	if (joined != NULL && (copy = strdup(joined)) == NULL)
		return E_NOMEM;
	*n = (size_t)count;
	*names = copy;
	return OK;
}

enum status
manager_sockets(size_t *n, char **names)
{
	enum status st = take_sockets(n, names);

	/* They are ours, and no child's. */
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return st;
}
