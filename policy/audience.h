/* Audiences, compared as Entra does: by scheme, host and path. */
#ifndef POLICY_AUDIENCE_H
#define POLICY_AUDIENCE_H

#include "base/slice.h"

enum { AUDIENCE_BYTES = 1024 };

/**
 * Without one trailing '/', scheme and host in lower case. False for an
 * empty or overlong audience, and for bytes that are not printable ASCII.
 */
bool audience_normalise(struct slice text, char out[AUDIENCE_BYTES]);

#endif
