/* wayleave audit verify, and the way to the other sub-verbs. */
#include "agent/verb_audit.h"

#include "agent/audit_reader.h"
#include "agent/audit_verify.h"
#include "agent/cli.h"
#include "agent/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/** One file of the run, ordered by its first record. */
struct run_file {
	const char *path;
	uint64_t first_seq;
};

/** A small file whole; E_IO with errno. */
static enum status
read_small(const char *path, char *out, size_t out_bytes, struct slice *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return E_IO;
	n = read(fd, out, out_bytes);
	(void)close(fd);
	if (n < 0)
		return E_IO;
	*text = (struct slice){ out, (size_t)n };
	return OK;
}

/** NULL @path: the installed key, if it can be read. */
static int
load_key(const char *path, struct audit_key **out)
{
	char text[4096];
	struct slice pem;
	enum status st = read_small(
	    path != NULL ? path : CLI_AUDIT_KEY, text, sizeof text, &pem);

	if (st != OK && path == NULL)
		return EX_OK;
	if (st != OK)
		return cli_cannot_read(path);
	if (audit_key_public(pem, out) != OK)
		return cli_fail(EX_DATAERR,
		    "%s: not an Ed25519 public key in PEM",
		    path != NULL ? path : CLI_AUDIT_KEY);
	return EX_OK;
}

static int
load_head(const char *path, struct audit_verify *v)
{
	static char text[AUDIT_LINE_MAX];
	struct slice line;
	enum status st;

	if (path == NULL)
		return EX_OK;
	if (read_small(path, text, sizeof text, &line) != OK)
		return cli_cannot_read(path);
	st = audit_verify_head(v, slice_head(line, slice_find(line, '\n')));
	if (st == E_DENIED)
		return cli_fail(CLI_NEGATIVE,
		    "%s: the head is not signed by the given key", path);
	if (st != OK)
		return cli_fail(EX_DATAERR, "%s: not a signed head", path);
	return EX_OK;
}

/** The first line's seq; 0 when it has none. */
static uint64_t
first_seq(const char *path)
{
	struct audit_reader *r = NULL;
	struct audit_line parsed = { .seq = 0 };
	struct slice line;

	if (strcmp(path, "-") == 0 || audit_reader_open(path, &r) != OK)
		return 0;
	if (audit_reader_next(r, &line) != OK ||
	    audit_line_parse(line, &parsed) != OK)
		parsed.seq = 0;
	audit_reader_close(r);
	return parsed.seq;
}

static int
by_first_seq(const void *a, const void *b)
{
	const struct run_file *x = a, *y = b;

	return x->first_seq < y->first_seq ? -1 : x->first_seq > y->first_seq;
}

static int
verify_file(struct audit_verify *v, const char *path, unsigned index)
{
	struct audit_reader *r = NULL;
	struct slice line;
	enum status st = audit_reader_open(path, &r);
	int code = EX_OK;

	if (st == OK) {
		while ((st = audit_reader_next(r, &line)) == OK)
			audit_verify_line(v, line, true, index);
		line = audit_reader_rest(r);
		if (st == E_CLOSED && line.n > 0)
			audit_verify_line(v, line, false, index);
	}
	if (st != E_CLOSED)
		code = cli_cannot_read(path);
	audit_reader_close(r);
	return code;
}

static void
print_text(const struct audit_verify *v, const struct run_file *files)
{
	if (v->fault != AUDIT_SOUND) {
		(void)printf("%s:%llu: %s: %s\n", files[v->file].path,
		    (unsigned long long)v->number, audit_fault_name(v->fault),
		    v->text);
		return;
	}
	(void)printf("sound: %llu records", (unsigned long long)v->records);
	if (v->records > 0)
		(void)printf(", %llu to %llu, each linked to the one before",
		    (unsigned long long)v->first_seq,
		    (unsigned long long)v->last_seq);
	if (v->first_seq > 1)
		(void)printf(
		    "; the first states prev %.12s...", v->starts_from);
	(void)putchar('\n');
	if (v->n_keys == 0)
		(void)puts("signatures were not checked: give --key audit.pub");
	else if (v->checkpoint_seq == 0)
		(void)puts("no checkpoint yet: nothing of it is signed");
	else
		(void)printf("signed by key %s up to record %llu "
		             "(%llu checkpoints)\n",
		    audit_key_id(v->keys[0]),
		    (unsigned long long)v->checkpoint_seq,
		    (unsigned long long)v->checkpoints);
	if (audit_verify_end_is_open(v))
		(void)printf("undecidable: whether records after %llu were cut "
		             "off%s\n",
		    (unsigned long long)v->last_seq,
		    v->has_head ? "; the head is older than that"
		                : "; give --head audit.head");
}

