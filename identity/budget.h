/* How often the metadata service may be asked: it counts for the whole VM. */
#ifndef IDENTITY_BUDGET_H
#define IDENTITY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* IMDS allows 5 at once and 20 a second to all processes of the machine. */
enum {
	BUDGET_AT_ONCE = 4,
	BUDGET_PER_SECOND = 10,
	BUDGET_BEHIND_AT_ONCE = 3,    /**< refreshes leave one slot free */
	BUDGET_BEHIND_PER_SECOND = 8, /**< and two starts a second */
};

struct budget {
	int64_t started_ms[BUDGET_PER_SECOND]; /**< a ring of start times */
	unsigned at;
	unsigned running;
};

void budget_init(struct budget *b);
/**
 * Takes a slot, or says no. @behind: a refresh that nobody waits for; it
 * leaves room, so that first-time fetches are never starved.
 */
bool budget_start(struct budget *b, int64_t now_ms, bool behind);
void budget_end(struct budget *b);
/**
 * When the rate allows the next start; INT64_MAX when only budget_end() can
 * help.
 */
int64_t budget_next_ms(const struct budget *b, int64_t now_ms, bool behind);

#endif
