/* The listening sockets of one worker. */
#ifndef PROXY_LISTENER_H
#define PROXY_LISTENER_H

#include "proxy/worker.h"

struct listener;

/** Takes @fd, also on failure (E_NOMEM). @name is copied. */
enum status listener_create(struct proxy_worker *w, int fd, const char *name,
    struct listener **out) ATTR_MUST_USE;
void listener_destroy(struct listener *l);
/** Closes the socket; the name stays for the sessions that borrow it. */
void listener_close(struct listener *l);

#endif
