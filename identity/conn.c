/* One small state machine a connection: read a head, answer it, wipe it, read
 * the next. */
#include "identity/conn.h"

#include "base/log.h"
#include "base/metrics.h"
#include "identity/room.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 10000, LINGER_MS = 1000, READ_BYTES = 4096 };

enum {
	SPARE_BYTES = 8192, /* most of a response's memory that is kept */
	LAST_BYTES = 1024,  /* of a head that is */
};

enum conn_state {
	CONN_PEER,      /**< the kernel and the user database are asked */
	CONN_BETWEEN,   /**< looks whether a head is there already */
	CONN_HEAD,      /**< reads */
	CONN_ANSWERING, /**< waits for token or record */
	CONN_WRITING,
	CONN_LINGERING, /**< the answer is out; eats what still comes */
};

struct conn {
	struct conn *next, **link;
	struct broker *broker;
	const struct listener *listener;
	int fd;
	enum conn_state state;
	struct event *readable, *writable, *timer;
	bool fresh;   /* a head has begun, and has no deadline yet */
	bool blocked; /* the response has met a full socket */
	bool reading; /* readable is watched */
	int64_t due_ms, armed_ms; /* boot time; armed 0: the timer rests */
	const struct peer *peer;
	struct identity_wait peer_wait;
	struct buf in, out;
	struct buf last; /* a head that need not be read again, or empty */
	size_t scanned;
	size_t sent;
	uint32_t uid;
	bool counted; /* in the broker's uids */
	bool close_after;
	struct answer answer;
};

struct conn *
conn_next(const struct conn *c)
{
	return c->next;
}

static void
event_drop(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

void
conn_free(struct conn *c)
{
	struct identity *id = c->broker->id;

	if (c->state == CONN_PEER)
		id->ports.peer_cancel(id->ports.ctx, &c->peer_wait);
	if (c->state == CONN_ANSWERING)
		answer_cancel(&c->answer);
	if (c->peer != NULL)
		id->ports.peer_release(id->ports.ctx, c->peer);
	event_drop(c->readable);
	event_drop(c->writable);
	event_drop(c->timer);
	close(c->fd);
	buf_release(&c->in);
	buf_release(&c->out);
	buf_release(&c->last);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	c->broker->n_conns--;
	if (c->counted)
		uid_counts_leave(&c->broker->uids, c->uid);
	metric_add(METRIC_CONNECTIONS_OPEN, -1);
	free(c);
}

static void
timer_arm(struct conn *c, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	c->armed_ms = c->due_ms;
	if (event_add(c->timer, &tv) == 0)
		return;
	c->armed_ms = 0;
	log_warning("broker: a deadline could not be set");
}

/*
 * An answer has several deadlines and mostly meets them all: a timer that
 * comes earlier than the one in force stays, and looks again when it fires.
 */
static void
conn_deadline(struct conn *c, unsigned ms)
{
	c->due_ms = clock_boot_ms(&clock_system) + ms;
	if (c->armed_ms == 0 || c->armed_ms > c->due_ms)
		timer_arm(c, ms);
}

static bool
conn_watch(struct conn *c)
{
	if (!c->reading)
		c->reading = event_add(c->readable, NULL) == 0;
	return c->reading;
}

/* Closing with input unread would reset the connection under the answer. */
static void
conn_linger(struct conn *c)
{
	c->state = CONN_LINGERING;
	buf_clear(&c->in);
	if (shutdown(c->fd, SHUT_WR) != 0 || !conn_watch(c)) {
		conn_free(c);
		return;
	}
	conn_deadline(c, LINGER_MS);
}

/* The next response, of whichever connection, takes the memory. */
static void
out_release(struct conn *c)
{
	struct buf *spare = &c->broker->spare;

	if (spare->p == NULL && c->out.cap <= SPARE_BYTES) {
		struct buf empty = *spare;

		buf_clear(&c->out);
		*spare = c->out;
		c->out = empty;
	}
	buf_release(&c->out);
}

/* True: the answer is out and the next head may be read. */
static bool
conn_flush(struct conn *c)
{
	while (c->sent < c->out.n) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent,
		    MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN &&
		    event_add(c->writable, NULL) == 0) {
			/* One deadline for all that is left. */
			if (!c->blocked)
				conn_deadline(c, c->broker->id->limits.head_ms);
			c->blocked = true;
			return false;
		}
		if (n < 0) {
			conn_free(c);
			return false;
		}
		c->sent += (size_t)n;
	}
	out_release(c); /* wiped after its last byte */
	c->sent = 0;
	if (c->close_after || c->broker->id->draining) {
		conn_linger(c);
		return false;
	}
	return true;
}

