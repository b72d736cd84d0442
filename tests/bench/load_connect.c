/* Tunnels opened, used for one echo, and closed or parked. */
#include "tests/bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES = 2048, EVENTS = 128, PARKED_MS = 1500 };

enum step { STEP_DIAL, STEP_ANSWER, STEP_ECHO };

struct client {
	int fd;
	enum step step;
	size_t got;
	char answer[ANSWER_BYTES];
};

struct run {
	const struct load *load;
	int epoll;
	char head[512];
	size_t head_n;
	long warm, ops, begun, done;
	bool keep;
	struct stretch stretch;
};

static void
client_watch(struct run *r, struct client *c, uint32_t what, int how)
{
	struct epoll_event e = { .events = what, .data.ptr = c };

	if (epoll_ctl(r->epoll, how, c->fd, &e) != 0)
		bench_die("epoll: %s", strerror(errno));
}

static void
client_begin(struct run *r, struct client *c)
{
	if (r->begun == r->warm + r->ops)
		return;
	r->begun++;
	c->step = STEP_DIAL;
	c->got = 0;
	c->fd = bench_dial(&r->load->proxy);
	client_watch(r, c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void
client_send(struct client *c, const char *bytes, size_t n)
{
	if (send(c->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		bench_die("send: %s", strerror(errno));
}

static void
client_done(struct run *r, struct client *c)
{
	r->done++;
	if (!r->keep)
		(void)close(c->fd);
	else
		client_watch(r, c, 0, EPOLL_CTL_DEL);
	if (r->done == r->warm)
		r->stretch = stretch_begin(&r->load->meter);
	client_begin(r, c);
}

static void
client_dialled(struct run *r, struct client *c)
{
	const struct load *l = r->load;

	client_watch(r, c, EPOLLIN, EPOLL_CTL_MOD);
	if (r->head_n > 0) {
		client_send(c, r->head, r->head_n);
		c->step = STEP_ANSWER;
	} else {
		client_send(c, l->hello, l->hello_n);
		c->step = STEP_ECHO;
	}
}

static void
client_read(struct run *r, struct client *c)
{
	const struct load *l = r->load;
	ssize_t n =
	    recv(c->fd, c->answer + c->got, sizeof c->answer - c->got, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		bench_die("a tunnel ended early after %ld: %s", r->done,
		    n == 0 ? "closed" : strerror(errno));
	c->got += (size_t)n;
	if (c->step == STEP_ANSWER) {
		if (!load_is_answered(c->answer, c->got))
			return;
		client_send(c, l->hello, l->hello_n);
		c->step = STEP_ECHO;
		c->got = 0;
	} else if (c->got >= l->hello_n) {
		if (memcmp(c->answer, l->hello, l->hello_n) != 0)
			bench_die("the echo is another");
		client_done(r, c);
	}
}

static void
run_loop(struct run *r)
{
	struct epoll_event at[EVENTS];

	while (r->done < r->warm + r->ops) {
		int n = epoll_wait(r->epoll, at, EVENTS, 10000);

		if (n == 0)
			bench_die("nothing came for 10 s after %ld", r->done);
		for (int i = 0; i < n; i++) {
			struct client *c = at[i].data.ptr;

			if (c->step == STEP_DIAL)
				client_dialled(r, c);
			else
				client_read(r, c);
		}
	}
}

void
load_connect(const struct load *l)
{
	struct run r = { .load = l,
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.warm = bench_number(l->argv, "warm", 0),
		.ops = bench_number(l->argv, "ops", -1),
		.keep = bench_number(l->argv, "keep", 0) == 1 };
	long at = bench_number(l->argv, "at", 32), before, after;
	struct client *clients = calloc((size_t)at, sizeof *clients);
	int64_t end;

	if (r.epoll < 0 || clients == NULL)
		bench_die("no memory");
	r.head_n = load_head(l, r.head, sizeof r.head);
	before = meter_memory_kib(&l->meter, "RssAnon");
	r.stretch = stretch_begin(&l->meter);
	for (long i = 0; i < at; i++)
		client_begin(&r, &clients[i]);
	run_loop(&r);
	end = bench_now_ns();
	if (r.keep)
		bench_sleep_ms(PARKED_MS);
	stretch_end(&r.stretch, end);
	after = meter_memory_kib(&l->meter, "RssAnon");
	(void)printf("{\"ops\": %ld, \"cpu_ns\": %lld, \"wall_ns\": %lld, "
	             "\"anon_kib\": %ld}\n",
	    r.ops, (long long)r.stretch.cpu_ns, (long long)r.stretch.wall_ns,
	    after - before);
	free(clients);
}
