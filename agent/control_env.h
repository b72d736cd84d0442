/* `env`: where the caller finds the agent, and what would slip past it. */
#ifndef AGENT_CONTROL_ENV_H
#define AGENT_CONTROL_ENV_H

#include "agent/daemon.h"
#include "base/jsonw.h"

#include <jansson.h>

/**
 * Writes the members of the answer to `env` (control_client.h) for @uid;
 * @no_proxy is what the caller sent, or NULL.
 */
void control_put_env(struct jsonw *w, const struct daemon *d, uint32_t uid,
    const json_t *no_proxy);

#endif
