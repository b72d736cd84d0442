/* rtnetlink(7): addresses that come and go, as they do so. */
#include "agent/interfaces.h"

#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SETTLE_MS = 50, /* a change seldom comes alone */
	RETRY_MS = 1000,
	EVERY_MS = 60000,
	CHUNK_BYTES = 8192,
};

struct interfaces {
	int fd;
	struct event *readable, *timer;
	bool (*changed)(void *arg);
	void *arg;
	bool failing, soon;
};

static void
look_in(struct interfaces *i, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (event_add(i->timer, &tv) != 0)
		log_error("the machine's addresses are not watched now");
}

/* What came does not matter, nor that some was lost (ENOBUFS). */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct interfaces *i = arg;
	char chunk[CHUNK_BYTES];
	ssize_t n;

	(void)what;
	do {
		n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == ENOBUFS)));
	if (n == 0 || errno != EAGAIN)
		(void)event_del(i->readable); /* once a minute must do */
	/* Not put off by what follows: changes may never cease. */
	if (!i->soon)
		look_in(i, SETTLE_MS);
	i->soon = true;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct interfaces *i = arg;
	bool ok;

	(void)fd;
	(void)what;
	i->soon = false;
	ok = i->changed(i->arg);
	if (!ok && !i->failing)
		log_error("the machine's own addresses could not be read "
		          "again: trying every second");
	i->failing = !ok;
	look_in(i, ok ? EVERY_MS : RETRY_MS);
}

static int
open_socket(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK,
		.nl_groups =
		    RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_LINK };
	const void *sa = &nl;
	int fd = socket(
	    AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, sa, sizeof nl) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

enum status
interfaces_watch(struct event_base *base, bool (*changed)(void *arg), void *arg,
    struct interfaces **out)
{
	struct interfaces *i = calloc(1, sizeof *i);

	if (i == NULL)
		return E_NOMEM;
	i->changed = changed;
	i->arg = arg;
	i->fd = open_socket();
	if (i->fd < 0) {
		free(i);
		return E_IO;
	}
	i->readable =
	    event_new(base, i->fd, EV_READ | EV_PERSIST, on_readable, i);
	i->timer = evtimer_new(base, on_timer, i);
	if (i->readable == NULL || i->timer == NULL ||
	    event_add(i->readable, NULL) != 0) {
		interfaces_destroy(i);
		return E_NOMEM;
	}
	look_in(i, EVERY_MS);
	*out = i;
	return OK;
}

void
interfaces_destroy(struct interfaces *i)
{
	if (i == NULL)
		return;
	if (i->readable != NULL)
		event_free(i->readable);
	if (i->timer != NULL)
		event_free(i->timer);
	(void)close(i->fd);
	free(i);
}
