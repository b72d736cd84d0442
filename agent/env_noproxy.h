/* NO_PROXY: merged with what must bypass the proxy, never clobbered. */
#ifndef AGENT_ENV_NOPROXY_H
#define AGENT_ENV_NOPROXY_H

#include "base/buf.h"
#include "base/host.h"

/**
 * Appends the entries of @upper, then those of @lower and the agent's own
 * that are not there yet, separated by commas. Both may be NULL.
 */
void env_noproxy_merge(struct buf *out, const char *upper, const char *lower);
/** Takes the next entry off @rest, without blanks; false at the end. */
bool env_noproxy_next(struct slice *rest, struct slice *entry);
/**
 * The name, canonical, at and under which @entry lets hosts slip past, as the
 * widest dialect reads it; false: it is an address, a range or no name.
 */
bool env_noproxy_suffix(struct slice entry, char out[HOST_BYTES]);
/**
 * Why @entry lets hosts slip past the agent that it is there for, whatever
 * the policy; NULL: only the policy can tell.
 */
const char *env_noproxy_slips(struct slice entry);

#endif
