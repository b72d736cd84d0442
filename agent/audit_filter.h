/* Which audit records a person asks for, and what is shown of them. */
#ifndef AGENT_AUDIT_FILTER_H
#define AGENT_AUDIT_FILTER_H

#include "base/buf.h"
#include "base/status.h"

#include <jansson.h>

/** All NULL: everything. Texts are borrowed. */
struct audit_filter {
	const char *since, *until; /**< see audit_filter_times() */
	const char *verdict, *code, *host, *user, *unit, *would;
	const char *event, *id, *rule, *workload;
	char since_text[32], until_text[32]; /**< filled in, or "" */
};

/**
 * Reads since and until: "2026-11-23", "2026-11-23T01:02:03Z" with or
 * without a fraction, or "90s", "15m", "2h", "7d" before @now_ns. E_SYNTAX:
 * *bad is the one that is wrong.
 */
enum status audit_filter_times(
    struct audit_filter *f, int64_t now_ns, const char **bad) ATTR_MUST_USE;
/** @host may be "*.suffix". */
bool audit_filter_matches(const struct audit_filter *f, const json_t *record);

/** Columns that a table, CSV and --group-by know; NULL when unknown. */
const char *audit_column_known(const char *name);
/** Appends the column's text of @record; nothing when it is null. */
void audit_column_put(
    struct buf *out, const json_t *record, const char *column);

#endif
