/* The load generator: one kind of work against one proxy, measured. */
#include "tests/bench/load.h"

#include "tests/unit/proxy/hello_bytes.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRAIL_MS = 60 };

size_t
load_head(const struct load *l, char *out, size_t size)
{
	int n;

	if (*l->host == '\0')
		return 0;
	n = snprintf(out, size, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n",
	    l->host, l->host);
	return (size_t)n;
}

bool
load_is_answered(const char *bytes, size_t n)
{
	if (n < 4 || memcmp(bytes + n - 4, "\r\n\r\n", 4) != 0)
		return false;
	if (n < 12 || memcmp(bytes + 8, " 200", 4) != 0)
		bench_die("refused: %.*s", (int)(n < 400 ? n : 400), bytes);
	return true;
}

int
load_tunnel_now(const struct load *l)
{
	int fd = bench_dial_now(&l->proxy);
	char head[512], answer[2048];
	size_t n = load_head(l, head, sizeof head), got = 0;

	if (fd < 0)
		return -1;
	if (send(fd, head, n, MSG_NOSIGNAL) != (ssize_t)n)
		goto gone;
	while (n > 0 && !load_is_answered(answer, got)) {
		ssize_t k = recv(fd, answer + got, sizeof answer - got, 0);

		if (k <= 0)
			goto gone;
		got += (size_t)k;
	}
	return fd;
gone:
	(void)close(fd);
	return -1;
}

int
load_open_now(const struct load *l)
{
	int fd = load_tunnel_now(l);

	if (fd < 0 ||
	    send(fd, l->hello, l->hello_n, MSG_NOSIGNAL) == (ssize_t)l->hello_n)
		return fd;
	(void)close(fd);
	return -1;
}

struct stretch
stretch_begin(const struct meter *m)
{
	return (struct stretch){ m, meter_cpu_ns(m), bench_now_ns() };
}

void
stretch_end(struct stretch *s, int64_t wall_end_ns)
{
	bench_sleep_ms(TRAIL_MS);
	s->cpu_ns = meter_cpu_ns(s->meter) - s->cpu_ns;
	s->wall_ns = wall_end_ns - s->wall_ns;
}

static void
make_hello(struct load *l)
{
	const char *text = bench_option(l->argv, "host", "bench.example:1");
	struct buf b;

	buf_init(&b, sizeof l->hello);
	hello_put(&b, (struct slice){ .p = text, .n = strcspn(text, ":") });
	if (buf_status(&b) != OK)
		bench_die("the host is too long");
	memcpy(l->hello, b.p, b.n);
	l->hello_n = b.n;
	buf_release(&b);
}

int
main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(const struct load *l);
	} kinds[] = {
		{ "connect", load_connect },
		{ "request", load_request },
		{ "body", load_body },
		{ "bulk", load_bulk },
		{ "ping", load_ping },
		{ "start", load_start },
		{ "tls", load_tls },
	};
	struct load l = { .argv = argv };
	const char *mode = bench_option(argv, "mode", "");

	(void)argc;
	bench_many_files();
	l.proxy = bench_address(argv, "proxy");
	l.host = bench_option(argv, "host", "");
	l.meter = bench_meter(argv);
	make_hello(&l);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, mode) != 0)
			continue;
		kinds[i].run(&l);
		return 0;
	}
	bench_die("mode=%s is not known", mode);
}
