/* The least code that tunnels: reads CONNECT, dials, moves bytes.
 *
 * No policy, no names, no limits, no record, no deadline. mode=copy moves by
 * recv and send; mode=hybrid goes over to splice while a read fills the
 * buffer. One small block a tunnel, and nothing more while it is idle. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 16384, TURN_BYTES = 131072, EVENTS = 256 };

enum stage { STAGE_HEAD, STAGE_DIALLING, STAGE_OPEN, STAGE_DEAD };

struct tunnel;

struct end {
	struct tunnel *tunnel;
	int fd;
	uint32_t watched;
	bool eof;   /* nothing more comes from it */
	char *held; /* read from the other end, not taken by this one */
	uint32_t held_n, held_at, piped;
	int pipe[2];
};

struct tunnel {
	struct end client, upstream;
	enum stage stage;
	struct tunnel *next_dead;
};

static int epoll, spare[2] = { -1, -1 };
static bool hybrid;
static struct sockaddr_in target;
static struct tunnel *dead;
static char buffer[BUFFER_BYTES];

static void
watch(struct end *e, uint32_t what)
{
	struct epoll_event ev = { .events = what, .data.ptr = e };
	int how = EPOLL_CTL_MOD;

	if (e->watched == what)
		return;
	if (e->watched == 0)
		how = EPOLL_CTL_ADD;
	if (what == 0)
		how = EPOLL_CTL_DEL;
	if (epoll_ctl(epoll, how, e->fd, &ev) != 0)
		bench_die("epoll: %s", strerror(errno));
	e->watched = what;
}

static void
end_close(struct end *e)
{
	if (e->fd >= 0)
		(void)close(e->fd);
	if (e->pipe[0] >= 0) {
		(void)close(e->pipe[0]);
		(void)close(e->pipe[1]);
	}
	free(e->held);
}

/* Freed at the end of the turn: another event of it may be waiting. */
static void
tunnel_end(struct tunnel *t)
{
	if (t->stage == STAGE_DEAD)
		return;
	end_close(&t->client);
	end_close(&t->upstream);
	t->stage = STAGE_DEAD;
	t->next_dead = dead;
	dead = t;
}

static void
free_dead(void)
{
	while (dead != NULL) {
		struct tunnel *t = dead;

		dead = t->next_dead;
		free(t);
	}
}

static struct end *
other(struct end *e)
{
	return e == &e->tunnel->client ? &e->tunnel->upstream
	                               : &e->tunnel->client;
}

/* Keeps what @to did not take. */
static void
hold(struct end *to, const char *bytes, size_t n)
{
	to->held = malloc(n);
	if (to->held == NULL)
		bench_die("no memory");
	memcpy(to->held, bytes, n);
	to->held_n = (uint32_t)n;
	to->held_at = 0;
}

static bool
has_pipe(struct end *to)
{
	if (to->pipe[0] >= 0)
		return true;
	if (spare[0] >= 0) {
		memcpy(to->pipe, spare, sizeof spare);
		spare[0] = -1;
		return true;
	}
	if (pipe2(to->pipe, O_NONBLOCK | O_CLOEXEC) != 0)
		return false;
	(void)fcntl(to->pipe[1], F_SETPIPE_SZ, TURN_BYTES);
	return true;
}

static void
drop_pipe(struct end *to)
{
	if (to->pipe[0] < 0 || to->piped > 0)
		return;
	if (spare[0] < 0) {
		memcpy(spare, to->pipe, sizeof spare);
	} else {
		(void)close(to->pipe[0]);
		(void)close(to->pipe[1]);
	}
	to->pipe[0] = -1;
}

