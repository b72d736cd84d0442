/* The load's kinds of work. Each prints one JSON object on one line. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include "tests/bench/bench.h"

/** What every kind reads from the command line. */
struct load {
	char *const *argv;
	struct sockaddr_in proxy; /**< proxy=ADDRESS:PORT */
	/** host=NAME:PORT for CONNECT; empty: the proxy is a plain TCP one */
	const char *host;
	/** The first flight: a ClientHello for the host, for all the same. */
	char hello[512];
	size_t hello_n;
	struct meter meter; /**< pids= */
};

/** CONNECT, one echo, close; ops= times, at= at once; keep=1 parks them. */
void load_connect(const struct load *l);
/** One request again and again on at= kept connections; ops= in all. */
void load_request(const struct load *l);
/** One body on each of at= connections, way=down or up; mib= in all. */
void load_body(const struct load *l);
/** bytes= through at= tunnels, way=down or both; or for seconds=. */
void load_bulk(const struct load *l);
/** 64 bytes there and back every 2 ms for seconds=. */
void load_ping(const struct load *l);
/** Starts the command behind "--" and waits for its first echo. */
void load_start(const struct load *l);
/** CONNECT, a handshake inside that proves the host by ca=, one request,
 * close; ops= times, at= at once. */
void load_tls(const struct load *l);

/** Opens one tunnel and waits for it. -1 when it was not to be had. */
int load_tunnel_now(const struct load *l);
/** Opens one tunnel and waits for it; the first flight has been sent.
 * -1 when it was not to be had. */
int load_open_now(const struct load *l);
/** The CONNECT request's head; its length. 0 for a plain TCP proxy. */
size_t load_head(const struct load *l, char *out, size_t size);
/** Whether @n bytes hold a whole answer head; ends unless it is a 200. */
bool load_is_answered(const char *bytes, size_t n);

/** The numbers of a measured stretch: begin, work, end. */
struct stretch {
	const struct meter *meter;
	int64_t cpu_ns, wall_ns;
};

struct stretch stretch_begin(const struct meter *m);
/** Waits until what trails behind is done, then reads the meters. */
void stretch_end(struct stretch *s, int64_t wall_end_ns);

#endif
