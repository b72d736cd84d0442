/* wayleave audit query and export: records, filtered, counted and shown. */
#include "agent/audit_line.h"
#include "agent/audit_reader.h"
#include "agent/audit_rotated.h"
#include "agent/audit_view.h"
#include "agent/verb_audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Closes @r. */
static int
take_lines(struct audit_view *v, struct audit_reader *r, const char *path)
{
	struct slice line;
	enum status st;

	while ((st = audit_reader_next(r, &line)) == OK)
		audit_view_line(v, line);
	audit_reader_close(r);
	return st == E_CLOSED ? EX_OK : cli_cannot_read(path);
}

static int
take_file(struct audit_view *v, const char *path)
{
	struct audit_reader *r = NULL;

	if (audit_reader_open(path, &r) != OK)
		return cli_cannot_read(path);
	return take_lines(v, r, path);
}

/*
 * The rotated files in their order, then the present one. That one is opened
 * before one looks whether it is still the next: it may be rotated meanwhile.
 */
static int
take_chain(struct audit_view *v, const char *path)
{
	char rotated[AUDIT_PATH_BYTES + 64];
	uint64_t seq = 0;
	int code = EX_OK;

	while (code == EX_OK) {
		struct audit_reader *r = NULL;
		enum status opened = audit_reader_open(path, &r);

		if (audit_rotated_next(path, &seq, rotated, sizeof rotated) !=
		    OK) {
			if (opened == OK)
				return take_lines(v, r, path);
			return seq > 0 ? EX_OK : cli_cannot_read(path);
		}
		audit_reader_close(r);
		code = take_file(v, rotated);
	}
	return code;
}

static int
take_files(struct audit_view *v, char **paths, int n)
{
	int code = EX_OK;

	if (n == 0)
		code = take_chain(v, CLI_AUDIT_FILE);
	for (int i = 0; i < n && code == EX_OK; i++)
		code = take_file(v, paths[i]);
	if (v->damaged > 0)
		(void)fprintf(stderr,
		    "wayleave: %llu lines are no audit records; see "
		    "wayleave audit verify\n",
		    (unsigned long long)v->damaged);
	return code == EX_OK ? audit_view_end(v) : code;
}

/** "host,workload" into v->groups; cuts @list up. */
static int
read_groups(struct audit_view *v, char *list)
{
	char *word;

	while ((word = strsep(&list, ",")) != NULL) {
		const char *known = audit_column_known(word);
		if (known == NULL)
			return cli_usage("audit query",
			    "no column \"%s\" to group by; there are host "
			    "port workload user unit code rule verdict event "
			    "audience identity ...",
			    word);
		if (v->n_groups == AUDIT_GROUPS_MAX)
			return cli_usage(
			    "audit query", "too many columns to group by");
		v->groups[v->n_groups++] = known;
	}
	v->counts = json_object();
	return v->counts != NULL ? -1 : cli_fail(EX_SOFTWARE, "out of memory");
}

struct counted {
	const char *key;
	json_int_t n;
};

static int
by_count(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->key, y->key);
}

/** The next of the cells that @rest holds. */
static struct slice
take_cell(struct slice *rest)
{
	size_t n = slice_find(*rest, '\t');
	struct slice cell = slice_head(*rest, n);

	*rest = slice_from(*rest, n + 1);
	return cell;
}

static void
print_group(const struct audit_view *v, const struct counted *c)
{
	struct slice rest = slice_of(c->key);

	(void)printf("%8" JSON_INTEGER_FORMAT, c->n);
	for (size_t i = 0; i < v->n_groups; i++) {
		struct slice cell = take_cell(&rest);

		(void)printf("  %-40.*s", (int)(cell.n ? cell.n : 1),
		    cell.n ? cell.p : "-");
	}
	(void)putchar('\n');
}

/** False: no memory. */
static bool
add_group(const struct audit_view *v, const struct counted *c, json_t *list)
{
	struct slice rest = slice_of(c->key);
	json_t *o = json_pack("{s:I}", "count", c->n);
	bool ok = o != NULL;

	for (size_t i = 0; i < v->n_groups && ok; i++) {
		struct slice cell = take_cell(&rest);

		ok = json_object_set_new(o, v->groups[i],
		         cell.n ? json_stringn(cell.p, cell.n) : json_null()) ==
		    0;
	}
	return json_array_append_new(list, o) == 0 && ok;
}

