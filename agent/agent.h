/* The process: the only place where proxy, identity and policy meet. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

/** The version that was built, as in --version. */
extern const char agent_version[];

#endif
