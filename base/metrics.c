/* Counters in slots: threads that share none never touch one cache line. */
#include "base/metrics.h"

#include <stdalign.h>
#include <stdatomic.h>

enum { SLOTS = 16, CACHE_LINE_BYTES = 64 };

struct slot {
	alignas(CACHE_LINE_BYTES) _Atomic int64_t metrics[METRIC_COUNT];
	_Atomic int64_t denied[REASON_COUNT];
};

static struct slot slots[SLOTS];

static struct slot *
own_slot(void)
{
	static atomic_uint next;
	static _Thread_local struct slot *own;

	/* Threads past the sixteenth share: slower, still right. */
	if (own == NULL)
		own = &slots[atomic_fetch_add(&next, 1) % SLOTS];
	return own;
}

void
metric_add(enum metric m, int64_t delta)
{
	atomic_fetch_add_explicit(
	    &own_slot()->metrics[m], delta, memory_order_relaxed);
}

void
metric_deny(enum reason r)
{
	atomic_fetch_add_explicit(
	    &own_slot()->denied[r], 1, memory_order_relaxed);
}

int64_t
metric_get(enum metric m)
{
	int64_t sum = 0;

	for (size_t i = 0; i < SLOTS; i++)
		sum += atomic_load_explicit(
		    &slots[i].metrics[m], memory_order_relaxed);
	return sum;
}

int64_t
metric_denied(enum reason r)
{
	int64_t sum = 0;

	for (size_t i = 0; i < SLOTS; i++)
		sum += atomic_load_explicit(
		    &slots[i].denied[r], memory_order_relaxed);
	return sum;
}

const struct metric_info *
metric_info(enum metric m)
{
	static const struct metric_info infos[METRIC_COUNT] = {
#define METRIC_INFO(name, text, kind, help) \
	[METRIC_##name] = { text, kind, help },
		METRIC_TABLE(METRIC_INFO)
#undef METRIC_INFO
	};

	return &infos[m];
}
