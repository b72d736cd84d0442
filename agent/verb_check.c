/* `wayleave check`: configuration and policy as the daemon would read them. */
#include "agent/config.h"
#include "agent/policy_file.h"
#include "agent/trusted_file.h"
#include "agent/verbs.h"
#include "base/jsonpos.h"

#include <getopt.h>
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char usage_text[] =
    "usage: wayleave check [-c FILE] [--json]\n"
    "Reads configuration and policy exactly as the daemon would; no network,\n"
    "no privileges. Says FILE:LINE:COLUMN: what is wrong. Exit: 0 or 78.\n";

enum {
	FILE_MAX_BYTES = 64 << 20,
	NAMES_SAID_MAX = 32, /**< each is looked for in the whole file */
};

struct check {
	const char *file;
	bool json;
	json_t *issues; /**< with --json */
	size_t n_errors;
	json_t *policy; /**< the file's members, once it was accepted */
	size_t n_names; /**< that this machine does not know */
};

/** Where in a file a finding stands; "" is the file as a whole. */
struct spot {
	const char *file;
	char pointer[sizeof((struct policy_issue *)0)->pointer];
};

static void
note_issues(struct check *c, const char *file, const struct policy_issues *all)
{
	c->n_errors += all->n_errors;
	if (!c->json) {
		policy_file_say_issues(stderr, file, all);
		return;
	}
	for (size_t i = 0; i < all->n; i++) {
		const struct policy_issue *p = &all->at[i];

		(void)json_array_append_new(c->issues,
		    json_pack("{s:s, s:i, s:i, s:s, s:s, s:s%}", "file", file,
		        "line", (int)p->line, "column", (int)p->column,
		        "pointer", p->pointer, "severity",
		        p->is_error ? "error" : "warning", "message", p->text,
		        strlen(p->text)));
	}
}

static struct json_place
place_of(const struct spot *at)
{
	struct json_place place = { 1, 1 };
	struct status_detail detail;
	struct buf text;

	buf_init(&text, FILE_MAX_BYTES);
	if (at->pointer[0] != '\0' &&
	    trusted_file_read(at->file, &text, &detail) == OK)
		place = json_place(buf_slice(&text), at->pointer, false);
	buf_release(&text);
	return place;
}

/* A finding of our own, after the file was read. */
static void
note_text(
    struct check *c, bool is_error, const struct spot *at, const char *text)
{
	struct policy_issues *one = calloc(1, sizeof *one);
	struct json_place place = place_of(at);

	c->n_errors += one == NULL;
	if (one == NULL)
		return;
	one->n = 1;
	one->n_errors = is_error;
	one->at[0] = (struct policy_issue){
		.is_error = is_error, .line = place.line, .column = place.column
	};
	(void)snprintf(
	    one->at[0].pointer, sizeof one->at[0].pointer, "%s", at->pointer);
	(void)snprintf(one->at[0].text, sizeof one->at[0].text, "%.511s", text);
	note_issues(c, at->file, one);
	free(one);
}

static void
push(struct spot *at, const char *key)
{
	size_t n = strlen(at->pointer);

	if (n + 1 < sizeof at->pointer)
		at->pointer[n++] = '/';
	for (; *key != '\0' && n + 2 < sizeof at->pointer; key++) {
		/* RFC 6901 3: "~" is "~0" and "/" is "~1". */
		bool escape = *key == '~' || *key == '/';

		at->pointer[n++] = escape ? '~' : *key;
		if (escape)
			at->pointer[n++] = *key == '~' ? '0' : '1';
	}
	at->pointer[n] = '\0';
}

static bool
is_in_list(struct spot *at, const json_t *list, const char *name)
{
	char number[24];
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		const char *s = json_string_value(v);

		if (s == NULL || strcmp(s, name) != 0)
			continue;
		(void)snprintf(number, sizeof number, "%zu", i);
		push(at, number);
		return true;
	}
	return false;
}

static bool
is_in_member(struct spot *at, const char *in, const json_t *object,
    const char *key, const char *name)
{
	size_t mark = strlen(at->pointer);

	push(at, in);
	push(at, key);
	if (is_in_list(at, json_object_get(object, key), name))
		return true;
	at->pointer[mark] = '\0';
	return false;
}

