/* The kernel clocks, and RFC 3339 text. */
#include "base/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <time.h>

static int64_t
system_boot_ms(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t
system_unix_ns(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

const struct clock clock_system = { system_boot_ms, system_unix_ns, NULL };

int64_t
clock_boot_ms(const struct clock *c)
{
	return c->boot_ms(c->ctx);
}

int64_t
clock_unix_ns(const struct clock *c)
{
	return c->unix_ns(c->ctx);
}

int64_t
clock_unix_s(const struct clock *c)
{
	return clock_unix_ns(c) / 1000000000;
}

void
clock_rfc3339(int64_t unix_ns, char out[CLOCK_RFC3339_BYTES])
{
	time_t s = (time_t)(unix_ns / 1000000000);
	int ns = (int)(unix_ns % 1000000000);
	struct tm tm = { 0 };
	char full[64];

	(void)gmtime_r(&s, &tm);
	(void)snprintf(full, sizeof full, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, ns);
	(void)snprintf(out, CLOCK_RFC3339_BYTES, "%.30s", full);
}
