/* Plain sockets behind readiness events, with bounded buffers. */
#include "proxy/forward_side.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 16384 };

void
forward_side_init(
    struct forward_side *s, size_t in_bytes_max, size_t out_bytes_max)
{
	*s = (struct forward_side){ .fd = -1 };
	buf_init(&s->in, in_bytes_max);
	buf_init(&s->out, out_bytes_max);
}

void
forward_side_open(struct forward_side *s, struct event_base *base, int fd,
    event_callback_fn on_event, void *arg)
{
	s->fd = fd;
	s->eof = s->reads = s->writes = false;
	(void)event_assign(
	    &s->readable, base, fd, EV_READ | EV_PERSIST, on_event, arg);
	(void)event_assign(
	    &s->writable, base, fd, EV_WRITE | EV_PERSIST, on_event, arg);
}

int
forward_side_take(struct forward_side *s)
{
	int fd = s->fd;

	if (fd >= 0) {
		(void)event_del(&s->readable);
		(void)event_del(&s->writable);
	}
	s->reads = s->writes = false;
	s->fd = -1;
	return fd;
}

void
forward_side_close(struct forward_side *s)
{
	int fd = forward_side_take(s);

	if (fd >= 0)
		(void)close(fd);
	buf_clear(&s->in);
	buf_clear(&s->out);
	s->sent = 0;
	s->eof = false;
}

void
forward_side_release(struct forward_side *s)
{
	forward_side_close(s);
	buf_release(&s->in);
	buf_release(&s->out);
}

static enum status
watch(struct event *ev, bool on, bool *is)
{
	if (on == *is)
		return OK;
	if (on && event_add(ev, NULL) != 0)
		return E_NOMEM;
	if (!on)
		(void)event_del(ev);
	*is = on;
	return OK;
}

enum status
forward_side_arm(struct forward_side *s, bool read)
{
	enum status st;

	if (s->fd < 0)
		return OK;
	st = watch(
	    &s->readable, read && !s->eof && s->in.n < s->in.max, &s->reads);
	if (st != OK)
		return st;
	return watch(&s->writable, !forward_side_is_flushed(s), &s->writes);
}

enum status
forward_side_read(
    struct forward_side *s, const struct forward_scratch *via, size_t *got)
{
	size_t room = s->in.max - s->in.n;
	bool small = s->in.cap < READ_BYTES;
	char *to;
	ssize_t n;

	*got = 0;
	if (s->fd < 0 || s->eof || room == 0)
		return OK;
	if (room > READ_BYTES)
		room = READ_BYTES;
	/* Bodies are read in place; a head need not cost 16 KiB each time. */
	if (small && room > via->n)
		room = via->n;
	if (!small && !buf_reserve(&s->in, room))
		return E_NOMEM;
	to = small ? via->p : s->in.p + s->in.n;
	n = recv(s->fd, to, room, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? OK : E_IO;
	s->eof = n == 0;
	if (small)
		buf_put(&s->in, to, (size_t)n);
	else
		s->in.n += (size_t)n;
	*got = (size_t)n;
	return buf_status(&s->in);
}

enum status
forward_side_flush(struct forward_side *s, size_t *put)
{
	*put = 0;
	while (s->fd >= 0 && s->sent < s->out.n) {
		ssize_t n = send(s->fd, s->out.p + s->sent, s->out.n - s->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? E_PARTIAL : E_IO;
		s->sent += (size_t)n;
		*put += (size_t)n;
	}
	buf_clear(&s->out);
	s->sent = 0;
	return OK;
}

bool
forward_side_is_flushed(const struct forward_side *s)
{
	return s->sent >= s->out.n;
}
