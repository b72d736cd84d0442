/* The listening sockets of one worker. */
#ifndef PROXY_LISTENER_H
#define PROXY_LISTENER_H

#include "proxy/worker.h"

struct listener;

/**
 * Takes @fd, also on failure (E_NOMEM). @name is copied. It serves a gateway
 * all its life, or never, by the worker's snapshot now.
 */
enum status listener_create(struct proxy_worker *w, int fd, const char *name,
    struct listener **out) ATTR_MUST_USE;
void listener_destroy(struct listener *l);
/** Closes the socket; the name stays for the sessions that borrow it. */
void listener_close(struct listener *l);
bool listener_is_closed(const struct listener *l);
bool listener_is_gateway(const struct listener *l);
/** Borrowed while @l lives. */
const char *listener_name(const struct listener *l);

#endif