/* Where @name stands first: in the list @key of any workload or grant. The
 * policy has been loaded: it is looked into again only to point at a name. */
static struct spot
spot_of(struct check *c, const struct config *config, const char *group,
    const char *key, const char *name)
{
	struct spot at = { config->policy_file, "" };
	json_t *all, *v;
	char number[24];
	const char *k;
	size_t i;

	if (c->policy == NULL)
		c->policy = json_load_file(config->policy_file, 0, NULL);
	all = json_object_get(c->policy, group);
	push(&at, group);
	json_object_foreach(all, k, v) {
		if (is_in_member(&at, k, v, key, name))
			return at;
	}
	json_array_foreach(all, i, v) {
		(void)snprintf(number, sizeof number, "%zu", i);
		if (is_in_member(&at, number, v, key, name))
			return at;
	}
	at.pointer[0] = '\0';
	return at;
}

/* A name that means nothing here; of very many only the first are said. */
static void ATTR_PRINTF(5, 6)
    note_name(struct check *c, const struct config *config, const char *key,
        const char *name, const char *fmt, ...)
{
	const char *group =
	    strcmp(key, "identities") == 0 ? "tokens" : "workloads";
	struct spot at;
	char text[256];
	va_list ap;

	if (c->n_names++ >= NAMES_SAID_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	at = spot_of(c, config, group, key, name);
	note_text(c, false, &at, text);
}

/* The daemon does not take up such a policy: 503 is all that could come of
 * what the rule allows. */
static void
check_injections(
    struct check *c, const struct config *config, const struct policy *p)
{
	struct spot at = { config->policy_file, "" };
	char text[256];

	for (size_t i = 0; i < policy_rule_count(p); i++) {
		const struct policy_inject *inject = policy_rule_inject(p, i);

		if (inject == NULL ||
		    config_has_identity(config, inject->identity) ||
		    c->n_names++ >= NAMES_SAID_MAX)
			continue;
		(void)snprintf(at.pointer, sizeof at.pointer,
		    "/rules/%zu/inject/identity", i);
		(void)snprintf(text, sizeof text,
		    "\"%.64s\" is not among \"identities\" of %.100s",
		    inject->identity, config->file);
		note_text(c, true, &at, text);
	}
}

/* A grant of an identity that is not configured gives nothing. */
static void
check_identities(
    struct check *c, const struct config *config, const struct policy *p)
{
	const char *const *names;
	size_t n = policy_identity_names(p, &names);

	for (size_t i = 0; i < n; i++) {
		if (config_has_identity(config, names[i]))
			continue;
		if (spot_of(c, config, "tokens", "identities", names[i])
		        .pointer[0] != '\0')
			note_name(c, config, "identities", names[i],
			    "\"tokens\" names the identity \"%.64s\", which "
			    "is not among \"identities\" of %.100s",
			    names[i], config->file);
	}
}

/* Contract 9: a name that this machine does not know matches nobody. */
static void
check_names(
    struct check *c, const struct config *config, const struct policy *p)
{
	const char *const *names;
	size_t n = policy_user_names(p, &names);
	struct spot at = { config->policy_file, "" };
	char text[64];

	for (size_t i = 0; i < n; i++)
		if (getpwnam(names[i]) == NULL)
			note_name(c, config, "users", names[i],
			    "no user is called \"%.64s\" here: it matches "
			    "nobody",
			    names[i]);
	n = policy_group_names(p, &names);
	for (size_t i = 0; i < n; i++)
		if (getgrnam(names[i]) == NULL)
			note_name(c, config, "groups", names[i],
			    "no group is called \"%.64s\" here: it matches "
			    "nobody",
			    names[i]);
	if (c->n_names <= NAMES_SAID_MAX)
		return;
	(void)snprintf(text, sizeof text, "%zu more names mean nothing here",
	    c->n_names - NAMES_SAID_MAX);
	note_text(c, false, &at, text);
}

static void
check_inspection(
    struct check *c, const struct config *config, const struct policy *p)
{
	struct spot at = { c->file, "/tls/inspection" };
	struct status_detail detail = { "" };

	if (config_judge_inspection(config, p, &detail) != OK)
		note_text(c, true, &at, detail.text);
}

/* A gateway to a host of no rule refuses all that it is asked. */
static void
check_gateways(
    struct check *c, const struct config *config, const struct policy *p)
{
	for (size_t i = 0; i < config->n_gateways; i++) {
		const struct config_gateway *g = &config->gateways[i];
		struct spot at = { c->file, "" };
		char text[HOST_BYTES + 128];

		if (policy_governs(p, g->host))
			continue;
		(void)snprintf(
		    at.pointer, sizeof at.pointer, "/gateways/%zu/upstream", i);
		(void)snprintf(text, sizeof text,
		    "no rule of the policy names \"%s\": this gateway refuses "
		    "every request",
		    g->host);
		note_text(c, false, &at, text);
	}
}

/* The daemon reads it once it serves; here it is read at once. */
static void
check_ca(struct check *c, const struct config *config)
{
	struct spot at = { c->file, "/tls/ca_file" };
	struct status_detail detail = { "" };
	static const char pointer[] = "/tls/ca_file: ";
	const char *text = detail.text;
	struct tls_trust *trust = NULL;

	if (config_load_trust(config->ca_file, &trust, &detail) == OK) {
		tls_trust_unref(trust);
		return;
	}
	if (strncmp(text, pointer, sizeof pointer - 1) == 0)
		text += sizeof pointer - 1;
	note_text(c, true, &at, text);
}

static void
check_all(struct check *c, struct policy_issues *issues)
{
	struct config *config = NULL;
	struct policy *p = NULL;
	struct spot at = { c->file, "" };
	enum status st = config_load(c->file, &config, issues);

	if (st != OK && issues->n_errors == 0)
		note_text(c, true, &at, status_text(st));
	note_issues(c, c->file, issues);
	if (st != OK)
		return;
	check_ca(c, config);
	memset(issues, 0, sizeof *issues);
	st = config_load_policy(config, &p, issues);
	at.file = config->policy_file;
	if (st != OK && issues->n_errors == 0)
		note_text(c, true, &at, status_text(st));
	note_issues(c, config->policy_file, issues);
	if (st == OK) {
		check_injections(c, config, p);
		check_inspection(c, config, p);
		check_identities(c, config, p);
		check_names(c, config, p);
		check_gateways(c, config, p);
	}
	if (st == OK && c->n_errors == 0 && !c->json)
		(void)printf("%s: ok\n%s: ok, %zu rules, mode %s\n", c->file,
		    config->policy_file, policy_rule_count(p),
		    policy_mode(p) == POLICY_REPORT ? "report" : "enforce");
	json_decref(c->policy);
	policy_unref(p);
	config_destroy(config);
}

static int
finish(struct check *c)
{
	json_t *all;

	if (c->json) {
		all = json_pack(
		    "{s:b, s:O}", "ok", c->n_errors == 0, "issues", c->issues);
		if (all == NULL ||
		    json_dumpf(all, stdout, JSON_ENSURE_ASCII) != 0)
			c->n_errors++;
		(void)putchar('\n');
		json_decref(all);
	}
	return c->n_errors == 0 ? EX_OK : EX_CONFIG;
}

static int
usage(FILE *to, int code)
{
	(void)fputs(usage_text, to);
	return code;
}

int
verb_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct check c = { .file = policy_file_default_config };
	struct policy_issues *issues;
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (opt == 'c')
			c.file = optarg;
		else if (opt == 'j')
			c.json = true;
		else
			return usage(opt == 'h' ? stdout : stderr,
			    opt == 'h' ? EX_OK : EX_USAGE);
	}
	if (optind != argc)
		return usage(stderr, EX_USAGE);
	issues = calloc(1, sizeof *issues);
	c.issues = json_array();
	if (issues != NULL && c.issues != NULL) {
		check_all(&c, issues);
		opt = finish(&c);
	} else {
		opt = EX_SOFTWARE;
	}
	json_decref(c.issues);
	free(issues);
	return opt;
}
