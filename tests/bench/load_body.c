/* One large body on each of a few kept connections. */
#include "tests/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE_BYTES = 65536, HEAD_BYTES = 4096, EVENTS = 64 };

enum { PAUSE_MS = 300 };

struct client {
	int fd;
	bool answered;
	size_t up, down; /* body bytes still to come */
	size_t got;      /* bytes of the answer's head */
	char head[HEAD_BYTES];
};

struct run {
	const struct load *load;
	int epoll;
	size_t each;
	bool up;
	long left;
	int64_t bytes;
};

static void
client_send(struct client *c, const char *bytes, size_t n)
{
	if (send(c->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		bench_die("send: %s", strerror(errno));
}

/* One small request first, so that all is up before the meter runs. */
static void
client_open(struct run *r, struct client *c)
{
	char text[HEAD_BYTES];
	int n = snprintf(text, sizeof text,
	    "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", r->load->host);

	c->fd = bench_dial_now(&r->load->proxy);
	if (c->fd < 0)
		bench_die("no connection: %s", strerror(errno));
	client_send(c, text, (size_t)n);
	if (recv(c->fd, text, sizeof text, 0) < 12 ||
	    memcmp(text + 8, " 200", 4) != 0)
		bench_die("refused: %.*s", 400, text);
}

static void
client_ask(struct run *r, struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	const char *host = r->load->host;
	char text[HEAD_BYTES];
	int n = r->up
	    ? snprintf(text, sizeof text,
	          "PUT /sink HTTP/1.1\r\nHost: %s\r\n"
	          "Content-Length: %zu\r\n\r\n",
	          host, r->each)
	    : snprintf(text, sizeof text,
	          "GET /bytes/%zu HTTP/1.1\r\nHost: %s\r\n\r\n", r->each, host);

	client_send(c, text, (size_t)n);
	c->up = r->up ? r->each : 0;
	e.events |= r->up ? EPOLLOUT : 0;
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		bench_die("epoll: %s", strerror(errno));
}

static void
client_pour(struct run *r, struct client *c)
{
	static char piece[PIECE_BYTES];
	size_t want = c->up < sizeof piece ? c->up : sizeof piece;
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	ssize_t n = want == 0 ? 0 : send(c->fd, piece, want, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		bench_die("send: %s", strerror(errno));
	if (n > 0) {
		c->up -= (size_t)n;
		r->bytes += n;
	}
	if (c->up == 0 && epoll_ctl(r->epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
		bench_die("epoll: %s", strerror(errno));
}

/* What follows the head is of the body. */
static size_t
client_head(struct client *c, const char *bytes, size_t n)
{
	static const char field[] = "content-length:";
	const char *end, *at;
	size_t take = sizeof c->head - 1 - c->got, before = c->got;

	take = n < take ? n : take;
	memcpy(c->head + c->got, bytes, take);
	c->got += take;
	end = memmem(c->head, c->got, "\r\n\r\n", 4);
	if (end == NULL)
		return n;
	if (memcmp(c->head + 8, " 200", 4) != 0)
		bench_die("refused: %.*s", 400, c->head);
	for (at = c->head; at < end; at++)
		if (strncasecmp(at, field, sizeof field - 1) == 0)
			break;
	if (at == end)
		bench_die("no Content-Length: %.*s", 400, c->head);
	c->down = strtoul(at + sizeof field - 1, NULL, 10);
	c->answered = true;
	return (size_t)(end - c->head) + 4 - before;
}

static void
client_read(struct run *r, struct client *c)
{
	static char piece[PIECE_BYTES];
	ssize_t got = recv(c->fd, piece, sizeof piece, 0);
	size_t n, top = 0;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		bench_die("a connection ended early");
	n = (size_t)got;
	if (!c->answered)
		top = client_head(c, piece, n);
	if (!c->answered)
		return;
	if (n - top > c->down)
		bench_die("more than one answer");
	c->down -= n - top;
	r->bytes += r->up ? 0 : (int64_t)(n - top);
	if (c->down > 0)
		return;
	if (c->up > 0)
		bench_die("answered before the body's end");
	(void)close(c->fd);
	r->left--;
}

static void
run_loop(struct run *r)
{
	struct epoll_event at[EVENTS];

	while (r->left > 0) {
		int n = epoll_wait(r->epoll, at, EVENTS, 10000);

		if (n == 0)
			bench_die("nothing came for 10 s");
		for (int i = 0; i < n; i++) {
			struct client *c = at[i].data.ptr;

			if ((at[i].events & EPOLLOUT) != 0)
				client_pour(r, c);
			if ((at[i].events & EPOLLIN) != 0)
				client_read(r, c);
		}
	}
}

void
load_body(const struct load *l)
{
	const char *way = bench_option(l->argv, "way", "down");
	long at = bench_number(l->argv, "at", 4);
	struct client *clients = calloc((size_t)at, sizeof *clients);
	struct run r = { .load = l,
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.each = (size_t)bench_number(l->argv, "mib", -1) * 1048576 /
		    (size_t)at,
		.up = strcmp(way, "up") == 0,
		.left = at };
	struct stretch s;
	long before_kib;

	if (r.epoll < 0 || clients == NULL)
		bench_die("no memory");
	for (long i = 0; i < at; i++)
		client_open(&r, &clients[i]);
	bench_sleep_ms(PAUSE_MS);
	before_kib = meter_memory_kib(&l->meter, "VmHWM");
	s = stretch_begin(&l->meter);
	for (long i = 0; i < at; i++)
		client_ask(&r, &clients[i]);
	run_loop(&r);
	stretch_end(&s, bench_now_ns());
	(void)printf("{\"bytes\": %lld, \"cpu_ns\": %lld, \"wall_ns\": %lld, "
	             "\"grown_kib\": %ld}\n",
	    (long long)r.bytes, (long long)s.cpu_ns, (long long)s.wall_ns,
	    meter_memory_kib(&l->meter, "VmHWM") - before_kib);
	free(clients);
}
