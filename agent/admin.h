/* The admin listener: state for machines, over HTTP on loopback, read-only. */
#ifndef AGENT_ADMIN_H
#define AGENT_ADMIN_H

#include "base/status.h"

struct admin;
struct daemon;

enum status admin_create(struct daemon *d, struct admin **out) ATTR_MUST_USE;
void admin_destroy(struct admin *a);

#endif
