/* Records that a person asked for, shown. */
#include "agent/audit_view.h"

#include "agent/audit_line.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

const char audit_view_help[] =
    "  --since T, --until T   2026-11-23, 2026-11-23T01:02:03Z, or 15m ago\n"
    "  --verdict allow|deny   --would deny (what enforce mode would refuse)\n"
    "  --code CODE  --host HOST or *.SUFFIX  --rule ID  --id ID\n"
    "  --user NAME or UID  --unit UNIT  --workload NAME  --event EVENT\n";

static const char *const csv_columns[] = { "time", "seq", "id", "event",
	"verdict", "would", "code", "rule", "mode", "workload", "user", "uid",
	"unit", "protocol", "method", "host", "port", "path", "address",
	"identity", "audience", "status", "bytes_up", "bytes_down", "ms",
	"close" };

size_t
audit_view_options(struct audit_filter *f, struct cli_option *o)
{
	const struct cli_option all[] = {
		{ "since", 0, NULL, &f->since },
		{ "until", 0, NULL, &f->until },
		{ "verdict", 0, NULL, &f->verdict },
		{ "would", 0, NULL, &f->would },
		{ "code", 0, NULL, &f->code },
		{ "host", 0, NULL, &f->host },
		{ "rule", 0, NULL, &f->rule },
		{ "id", 0, NULL, &f->id },
		{ "user", 0, NULL, &f->user },
		{ "unit", 0, NULL, &f->unit },
		{ "workload", 0, NULL, &f->workload },
		{ "event", 0, NULL, &f->event },
	};

	memcpy(o, all, sizeof all);
	return ARRAY_LEN(all);
}

int
audit_view_check(const char *verb, struct audit_filter *f)
{
	const char *bad = NULL;

	if (f->would != NULL && strcmp(f->would, "deny") != 0)
		return cli_usage(verb, "--would takes deny");
	if (f->verdict != NULL && strcmp(f->verdict, "allow") != 0 &&
	    strcmp(f->verdict, "deny") != 0)
		return cli_usage(verb, "--verdict takes allow or deny");
	if (audit_filter_times(f, clock_unix_ns(&clock_system), &bad) != OK)
		return cli_usage(verb,
		    "\"%s\" is no time: 2026-11-23, 2026-11-23T01:02:03Z or "
		    "15m",
		    bad);
	return -1;
}

/** The text of @column, to be released. */
static struct buf
cell(struct audit_view *v, const json_t *record, const char *column)
{
	struct buf b;

	buf_init(&b, AUDIT_LINE_MAX);
	audit_column_put(&b, record, column);
	if (buf_status(&b) != OK)
		v->no_memory = true;
	return b;
}

/** One cell, cut or padded; safe for a terminal, as the lines are ASCII. */
static void
print_cell(
    struct audit_view *v, const json_t *record, const char *column, int width)
{
	struct buf b = cell(v, record, column);
	int n = b.n < 256 ? (int)b.n : 256;

	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] < 0x20 || b.p[i] > 0x7e)
			b.p[i] = '?';
	if (n > 0)
		(void)printf("%-*.*s ", width, n, b.p);
	else
		(void)printf("%-*s ", width, "-");
	buf_release(&b);
}

static void
print_row(struct audit_view *v, const json_t *r)
{
	const char *verdict = cli_member(r, "verdict");
	const char *time = cli_member(r, "time");

	if (v->shown == 0)
		(void)printf("%-24s %-10s %-7s %-12s %-22s %-12s %-44s %s\n",
		    "TIME", "EVENT", "VERDICT", "USER", "CODE", "RULE",
		    "DESTINATION", "ID");
	(void)printf("%.23sZ ", time);
	print_cell(v, r, "event", 10);
	if (cli_member(r, "would")[0] != '\0')
		verdict = "would";
	(void)printf("%-7s ", verdict[0] != '\0' ? verdict : "-");
	print_cell(v, r, "user", 12);
	print_cell(v, r, "code", 22);
	print_cell(v, r, "rule", 12);
	if (cli_member(r, "audience")[0] == '\0' &&
	    cli_member(r, "host")[0] == '\0')
		print_cell(v, r, "audience", 44);
	else
		print_cell(v, r, "host", 44);
	print_cell(v, r, "id", 1);
	(void)putchar('\n');
}

static void
print_csv(struct audit_view *v, const json_t *r)
{
	if (v->shown == 0)
		for (size_t i = 0; i < ARRAY_LEN(csv_columns); i++)
			(void)printf("%s%s", i > 0 ? "," : "", csv_columns[i]);
	if (v->shown == 0)
		(void)fputs("\r\n", stdout);
	for (size_t i = 0; i < ARRAY_LEN(csv_columns); i++) {
		struct buf b = cell(v, r, csv_columns[i]);

		(void)fputs(i > 0 ? ",\"" : "\"", stdout);
		/* RFC 4180 2: quotes are doubled. A cell that a spreadsheet
		 * would take for a formula gets a quote mark in front. */
		/* NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
		if (b.n > 0 && memchr("=+-@", b.p[0], 4) != NULL)
			(void)putchar('\'');
		for (size_t k = 0; k < b.n; k++) {
			if (b.p[k] == '"')
				(void)putchar('"');
			(void)putchar(b.p[k]);
		}
		(void)putchar('"');
		buf_release(&b);
	}
	(void)fputs("\r\n", stdout);
}

static void
count(struct audit_view *v, const json_t *r)
{
	struct buf key;
	json_int_t n;

	/* an open and its request are one thing that happened */
	if (v->filter.event == NULL &&
	    strcmp(cli_member(r, "event"), "open") == 0)
		return;
	buf_init(&key, AUDIT_LINE_MAX);
	for (size_t i = 0; i < v->n_groups; i++) {
		if (i > 0)
			buf_putc(&key, '\t');
		audit_column_put(&key, r, v->groups[i]);
	}
	buf_putc(&key, '\0');
	if (buf_status(&key) == OK) {
		n = json_integer_value(json_object_get(v->counts, key.p));
		if (json_object_set_new(
		        v->counts, key.p, json_integer(n + 1)) != 0)
			v->no_memory = true;
	} else {
		v->no_memory = true;
	}
	buf_release(&key);
}

void
audit_view_line(struct audit_view *v, struct slice line)
{
	struct audit_line parsed;
	json_t *r = NULL;

	if (audit_line_parse(line, &parsed) == OK)
		r = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	if (r == NULL) {
		v->damaged++;
		return;
	}
	if (audit_filter_matches(&v->filter, r)) {
		if (v->n_groups > 0)
			count(v, r);
		else if (v->shape == AUDIT_SHAPE_TABLE)
			print_row(v, r);
		else if (v->shape == AUDIT_SHAPE_CSV)
			print_csv(v, r);
		else
			(void)printf("%.*s\n", (int)line.n, line.p);
		v->shown++;
	}
	json_decref(r);
}

int
audit_view_end(const struct audit_view *v)
{
	return v->no_memory
	    ? cli_fail(
	          EX_SOFTWARE, "out of memory: what is shown is not all of it")
	    : EX_OK;
}
