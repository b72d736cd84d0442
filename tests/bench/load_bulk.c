/* Bytes in bulk through a few tunnels, and a ping beside them. */
#include "tests/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CHUNK_BYTES = 262144,
	PIECE_BYTES = 65536,
	EVENTS = 64,
	TUNNELS_MAX = 64
};

enum { PING_BYTES = 64, PING_EVERY_NS = 2000000, WARM_MS = 100 };

static char chunk[CHUNK_BYTES];

struct run {
	int epoll;
	bool both;
	int64_t bytes, limit, until_ns;
};

static void
tunnel_pour(struct run *r, int fd)
{
	ssize_t n = send(fd, chunk, sizeof chunk, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		bench_die("send: %s", strerror(errno));
	if (n > 0)
		r->bytes += n;
}

/*
 * Read as clients read. One that throws the bytes away uncopied (MSG_TRUNC)
 * is so quick that it sleeps before each segment, and waking it is then most
 * of what the proxy is charged for.
 */
static void
tunnel_drain(struct run *r, int fd)
{
	static char piece[PIECE_BYTES];
	ssize_t n = recv(fd, piece, sizeof piece, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		bench_die("a tunnel ended early");
	if (n > 0)
		r->bytes += n;
}

static bool
run_is_over(const struct run *r)
{
	if (r->limit > 0)
		return r->bytes >= r->limit;
	return bench_now_ns() >= r->until_ns;
}

static void
run_loop(struct run *r)
{
	struct epoll_event at[EVENTS];

	while (!run_is_over(r)) {
		int n = epoll_wait(r->epoll, at, EVENTS, 10000);

		if (n == 0)
			bench_die("nothing came for 10 s");
		for (int i = 0; i < n; i++) {
			if ((at[i].events & EPOLLIN) != 0)
				tunnel_drain(r, at[i].data.fd);
			if ((at[i].events & EPOLLOUT) != 0)
				tunnel_pour(r, at[i].data.fd);
		}
	}
}

static void
run_open(struct run *r, const struct load *l)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = load_open_now(l);

	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		bench_die("no tunnel");
	if (r->both)
		e.events |= EPOLLOUT;
	e.data.fd = fd;
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		bench_die("epoll: %s", strerror(errno));
}

void
load_bulk(const struct load *l)
{
	const char *way = bench_option(l->argv, "way", "down");
	struct run r = { .epoll = epoll_create1(EPOLL_CLOEXEC),
		.both = strcmp(way, "both") == 0 };
	long at = bench_number(l->argv, "at", 4);
	long seconds = bench_number(l->argv, "seconds", 0);
	struct stretch s;
	int64_t end;

	if (r.epoll < 0 || at > TUNNELS_MAX)
		bench_die("too many tunnels");
	for (long i = 0; i < at; i++)
		run_open(&r, l);
	r.until_ns = bench_now_ns() + (int64_t)WARM_MS * 1000000;
	run_loop(&r);
	s = stretch_begin(&l->meter);
	r.bytes = 0;
	r.limit = (int64_t)bench_number(l->argv, "mib", 0) << 20;
	r.until_ns = bench_now_ns() + (int64_t)seconds * 1000000000;
	run_loop(&r);
	end = bench_now_ns();
	/* What is on its way goes on: no trail is waited for. */
	s.cpu_ns = meter_cpu_ns(&l->meter) - s.cpu_ns;
	(void)printf("{\"bytes\": %lld, \"cpu_ns\": %lld, \"wall_ns\": %lld}\n",
	    (long long)r.bytes, (long long)s.cpu_ns,
	    (long long)(end - s.wall_ns));
}

static void
ping_once(int fd)
{
	size_t got = 0;

	if (send(fd, chunk, PING_BYTES, MSG_NOSIGNAL) != PING_BYTES)
		bench_die("ping: %s", strerror(errno));
	while (got < PING_BYTES) {
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);

		if (n <= 0)
			bench_die("the ping's tunnel ended");
		got += (size_t)n;
	}
}

void
load_ping(const struct load *l)
{
	long seconds = bench_number(l->argv, "seconds", -1);
	size_t max = (size_t)seconds * 500 + 1, n = 0;
	int64_t *took = calloc(max, sizeof *took), next;
	int fd = load_open_now(l);

	if (fd < 0 || took == NULL)
		bench_die("no tunnel");
	/* The first flight comes back before the first ping. */
	if (recv(fd, chunk, l->hello_n, MSG_WAITALL) != (ssize_t)l->hello_n)
		bench_die("the ping's tunnel ended");
	next = bench_now_ns();
	for (int64_t end = next + seconds * INT64_C(1000000000);
	     n < max && bench_now_ns() < end; n++) {
		int64_t now = bench_now_ns();

		ping_once(fd);
		took[n] = bench_now_ns() - now;
		next += PING_EVERY_NS;
		now = bench_now_ns();
		if (next > now) {
			struct timespec ts = { .tv_nsec = next - now };

			(void)nanosleep(&ts, NULL);
		} else {
			next = now;
		}
	}
	(void)printf("{\"ops\": %zu, \"p50_ns\": %lld, \"p99_ns\": %lld}\n", n,
	    (long long)bench_percentile(took, n, 50),
	    (long long)bench_percentile(took, n, 99));
	free(took);
}
