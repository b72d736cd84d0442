/* What `wayleave status` and /status show. */
#ifndef AGENT_STATUS_JSON_H
#define AGENT_STATUS_JSON_H

#include "agent/daemon.h"
#include "base/jsonw.h"

/** Members "ready" and "reasons" of the open object of @w. */
void status_put_ready(struct jsonw *w, const struct daemon *d);
/** All members of the state; no token, no secret, no workload's business. */
void status_put_all(struct jsonw *w, const struct daemon *d);
/** A member @key with the addresses of one role. */
void status_put_listeners(struct jsonw *w, const char *key,
    const struct daemon *d, enum listen_role role);
/** A member "gateways": name, listen and upstream of each. */
void status_put_gateways(struct jsonw *w, const struct daemon *d);

#endif
