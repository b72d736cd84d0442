/* Where upload budgets are counted for good: a file that is mapped. */
#ifndef AGENT_BUDGET_FILE_H
#define AGENT_BUDGET_FILE_H

#include "base/status.h"
#include "proxy/budget.h"

/**
 * Maps @state_dir's budgets, which are made when there are none. What is
 * counted there outlives the process, however it ends. E_DENIED: not a file of
 * ours, or not of this form; E_NOMEM, E_IO.
 */
enum status budget_file_open(const char *state_dir, struct budget_ledger **out,
    struct status_detail *detail) ATTR_MUST_USE;
/** When no worker runs any more. NULL-safe. */
void budget_file_close(struct budget_ledger *l);

#endif
