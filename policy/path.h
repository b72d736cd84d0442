/* The path of a URL in its normal form (RFC 3986 6.2.2). */
#ifndef POLICY_PATH_H
#define POLICY_PATH_H

#include "base/slice.h"

/**
 * The normal form of @path, NUL-terminated, in @out of @path.n + 2 bytes;
 * @tidy: as a server that takes "%2f" and "//" for '/' and drops ";x". False
 * when it is malformed or has dot segments, also encoded or with parameters:
 * such a path may mean one thing to the policy and another to a server.
 */
bool path_normal(struct slice path, bool tidy, char *out, struct slice *normal);
/** Whether a '/' of it is written "%2f". */
bool path_has_coded_slash(struct slice path);

#endif
