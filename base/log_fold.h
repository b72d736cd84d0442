/* The same line no more than once in ten seconds. */
#ifndef BASE_LOG_FOLD_H
#define BASE_LOG_FOLD_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

enum { LOG_FOLD_SLOTS = 64, LOG_FOLD_MS = 10000 };

/** What one thread has said of late; zeroed at first. */
struct log_fold {
	struct {
		uint64_t key;
		int64_t until_ms;
	} at[LOG_FOLD_SLOTS];
};

/** Whether a line about @subject that says @what is due at @now_ms. */
bool log_fold_is_due(struct log_fold *f, const char *subject, const char *what,
    int64_t now_ms) ATTR_MUST_USE;

#endif
