/* What single clients want beyond the common environment. */
#ifndef AGENT_ENV_CLIENTS_H
#define AGENT_ENV_CLIENTS_H

#include "agent/env_list.h"

struct env_client {
	const char *name;
	const char *note; /**< what no variable can do; one sentence */
	/** Appends its variables; false is out of memory. May be NULL. */
	bool (*add)(struct env_list *l, const struct env_input *in);
};

/** By name, ending with one without a name. */
extern const struct env_client env_clients[];
/** Their names, ending with NULL. */
extern const char *const env_client_names[];

/** NULL: no such client. */
const struct env_client *env_client_find(const char *name);

#endif
