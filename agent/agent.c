/* agent. */
#include "agent/agent.h"

const char agent_version[] = PACKAGE_VERSION;
