/* wayleave status and wait: what the daemon says of itself. */
#include "agent/cli.h"
#include "agent/control_client.h"
#include "agent/verbs.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void
print_reasons(const json_t *reply)
{
	const json_t *reasons = json_object_get(reply, "reasons");
	const json_t *r;
	size_t i;

	json_array_foreach(reasons, i, r) {
		const char *s = json_string_value(r);
		(void)fputs("  not ready: ", stdout);
		cli_print_safe(s != NULL ? s : "?");
		(void)putchar('\n');
	}
}

static void
print_listeners(const json_t *listeners)
{
	const char *role;
	json_t *list;

	json_object_foreach((json_t *)(uintptr_t)listeners, role, list) {
		const json_t *at;
		size_t i;
		if (strcmp(role, "gateway") == 0)
			continue; /* below, with where they go */
		json_array_foreach(list, i, at) {
			(void)printf("  %-9s ", role);
			cli_print_safe(json_string_value(at));
			(void)putchar('\n');
		}
	}
}

static void
print_gateways(const json_t *gateways)
{
	const json_t *g;
	size_t i;

	json_array_foreach(gateways, i, g) {
		(void)fputs("  gateway   ", stdout);
		cli_print_safe(cli_member(g, "listen"));
		(void)fputs(" ", stdout);
		cli_print_safe(cli_member(g, "name"));
		(void)fputs(": ", stdout);
		cli_print_safe(cli_member(g, "upstream"));
		(void)putchar('\n');
	}
}

static json_int_t
number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void
print_status(const json_t *r)
{
	const json_t *policy = json_object_get(r, "policy");
	const json_t *reload = json_object_get(r, "reload");
	const json_t *audit = json_object_get(r, "audit");
	const json_t *inspection = json_object_get(r, "inspection");
	bool ready = json_is_true(json_object_get(r, "ready"));
	bool healthy = json_is_true(json_object_get(audit, "healthy"));

	(void)printf("%s %s, pid %" JSON_INTEGER_FORMAT
	             ", up %" JSON_INTEGER_FORMAT " s: %s\n",
	    cli_member(r, "name"), cli_member(r, "version"), number(r, "pid"),
	    number(r, "uptime_s"), ready ? "ready" : "not ready");
	print_reasons(r);
	(void)printf("  policy    generation %" JSON_INTEGER_FORMAT
	             ", %s, %" JSON_INTEGER_FORMAT " rules, sha256 %.12s\n",
	    number(policy, "generation"), cli_member(policy, "mode"),
	    number(policy, "rules"), cli_member(policy, "sha256"));
	if (json_is_false(json_object_get(reload, "ok"))) {
		(void)fputs(
		    "  reload    failed, the last good policy stays: ", stdout);
		cli_print_safe(cli_member(reload, "message"));
		(void)putchar('\n');
	}
	print_listeners(json_object_get(r, "listeners"));
	print_gateways(json_object_get(r, "gateways"));
	if (json_is_true(json_object_get(inspection, "on")))
		(void)printf("  inspects  what rules look into, by a CA of its "
		             "own: wayleave ca show\n");
	(void)printf("  open      %" JSON_INTEGER_FORMAT
	             " connections, %" JSON_INTEGER_FORMAT " workers\n",
	    number(r, "connections"), number(r, "workers"));
	(void)printf("  audit     %s, record %" JSON_INTEGER_FORMAT
	             ", %" JSON_INTEGER_FORMAT " errors",
	    healthy ? "healthy" : "FAILING", number(audit, "seq"),
	    number(audit, "errors"));
	if (!healthy) {
		(void)fputs(": ", stdout);
		cli_print_safe(cli_member(audit, "last_error"));
	}
	(void)putchar('\n');
}

/** What these verbs take; @rest is where the operands begin. */
struct wanted {
	const char *socket;
	bool json;
	int rest;
};

/** -1 to go on, else the exit code. */
static int
read_wanted(int argc, char **argv, const char *help, struct wanted *out)
{
	const struct cli_option options[] = {
		{ "json", 0, &out->json, NULL },
		{ "socket", 0, NULL, &out->socket },
		{ 0 },
	};

	return cli_options_mixed(argc, argv, options, help, &out->rest);
}

/** Shows the @member of the answer; NULL: all of it. */
static int
answer(const struct wanted *w, const char *verb, const char *member,
    void (*print)(const json_t *shown))
{
	const json_t *shown;
	json_t *reply = NULL;
	int code = cli_ask(w->socket, json_pack("{s:s}", "verb", verb), &reply);

	if (code != EX_OK)
		return code;
	shown = member != NULL ? json_object_get(reply, member) : reply;
	if (w->json)
		code = cli_print_json(shown);
	else
		print(shown);
	json_decref(reply);
	return code;
}

int
verb_status(int argc, char **argv)
{
	static const char help[] =
	    "Usage: wayleave status [--json] [--socket PATH]\n"
	    "The state of the daemon. Exit status 0, or 69 without a daemon.\n";
	struct wanted w = { 0 };
	int code = read_wanted(argc, argv, help, &w);

	if (code >= 0)
		return code;
	if (w.rest < argc)
		return cli_usage("status", "takes no \"%s\"", argv[w.rest]);
	return answer(&w, "status", NULL, print_status);
}

/** One question; true when ready. *reply holds the last answer. */
static bool
is_ready(const char *socket, json_t **reply)
{
	json_t *request = json_pack("{s:s}", "verb", "wait");
	json_t *r = NULL;
	enum status st = E_NOMEM;

	if (request != NULL)
		st = control_call(socket, request, &r);
	json_decref(request);
	if (st != OK)
		return false;
	json_decref(*reply);
	*reply = r;
	return json_is_true(json_object_get(r, "ready"));
}

static int
wait_ready(const char *socket, uint64_t timeout_s, bool json)
{
	const struct timespec step = { 0, 100000000 };
	int64_t end = clock_boot_ms(&clock_system) + (int64_t)timeout_s * 1000;
	json_t *reply = NULL;
	int code = EX_OK;
	bool ready;

	while (!(ready = is_ready(socket, &reply)) &&
	    clock_boot_ms(&clock_system) < end)
		(void)nanosleep(&step, NULL);
	if (json && reply != NULL)
		code = cli_print_json(reply);
	else if (!ready && reply != NULL)
		print_reasons(reply);
	if (!ready)
		code = cli_fail(EX_UNAVAILABLE,
		    reply != NULL ? "the daemon is not ready"
		                  : "no daemon listens at %s",
		    socket);
	json_decref(reply);
	return code;
}

int
verb_wait(int argc, char **argv)
{
	static const char help[] =
	    "Usage: wayleave wait [--timeout S] [--json] [--socket PATH]\n"
	    "Waits until the daemon is ready, at most S seconds (60).\n"
	    "Exit status 0, or 69 when the time is over.\n";
	const char *socket = CLI_CONTROL, *timeout = "60";
	bool json = false;
	const struct cli_option options[] = {
		{ "json", 0, &json, NULL },
		{ "socket", 0, NULL, &socket },
		{ "timeout", 0, NULL, &timeout },
		{ 0 },
	};
	uint64_t timeout_s;
	int rest, code = cli_options(argc, argv, options, help, &rest);

	if (code >= 0)
		return code;
	if (rest < argc)
		return cli_usage("wait", "takes no \"%s\"", argv[rest]);
	if (!slice_to_u64(slice_of(timeout), 86400, &timeout_s))
		return cli_usage("wait", "--timeout takes 0 to 86400 seconds");
	return wait_ready(socket, timeout_s, json);
}
