/* A sliding window of start times: never more than N in any one second. */
#include "identity/budget.h"

#include <assert.h>

enum { WINDOW_MS = 1000 };

/* Older than any window, far enough from the edge to subtract. */
#define LONG_AGO (INT64_MIN / 2)

void
budget_init(struct budget *b)
{
	*b = (struct budget){ .at = 0 };
	for (unsigned i = 0; i < BUDGET_PER_SECOND; i++)
		b->started_ms[i] = LONG_AGO;
}

int64_t
budget_next_ms(const struct budget *b, int64_t now_ms, bool behind)
{
	unsigned slots = behind ? BUDGET_BEHIND_AT_ONCE : BUDGET_AT_ONCE;
	unsigned rate = behind ? BUDGET_BEHIND_PER_SECOND : BUDGET_PER_SECOND;
	/* The start that lies @rate starts back decides. */
	unsigned back = (b->at + BUDGET_PER_SECOND - rate) % BUDGET_PER_SECOND;
	int64_t at_ms = b->started_ms[back] + WINDOW_MS;

	if (b->running >= slots)
		return INT64_MAX;
	return at_ms > now_ms ? at_ms : now_ms;
}

bool
budget_start(struct budget *b, int64_t now_ms, bool behind)
{
	if (budget_next_ms(b, now_ms, behind) > now_ms)
		return false;
	b->started_ms[b->at] = now_ms;
	b->at = (b->at + 1) % BUDGET_PER_SECOND;
	b->running++;
	return true;
}

void
budget_end(struct budget *b)
{
	assert(b->running > 0);
	b->running--;
}
