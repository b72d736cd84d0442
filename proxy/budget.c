/* Upload budgets: one count a rule and user, exact among all threads. */
#include "proxy/budget.h"

#include <pthread.h>
#include <string.h>

/* FNV-1a, 32 bits. */
static uint32_t
place_of(const char *rule, uint32_t uid)
{
	uint32_t h = 2166136261U;

	for (; *rule != '\0'; rule++)
		h = (h ^ (uint8_t)*rule) * 16777619U;
	for (int i = 0; i < 4; i++)
		h = (h ^ (uid >> (8 * i) & 0xff)) * 16777619U;
	return h % BUDGET_ENTRIES;
}

/* Over the making of counts, which is rare. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static bool
is_set(const struct budget_entry *e)
{
	return atomic_load_explicit(&e->is_set, memory_order_acquire) != 0;
}

static bool
is_of(const struct budget_entry *e, const char *rule, uint32_t uid)
{
	return e->uid == uid && strncmp(e->rule, rule, sizeof e->rule) == 0;
}

/* The count, or the free place where it belongs; NULL: neither. */
static struct budget_entry *
look(struct budget_ledger *l, const char *rule, uint32_t uid)
{
	uint32_t at = place_of(rule, uid);

	for (uint32_t i = 0; i < BUDGET_ENTRIES; i++) {
		struct budget_entry *e = &l->at[(at + i) % BUDGET_ENTRIES];

		if (!is_set(e) || is_of(e, rule, uid))
			return e;
	}
	return NULL;
}

/* It is set last: what a crash leaves half made is free. */
static void
make(struct budget_entry *e, const char *rule, uint32_t uid)
{
	memset(e->rule, 0, sizeof e->rule);
	memcpy(e->rule, rule, strlen(rule));
	e->uid = uid;
	atomic_store(&e->used, 0);
	atomic_store_explicit(&e->is_set, 1, memory_order_release);
}

enum status
budget_find(struct budget_ledger *l, const char *rule, uint32_t uid,
    struct budget_entry **out)
{
	struct budget_entry *e = look(l, rule, uid);

	if (strlen(rule) >= sizeof e->rule)
		return E_LIMIT;
	if (e != NULL && !is_set(e)) {
		(void)pthread_mutex_lock(&making);
		/* Another may have been here first. */
		e = look(l, rule, uid);
		if (e != NULL && !is_set(e))
			make(e, rule, uid);
		(void)pthread_mutex_unlock(&making);
	}
	if (e == NULL)
		return E_LIMIT;
	*out = e;
	return OK;
}

size_t
budget_take(struct budget_entry *e, uint64_t limit, size_t want)
{
	uint64_t used = atomic_load(&e->used), n;

	do {
		n = used >= limit ? 0 : limit - used;
		if (n > want)
			n = want;
	} while (
	    n > 0 && !atomic_compare_exchange_weak(&e->used, &used, used + n));
	return (size_t)n;
}

void
budget_give(struct budget_entry *e, size_t n)
{
	(void)atomic_fetch_sub(&e->used, n);
}

bool
budget_is_spent(const struct budget_entry *e, uint64_t limit)
{
	return atomic_load(&e->used) >= limit;
}
