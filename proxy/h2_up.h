/* A connection to a destination that speaks HTTP/2, as a struct stream whose
 * bytes are HTTP/1.1, one message after another. */
#ifndef PROXY_H2_UP_H
#define PROXY_H2_UP_H

#include "base/clock.h"
#include "proxy/stream.h"

/**
 * Takes @under, on which HTTP/2 was agreed, also on failure. What is written
 * is a request of HTTP/1.1, and what is read its answer; it lasts from one
 * message to the next where each ends as its framing says. E_NOMEM.
 */
enum status h2_up_start(struct stream under, const struct clock *clock,
    struct stream *out) ATTR_MUST_USE;

#endif
