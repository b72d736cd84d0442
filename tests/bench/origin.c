/* The other end: an echo, an endless source that takes all, or HTTP. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 65536, SEND_BYTES = 262144, EVENTS = 256 };

enum mode { MODE_ECHO, MODE_SOURCE, MODE_HTTP };

struct peer {
	int fd;
	bool sending;
};

static char in_bytes[READ_BYTES], out_bytes[SEND_BYTES];

/* 128 bytes of body, as an API's small answer. */
static const char http_answer[] =
    "HTTP/1.1 200 OK\r\n"
    "Date: Mon, 23 Nov 2026 00:00:00 GMT\r\n"
    "Content-Type: application/octet-stream\r\n"
    "Content-Length: 128\r\n"
    "\r\n"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void
peer_end(struct peer *p)
{
	(void)close(p->fd);
	free(p);
}

static void
peer_watch(int epoll, struct peer *p, uint32_t what, int how)
{
	struct epoll_event e = { .events = what, .data.ptr = p };

	if (epoll_ctl(epoll, how, p->fd, &e) != 0)
		bench_die("epoll: %s", strerror(errno));
}

/* False when the peer has ended. */
static bool
peer_pour(struct peer *p)
{
	for (int turn = 0; turn < 4; turn++) {
		ssize_t n =
		    send(p->fd, out_bytes, sizeof out_bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0)
			return false;
	}
	return true;
}

/* Requests come one at a time: none is cut or joined to the next. */
static bool
peer_answer(const struct peer *p, enum mode mode, size_t n)
{
	const char *bytes = mode == MODE_ECHO ? in_bytes : http_answer;
	size_t want = mode == MODE_ECHO ? n : sizeof http_answer - 1;

	return send(p->fd, bytes, want, MSG_NOSIGNAL) == (ssize_t)want;
}

static bool
peer_read(int epoll, struct peer *p, enum mode mode)
{
	ssize_t n = recv(p->fd, in_bytes, sizeof in_bytes, 0);

	if (n < 0)
		return errno == EAGAIN;
	if (n == 0)
		return false;
	if (mode != MODE_SOURCE)
		return peer_answer(p, mode, (size_t)n);
	if (!p->sending) {
		p->sending = true;
		peer_watch(epoll, p, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
	}
	return true;
}

static void
accept_all(int epoll, int listener)
{
	int fd;

	while ((fd = bench_accept(listener)) >= 0) {
		struct peer *p = calloc(1, sizeof *p);

		if (p == NULL)
			bench_die("no memory");
		p->fd = fd;
		peer_watch(epoll, p, EPOLLIN, EPOLL_CTL_ADD);
	}
}

static void
serve(int listener, enum mode mode)
{
	struct epoll_event at[EVENTS], e = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) != 0)
		bench_die("epoll: %s", strerror(errno));
	for (;;) {
		int n = epoll_wait(epoll, at, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct peer *p = at[i].data.ptr;
			bool lives = true;

			if (p == NULL) {
				accept_all(epoll, listener);
				continue;
			}
			if ((at[i].events & (EPOLLIN | EPOLLHUP)) != 0)
				lives = peer_read(epoll, p, mode);
			if (lives && (at[i].events & EPOLLOUT) != 0)
				lives = peer_pour(p);
			if (!lives)
				peer_end(p);
		}
	}
}

int
main(int argc, char *argv[])
{
	const char *mode = bench_option(argv, "mode", "echo");
	struct sockaddr_in at = bench_address(argv, "listen");

	(void)argc;
	bench_many_files();
	serve(bench_listen(&at),
	    strcmp(mode, "echo") == 0         ? MODE_ECHO
	        : strcmp(mode, "source") == 0 ? MODE_SOURCE
	                                      : MODE_HTTP);
}
