/* What the programs of the bench share: options, sockets, meters.
 *
 * Options are words such as `mode=echo`. None of these programs is part of
 * the product; they end at the first thing that goes wrong. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include "base/compiler.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

ATTR_NORETURN ATTR_PRINTF(1, 2) void bench_die(const char *fmt, ...);
/** The value of the word @name=..., or @otherwise. */
const char *bench_option(
    char *const argv[], const char *name, const char *otherwise);
/** The same as a number; it must be there where @otherwise is negative. */
long bench_number(char *const argv[], const char *name, long otherwise);
int64_t bench_now_ns(void);
void bench_sleep_ms(long ms);

/** "A.B.C.D:PORT" of the word @name=... */
struct sockaddr_in bench_address(char *const argv[], const char *name);
/** A listening socket that does not block. */
int bench_listen(const struct sockaddr_in *at);
/** One that does. */
int bench_listen_now(const struct sockaddr_in *at);
/** Begins to connect without waiting. */
int bench_dial(const struct sockaddr_in *to);
/** Connects, and may block from then on. */
int bench_dial_now(const struct sockaddr_in *to);
/** Accepts without blocking; -1 when nobody waits. */
int bench_accept(int listener);
void bench_nodelay(int fd);
/** Lifts the limit of open files to its ceiling. */
void bench_many_files(void);

enum { METER_PIDS_MAX = 8 };

/** The processes whose CPU time and memory are measured. */
struct meter {
	pid_t pids[METER_PIDS_MAX];
	size_t n;
};

/** From the word pids=1,2,3; none is an empty meter. */
struct meter bench_meter(char *const argv[]);
/** All of their threads, user and system. */
int64_t meter_cpu_ns(const struct meter *m);
/** The sum of /proc/PID/status @field, such as "RssAnon". */
long meter_memory_kib(const struct meter *m, const char *field);

/** The @percent-th percentile of @n values, which are sorted by it. */
int64_t bench_percentile(int64_t *values, size_t n, double percent);

#endif
