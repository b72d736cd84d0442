/* Raw DNS questions to the servers of one zone, by c-ares on libevent. */
#ifndef PROXY_RESOLVER_ARES_H
#define PROXY_RESOLVER_ARES_H

#include "proxy/dns_message.h"
#include "proxy/proxy.h"

struct dns_channel;

/** How c-ares ended: with a message (whatever its rcode), or without. */
enum dns_raw { DNS_RAW_MESSAGE, DNS_RAW_TIMEOUT, DNS_RAW_FAILED };

typedef void dns_raw_fn(void *arg, enum dns_raw how, struct slice message);

/** Servers are asked one at a time, in order; nothing of the host's own
 * resolver configuration or environment has a say. */
enum status dns_channel_create(struct event_base *base,
    const struct proxy_dns_zone *zone, unsigned timeout_ms, unsigned attempts,
    struct dns_channel **out) ATTR_MUST_USE;
/** Every question still open ends with DNS_RAW_FAILED, from inside. */
void dns_channel_destroy(struct dns_channel *c);
/** @done comes once, possibly from inside. @message is borrowed. */
void dns_channel_ask(struct dns_channel *c, const char *name,
    enum dns_type type, dns_raw_fn *done, void *arg);

#endif