/*
 * While our end holds the 4-tuple nobody else can own it; if the client is
 * gone the peer's facts say nothing any more, and nothing is sent.
 */
static bool
conn_send(struct conn *c)
{
	struct identity *id = c->broker->id;

	c->state = CONN_WRITING;
	c->sent = 0;
	c->close_after = !c->answer.keep_alive;
	if (buf_status(&c->out) != OK ||
	    !id->ports.peer_still_connected(id->ports.ctx, c->fd)) {
		conn_free(c);
		return false;
	}
	c->blocked = false;
	return conn_flush(c);
}

static void conn_run(struct conn *c);

static void
on_answered(struct answer *a)
{
	struct conn *c = a->priv;

	if (conn_send(c))
		conn_run(c);
}

/* The rest of it is the answer's own to set. */
static void
answer_prepare(struct conn *c)
{
	struct answer *a = &c->answer;

	a->id = c->broker->id;
	a->peer = c->peer;
	a->listener = c->listener->name;
	a->response = &c->out;
	a->spare = &c->broker->spare;
	a->repeated = false;
	a->done = on_answered;
	a->priv = c;
}

/* A client that keeps its connection mostly asks the same again. */
static void
head_keep(struct conn *c, struct slice head)
{
	if (c->answer.repeatable && c->answer.repeated)
		return;
	buf_clear(&c->last);
	if (c->answer.repeatable && head.n <= c->last.max)
		buf_put_slice(&c->last, head);
	if (buf_status(&c->last) != OK)
		buf_clear(&c->last);
}

/* Answers one head that lies whole in the buffer; true: go on reading. */
static bool
conn_answer(struct conn *c, size_t head_bytes, bool repeated)
{
	struct slice head = slice_head(buf_slice(&c->in), head_bytes);
	enum status st;

	answer_prepare(c);
	c->answer.repeated = repeated;
	st = answer_start(&c->answer, head, &c->listener->rules);
	head_keep(c, head);
	buf_consume(&c->in, head_bytes);
	c->scanned = 0;
	if (st == E_PARTIAL) {
		c->state = CONN_ANSWERING;
		conn_deadline(c, ANSWER_MS);
		return false;
	}
	return conn_send(c);
}

static bool
conn_refuse(struct conn *c, const struct http1_error *error)
{
	answer_prepare(c);
	buf_clear(&c->last);
	if (answer_malformed(&c->answer, error) == E_PARTIAL) {
		c->state = CONN_ANSWERING;
		conn_deadline(c, ANSWER_MS);
		return false;
	}
	return conn_send(c);
}

