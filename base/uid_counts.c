/* How many connections each uid has: a short list without order. */
#include "base/uid_counts.h"

#include <stdlib.h>

enum { FIRST_CAP = 16 };

struct uid_count {
	uint32_t uid;
	unsigned count;
};

/* Few uids are here at once, so a list in one block beats a table. */
static struct uid_count *
find(const struct uid_counts *c, uint32_t uid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i].uid == uid)
			return &c->at[i];
	return NULL;
}

static enum status
add(struct uid_counts *c, uint32_t uid)
{
	size_t cap = c->cap == 0 ? FIRST_CAP : c->cap * 2;
	struct uid_count *more;

	if (c->n == UID_COUNTS_MAX)
		return E_LIMIT;
	if (c->n == c->cap) {
		more = realloc(c->at, cap * sizeof *more);
		if (more == NULL)
			return E_NOMEM;
		c->at = more;
		c->cap = cap;
	}
	c->at[c->n++] = (struct uid_count){ .uid = uid, .count = 1 };
	return OK;
}

void
uid_counts_release(struct uid_counts *c)
{
	free(c->at);
	*c = (struct uid_counts){ 0 };
}

enum status
uid_counts_enter(struct uid_counts *c, uint32_t uid, unsigned *count)
{
	struct uid_count *u = find(c, uid);
	enum status st;

	if (u != NULL) {
		*count = ++u->count;
		return OK;
	}
	st = add(c, uid);
	if (st == OK)
		*count = 1;
	return st;
}

void
uid_counts_leave(struct uid_counts *c, uint32_t uid)
{
	struct uid_count *u = find(c, uid);

	if (u != NULL && --u->count == 0)
		*u = c->at[--c->n];
}
