/* Makes struct resolver_answer of what was read from messages. */
#ifndef PROXY_RESOLVER_ANSWER_H
#define PROXY_RESOLVER_ANSWER_H

#include "proxy/dns_message.h"
#include "proxy/resolver.h"

/** Returns owned with one reference, or NULL without memory. */
struct resolver_answer *resolver_answer_create(
    const struct dns_answer *d, bool cached);

#endif
