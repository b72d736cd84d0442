/* Takes away from the process what it does not need. */
#ifndef AGENT_HARDEN_H
#define AGENT_HARDEN_H

#include "base/status.h"

#include <stdbool.h>

/**
 * First thing in main(): no core, not dumpable, no environment variable that
 * would steer a library past the configuration; as many descriptors as the
 * hard limit lets us have.
 */
enum status harden_process(struct status_detail *detail) ATTR_MUST_USE;
/**
 * After the listeners are bound and before any thread: no capabilities, but
 * CAP_SYS_PTRACE where a unit gave it to our user, or where the policy
 * @uses_exes and we have it.
 */
enum status harden_capabilities(
    bool uses_exes, struct status_detail *detail) ATTR_MUST_USE;
/** Whether we may read which program another user's process runs. */
bool harden_has_ptrace(void);
/** After all threads run: the system calls that are left, for all of them. */
enum status harden_syscalls(struct status_detail *detail) ATTR_MUST_USE;

#endif
