/* Paths that two parsers would read in two ways. */
#ifndef PROXY_FORWARD_PATH_H
#define PROXY_FORWARD_PATH_H

#include "base/slice.h"

/**
 * False for dot segments (also encoded, or before a parameter), encoded
 * backslashes and controls, double encoding and broken escapes: such a path
 * may mean one thing to the policy and another to the destination. Encoded
 * slashes pass where @coded_slash: the policy reads them in both ways.
 */
bool forward_path_ok(struct slice path, bool coded_slash);

#endif
