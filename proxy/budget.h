/* What each user has sent up by a rule, counted before it is sent.
 *
 * The counts lie in memory that outlives the process (agent/budget_file.c maps
 * a file), so that a crash forgets none of them: what was taken and not sent
 * stays counted then. Any thread. */
#ifndef PROXY_BUDGET_H
#define PROXY_BUDGET_H

#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUDGET_RULE_BYTES = 72, BUDGET_ENTRIES = 4096 };

/** As it lies in the file, in the machine's own byte order. */
struct budget_entry {
	char rule[BUDGET_RULE_BYTES];
	uint32_t uid;
	_Atomic uint32_t is_set; /**< the two above are whole */
	_Atomic uint64_t used;
};

/** Zeroed: nobody has sent anything. Never freed while workers run. */
struct budget_ledger {
	char form[64]; /**< whoever keeps it says there what it is */
	struct budget_entry at[BUDGET_ENTRIES];
};

/**
 * The count of @uid under @rule, made if there is none. E_LIMIT: there are as
 * many as can be.
 */
enum status budget_find(struct budget_ledger *l, const char *rule, uint32_t uid,
    struct budget_entry **out) ATTR_MUST_USE;
/** Counts up to @want bytes, within @limit in all; returns how many. */
size_t budget_take(struct budget_entry *e, uint64_t limit, size_t want);
/** @n of what was taken were not sent. */
void budget_give(struct budget_entry *e, size_t n);
bool budget_is_spent(const struct budget_entry *e, uint64_t limit);

#endif
