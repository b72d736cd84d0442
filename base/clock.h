/* Time as a port: the daemon asks the kernel, tests say what time it is. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/** Two clocks behind one struct. Both functions are thread-safe. */
struct clock {
	/** CLOCK_BOOTTIME in ms: counts suspend, never steps. */
	int64_t (*boot_ms)(void *ctx);
	/** CLOCK_REALTIME in ns since 1970. */
	int64_t (*unix_ns)(void *ctx);
	void *ctx;
};

/** The kernel's clocks. */
extern const struct clock clock_system;

int64_t clock_boot_ms(const struct clock *c);
int64_t clock_unix_ns(const struct clock *c);
int64_t clock_unix_s(const struct clock *c);

/** RFC 3339 with ns, UTC: "2026-11-23T00:00:00.000000000Z" and a NUL. */
enum { CLOCK_RFC3339_BYTES = 31 };

void clock_rfc3339(int64_t unix_ns, char out[CLOCK_RFC3339_BYTES]);

#endif
