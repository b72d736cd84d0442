/* The admin listener: state for machines, over HTTP on loopback, read-only. */
#ifndef AGENT_ADMIN_H
#define AGENT_ADMIN_H

#include "base/status.h"

struct admin;
struct config;
struct daemon;

enum status admin_create(struct daemon *d, struct admin **out) ATTR_MUST_USE;
/** Limits and times of a new configuration, for connections from now on. */
void admin_set_limits(struct admin *a, const struct config *config);
void admin_destroy(struct admin *a);

#endif
