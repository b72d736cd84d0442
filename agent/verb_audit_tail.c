/* wayleave audit tail: the last records, and those to come. */
#include "agent/audit_reader.h"
#include "agent/audit_view.h"
#include "agent/verb_audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAIL_MAX = 10000 };

/** Reads to the end, keeping the last @keep lines that match. */
static int
tail_start(struct audit_view *v, struct audit_reader *r, size_t keep)
{
	char **ring = calloc(keep + 1, sizeof *ring);
	size_t n = 0;
	struct slice line;
	enum status st;

	if (ring == NULL)
		return cli_fail(EX_SOFTWARE, "out of memory");
	while ((st = audit_reader_next(r, &line)) == OK) {
		json_t *j = json_loadb(line.p, line.n, 0, NULL);
		if (keep > 0 && j != NULL &&
		    audit_filter_matches(&v->filter, j)) {
			free(ring[n % keep]);
			ring[n % keep] = strndup(line.p, line.n);
			if (ring[n++ % keep] == NULL)
				v->no_memory = true;
		}
		json_decref(j);
	}
	for (size_t i = n > keep ? n - keep : 0; i < n; i++)
		if (ring[i % keep] != NULL)
			audit_view_line(v, slice_of(ring[i % keep]));
	for (size_t i = 0; i < keep; i++)
		free(ring[i]);
	free(ring);
	return st == E_CLOSED ? audit_view_end(v) : EX_IOERR;
}

/** Shows what is added, also to a new file of that name; never returns OK. */
static int
tail_follow(struct audit_view *v, struct audit_reader *r, const char *path)
{
	const struct timespec step = { 0, 200000000 };
	struct slice line;
	enum status st;

	for (;;) {
		bool moved = audit_reader_was_moved(r);
		while ((st = audit_reader_next(r, &line)) == OK)
			audit_view_line(v, line);
		if (fflush(stdout) != 0 || st != E_CLOSED)
			break;
		if (moved) {
			struct audit_reader *next = NULL;
			if (audit_reader_open(path, &next) == OK) {
				audit_reader_close(r);
				r = next;
				continue;
			}
		}
		(void)nanosleep(&step, NULL);
	}
	audit_reader_close(r);
	return EX_IOERR;
}

int
verb_audit_tail(int argc, char **argv)
{
	struct audit_view v = { .shape = AUDIT_SHAPE_TABLE };
	struct cli_option options[AUDIT_OPTIONS_MAX] = { 0 };
	size_t n = audit_view_options(&v.filter, options);
	const char *path, *lines = "10";
	bool follow = false, json = false;
	struct audit_reader *r = NULL;
	char help[2048];
	uint64_t keep;
	int rest, code;

	(void)snprintf(help, sizeof help,
	    "Usage: wayleave audit tail [-f] [-n N] [--json] [FILTER...] "
	    "[FILE]\n%s"
	    "  -f   go on with what is added, over rotations\n"
	    "Default file: " CLI_AUDIT_FILE "\n",
	    audit_view_help);
	options[n++] = (struct cli_option){ "follow", 'f', &follow, NULL };
	options[n++] = (struct cli_option){ "lines", 'n', NULL, &lines };
	options[n] = (struct cli_option){ "json", 0, &json, NULL };
	code = cli_options_mixed(argc, argv, options, help, &rest);
	if (code < 0)
		code = audit_view_check("audit tail", &v.filter);
	if (code >= 0)
		return code;
	if (argc - rest > 1)
		return cli_usage("audit tail", "takes one file");
	if (!slice_to_u64(slice_of(lines), TAIL_MAX, &keep))
		return cli_usage("audit tail", "-n takes 0 to %d", TAIL_MAX);
	path = rest < argc ? argv[rest] : CLI_AUDIT_FILE;
	v.shape = json ? AUDIT_SHAPE_JSON : AUDIT_SHAPE_TABLE;
	if (audit_reader_open(path, &r) != OK)
		return cli_cannot_read(path);
	code = tail_start(&v, r, (size_t)keep);
	if (code == EX_OK && follow)
		return tail_follow(&v, r, path);
	audit_reader_close(r);
	return code;
}
