/* Whether a suffix holds hosts that some rule names. */
#include "policy/model.h"

#include <string.h>

static void
note(void *arg, uint32_t value, uint32_t fixed)
{
	(void)value;
	(void)fixed;
	*(bool *)arg = true;
}

bool
policy_governs(const struct policy *p, const char *suffix)
{
	const struct index *ix = &p->index;
	struct slice s = slice_of(suffix);
	bool found = false;

	/* A rule's host is the suffix, or a wildcard of one holds it. */
	index_visit(ix, s, note, &found);
	/* A rule's host lies under it. */
	return found || index_find(ix, INDEX_WILD, s) != INDEX_NONE ||
	    index_find(ix, INDEX_NEAR, s) != INDEX_NONE ||
	    index_find(ix, INDEX_TOP, s) != INDEX_NONE;
}
