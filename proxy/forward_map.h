/* The addresses in a gateway's heads: the destination's are the client's to
 * follow only under the gateway's own. Pure. */
#ifndef PROXY_FORWARD_MAP_H
#define PROXY_FORWARD_MAP_H

#include "base/buf.h"
#include "proxy/forward_route.h"

/**
 * Writes what the field @name: @value of an answer is to the client who knows
 * the gateway of @route as @own (its Host). False: it is passed on as it is,
 * and nothing was written. An address behind the gateway that it does not
 * lead to is told as what it is.
 */
bool forward_map_back(const struct forward_route *route, struct slice own,
    const struct http1_field *field, struct buf *out);

/**
 * Has the @fields of a request speak of the destination where they speak of
 * the gateway; what they become is in @text, which must live as long as they.
 * E_NOMEM.
 */
enum status forward_map_forth(const struct forward_route *route,
    struct http1_fields *fields, struct buf *text) ATTR_MUST_USE;

#endif
