/* Brings work to another thread's event loop: an eventfd and a queue. */
#include "agent/mailbox.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOOK_S = 1 };

struct mailbox {
	pthread_mutex_t lock;
	struct mail *first, *last; /* under lock */
	size_t n, max;             /* under lock */
	int fd;
	bool edge; /* writes are told one by one (epoll(7)) */
	struct event *readable, *look;
};

static struct mail *
take_all(struct mailbox *box)
{
	struct mail *m;

	pthread_mutex_lock(&box->lock);
	m = box->first;
	box->first = box->last = NULL;
	box->n = 0;
	pthread_mutex_unlock(&box->lock);
	return m;
}

static void
deliver_all(struct mailbox *box)
{
	struct mail *m = take_all(box);

	while (m != NULL) {
		struct mail *next = m->next; /* deliver() may free it */

		m->next = NULL;
		m->deliver(m);
		m = next;
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct mailbox *box = arg;
	uint64_t count;
	ssize_t n = 0;

	(void)what;
	/* Told of each write by itself, epoll needs no read in between. */
	if (!box->edge)
		n = read(fd, &count, sizeof count);
	(void)n; /* EAGAIN is another's wake-up that we served already */
	deliver_all(box);
}

/* A wake-up that was lost delays what it was for, and no more. */
static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	deliver_all(arg);
}

enum status
mailbox_create(struct event_base *base, size_t max, struct mailbox **out)
{
	const struct timeval often = { .tv_sec = LOOK_S };
	struct mailbox *box = calloc(1, sizeof *box);

	if (box == NULL)
		return E_NOMEM;
	box->max = max;
	box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (box->fd < 0) {
		free(box);
		return E_IO;
	}
	box->edge = (event_base_get_features(base) & EV_FEATURE_ET) != 0;
	box->readable = event_new(base, box->fd,
	    EV_READ | EV_PERSIST | (box->edge ? EV_ET : 0), on_readable, box);
	box->look = event_new(base, -1, EV_PERSIST, on_look, box);
	if (box->readable == NULL || event_add(box->readable, NULL) != 0 ||
	    box->look == NULL || event_add(box->look, &often) != 0 ||
	    pthread_mutex_init(&box->lock, NULL) != 0) {
		if (box->readable != NULL)
			event_free(box->readable);
		if (box->look != NULL)
			event_free(box->look);
		close(box->fd);
		free(box);
		return E_NOMEM;
	}
	*out = box;
	return OK;
}

void
mailbox_flush(struct mailbox *box)
{
	if (box != NULL)
		deliver_all(box);
}

void
mailbox_destroy(struct mailbox *box)
{
	if (box == NULL)
		return;
	while (box->first != NULL)
		deliver_all(box);
	event_free(box->readable);
	event_free(box->look);
	close(box->fd);
	pthread_mutex_destroy(&box->lock);
	free(box);
}

void
mail_chain_put(struct mail_chain *c, struct mail *m)
{
	m->next = NULL;
	if (c->last != NULL)
		c->last->next = m;
	else
		c->first = m;
	c->last = m;
	c->n++;
}

static void
put_last(struct mailbox *box, const struct mail_chain *c)
{
	if (box->last != NULL)
		box->last->next = c->first;
	else
		box->first = c->first;
	box->last = c->last;
	box->n += c->n;
}

/* Only the first mail of an empty queue needs to wake the loop. That is
 * done under the lock: afterwards the mailbox may be gone. */
static enum status
post(struct mailbox *box, const struct mail_chain *c, bool always)
{
	const uint64_t one = 1;
	bool was_empty, full;
	ssize_t n = 0;

	pthread_mutex_lock(&box->lock);
	was_empty = box->first == NULL;
	full = !always && box->n >= box->max;
	if (!full)
		put_last(box, c);
	if (!full && was_empty)
		n = write(box->fd, &one, sizeof one);
	pthread_mutex_unlock(&box->lock);
	/* After a failure on_look() finds what lies here. */
	(void)n;
	return full ? E_BUSY : OK;
}

enum status
mailbox_post(struct mailbox *box, struct mail *m)
{
	struct mail_chain c = { .n = 0 };

	mail_chain_put(&c, m);
	return post(box, &c, false);
}

void
mailbox_answer(struct mailbox *box, struct mail *m)
{
	struct mail_chain c = { .n = 0 };

	mail_chain_put(&c, m);
	(void)post(box, &c, true);
}

void
mailbox_answer_all(struct mailbox *box, struct mail_chain *c)
{
	if (c->n > 0)
		(void)post(box, c, true);
	*c = (struct mail_chain){ .n = 0 };
}
