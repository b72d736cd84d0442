/* Streams behind readiness events, with bounded buffers. */
#include "proxy/forward_side.h"

enum { READ_BYTES = 65536 };

void
forward_side_init(
    struct forward_side *s, size_t in_bytes_max, size_t out_bytes_max)
{
	*s = (struct forward_side){ .s = stream_plain(-1) };
	buf_init(&s->in, in_bytes_max);
	buf_init(&s->out, out_bytes_max);
}

void
forward_side_open(struct forward_side *s, struct event_base *base,
    struct stream stream, event_callback_fn on_event, void *arg)
{
	int fd = stream_event_fd(&stream);

	s->s = stream;
	s->reads = s->writes = false;
	(void)event_assign(
	    &s->readable, base, fd, EV_READ | EV_PERSIST, on_event, arg);
	(void)event_assign(
	    &s->writable, base, fd, EV_WRITE | EV_PERSIST, on_event, arg);
	(void)evtimer_assign(&s->again, base, on_event, arg);
	stream_watch(&s->s, &s->readable, &s->writable);
}

bool
forward_side_is_open(const struct forward_side *s)
{
	return stream_is_open(&s->s);
}

struct stream
forward_side_take(struct forward_side *s)
{
	struct stream stream;

	stream_watch(&s->s, NULL, NULL);
	stream = s->s;
	if (forward_side_is_open(s)) {
		(void)event_del(&s->readable);
		(void)event_del(&s->writable);
		(void)event_del(&s->again);
	}
	s->reads = s->writes = false;
	s->s = stream_plain(-1);
	return stream;
}

void
forward_side_close(struct forward_side *s)
{
	struct stream stream = forward_side_take(s);

	stream_end(&stream);
	stream_close(&stream);
	buf_clear(&s->in);
	buf_clear(&s->out);
	s->sent = 0;
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
	const struct timeval now = { 0 };
	short events = 0;
	bool again = false;
	enum status st;

	if (!forward_side_is_open(s))
		return OK;
	stream_wants(&s->s, read && s->in.n < s->in.max,
	    !forward_side_is_flushed(s), &events, &again);
	st = watch(&s->readable, (events & EV_READ) != 0, &s->reads);
	if (st == OK)
		st = watch(&s->writable, (events & EV_WRITE) != 0, &s->writes);
	/* A timer comes after a look at the sockets, so that the others have
	 * their turn; an active event would come before. */
	if (st == OK && again && evtimer_add(&s->again, &now) != 0)
		st = E_NOMEM;
	return st;
}

enum status
forward_side_read(
    struct forward_side *s, const struct forward_scratch *via, size_t *got)
{
	size_t room = s->in.max - s->in.n;
	bool small = s->in.cap < READ_BYTES;
	enum status st;
	char *to;

	*got = 0;
	if (!forward_side_is_open(s) || s->s.eof ||
	    (room == 0 && !stream_owes(&s->s)))
		return OK;
	if (room > READ_BYTES)
		room = READ_BYTES;
	/* Bodies are read in place; a head need not cost 16 KiB each time. */
	if (small && room > via->n)
		room = via->n;
	if (!small && !buf_reserve(&s->in, room))
		return E_NOMEM;
	to = small ? via->p : s->in.p + s->in.n;
	st = stream_read(&s->s, to, room, got);
	if (st != OK)
		return st;
	if (small)
		buf_put(&s->in, to, *got);
	else
		s->in.n += *got;
	return buf_status(&s->in);
}

enum status
forward_side_flush(struct forward_side *s, size_t most, size_t *put)
{
	struct slice left =
	    slice_head(slice_from(buf_slice(&s->out), s->sent), most);
	enum status st = stream_write(&s->s, left, false, put);

	s->sent += *put;
	if (st != OK || !forward_side_is_flushed(s))
		return st;
	buf_clear(&s->out);
	s->sent = 0;
	return OK;
}

bool
forward_side_is_flushed(const struct forward_side *s)
{
	return s->sent >= s->out.n;
}
