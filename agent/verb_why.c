/* `wayleave why`: would this pass, by which rule, and if not what would. */
#include "agent/cli.h"
#include "agent/control_client.h"
#include "agent/policy_file.h"
#include "agent/verbs.h"
#include "agent/why_judge.h"

#include "base/clock.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: wayleave why TARGET [--user U] [--group G]... [--unit X] "
    "[--cgroup P]\n"
    "           [--exe P] [--method M] [--at TIME] [--sni NAME]\n"
    "           [--resolves NAME-OR-ADDRESS,...] [--policy FILE | -c FILE]\n"
    "           [--socket PATH] [--json]\n"
    "       wayleave why --batch [--policy FILE | -c FILE] < requests.jsonl\n"
    "TARGET is a URL, HOST, HOST:PORT, or the id of a past denial. With\n"
    "--resolves, --policy, -c or --batch the policy file is asked, else the\n"
    "daemon, which resolves the name as it would for a client. Exit: 0\n"
    "allowed, 1 denied.\n";

enum {
	OPT_POLICY = 256,
	OPT_JSON,
	OPT_BATCH,
	OPT_SOCKET,
	OPT_USER,
	OPT_GROUP,
	OPT_AT,
	OPT_RESOLVES,
	OPT_TEXT, /**< unit, cgroup, exe, method, sni */
	LINE_BYTES = 1 << 20,
};

struct why_options {
	const char *target, *policy, *config, *socket;
	bool json, batch, has_user;
	struct why_request *request;
	json_t *question; /**< the same, for the daemon */
};

static void
say(const char *text)
{
	(void)fputs("wayleave why: ", stderr);
	policy_file_put_safe(stderr, text);
	(void)fputc('\n', stderr);
}

/* Ten characters of upper-case base32 (RFC 4648 6) are an id. */
static bool
is_denial_id(const char *text)
{
	return strlen(text) == 10 &&
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == 10;
}

static enum status
take_resolves(
    struct why_request *w, const char *list, struct status_detail *detail)
{
	struct slice rest = slice_of(list);
	enum status st = OK;

	while (st == OK && rest.n > 0) {
		size_t n = slice_find(rest, ',');

		st = why_request_resolves(
		    w, slice_trim_ows(slice_head(rest, n)), detail);
		rest = slice_from(rest, n + 1);
	}
	return st;
}

static void
add_group_question(json_t *question, const char *group)
{
	json_t *groups = json_object_get(question, "groups");

	if (groups == NULL) {
		groups = json_array();
		(void)json_object_set_new(question, "groups", groups);
	}
	(void)json_array_append_new(groups, json_string(group));
}

static enum status
take_fact(struct why_options *o, int opt, const char *name,
    struct status_detail *detail)
{
	struct why_request *w = o->request;

	if (opt != OPT_RESOLVES && opt != OPT_GROUP)
		(void)json_object_set_new(
		    o->question, name, json_string(optarg));
	switch (opt) {
	case OPT_USER:
		o->has_user = true;
		return why_request_user(w, optarg, detail);
	case OPT_GROUP:
		add_group_question(o->question, optarg);
		return why_request_group(w, optarg, detail);
	case OPT_AT:
		return why_request_at(w, optarg, detail);
	case OPT_RESOLVES:
		return take_resolves(w, optarg, detail);
	default:
		return why_request_text(w, name, optarg, detail);
	}
}

/* Returns -1 to go on, else the exit code. */
static int
take_option(struct why_options *o, int opt, const char *name)
{
	struct status_detail detail = { "" };

	switch (opt) {
	case 'h':
		(void)fputs(usage_text, stdout);
		return EX_OK;
	case 'c':
		o->config = optarg;
		return -1;
	case OPT_POLICY:
		o->policy = optarg;
		return -1;
	case OPT_SOCKET:
		o->socket = optarg;
		return -1;
	case OPT_JSON:
		o->json = true;
		return -1;
	case OPT_BATCH:
		o->batch = true;
		return -1;
	case '?':
		(void)fputs(usage_text, stderr);
		return EX_USAGE;
	default:
		break;
	}
	if (take_fact(o, opt, name, &detail) == OK)
		return -1;
	say(detail.text);
	return EX_USAGE;
}