static int
print_json(const struct audit_verify *v, const struct run_file *files)
{
	bool sound = v->fault == AUDIT_SOUND;
	json_t *o = json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I}",
	    "result", audit_fault_name(v->fault), "end",
	    audit_verify_end_is_open(v) ? "undecidable" : "signed",
	    "signatures_checked", v->n_keys > 0, "records",
	    (json_int_t)v->records, "first", (json_int_t)v->first_seq, "last",
	    (json_int_t)v->last_seq, "checkpoints", (json_int_t)v->checkpoints,
	    "checkpoint", (json_int_t)v->checkpoint_seq);
	int code;

	if (o != NULL && !sound)
		(void)json_object_update_new(o,
		    json_pack("{s:s, s:I, s:I, s:s}", "file",
		        files[v->file].path, "line", (json_int_t)v->number,
		        "seq", (json_int_t)v->seq, "detail", v->text));
	code = cli_print_json(o);
	json_decref(o);
	return code;
}

/** One pass over all files; *v holds the result. */
static int
verify_run(struct audit_verify *v, const struct audit_key *key,
    const char *head, const struct run_file *files, size_t n)
{
	int code;

	audit_verify_init(v);
	if (key != NULL && audit_verify_key(v, key) != OK)
		return EX_SOFTWARE;
	code = load_head(head, v);
	for (size_t i = 0; code == EX_OK && i < n; i++)
		code = verify_file(v, files[i].path, (unsigned)i);
	(void)audit_verify_end(v);
	return code;
}

static int
verify_files(
    const char *key_path, const char *head, bool json, char **paths, size_t n)
{
	const struct timespec moment = { 0, 300000000 };
	struct run_file *files = calloc(n, sizeof *files);
	struct audit_key *key = NULL;
	static struct audit_verify v;
	bool piped = false;
	int code;

	if (files == NULL)
		return cli_fail(EX_SOFTWARE, "out of memory");
	for (size_t i = 0; i < n; i++) {
		files[i] = (struct run_file){ paths[i], first_seq(paths[i]) };
		piped = piped || strcmp(paths[i], "-") == 0;
	}
	qsort(files, n, sizeof *files, by_first_seq);
	code = load_key(key_path, &key);
	if (code == EX_OK)
		code = verify_run(&v, key, head, files, n);
	if (code == EX_OK && !piped &&
	    (v.fault == AUDIT_TORN || v.fault == AUDIT_CUT)) {
		/* a running daemon may be in the middle of a write */
		(void)nanosleep(&moment, NULL);
		code = verify_run(&v, key, head, files, n);
	}
	if (code == EX_OK) {
		if (json)
			code = print_json(&v, files);
		else
			print_text(&v, files);
		if (code == EX_OK && v.fault != AUDIT_SOUND)
			code = CLI_NEGATIVE;
	}
	audit_key_destroy(key);
	free(files);
	return code;
}

static int
audit_verify_verb(int argc, char **argv)
{
	static const char help[] =
	    "Usage: wayleave audit verify [--key audit.pub] "
	    "[--head audit.head]\n"
	    "                             [--json] FILE...\n"
	    "Checks that every record is there, unaltered and in order, and\n"
	    "that checkpoints are signed; names the first bad record. Files\n"
	    "are taken in the order of their records. Without --head a cut\n"
	    "after the last record is undecidable. Default key:\n" CLI_AUDIT_KEY
	    ".\n"
	    "Exit status 0 sound, 1 not.\n";
	const char *key = NULL, *head = NULL;
	bool json = false;
	const struct cli_option options[] = {
		{ "key", 0, NULL, &key },
		{ "head", 0, NULL, &head },
		{ "json", 0, &json, NULL },
		{ 0 },
	};
	int rest, code = cli_options_mixed(argc, argv, options, help, &rest);

	if (code >= 0)
		return code;
	if (rest == argc)
		return cli_usage("audit verify", "say which files");
	return verify_files(
	    key, head, json, argv + rest, (size_t)(argc - rest));
}

int
verb_audit(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} verbs[] = { { "verify", audit_verify_verb },
		{ "query", verb_audit_query }, { "tail", verb_audit_tail },
		{ "export", verb_audit_export } };

	static const char help[] =
	    "Usage: wayleave audit verify|query|tail|export [OPTION...] "
	    "[FILE...]\n"
	    "Each has --help.\n";
	const char *names[ARRAY_LEN(verbs) + 1] = { NULL };
	const char *near;

	if (argc < 2)
		return cli_usage("audit", "say verify, query, tail or export");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		(void)fputs(help, stdout);
		return EX_OK;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
		names[i] = verbs[i].name;
	}
	near = cli_nearest(argv[1], names);
	return cli_usage("audit", "no \"%s\"; did you mean \"%s\"?", argv[1],
	    near != NULL ? near : "verify");
}
