/* Tells when this machine's addresses changed, from the kernel's own word. */
#ifndef AGENT_INTERFACES_H
#define AGENT_INTERFACES_H

#include "base/status.h"

#include <stdbool.h>

struct event_base;
struct interfaces;

/**
 * Calls @changed from the loop soon after an address came or went, and once
 * a minute in case a word was lost. False: it did not work out, try again in
 * a second. E_NOMEM, E_IO.
 */
enum status interfaces_watch(struct event_base *base,
    bool (*changed)(void *arg), void *arg,
    struct interfaces **out) ATTR_MUST_USE;
/** NULL-safe. */
void interfaces_destroy(struct interfaces *i);

#endif
