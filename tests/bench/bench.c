/* Options, sockets and meters of the bench's programs. */
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void
bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(1);
}

const char *
bench_option(char *const argv[], const char *name, const char *otherwise)
{
	size_t n = strlen(name);

	for (size_t i = 1; argv[i] != NULL; i++)
		if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
			return argv[i] + n + 1;
	return otherwise;
}

long
bench_number(char *const argv[], const char *name, long otherwise)
{
	const char *text = bench_option(argv, name, NULL);
	char *end;
	long v;

	if (text == NULL && otherwise >= 0)
		return otherwise;
	if (text == NULL)
		bench_die("%s= is missing", name);
	errno = 0;
	v = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || v < 0)
		bench_die("%s=%s is no number", name, text);
	return v;
}

int64_t
bench_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

void
bench_sleep_ms(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

struct sockaddr_in
bench_address(char *const argv[], const char *name)
{
	const char *text = bench_option(argv, name, NULL);
	struct sockaddr_in to = { .sin_family = AF_INET };
	const char *colon = text == NULL ? NULL : strrchr(text, ':');
	char host[INET_ADDRSTRLEN];
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);
	unsigned long port;
	char *end;

	if (n == 0 || n >= sizeof host)
		bench_die("%s=ADDRESS:PORT is missing", name);
	memcpy(host, text, n);
	host[n] = '\0';
	port = strtoul(colon + 1, &end, 10);
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1 || *end != '\0' ||
	    port > 65535)
		bench_die("%s=%s is no address", name, text);
	to.sin_port = htons((uint16_t)port);
	return to;
}

void
bench_nodelay(int fd)
{
	const int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static int
listen_on(const struct sockaddr_in *at, int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	const int one = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(fd, (const struct sockaddr *)at, sizeof *at) != 0 ||
	    listen(fd, 4096) != 0)
		bench_die("listen: %s", strerror(errno));
	return fd;
}

int
bench_listen(const struct sockaddr_in *at)
{
	return listen_on(at, SOCK_NONBLOCK);
}

int
bench_listen_now(const struct sockaddr_in *at)
{
	return listen_on(at, 0);
}

int
bench_dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		bench_die("socket: %s", strerror(errno));
	bench_nodelay(fd);
	if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 &&
	    errno != EINPROGRESS)
		bench_die("connect: %s", strerror(errno));
	return fd;
}

int
bench_dial_now(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		bench_die("socket: %s", strerror(errno));
	bench_nodelay(fd);
	if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

int
bench_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED)
		bench_die("accept: %s", strerror(errno));
	if (fd >= 0)
		bench_nodelay(fd);
	return fd;
}

void
bench_many_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

struct meter
bench_meter(char *const argv[])
{
	const char *text = bench_option(argv, "pids", "");
	struct meter m = { .n = 0 };

	while (*text != '\0' && m.n < METER_PIDS_MAX) {
		char *end;

		m.pids[m.n++] = (pid_t)strtol(text, &end, 10);
		if (end == text || (*end != ',' && *end != '\0'))
			bench_die("pids=%s is no list", text);
		text = *end == ',' ? end + 1 : end;
	}
	return m;
}

int64_t
meter_cpu_ns(const struct meter *m)
{
	int64_t sum = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct timespec ts;
		clockid_t clock;

		if (clock_getcpuclockid(m->pids[i], &clock) != 0 ||
		    clock_gettime(clock, &ts) != 0)
			bench_die("process %d is gone", (int)m->pids[i]);
		sum += ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
	}
	return sum;
}

static long
memory_of(pid_t pid, const char *field)
{
	char path[64], line[256];
	size_t n = strlen(field);
	long kib = -1;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		bench_die("%s: %s", path, strerror(errno));
	while (kib < 0 && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, field, n) == 0 && line[n] == ':')
			kib = strtol(line + n + 1, NULL, 10);
	(void)fclose(f);
	return kib;
}

long
meter_memory_kib(const struct meter *m, const char *field)
{
	long sum = 0;

	for (size_t i = 0; i < m->n; i++)
		sum += memory_of(m->pids[i], field);
	return sum;
}

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int64_t
bench_percentile(int64_t *values, size_t n, double percent)
{
	size_t at = (size_t)((double)n * percent / 100);

	if (n == 0)
		return 0;
	qsort(values, n, sizeof *values, compare);
	return values[at < n ? at : n - 1];
}
