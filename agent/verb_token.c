/* wayleave token: what is cached, and what is taken back. */
#include "agent/cli.h"
#include "agent/verbs.h"
#include "base/clock.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

static void
print_time(json_int_t unix_s)
{
	char text[CLOCK_RFC3339_BYTES];

	if (unix_s <= 0) {
		(void)printf(" %-20s", "-");
		return;
	}
	clock_rfc3339((int64_t)unix_s * 1000000000, text);
	(void)printf(" %.19sZ", text);
}

static void
print_tokens(const json_t *tokens)
{
	const json_t *t;
	size_t i;

	(void)printf("%-12s %-44s %-12s %-8s %-20s %s\n", "IDENTITY",
	    "AUDIENCE", "TOKEN ID", "STATE", "EXPIRES", "LAST USED");
	json_array_foreach(tokens, i, t) {
		(void)printf("%-12s %-44s %-12s %-8s",
		    cli_member(t, "identity"), cli_member(t, "audience"),
		    cli_member(t, "token_id"), cli_member(t, "state"));
		print_time(json_integer_value(json_object_get(t, "expires")));
		print_time(json_integer_value(json_object_get(t, "last_used")));
		if (cli_member(t, "last_error")[0] != '\0') {
			(void)fputs("\n  ", stdout);
			cli_print_safe(cli_member(t, "last_error"));
		}
		(void)putchar('\n');
	}
}

/** What the command line says. */
struct wanted {
	const char *socket, *user;
	bool json, all;
	const char *id; /**< NULL: none */
};

static int
list(const struct wanted *w)
{
	json_t *reply = NULL;
	int code =
	    cli_ask(w->socket, json_pack("{s:s}", "verb", "tokens"), &reply);

	if (code != EX_OK)
		return code;
	if (w->json)
		code = cli_print_json(json_object_get(reply, "tokens"));
	else
		print_tokens(json_object_get(reply, "tokens"));
	json_decref(reply);
	return code;
}

/* A number is one, whether or not somebody has it. */
static bool
find_user(const char *text, json_int_t *uid)
{
	const struct passwd *pw;
	uint64_t number;

	if (slice_to_u64(slice_of(text), UINT32_MAX - 1, &number)) {
		*uid = (json_int_t)number;
		return true;
	}
	pw = getpwnam(text);
	if (pw == NULL)
		return false;
	*uid = (json_int_t)pw->pw_uid;
	return true;
}

static void
print_revoked(const struct wanted *w)
{
	(void)fputs("revoked: ", stdout);
	if (w->id != NULL)
		(void)printf("what has the ID %s", w->id);
	else if (w->all)
		(void)fputs("all phantoms", stdout);
	else if (w->user != NULL)
		(void)printf("all phantoms of %s", w->user);
	else
		(void)fputs("all your phantoms", stdout);
	(void)fputs(" given out until now\n", stdout);
}

static int
token_revoke(const struct wanted *w)
{
	json_t *reply = NULL, *request;
	json_int_t uid = 0;
	int code;

	if ((w->id != NULL) + (w->user != NULL) + w->all > 1)
		return cli_usage(
		    "token", "an ID, --user and --all exclude each other");
	if (w->user != NULL && !find_user(w->user, &uid))
		return cli_fail(EX_USAGE, "no user is called \"%s\"", w->user);
	if (w->id != NULL)
		request =
		    json_pack("{s:s,s:s}", "verb", "token_revoke", "id", w->id);
	else if (w->user != NULL)
		request =
		    json_pack("{s:s,s:I}", "verb", "token_revoke", "uid", uid);
	else
		request = json_pack(
		    "{s:s,s:b}", "verb", "token_revoke", "all", w->all ? 1 : 0);
	code = cli_ask(w->socket, request, &reply);
	if (code == EX_OK && w->json)
		code = cli_print_json(reply);
	else if (code == EX_OK)
		print_revoked(w);
	json_decref(reply);
	return code;
}

int
verb_token(int argc, char **argv)
{
	static const char help[] =
	    "Usage: wayleave token list [--json] [--socket PATH]\n"
	    "       wayleave token revoke [ID | --user USER | --all]\n"
	    "                             [--json] [--socket PATH]\n"
	    "list: what is cached: identity, audience, expiry; never the "
	    "token.\n"
	    "revoke: the phantoms that were given out until now are good no "
	    "more: your own,\n"
	    "those of USER, all of them, or what has the ID: the 12 digits of "
	    "a token_id for\n"
	    "all that stand for that token, the 32 of a jti for one. Tokens "
	    "themselves cannot\n"
	    "be taken back: they end by themselves.\n"
	    "Exit status 0, 77 where it is not yours, or 69 without a daemon.\n";
	struct wanted w = { .json = false };
	const struct cli_option options[] = {
		{ "json", 0, &w.json, NULL },
		{ "all", 0, &w.all, NULL },
		{ "user", 0, NULL, &w.user },
		{ "socket", 0, NULL, &w.socket },
		{ 0 },
	};
	int rest, code = cli_options_mixed(argc, argv, options, help, &rest);
	int n;

	if (code >= 0)
		return code;
	n = argc - rest;
	if (n == 1 && strcmp(argv[rest], "list") == 0 && !w.all &&
	    w.user == NULL)
		return list(&w);
	if (n < 1 || n > 2 || strcmp(argv[rest], "revoke") != 0)
		return cli_usage("token", "say what: list or revoke");
	if (n == 2)
		w.id = argv[rest + 1];
	return token_revoke(&w);
}