static int
parse(struct why_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, OPT_POLICY },
		{ "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, OPT_SOCKET },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "batch", no_argument, NULL, OPT_BATCH },
		{ "user", required_argument, NULL, OPT_USER },
		{ "group", required_argument, NULL, OPT_GROUP },
		{ "unit", required_argument, NULL, OPT_TEXT },
		{ "cgroup", required_argument, NULL, OPT_TEXT },
		{ "exe", required_argument, NULL, OPT_TEXT },
		{ "method", required_argument, NULL, OPT_TEXT },
		{ "sni", required_argument, NULL, OPT_TEXT },
		{ "at", required_argument, NULL, OPT_AT },
		{ "resolves", required_argument, NULL, OPT_RESOLVES },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt, at = 0;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "c:h", options, &at)) != -1) {
		int done = take_option(o, opt, options[at].name);

		if (done >= 0)
			return done;
	}
	if (argc - optind != (o->batch ? 0 : 1)) {
		(void)fputs(usage_text, stderr);
		return EX_USAGE;
	}
	o->target = o->batch ? NULL : argv[optind];
	/* RFC 3986 3.5: a fragment, as in what browsers show, is never sent. */
	if (o->target != NULL && strstr(o->target, "://") != NULL)
		argv[optind][strcspn(o->target, "#")] = '\0';
	return -1;
}

static int
show(const struct why_options *o, const json_t *reply)
{
	const char *verdict =
	    json_string_value(json_object_get(reply, "verdict"));

	if (reply == NULL)
		return EX_SOFTWARE;
	if (o->json) {
		if (json_dumpf(reply, stdout, JSON_ENSURE_ASCII) != 0)
			return EX_IOERR;
		(void)fputc('\n', stdout);
	} else {
		why_print(reply);
	}
	return verdict != NULL && strcmp(verdict, "allow") == 0 ? EX_OK : 1;
}

static int
judge_offline(const struct why_options *o, const struct policy *p)
{
	struct why_judgement j;
	json_t *reply;
	int code;

	why_judge(p, o->request, &j);
	reply = why_json(p, o->request, &j);
	code = show(o, reply);
	json_decref(reply);
	return code;
}

/* The text may end within a character, which no JSON string may hold. */
static json_t *
no_json(const json_error_t *error)
{
	char text[JSON_ERROR_TEXT_LENGTH];
	size_t n = 0;

	for (; error->text[n] != '\0' && n < sizeof text - 1; n++) {
		char c = error->text[n];

		text[n] = c < ' ' || c > '~' ? '?' : c;
	}
	text[n] = '\0';
	return json_pack("{s:s}", "error", text);
}

static json_t *
judge_line(
    const struct policy *p, struct why_request *w, const char *line, size_t n)
{
	struct status_detail detail = { "" };
	struct why_judgement j;
	json_error_t error;
	json_t *question = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
	enum status st;

	why_request_init(w, clock_unix_s(&clock_system));
	if (question == NULL)
		return no_json(&error);
	st = why_request_json(w, question, &detail);
	json_decref(question);
	if (st != OK)
		return json_pack("{s:s}", "error", detail.text);
	why_judge(p, w, &j);
	return why_json(p, w, &j);
}

/* 65 when a line was no request, else 1 when one was denied. */
static int
run_batch(const struct policy *p, struct why_request *w)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int code = EX_OK;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		json_t *reply;
		const char *verdict;

		if (strspn(line, " \t\r\n") == (size_t)n)
			continue;
		if (n > LINE_BYTES)
			n = LINE_BYTES;
		reply = judge_line(p, w, line, (size_t)n);
		if (reply == NULL ||
		    json_dumpf(reply, stdout, JSON_ENSURE_ASCII) != 0) {
			code = EX_SOFTWARE;
			break;
		}
		(void)fputc('\n', stdout);
		verdict = json_string_value(json_object_get(reply, "verdict"));
		if (verdict == NULL)
			code = EX_DATAERR;
		else if (strcmp(verdict, "allow") != 0 && code == EX_OK)
			code = 1;
		json_decref(reply);
	}
	free(line);
	return code;
}

static int
offline(const struct why_options *o)
{
	struct policy *p = NULL;
	enum status st = policy_file_load(o->policy, o->config, &p);
	int code;

	if (st != OK)
		return policy_file_exit(st);
	code = o->batch ? run_batch(p, o->request) : judge_offline(o, p);
	policy_unref(p);
	return code;
}

