/* What the service manager and the daemon say to each other. */
#ifndef AGENT_MANAGER_H
#define AGENT_MANAGER_H

#include "base/slice.h"
#include "base/status.h"

enum { MANAGER_FDS_START = 3 };

/**
 * Sends one datagram of lines to the socket that $NOTIFY_SOCKET names, a
 * path or, with '@', an abstract name; nothing where there is none.
 * Source: sd_notify(3), which keeps this protocol stable for others.
 */
void manager_notify(const char *fmt, ...) ATTR_PRINTF(1, 2);

/**
 * How long the manager waits for the next WATCHDOG=1 of this process; 0: it
 * does not. Source: sd_watchdog_enabled(3).
 */
uint64_t manager_watchdog_us(void);

/**
 * How many descriptors were passed to this process, from MANAGER_FDS_START
 * on; *names, owned, has a name for each, joined by ':', or is NULL. They
 * are closed on exec from now on, and the environment forgets them. E_NOMEM;
 * E_INVALID when one is not open. Source: sd_listen_fds(3).
 */
enum status manager_sockets(size_t *n, char **names) ATTR_MUST_USE;

#endif
