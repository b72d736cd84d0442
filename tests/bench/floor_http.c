/* The least code that speaks HTTP: a forwarder, or one answer for all.
 *
 * mode=forward takes absolute-form requests to one fixed upstream and keeps
 * both connections; mode=answer says the same 1.4 KiB to every request. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 16384, EVENTS = 256, BODY_BYTES = 1434 };

struct pair;

struct end {
	struct pair *pair;
	int fd;
};

struct pair {
	struct end client, upstream;
	bool over;
	struct pair *next_over;
};

static int epoll;
static bool answers;
static struct sockaddr_in target;
static struct pair *over;
static char buffer[BUFFER_BYTES], answer[BUFFER_BYTES];
static size_t answer_n;

static void
watch(struct end *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = e };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, e->fd, &ev) != 0)
		bench_die("epoll: %s", strerror(errno));
}

static void
pair_end(struct pair *p)
{
	if (p->over)
		return;
	(void)close(p->client.fd);
	if (p->upstream.fd >= 0)
		(void)close(p->upstream.fd);
	p->over = true;
	p->next_over = over;
	over = p;
}

/* "GET http://host/path HTTP/1.1" becomes "GET /path HTTP/1.1". */
static bool
send_up(struct pair *p, size_t n)
{
	char *target_at = memchr(buffer, ' ', n), *path;
	size_t method_n;

	if (target_at == NULL || n < 16)
		return false;
	method_n = (size_t)(target_at - buffer) + 1;
	path = memchr(target_at + 9, '/', n - method_n - 8);
	if (path == NULL || memcmp(target_at, " http://", 8) != 0)
		return false;
	memmove(path - method_n, buffer, method_n);
	path -= method_n;
	n -= (size_t)(path - buffer);
	if (p->upstream.fd < 0) {
		p->upstream.fd = bench_dial_now(&target);
		if (p->upstream.fd < 0)
			return false;
		watch(&p->upstream);
	}
	return send(p->upstream.fd, path, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool
on_client(struct pair *p, size_t n)
{
	if (n < 4 || memcmp(buffer + n - 4, "\r\n\r\n", 4) != 0)
		return false;
	if (answers)
		return send(p->client.fd, answer, answer_n, MSG_NOSIGNAL) ==
		    (ssize_t)answer_n;
	return send_up(p, n);
}

static void
on_event(struct end *e)
{
	struct pair *p = e->pair;
	ssize_t n = recv(e->fd, buffer, sizeof buffer, MSG_DONTWAIT);
	bool lives;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		lives = false;
	else if (e == &p->client)
		lives = on_client(p, (size_t)n);
	else
		lives =
		    send(p->client.fd, buffer, (size_t)n, MSG_NOSIGNAL) == n;
	if (!lives)
		pair_end(p);
}

static void
accept_all(int listener)
{
	int fd;

	while ((fd = bench_accept(listener)) >= 0) {
		struct pair *p = calloc(1, sizeof *p);

		if (p == NULL)
			bench_die("no memory");
		p->client = (struct end){ p, fd };
		p->upstream = (struct end){ p, -1 };
		watch(&p->client);
	}
}

static void
free_over(void)
{
	while (over != NULL) {
		struct pair *p = over;

		over = p->next_over;
		free(p);
	}
}

static void
make_answer(void)
{
	int n = snprintf(answer, sizeof answer,
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Length: %d\r\n\r\n",
	    (int)BODY_BYTES);

	memset(answer + n, 'x', BODY_BYTES);
	answer_n = (size_t)n + BODY_BYTES;
}

int
main(int argc, char *argv[])
{
	struct epoll_event at[EVENTS], e = { .events = EPOLLIN };
	struct sockaddr_in here = bench_address(argv, "listen");
	int listener = bench_listen(&here);

	(void)argc;
	answers = strcmp(bench_option(argv, "mode", "forward"), "answer") == 0;
	if (!answers)
		target = bench_address(argv, "target");
	make_answer();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) != 0)
		bench_die("epoll: %s", strerror(errno));
	for (;;) {
		int n = epoll_wait(epoll, at, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct end *end = at[i].data.ptr;

			if (end == NULL)
				accept_all(listener);
			else if (!end->pair->over)
				on_event(end);
		}
		free_over();
	}
}