static void
print_table(const struct audit_view *v, const struct counted *at, size_t n)
{
	(void)printf("%8s", "COUNT");
	for (size_t i = 0; i < v->n_groups; i++)
		(void)printf("  %-40s", v->groups[i]);
	(void)putchar('\n');
	for (size_t i = 0; i < n; i++)
		print_group(v, &at[i]);
}

static int
print_list(const struct audit_view *v, const struct counted *at, size_t n)
{
	json_t *list = json_array();
	bool ok = list != NULL;
	int code;

	for (size_t i = 0; i < n && ok; i++)
		ok = add_group(v, &at[i], list);
	code =
	    ok ? cli_print_json(list) : cli_fail(EX_SOFTWARE, "out of memory");
	json_decref(list);
	return code;
}

static int
print_groups(const struct audit_view *v)
{
	size_t n = 0, all = json_object_size(v->counts);
	struct counted *at = calloc(all + 1, sizeof *at);
	int code = EX_OK;
	const char *key;
	json_t *value;

	if (at == NULL)
		return cli_fail(EX_SOFTWARE, "out of memory");
	json_object_foreach(v->counts, key, value)
		at[n++] = (struct counted){ key, json_integer_value(value) };
	qsort(at, n, sizeof *at, by_count);
	if (v->shape == AUDIT_SHAPE_JSON)
		code = print_list(v, at, n);
	else
		print_table(v, at, n);
	free(at);
	return code;
}

int
verb_audit_query(int argc, char **argv)
{
	struct audit_view v = { .shape = AUDIT_SHAPE_TABLE };
	struct cli_option options[AUDIT_OPTIONS_MAX] = { 0 };
	size_t n = audit_view_options(&v.filter, options);
	const char *group_by = NULL;
	bool json = false;
	char help[2048], *groups;
	int rest, code;

	(void)snprintf(help, sizeof help,
	    "Usage: wayleave audit query [FILTER...] [--group-by "
	    "COLUMN,...] [--json] [FILE...]\n%s"
	    "  --group-by host,workload   how often each; an open and its\n"
	    "                             request count once\n"
	    "  --json                     the records as they stand\n"
	    "Default: all files of the chain of " CLI_AUDIT_FILE "\n",
	    audit_view_help);
	options[n++] = (struct cli_option){ "group-by", 0, NULL, &group_by };
	options[n] = (struct cli_option){ "json", 0, &json, NULL };
	code = cli_options_mixed(argc, argv, options, help, &rest);
	if (code < 0)
		code = audit_view_check("audit query", &v.filter);
	if (code >= 0)
		return code;
	groups = strdup(group_by != NULL ? group_by : "");
	if (groups == NULL)
		code = cli_fail(EX_SOFTWARE, "out of memory");
	else if (group_by != NULL)
		code = read_groups(&v, groups);
	free(groups);
	v.shape = json ? AUDIT_SHAPE_JSON : AUDIT_SHAPE_TABLE;
	if (code < 0)
		code = take_files(&v, argv + rest, argc - rest);
	if (code == EX_OK && v.n_groups > 0)
		code = print_groups(&v);
	json_decref(v.counts);
	return code;
}

int
verb_audit_export(int argc, char **argv)
{
	struct audit_view v = { .shape = AUDIT_SHAPE_JSON };
	struct cli_option options[AUDIT_OPTIONS_MAX] = { 0 };
	size_t n = audit_view_options(&v.filter, options);
	const char *format = "jsonl";
	char help[2048];
	int rest, code;

	(void)snprintf(help, sizeof help,
	    "Usage: wayleave audit export [--format jsonl|csv] [FILTER...] "
	    "[FILE...]\n%s"
	    "Default: all files of the chain of " CLI_AUDIT_FILE "\n",
	    audit_view_help);
	options[n] = (struct cli_option){ "format", 0, NULL, &format };
	code = cli_options_mixed(argc, argv, options, help, &rest);
	if (code < 0)
		code = audit_view_check("audit export", &v.filter);
	if (code >= 0)
		return code;
	if (strcmp(format, "csv") == 0)
		v.shape = AUDIT_SHAPE_CSV;
	else if (strcmp(format, "jsonl") != 0)
		return cli_usage("audit export", "--format takes jsonl or csv");
	return take_files(&v, argv + rest, argc - rest);
}
