/* NO_PROXY: merged with what must bypass the proxy, never clobbered. */
#ifndef AGENT_ENV_NOPROXY_H
#define AGENT_ENV_NOPROXY_H

#include "base/buf.h"

/**
 * Appends the entries of @upper, then those of @lower and the agent's own
 * that are not there yet, separated by commas. Both may be NULL.
 */
void env_noproxy_merge(struct buf *out, const char *upper, const char *lower);
/** Takes the next entry off @rest, without blanks; false at the end. */
bool env_noproxy_next(struct slice *rest, struct slice *entry);
/** Why @entry lets a governed host slip past the agent; NULL if it cannot. */
const char *env_noproxy_slips(struct slice entry);

#endif
