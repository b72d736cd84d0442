/* The plain stream, and what all streams have in common. */
#include "proxy/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

static enum status
plain_read(struct stream *s, char *to, size_t room, size_t *got)
{
	ssize_t n = recv(s->fd, to, room, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? OK : E_IO;
	/* A reset would have said so: a FIN is an end that was meant. */
	s->eof = s->clean = n == 0;
	*got = (size_t)n;
	return OK;
}

static enum status
plain_write(struct stream *s, struct slice b, bool more_follows, size_t *put)
{
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more_follows ? MSG_MORE : 0);

	while (*put < b.n) {
		ssize_t n = send(s->fd, b.p + *put, b.n - *put, flags);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? E_PARTIAL : E_IO;
		*put += (size_t)n;
	}
	return OK;
}

static void
plain_nothing(struct stream *s)
{
	(void)s;
}

static const struct stream_ops plain_ops = {
	.read = plain_read,
	.write = plain_write,
	.end = plain_nothing,
	.abort = plain_nothing,
	.release = plain_nothing,
};

struct stream
stream_plain(int fd)
{
	return (struct stream){ .fd = fd, .ops = &plain_ops };
}

bool
stream_is_open(const struct stream *s)
{
	return s->fd >= 0;
}

bool
stream_owes(const struct stream *s)
{
	return s->ops->owes != NULL && s->ops->owes(s);
}

enum status
stream_read(struct stream *s, char *to, size_t room, size_t *got)
{
	*got = 0;
	if (s->fd < 0 || s->eof || (room == 0 && !stream_owes(s)))
		return OK;
	return s->ops->read(s, to, room, got);
}

enum status
stream_write(struct stream *s, struct slice b, bool more_follows, size_t *put)
{
	*put = 0;
	if (s->fd < 0 || b.n == 0)
		return OK;
	return s->ops->write(s, b, more_follows, put);
}

void
stream_wants(
    const struct stream *s, bool read, bool write, short *events, bool *again)
{
	short want = 0;

	read = read && !s->eof;
	if (read)
		want |= s->read_waits_write ? EV_WRITE : EV_READ;
	if (write)
		want |= s->write_waits_read ? EV_READ : EV_WRITE;
	if (stream_owes(s))
		want |= EV_WRITE;
	*events = want;
	/* One that waits for room would be asked in vain, over and over. */
	*again = read && !s->read_waits_write &&
	    (s->more || (s->ops->ready != NULL && s->ops->ready(s)));
}

void
stream_watch(struct stream *s, struct event *readable, struct event *writable)
{
	if (s->fd >= 0 && s->ops->watch != NULL)
		s->ops->watch(s, readable, writable);
}

int
stream_event_fd(const struct stream *s)
{
	return s->ops->shares ? -1 : s->fd;
}

bool
stream_may_read(const struct stream *s, short what)
{
	if (s->read_waits_write)
		return (what & EV_WRITE) != 0;
	if ((what & EV_WRITE) != 0 && stream_owes(s))
		return true;
	return s->more || (what & EV_READ) != 0 ||
	    (s->ops->ready != NULL && s->ops->ready(s));
}

bool
stream_is_quiet(struct stream *s)
{
	size_t got = 0;
	char byte;

	return stream_read(s, &byte, 1, &got) == OK && got == 0 && !s->eof &&
	    !s->read_waits_write;
}

void
stream_end(struct stream *s)
{
	if (s->fd >= 0)
		s->ops->end(s);
}

void
stream_abort(struct stream *s)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (s->fd < 0)
		return;
	s->ops->abort(s);
	if (s->ops->shares)
		return;
	(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void
stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	s->ops->release(s);
	if (!s->ops->shares)
		(void)close(s->fd);
	*s = stream_plain(-1);
}
