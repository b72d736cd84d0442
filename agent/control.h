/* The control socket: answers what control_client.h lists, by who asks. */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include "base/status.h"

struct control;
struct config;
struct daemon;

enum status control_create(
    struct daemon *d, struct control **out) ATTR_MUST_USE;
/** Limits and times of a new configuration, for connections from now on. */
void control_set_limits(struct control *c, const struct config *config);
void control_destroy(struct control *c);

#endif
