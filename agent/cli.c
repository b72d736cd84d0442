/* What the verbs of `wayleave` share. */
#include "agent/cli.h"

#include "agent/control_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 24, OPTION_BASE = 256 };

static int
options_parse(int argc, char **argv, const struct cli_option *options,
    const char *help, const char *order)
{
	struct option longs[OPTIONS_MAX + 2] = { 0 };
	char shorts[2 * OPTIONS_MAX + 8];
	size_t n = 0, at;
	int c;

	(void)snprintf(shorts, sizeof shorts, "%sh", order);
	at = strlen(shorts);
	for (; options[n].name != NULL && n < OPTIONS_MAX; n++) {
		const struct cli_option *o = &options[n];
		longs[n] = (struct option){ o->name,
			o->value != NULL ? required_argument : no_argument,
			NULL, OPTION_BASE + (int)n };
		if (o->letter == 0)
			continue;
		shorts[at++] = o->letter;
		if (o->value != NULL)
			shorts[at++] = ':';
	}
	shorts[at] = '\0';
	longs[n] = (struct option){ "help", no_argument, NULL, 'h' };
	optind = 0; /* glibc: start afresh, with the order of shorts */
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 'h') {
			(void)fputs(help, stdout);
			return EX_OK;
		}
		if (c == '?')
			return EX_USAGE;
		for (size_t i = 0; i < n; i++) {
			const struct cli_option *o = &options[i];
			if (c != OPTION_BASE + (int)i &&
			    (o->letter == 0 || c != o->letter))
				continue;
			if (o->value != NULL)
				*o->value = optarg;
			else
				*o->flag = true;
		}
	}
	return -1;
}

int
cli_options(int argc, char **argv, const struct cli_option *options,
    const char *help, int *rest)
{
	int code = options_parse(argc, argv, options, help, "+");

	*rest = optind;
	return code;
}

int
cli_options_mixed(int argc, char **argv, const struct cli_option *options,
    const char *help, int *rest)
{
	int code = options_parse(argc, argv, options, help, "");

	*rest = optind;
	return code;
}

int
cli_fail(int code, const char *fmt, ...)
{
	va_list ap;

	(void)fflush(stdout);
	(void)fputs("wayleave: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return code;
}

int
cli_cannot_read(const char *path)
{
	int code = errno == EACCES || errno == EPERM ? EX_NOPERM : EX_IOERR;

	return cli_fail(code, "%s: %s", path, strerror(errno));
}

int
cli_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "wayleave %s: ", verb);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "; see wayleave %s --help\n", verb);
	return EX_USAGE;
}

/** What the daemon's error code is as an exit code. */
static int
exit_of(const char *code)
{
	static const struct {
		const char *code;
		int value;
	} table[] = { { "usage", EX_USAGE }, { "permission", EX_NOPERM },
		{ "notfound", CLI_NEGATIVE }, { "unavailable", EX_UNAVAILABLE },
		{ "internal", EX_SOFTWARE } };

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(code, table[i].code) == 0)
			return table[i].value;
	return EX_SOFTWARE;
}

int
cli_ask(const char *socket, json_t *request, json_t **reply)
{
	const char *path = socket != NULL ? socket : CLI_CONTROL;
	enum status st = E_NOMEM;
	json_t *r = NULL;
	int code = EX_OK;

	if (request != NULL)
		st = control_call(path, request, &r);
	json_decref(request);
	if (st == E_NOTFOUND)
		return cli_fail(EX_UNAVAILABLE,
		    "no daemon listens at %s: is wayleaved running?", path);
	if (st == E_TIMEOUT)
		return cli_fail(
		    EX_TEMPFAIL, "%s: the daemon did not answer", path);
	if (st != OK)
		return cli_fail(
		    EX_UNAVAILABLE, "%s: %s", path, status_text(st));
	if (!json_is_true(json_object_get(r, "ok"))) {
		const json_t *e = json_object_get(r, "error");
		code = exit_of(cli_member(e, "code"));
		(void)cli_fail(code, "%s", cli_member(e, "message"));
		json_decref(r);
		return code;
	}
	*reply = r;
	return EX_OK;
}

int
cli_print_json(const json_t *value)
{
	char *text = json_dumps(
	    value, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);

	if (text == NULL)
		return cli_fail(EX_SOFTWARE, "out of memory");
	(void)puts(text);
	free(text);
	return EX_OK;
}

void
cli_print_safe(const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		if (c >= 0x20 && c < 0x7f)
			(void)putchar(c);
		else
			(void)printf("\\x%02x", c);
	}
}

const char *
cli_member(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : "";
}

/** Edits from @a to @b (insert, remove, change); words are short. */
static size_t
distance(const char *a, const char *b)
{
	enum { MAX = 32 };

	size_t row[MAX + 1], n = strlen(b);

	if (n > MAX)
		return n;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);
			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

const char *
cli_nearest(const char *word, const char *const *words)
{
	const char *best = NULL;
	size_t least = 3; /* farther than two edits is another word */

	for (; *words != NULL; words++) {
		size_t d = distance(word, *words);
		if (d < least) {
			least = d;
			best = *words;
		}
	}
	return best;
}
