/* One question to the daemon: connect, a line out, a line back. */
#include "agent/control_client.h"

#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { REPLY_MAX_BYTES = 4 << 20, WAIT_S = 30 };

static int
connect_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd;

	if (!slice_copy(slice_of(path), sun.sun_path, sizeof sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0 ||
	    connect(fd, (const struct sockaddr *)&sun, sizeof sun) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static enum status
errno_status(void)
{
	return errno == EAGAIN ? E_TIMEOUT : E_IO;
}

static enum status
send_line(int fd, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	struct buf line;
	enum status st = OK;

	if (text == NULL)
		return E_NOMEM;
	buf_init(&line, REPLY_MAX_BYTES);
	buf_puts(&line, text);
	buf_putc(&line, '\n');
	free(text);
	st = buf_status(&line);
	while (st == OK && line.n > 0) {
		ssize_t n = send(fd, line.p, line.n, MSG_NOSIGNAL);

		if (n > 0)
			buf_consume(&line, (size_t)n);
		else if (errno != EINTR)
			st = errno_status();
	}
	buf_release(&line);
	return st;
}

static enum status
receive_line(int fd, struct buf *in)
{
	char chunk[4096];

	while (in->n == 0 || in->p[in->n - 1] != '\n') {
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);

		if (n == 0)
			return E_IO;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno_status();
		buf_put(in, chunk, (size_t)n);
		if (buf_status(in) != OK)
			return buf_status(in);
	}
	return OK;
}

enum status
control_call(const char *path, json_t *request, json_t **reply)
{
	int fd = connect_unix(path);
	struct buf in;
	json_t *root;
	enum status st;

	if (fd < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? E_NOTFOUND
		                                                : E_IO;
	buf_init(&in, REPLY_MAX_BYTES);
	st = send_line(fd, request);
	if (st == OK)
		st = receive_line(fd, &in);
	close(fd);
	if (st == OK) {
		root = json_loadb(in.p, in.n, JSON_REJECT_DUPLICATES, NULL);
		if (root == NULL)
			st = E_SYNTAX;
		else
			*reply = root;
	}
	buf_release(&in);
	return st;
}