/* What waits for @to. 1: all is out; 0: it is full; -1: it is gone. */
static int
flush(struct end *to)
{
	ssize_t n;

	while (to->piped > 0) {
		n = splice(to->pipe[0], NULL, to->fd, NULL, to->piped,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -1;
		to->piped -= (uint32_t)n;
	}
	while (to->held != NULL) {
		n = send(to->fd, to->held + to->held_at,
		    to->held_n - to->held_at, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		to->held_at += (uint32_t)n;
		if (to->held_at == to->held_n) {
			free(to->held);
			to->held = NULL;
		}
	}
	return 1;
}

/* One step by splice. 1: moved; 0: nothing there; -1: over; -2: gone. */
static int
step_splice(struct end *from, struct end *to, size_t budget)
{
	ssize_t n;

	if (!has_pipe(to))
		return -2;
	n = splice(from->fd, NULL, to->pipe[1], NULL, budget,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0)
		return errno == EAGAIN ? 0 : -2;
	if (n == 0)
		return -1;
	to->piped = (uint32_t)n;
	return (int)n;
}

static int
step_copy(struct end *from, struct end *to)
{
	ssize_t n = recv(from->fd, buffer, sizeof buffer, 0), sent;

	if (n < 0)
		return errno == EAGAIN ? 0 : -2;
	if (n == 0)
		return -1;
	sent = send(to->fd, buffer, (size_t)n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		return -2;
	if (sent < 0)
		sent = 0;
	if (sent < n)
		hold(to, buffer + sent, (size_t)(n - sent));
	return (int)n;
}

static void
settle(struct end *from, struct end *to, int got)
{
	if (got == -2) {
		tunnel_end(from->tunnel);
		return;
	}
	if (got == -1 && flush(to) == 1) {
		from->eof = true;
		(void)shutdown(to->fd, SHUT_WR);
		watch(from, 0);
		if (to->eof)
			tunnel_end(from->tunnel);
		return;
	}
	drop_pipe(to);
}

static void
interest(struct end *e)
{
	struct end *o = other(e);
	uint32_t what = 0;

	if (!e->eof && o->held == NULL && o->piped == 0)
		what |= EPOLLIN;
	if (e->held != NULL || e->piped > 0)
		what |= EPOLLOUT;
	watch(e, what);
}

static void
move(struct end *from, struct end *to)
{
	size_t budget = TURN_BYTES;
	bool bulk = false;
	int got = 1;

	while (budget > 0 && !from->eof) {
		int out = flush(to);

		if (out <= 0) {
			if (out < 0)
				tunnel_end(from->tunnel);
			break;
		}
		got =
		    bulk ? step_splice(from, to, budget) : step_copy(from, to);
		if (got <= 0) {
			settle(from, to, got);
			break;
		}
		bulk = hybrid && (bulk || got == BUFFER_BYTES);
		budget -= (size_t)got < budget ? (size_t)got : budget;
		if (!bulk && got < BUFFER_BYTES)
			break;
	}
	if (from->tunnel->stage != STAGE_OPEN)
		return;
	if (flush(to) < 0) {
		tunnel_end(from->tunnel);
		return;
	}
	drop_pipe(to);
	interest(from);
	interest(to);
}

static void
on_head(struct tunnel *t)
{
	ssize_t n = recv(t->client.fd, buffer, sizeof buffer, 0);
	const char *colon;

	if (n < 4 || memcmp(buffer + n - 4, "\r\n\r\n", 4) != 0) {
		tunnel_end(t);
		return;
	}
	buffer[n - 1] = '\0';
	colon = strchr(buffer, ':');
	if (colon == NULL) {
		tunnel_end(t);
		return;
	}
	/* The address is fixed, the port is the one that was asked for. */
	target.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	t->upstream.fd = bench_dial(&target);
	t->stage = STAGE_DIALLING;
	watch(&t->client, 0);
	watch(&t->upstream, EPOLLOUT);
}

static void
on_dialled(struct tunnel *t)
{
	static const char yes[] = "HTTP/1.1 200 OK\r\n\r\n";

	t->stage = STAGE_OPEN;
	if (send(t->client.fd, yes, sizeof yes - 1, MSG_NOSIGNAL) < 0) {
		tunnel_end(t);
		return;
	}
	interest(&t->client);
	interest(&t->upstream);
}

static void
on_event(struct end *e, uint32_t what)
{
	struct tunnel *t = e->tunnel;

	if (t->stage == STAGE_HEAD)
		on_head(t);
	else if (t->stage == STAGE_DIALLING)
		on_dialled(t);
	else if (t->stage == STAGE_OPEN && (what & EPOLLOUT) != 0)
		move(other(e), e);
	if (t->stage == STAGE_OPEN && (what & ~(uint32_t)EPOLLOUT) != 0)
		move(e, other(e));
}

static void
accept_all(int listener)
{
	int fd;

	while ((fd = bench_accept(listener)) >= 0) {
		struct tunnel *t = calloc(1, sizeof *t);

		if (t == NULL)
			bench_die("no memory");
		t->client =
		    (struct end){ t, fd, 0, false, NULL, 0, 0, 0, { -1, -1 } };
		t->upstream = t->client;
		t->upstream.fd = -1;
		watch(&t->client, EPOLLIN);
	}
}

int
main(int argc, char *argv[])
{
	struct epoll_event at[EVENTS], e = { .events = EPOLLIN };
	struct sockaddr_in here = bench_address(argv, "listen");
	int listener = bench_listen(&here);

	(void)argc;
	bench_many_files();
	/* splice(2) has no flag such as MSG_NOSIGNAL. */
	(void)signal(SIGPIPE, SIG_IGN);
	target = bench_address(argv, "target");
	hybrid = strcmp(bench_option(argv, "mode", "copy"), "hybrid") == 0;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) != 0)
		bench_die("epoll: %s", strerror(errno));
	for (;;) {
		int n = epoll_wait(epoll, at, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (at[i].data.ptr == NULL)
				accept_all(listener);
			else
				on_event(at[i].data.ptr, at[i].events);
		}
		free_dead();
	}
}
