/* Connects to one of a judged set of addresses (RFC 8305), to no other. */
#ifndef PROXY_DIALER_H
#define PROXY_DIALER_H

#include "proxy/proxy.h"

struct dial;

struct dial_params {
	struct event_base *base;
	const struct addr *addresses; /**< copied; at most 32 */
	size_t n_addresses;
	uint16_t port;
	unsigned timeout_ms; /**< over all attempts */
};

struct dial_result {
	int fd; /**< owned by the callee, non-blocking, TCP_NODELAY; or -1 */
	enum reason code;    /**< CONNECT_* when fd is -1 */
	struct addr address; /**< what getpeername() said */
};

/** done() comes once from the loop, never from inside. NULL: no memory. */
struct dial *dial_start(const struct dial_params *params,
    void (*done)(void *arg, const struct dial_result *result), void *arg);
void dial_cancel(struct dial *d);

#endif
