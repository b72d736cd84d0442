/* What query, tail and export share: the filter's options, and records as
 * a table, as JSON or as CSV. */
#ifndef AGENT_AUDIT_VIEW_H
#define AGENT_AUDIT_VIEW_H

#include "agent/audit_filter.h"
#include "agent/cli.h"

enum { AUDIT_GROUPS_MAX = 6, AUDIT_OPTIONS_MAX = 20 };

enum audit_shape { AUDIT_SHAPE_TABLE, AUDIT_SHAPE_JSON, AUDIT_SHAPE_CSV };

/** What was asked for, and what was seen so far. */
struct audit_view {
	struct audit_filter filter;
	enum audit_shape shape;
	const char *groups[AUDIT_GROUPS_MAX];
	size_t n_groups;
	json_t *counts; /**< group text to number; owned */
	uint64_t shown, damaged;
	bool no_memory; /**< for something that should have been shown */
};

/** The filter's options as lines of help. */
extern const char audit_view_help[];
/** Fills @o with the filter's options; returns how many. */
size_t audit_view_options(struct audit_filter *f, struct cli_option *o);
/** -1 to go on, or an exit code after a message. */
int audit_view_check(const char *verb, struct audit_filter *f);
/** One line of a file: shown when it is a record that was asked for. */
void audit_view_line(struct audit_view *v, struct slice line);
/** EX_OK, or an exit code after a message: not all could be shown. */
int audit_view_end(const struct audit_view *v);

#endif
