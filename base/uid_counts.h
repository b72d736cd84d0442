/* How many connections each uid has, so that none locks the others out. */
#ifndef BASE_UID_COUNTS_H
#define BASE_UID_COUNTS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { UID_COUNTS_MAX = 4096 };

/** Zeroed is empty. Not for several threads at once. */
struct uid_counts {
	struct uid_count *at;
	size_t n, cap;
};

void uid_counts_release(struct uid_counts *c);
/**
 * One more of @uid (UINT32_MAX: all that are not known); *count is with this
 * one. E_LIMIT (of uids), E_NOMEM.
 */
enum status uid_counts_enter(
    struct uid_counts *c, uint32_t uid, unsigned *count) ATTR_MUST_USE;
/** Of one that entered. */
void uid_counts_leave(struct uid_counts *c, uint32_t uid);

#endif
