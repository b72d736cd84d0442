/* One request again and again over kept connections. */
#include "tests/bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES = 16384, EVENTS = 128 };

struct client {
	int fd;
	size_t got, want; /* want: 0 until the head is whole */
	char answer[ANSWER_BYTES];
};

struct run {
	const struct load *load;
	int epoll;
	char head[1024];
	size_t head_n;
	long warm, ops, begun, done;
	struct stretch stretch;
};

static void
client_ask(struct run *r, struct client *c)
{
	if (r->begun == r->warm + r->ops)
		return;
	r->begun++;
	c->got = c->want = 0;
	if (send(c->fd, r->head, r->head_n, MSG_NOSIGNAL) != (ssize_t)r->head_n)
		bench_die("send: %s", strerror(errno));
}

/* The length of the whole answer, once its head is there. */
static size_t
answer_bytes(const struct client *c)
{
	static const char field[] = "\r\ncontent-length:";
	const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4);
	size_t head;

	if (end == NULL)
		return 0;
	if (memcmp(c->answer + 8, " 200", 4) != 0)
		bench_die("refused: %.*s", 400, c->answer);
	head = (size_t)(end - c->answer) + 4;
	for (size_t i = 0; i + sizeof field < head; i++)
		if (strncasecmp(c->answer + i, field, sizeof field - 1) == 0)
			return head +
			    strtoul(c->answer + i + sizeof field - 1, NULL, 10);
	bench_die("no Content-Length: %.*s", (int)head, c->answer);
}

static void
client_read(struct run *r, struct client *c)
{
	ssize_t n =
	    recv(c->fd, c->answer + c->got, sizeof c->answer - 1 - c->got, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		bench_die("a connection ended early after %ld", r->done);
	c->got += (size_t)n;
	c->answer[c->got] = '\0';
	if (c->want == 0)
		c->want = answer_bytes(c);
	if (c->want == 0 || c->got < c->want)
		return;
	if (c->got > c->want)
		bench_die("more than one answer");
	if (++r->done == r->warm)
		r->stretch = stretch_begin(&r->load->meter);
	client_ask(r, c);
}

static void
client_open(struct run *r, struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	c->fd = bench_dial_now(&r->load->proxy);
	if (c->fd < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		bench_die("no connection: %s", strerror(errno));
	client_ask(r, c);
}

static void
run_loop(struct run *r)
{
	struct epoll_event at[EVENTS];

	while (r->done < r->warm + r->ops) {
		int n = epoll_wait(r->epoll, at, EVENTS, 10000);

		if (n == 0)
			bench_die("nothing came for 10 s after %ld", r->done);
		for (int i = 0; i < n; i++)
			client_read(r, at[i].data.ptr);
	}
}

/* target=URI or path; header=One more field. */
static void
make_head(struct run *r)
{
	char *const *argv = r->load->argv;
	const char *target = bench_option(argv, "target", "/");
	const char *header = bench_option(argv, "header", "");
	int n = snprintf(r->head, sizeof r->head,
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n"
	    "Accept: */*\r\n%s%s\r\n",
	    target, r->load->host, header, *header == '\0' ? "" : "\r\n");

	if (n < 0 || (size_t)n >= sizeof r->head)
		bench_die("the request is too long");
	r->head_n = (size_t)n;
}

void
load_request(const struct load *l)
{
	struct run r = { .load = l,
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.warm = bench_number(l->argv, "warm", 0),
		.ops = bench_number(l->argv, "ops", -1) };
	long at = bench_number(l->argv, "at", 64);
	struct client *clients = calloc((size_t)at, sizeof *clients);
	int64_t end;

	if (r.epoll < 0 || clients == NULL)
		bench_die("no memory");
	make_head(&r);
	r.stretch = stretch_begin(&l->meter);
	for (long i = 0; i < at; i++)
		client_open(&r, &clients[i]);
	run_loop(&r);
	end = bench_now_ns();
	stretch_end(&r.stretch, end);
	(void)printf("{\"ops\": %ld, \"cpu_ns\": %lld, \"wall_ns\": %lld}\n",
	    r.ops, (long long)r.stretch.cpu_ns, (long long)r.stretch.wall_ns);
	free(clients);
}