/* The record's facts and the explanation, as one judgement to print. */
static void
print_past(const json_t *reply, const json_t *denial)
{
	static const char *const keys[] = { "rule_near", "unmet", "fix" };
	const json_t *who = json_object_get(denial, "workload");
	const char *user = json_string_value(json_object_get(who, "user"));
	const char *unit = json_string_value(json_object_get(who, "unit"));
	const char *time = json_string_value(json_object_get(denial, "time"));
	json_t *past = json_copy((json_t *)(uintptr_t)denial);

	if (past == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		(void)json_object_set(
		    past, keys[i], json_object_get(reply, keys[i]));
	why_print(past);
	(void)fputs("  asked by   ", stdout);
	policy_file_put_safe(stdout, user != NULL ? user : "unknown");
	(void)fputs(" in ", stdout);
	policy_file_put_safe(stdout, unit != NULL ? unit : "no unit");
	if (time != NULL)
		(void)printf(" at %s", time);
	(void)fputc('\n', stdout);
	json_decref(past);
}

static int
show_past(const struct why_options *o, const json_t *reply)
{
	const json_t *denial = json_object_get(reply, "denial");

	if (o->json || denial == NULL)
		return show(o, reply) == EX_IOERR ? EX_IOERR : 1;
	print_past(reply, denial);
	return 1;
}

static int
refused(const json_t *reply)
{
	const json_t *error = json_object_get(reply, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "message"));

	say(text != NULL ? text : "the daemon did not answer the question");
	if (code != NULL && strcmp(code, "permission") == 0)
		return EX_NOPERM;
	if (code != NULL && strcmp(code, "usage") == 0)
		return EX_USAGE;
	return code != NULL && strcmp(code, "notfound") == 0 ? EX_DATAERR
	                                                     : EX_UNAVAILABLE;
}

/* The daemon resolves as for a client. */
static int
ask_daemon(const struct why_options *o)
{
	bool past = is_denial_id(o->target);
	json_t *reply = NULL;
	enum status st;
	int code;

	(void)json_object_set_new(o->question, "verb", json_string("why"));
	(void)json_object_set_new(
	    o->question, past ? "id" : "target", json_string(o->target));
	st = control_call(o->socket, o->question, &reply);
	if (st != OK && past) {
		say("past denials are known to the running daemon only, and "
		    "it cannot be asked");
		return EX_UNAVAILABLE;
	}
	if (st == E_TIMEOUT) {
		say("the daemon did not answer");
		return EX_TEMPFAIL;
	}
	if (st != OK) {
		(void)fprintf(stderr,
		    "wayleave why: no daemon listens at %s; start it, or ask "
		    "a file with --policy FILE or -c FILE\n",
		    o->socket);
		return EX_UNAVAILABLE;
	}
	if (!json_is_true(json_object_get(reply, "ok")))
		code = refused(reply);
	else
		code = past ? show_past(o, reply) : show(o, reply);
	json_decref(reply);
	return code;
}

static int
run(struct why_options *o)
{
	bool local = o->policy != NULL || o->config != NULL ||
	    o->request->has_resolves || o->batch;
	struct status_detail detail = { "" };
	char uid[24];

	if (o->batch)
		return offline(o);
	if (!local && is_denial_id(o->target))
		return ask_daemon(o);
	if (why_request_target(o->request, o->target, &detail) != OK) {
		say(detail.text);
		return EX_USAGE;
	}
	why_plain_settle(&o->request->plain, &o->request->request);
	(void)snprintf(uid, sizeof uid, "%u", (unsigned)getuid());
	if (!o->has_user && why_request_user(o->request, uid, &detail) != OK) {
		say(detail.text);
		return EX_SOFTWARE;
	}
	return local ? offline(o) : ask_daemon(o);
}

int
verb_why(int argc, char **argv)
{
	struct why_options o = {
		.socket = CLI_CONTROL,
		.request = calloc(1, sizeof *o.request),
		.question = json_object(),
	};
	int code = EX_SOFTWARE;

	if (o.request != NULL && o.question != NULL) {
		why_request_init(o.request, clock_unix_s(&clock_system));
		code = parse(&o, argc, argv);
		if (code < 0)
			code = run(&o);
	}
	json_decref(o.question);
	free(o.request);
	return code;
}
