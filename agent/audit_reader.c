/* Reads audit files line by line, in bounded memory. */
#include "agent/audit_reader.h"

#include "agent/audit_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 4 * AUDIT_LINE_MAX };

struct audit_reader {
	int fd;
	char *path;
	size_t from, to; /**< unread bytes of buffer */
	char buffer[BUFFER_BYTES];
};

enum status
audit_reader_open(const char *path, struct audit_reader **out)
{
	struct audit_reader *r = malloc(sizeof *r);
	char *copy = strdup(path);

	if (r == NULL || copy == NULL) {
		free(r);
		free(copy);
		return E_NOMEM;
	}
	r->from = r->to = 0;
	r->path = copy;
	r->fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
	                               : open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0) {
		int error = errno;
		audit_reader_close(r);
		errno = error;
		return E_IO;
	}
	*out = r;
	return OK;
}

void
audit_reader_close(struct audit_reader *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		(void)close(r->fd);
	free(r->path);
	free(r);
}

struct slice
audit_reader_rest(const struct audit_reader *r)
{
	return (struct slice){ r->buffer + r->from, r->to - r->from };
}

enum status
audit_reader_next(struct audit_reader *r, struct slice *line)
{
	for (;;) {
		struct slice rest = audit_reader_rest(r);
		size_t n = slice_find(rest, '\n');
		ssize_t got;

		if (n < rest.n) {
			*line = slice_head(rest, n);
			r->from += n + 1;
			return OK;
		}
		if (rest.n == sizeof r->buffer) {
			*line = rest;
			r->from = r->to;
			return OK;
		}
		memmove(r->buffer, rest.p, rest.n);
		r->from = 0;
		r->to = rest.n;
		got = read(r->fd, r->buffer + r->to, sizeof r->buffer - r->to);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return E_IO;
		if (got == 0)
			return E_CLOSED;
		r->to += (size_t)got;
	}
}

bool
audit_reader_was_moved(const struct audit_reader *r)
{
	struct stat open_one, at_path;

	return fstat(r->fd, &open_one) == 0 && stat(r->path, &at_path) == 0 &&
	    (open_one.st_ino != at_path.st_ino ||
	        open_one.st_dev != at_path.st_dev);
}
