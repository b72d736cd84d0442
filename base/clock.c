/* The kernel clocks, and RFC 3339 text. */
#include "base/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
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

enum { SECOND_BYTES = 20 }; /* "2026-11-23T00:00:00." */

static void
put_second(time_t s, char out[SECOND_BYTES])
{
	struct tm tm = { 0 };
	char full[64];

	(void)gmtime_r(&s, &tm);
	(void)snprintf(full, sizeof full, "%04d-%02d-%02dT%02d:%02d:%02d.",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
	memcpy(out, full, SECOND_BYTES);
}

void
clock_rfc3339(int64_t unix_ns, char out[CLOCK_RFC3339_BYTES])
{
	/* Every record has its time, and thousands share a second. */
	static _Thread_local char second[SECOND_BYTES];
	static _Thread_local time_t second_is = -1;
	time_t s = (time_t)(unix_ns / 1000000000);
	int64_t ns = unix_ns % 1000000000;

	if (s != second_is)
		put_second(s, second);
	second_is = s;
	memcpy(out, second, SECOND_BYTES);
	for (size_t i = 9; i > 0; i--) {
		out[SECOND_BYTES + i - 1] = (char)('0' + ns % 10);
		ns /= 10;
	}
	out[SECOND_BYTES + 9] = 'Z';
	out[SECOND_BYTES + 10] = '\0';
}