/* Takes head after head until more input is needed. */
static void
conn_run(struct conn *c)
{
	for (;;) {
		struct http1_error error = { 400, "malformed" };
		size_t end = c->last.n;
		/* Where equal bytes were one head, these are it. */
		bool repeated = end > 0 &&
		    slice_starts(buf_slice(&c->in), buf_slice(&c->last));
		enum status st = OK;
		if (!repeated)
			st = http1_head_end(buf_slice(&c->in),
			    HTTP1_HEAD_BYTES_DEFAULT, &c->scanned, &end,
			    &error);
		if (st == E_PARTIAL)
			break;
		if (!(st == OK ? conn_answer(c, end, repeated)
		               : conn_refuse(c, &error)))
			return;
	}
	if (c->state == CONN_HEAD) {
		/* All of it has one deadline, counted from its first byte. */
		if (c->fresh)
			conn_deadline(c, c->broker->id->limits.head_ms);
		c->fresh = false;
		return;
	}
	c->state = CONN_HEAD;
	if (!conn_watch(c)) {
		conn_free(c);
		return;
	}
	conn_deadline(c,
	    c->in.n == 0 ? c->broker->id->limits.idle_ms
	                 : c->broker->id->limits.head_ms);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	bool fresh = c->in.n == 0;
	ssize_t n;

	(void)what;
	/* Rare before an answer: it waits, and only then costs a system call. */
	if (c->state == CONN_ANSWERING || c->state == CONN_WRITING) {
		event_del(c->readable);
		c->reading = false;
		return;
	}
	if (!buf_reserve(&c->in, READ_BYTES)) {
		conn_free(c);
		return;
	}
	n = recv(fd, c->in.p + c->in.n, READ_BYTES, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_free(c);
		return;
	}
	if (c->state == CONN_LINGERING) {
		buf_clear(&c->in);
		return;
	}
	c->in.n += (size_t)n;
	c->fresh = fresh;
	conn_run(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (conn_flush(c))
		conn_run(c);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	static const struct http1_error late = { 408,
		"the head took too long" };
	int64_t left_ms = c->due_ms - clock_boot_ms(&clock_system);

	(void)fd;
	(void)what;
	c->armed_ms = 0;
	if (left_ms > 0) {
		timer_arm(c, left_ms);
		return;
	}
	if (c->state == CONN_ANSWERING) {
		/* A token takes 5 s at most: it is the record that is late. */
		answer_give_up(&c->answer, REASON_AUDIT_UNAVAILABLE);
		(void)conn_send(c);
	} else if (c->state == CONN_HEAD && c->in.n > 0) {
		(void)conn_refuse(c, &late);
	} else {
		conn_free(c);
	}
}

/* One user's connections must not lock the others out. */
static bool
conn_is_admitted(struct conn *c)
{
	unsigned limit = c->broker->id->limits.connections_per_uid;
	unsigned count;

	c->uid = c->peer->known ? c->peer->uid : UINT32_MAX;
	if (uid_counts_enter(&c->broker->uids, c->uid, &count) != OK)
		return false;
	c->counted = true;
	return limit == 0 || count <= limit;
}

static void
conn_meet(struct conn *c)
{
	struct identity *id = c->broker->id;
	enum status st = id->ports.peer_lookup(
	    id->ports.ctx, c->fd, &c->peer_wait, &c->peer);

	if (st == E_PARTIAL)
		return;
	c->state = CONN_BETWEEN;
	if (st != OK || c->peer == NULL) {
		c->peer = NULL;
		conn_free(c);
		return;
	}
	if (!conn_is_admitted(c)) {
		metric_add(METRIC_LIMIT_HITS_TOTAL, 1);
		conn_free(c);
		return;
	}
	conn_run(c);
}

static void
on_peer(struct identity_wait *w, enum status st)
{
	struct conn *c = (struct conn *)(void *)((char *)w -
	    offsetof(struct conn, peer_wait));

	(void)st;
	conn_meet(c);
}

void
conn_open(const struct listener *l, int fd)
{
	struct broker *b = l->broker;
	struct conn *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		return;
	}
	c->broker = b;
	c->listener = l;
	c->fd = fd;
	c->state = CONN_PEER;
	c->peer_wait.done = on_peer;
	buf_init_secret(&c->in, HTTP1_HEAD_BYTES_DEFAULT + READ_BYTES);
	buf_init_secret(&c->out, ANSWER_RESPONSE_BYTES_MAX);
	buf_init_secret(&c->last, LAST_BYTES);
	c->link = &b->conns;
	c->next = b->conns;
	if (c->next != NULL)
		c->next->link = &c->next;
	b->conns = c;
	b->n_conns++;
	metric_add(METRIC_CONNECTIONS_TOTAL, 1);
	metric_add(METRIC_CONNECTIONS_OPEN, 1);
	c->readable =
	    event_new(b->id->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(b->id->base, fd, EV_WRITE, on_writable, c);
	c->timer = evtimer_new(b->id->base, on_deadline, c);
	if (c->readable == NULL || c->writable == NULL || c->timer == NULL) {
		c->state = CONN_BETWEEN;
		conn_free(c);
		return;
	}
	conn_deadline(c, b->id->limits.head_ms);
	conn_meet(c);
}

void
conn_drain(struct conn *c)
{
	switch (c->state) {
	case CONN_ANSWERING:
		answer_give_up(&c->answer, REASON_NOT_READY);
		(void)conn_send(c);
		break;
	case CONN_PEER:
	case CONN_BETWEEN:
	case CONN_HEAD:
		conn_free(c);
		break;
	case CONN_WRITING:
	case CONN_LINGERING:
	default:
		break;
	}
}
