/* Makes one generation of what the workers decide by. */
#ifndef AGENT_SNAPSHOT_H
#define AGENT_SNAPSHOT_H

#include "agent/ca.h"
#include "agent/config.h"
#include "agent/listeners.h"

/**
 * Copies what is needed of @config and @listeners and takes a reference of
 * @policy and of what signs in @ca, which may be NULL. *out is owned with one reference. E_NOMEM, E_IO (the machine's own
 * addresses cannot be read), E_LIMIT (there are too many).
 */
enum status snapshot_build(const struct config *config, struct policy *policy,
    const struct listeners *listeners, uint64_t generation, const struct ca *ca,
    struct proxy_snapshot **out) ATTR_MUST_USE;
/** Whether both know the same own addresses. */
bool snapshot_self_eq(
    const struct proxy_snapshot *a, const struct proxy_snapshot *b);

#endif
