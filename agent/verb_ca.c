/* wayleave ca: the inspection CA is shown, exported and rotated. */
#include "agent/cli.h"
#include "agent/verbs.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WAIT_MS = 10000, WAIT_STEP_MS = 50 };

struct ca_words {
	const char *socket;
	bool json, now;
};

static int
ask(const struct ca_words *w, json_t **reply)
{
	return cli_ask(w->socket, json_pack("{s:s}", "verb", "ca"), reply);
}

static void
print_time(const char *label, json_int_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	char text[32];

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return;
	(void)printf("  %-9s%s\n", label, text);
}

static void
print_text(const char *label, const char *text)
{
	if (*text == '\0')
		return;
	(void)printf("  %-9s", label);
	cli_print_safe(text);
	(void)putchar('\n');
}

static void
print_cert(const json_t *reply, const json_t *c)
{
	bool is_next = strcmp(cli_member(c, "role"), "next") == 0;

	(void)printf("%s\n", cli_member(c, "role"));
	print_text("subject", cli_member(c, "subject"));
	print_text("sha256", cli_member(c, "sha256"));
	print_time("made", json_integer_value(json_object_get(c, "made")));
	print_time(
	    "expires", json_integer_value(json_object_get(c, "expires")));
	if (is_next)
		print_time(
		    "signs", json_integer_value(json_object_get(reply, "due")));
}

static void
print_all(const json_t *reply)
{
	const json_t *files = json_object_get(reply, "ca");
	const json_t *c;
	size_t i;

	(void)printf("inspection %s\n", cli_member(reply, "inspection"));
	if (!json_is_true(json_object_get(reply, "on")))
		(void)puts("no rule needs a CA, so there is none");
	json_array_foreach(json_object_get(reply, "certificates"), i, c)
		print_cert(reply, c);
	if (files != NULL)
		(void)puts("files");
	print_text("bundle", cli_member(files, "bundle"));
	print_text("alone", cli_member(files, "pem"));
	print_text("java", cli_member(files, "store"));
	print_text("problem", cli_member(reply, "problem"));
}

static int
print_reply(const struct ca_words *w, json_t *reply)
{
	if (!w->json) {
		print_all(reply);
		return EX_OK;
	}
	(void)json_object_del(reply, "ok");
	return cli_print_json(reply);
}

static int
show(const struct ca_words *w)
{
	json_t *reply = NULL;
	int code = ask(w, &reply);

	if (code != EX_OK)
		return code;
	code = print_reply(w, reply);
	json_decref(reply);
	return code;
}

/* What clients that have a list of their own are to be given: also the one
 * that is to sign next. */
static int
export_pem(const struct ca_words *w)
{
	json_t *reply = NULL;
	const json_t *c;
	size_t i, n = 0;
	int code = ask(w, &reply);

	if (code != EX_OK)
		return code;
	json_array_foreach(json_object_get(reply, "certificates"), i, c) {
		if (strcmp(cli_member(c, "role"), "old") == 0)
			continue;
		(void)fputs(cli_member(c, "pem"), stdout);
		n++;
	}
	json_decref(reply);
	if (n == 0)
		return cli_fail(CLI_NEGATIVE,
		    "no rule needs an inspection CA, so there is none");
	return EX_OK;
}

/* Asks until what is under way is done. */
static int
wait_idle(const struct ca_words *w, json_t **reply)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };

	for (int ms = 0; ms < WAIT_MS; ms += WAIT_STEP_MS) {
		int code = ask(w, reply);

		if (code != EX_OK)
			return code;
		if (!json_is_true(json_object_get(*reply, "busy")))
			return EX_OK;
		json_decref(*reply);
		(void)nanosleep(&step, NULL);
	}
	*reply = NULL;
	return cli_fail(EX_TEMPFAIL, "the daemon is still writing files");
}

static int
rotate(const struct ca_words *w)
{
	json_t *reply = NULL;
	const char *problem;
	int code = wait_idle(w, &reply);

	if (code != EX_OK)
		return code;
	json_decref(reply);
	code = cli_ask(w->socket,
	    json_pack("{s:s, s:b}", "verb", "ca_rotate", "now", w->now),
	    &reply);
	if (code != EX_OK)
		return code;
	json_decref(reply);
	code = wait_idle(w, &reply);
	if (code != EX_OK)
		return code;
	problem = cli_member(reply, "problem");
	code = *problem != '\0' ? cli_fail(EX_IOERR, "%s", problem)
	                        : print_reply(w, reply);
	json_decref(reply);
	return code;
}

int
verb_ca(int argc, char **argv)
{
	static const char help[] =
	    "Usage: wayleave ca show [--json] [--socket PATH]\n"
	    "       wayleave ca export [--socket PATH]\n"
	    "       wayleave ca rotate [--now] [--json] [--socket PATH]\n"
	    "The CA that signs for hosts whose requests are looked into.\n"
	    "show: its certificates, and the files that clients read, which\n"
	    "wayleave env names. export: the certificates as PEM. rotate\n"
	    "(operators): makes the next one, which is in those files at once\n"
	    "and signs a day later; --now: for a key that was stolen: the next\n"
	    "one signs at once, and the one before is believed no more.\n";
	struct ca_words w = { 0 };
	const struct cli_option options[] = {
		{ "json", 0, &w.json, NULL },
		{ "now", 0, &w.now, NULL },
		{ "socket", 0, NULL, &w.socket },
		{ 0 },
	};

	static const struct {
		const char *name;
		int (*run)(const struct ca_words *w);
	} words[] = { { "show", show }, { "export", export_pem },
		{ "rotate", rotate } };

	int rest, code = cli_options_mixed(argc, argv, options, help, &rest);

	if (code >= 0)
		return code;
	for (size_t i = 0; rest + 1 == argc && i < ARRAY_LEN(words); i++) {
		if (strcmp(argv[rest], words[i].name) != 0)
			continue;
		if (w.now && words[i].run != rotate)
			return cli_usage("ca", "--now is for rotate");
		if (w.json && words[i].run == export_pem)
			return cli_usage("ca", "show --json has it as JSON");
		return words[i].run(&w);
	}
	return cli_usage("ca", "say what: show, export or rotate");
}
