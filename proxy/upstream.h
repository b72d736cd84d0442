/* What is known of a connection to a destination that may serve again. */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include "base/addr.h"
#include "base/host.h"

/** So long a certificate is believed that was shown once. */
enum { UPSTREAM_LIFE_MS = 3600000 };

/** A connection serves again only where all of this is as it was. */
struct upstream_facts {
	char host[HOST_BYTES]; /**< canonical */
	uint16_t port;
	struct addr address;
	uint64_t generation; /**< of the policy that judged it */
	uint64_t trust;      /**< what its certificate was held against; 0:
	                          no TLS */
	const char *tls;     /**< its version, static; NULL: none */
	bool h2;             /**< HTTP/2 was asked for */
	char identity[64];   /**< whose tokens went through it, or "" and */
	uint32_t uid;        /**< whose own requests did */
	int64_t made_ms;     /**< of the boot clock: when it was verified */
};

#endif
