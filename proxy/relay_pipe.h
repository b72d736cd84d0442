/* The pipes that splice(2) needs, lent to the flows of one worker. */
#ifndef PROXY_RELAY_PIPE_H
#define PROXY_RELAY_PIPE_H

#include "proxy/relay.h"

void relay_pipes_init(struct relay_pool *p);
/** Closes those that are not lent. */
void relay_pipes_release(struct relay_pool *p);
/** Empty; NULL: there is none to spare. */
struct relay_pipe *relay_pipe_borrow(struct relay_pool *p);
/** NULL-safe. */
void relay_pipe_return(struct relay_pool *p, struct relay_pipe *pipe);

#endif
