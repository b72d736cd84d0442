/* Where upload budgets are counted for good: a file that is mapped. */
#ifndef AGENT_BUDGET_FILE_H
#define AGENT_BUDGET_FILE_H

#include "base/status.h"
#include "proxy/budget.h"

struct budget_file;

/**
 * Maps @state_dir's budgets, which are made when there are none. What is
 * counted there outlives the process, however it ends; a thread of its own
 * writes it back each second. E_DENIED: not a file of ours, or not of this
 * form; E_NOMEM, E_IO.
 */
enum status budget_file_open(const char *state_dir, struct budget_file **out,
    struct status_detail *detail) ATTR_MUST_USE;
struct budget_ledger *budget_file_ledger(struct budget_file *f);
/** When no worker runs any more: all is written back. NULL-safe. */
void budget_file_close(struct budget_file *f);

#endif
