/* Reads policy files for check, why and policy test. */
#include "agent/policy_file.h"

#include "agent/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { MAX_BYTES = 256 << 20, BLOCK_BYTES = 65536 };

/* The same as the daemon's own default. */
const char policy_file_default_config[] = "/etc/wayleave/wayleave.json";
const char policy_file_default[] = "/etc/wayleave/policy.json";

void
policy_file_put_safe(FILE *to, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++)
		if (*c < ' ' || *c == 0x7f)
			(void)fprintf(to, "\\x%02x", *c);
		else
			(void)fputc(*c, to);
}

static enum status
read_stream(FILE *f, struct buf *out)
{
	size_t n;

	do {
		if (!buf_reserve(out, BLOCK_BYTES))
			return buf_status(out);
		n = fread(out->p + out->n, 1, BLOCK_BYTES, f);
		out->n += n;
	} while (n > 0);
	return ferror(f) ? E_IO : OK;
}

enum status
policy_file_read(const char *path, struct buf *out)
{
	bool std = strcmp(path, "-") == 0;
	FILE *f = std ? stdin : fopen(path, "re");
	enum status st;

	if (f == NULL) {
		(void)fprintf(
		    stderr, "wayleave: %s: %s\n", path, strerror(errno));
		return E_IO;
	}
	st = read_stream(f, out);
	if (st != OK)
		(void)fprintf(stderr, "wayleave: %s: %s\n", path,
		    st == E_IO ? strerror(errno) : status_text(st));
	if (!std)
		(void)fclose(f);
	return st;
}

void
policy_file_say_issues(
    FILE *to, const char *path, const struct policy_issues *issues)
{
	for (size_t i = 0; i < issues->n; i++) {
		const struct policy_issue *p = &issues->at[i];

		(void)fprintf(to, "%s:%u:%u: %s", path, p->line, p->column,
		    p->is_error ? "" : "warning: ");
		if (p->pointer[0] != '\0') {
			policy_file_put_safe(to, p->pointer);
			(void)fputs(": ", to);
		}
		policy_file_put_safe(to, p->text);
		(void)fputc('\n', to);
	}
	if (issues->n_errors > issues->n)
		(void)fprintf(
		    to, "%s: %zu errors in all\n", path, issues->n_errors);
}

static enum status
load_path(const char *path, struct policy **out, struct policy_issues *issues)
{
	struct buf text;
	enum status st;

	buf_init(&text, MAX_BYTES);
	st = policy_file_read(path, &text);
	if (st == OK) {
		st = policy_load(buf_slice(&text), out, issues);
		/* Warnings are for `check`. */
		if (st != OK)
			policy_file_say_issues(stderr, path, issues);
		if (st != OK && issues->n == 0)
			(void)fprintf(stderr, "wayleave: %s: %s\n", path,
			    status_text(st));
	}
	buf_release(&text);
	return st;
}

enum status
policy_file_load(const char *path, const char *config, struct policy **out)
{
	struct policy_issues *issues = calloc(1, sizeof *issues);
	struct config *c = NULL;
	enum status st = OK;

	if (issues == NULL)
		return E_NOMEM;
	if (path == NULL) {
		if (config == NULL)
			config = policy_file_default_config;
		st = config_load(config, &c, issues);
		if (st != OK)
			policy_file_say_issues(stderr, config, issues);
		else
			path = c->policy_file;
	}
	if (st == OK)
		st = load_path(path, out, issues);
	config_destroy(c);
	free(issues);
	return st;
}

int
policy_file_exit(enum status st)
{
	switch ((int)st) {
	case OK:
		return EX_OK;
	case E_NOMEM:
	case E_INTERNAL:
		return EX_SOFTWARE;
	default:
		return EX_CONFIG;
	}
}
