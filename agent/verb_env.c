/* wayleave env and run: unmodified clients, led to the agent. */
#include "agent/cli.h"
#include "agent/env_clients.h"
#include "agent/env_noproxy.h"
#include "agent/run_child.h"
#include "agent/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The daemon reads no more in one question. */
enum { NO_PROXY_BYTES = 32768 };

static const char *
get_env(void *ctx, const char *name)
{
	(void)ctx;
	return getenv(name);
}

/** The first TCP listener of @key; a wildcard is reached on loopback. */
static void
listener_of(const json_t *reply, const char *key, char out[64])
{
	const json_t *list = json_object_get(reply, key);
	const json_t *at;
	size_t i;

	out[0] = '\0';
	json_array_foreach(list, i, at) {
		const char *s = json_string_value(at);
		if (s == NULL || strncmp(s, "unix:", 5) == 0)
			continue;
		if (strncmp(s, "0.0.0.0:", 8) == 0)
			(void)snprintf(out, 64, "127.0.0.1:%.8s", s + 8);
		else
			(void)snprintf(out, 64, "%.60s", s);
		return;
	}
}

/** The question, with what NO_PROXY lets past as it is now. */
static json_t *
question(void)
{
	json_t *entries = json_array();
	struct slice rest, entry;
	struct buf b;

	buf_init(&b, NO_PROXY_BYTES);
	env_noproxy_merge(&b, getenv("NO_PROXY"), getenv("no_proxy"));
	rest = buf_status(&b) == OK ? buf_slice(&b) : SLICE("");
	while (env_noproxy_next(&rest, &entry))
		(void)json_array_append_new(
		    entries, json_stringn(entry.p, entry.n));
	buf_release(&b);
	return json_pack("{s:s, s:o}", "verb", "env", "no_proxy", entries);
}

static bool
is_governed(void *ctx, struct slice entry)
{
	const json_t *list = json_object_get(ctx, "governed");
	size_t i;
	const json_t *at;

	json_array_foreach(list, i, at) {
		if (slice_is(entry, json_string_value(at)))
			return true;
	}
	return false;
}

static int
no_client(const char *name)
{
	const char *near = cli_nearest(name, env_client_names);

	if (near != NULL)
		return cli_usage(
		    "env", "no client \"%s\"; did you mean %s?", name, near);
	return cli_usage(
	    "env", "no client \"%s\"; wayleave env --clients lists them", name);
}

/** What no variable can name: which gateway a client is to use. One that is
 * no plain text is left out: it is no reason to have no environment. */
static void
add_gateways(struct env_list *list, const json_t *reply)
{
	const json_t *gateways = json_object_get(reply, "gateways");
	const json_t *g;
	size_t i;

	json_array_foreach(gateways, i, g) {
		const char *at = cli_member(g, "listen");
		bool is_path = strncmp(at, "unix:", 5) == 0;

		(void)env_list_comment(list, "gateway %s: %s%s goes to %s",
		    cli_member(g, "name"), is_path ? "" : "http://", at,
		    cli_member(g, "upstream"));
	}
}

/** Asks the daemon and composes; prints the warnings unless @quiet. */
static int
environment(
    const char *socket, const char *client, bool quiet, struct env_list *out)
{
	char proxy[64], broker[64];
	const json_t *ca;
	json_t *reply = NULL;
	enum status st;
	int code;

	if (client != NULL && env_client_find(client) == NULL)
		return no_client(client);
	code = cli_ask(socket, question(), &reply);
	if (code != EX_OK)
		return code;
	listener_of(reply, "proxy", proxy);
	listener_of(reply, "broker", broker);
	ca = json_object_get(reply, "ca");
	st = env_list_build(
	    &(struct env_input){ proxy, broker,
	        cli_member(reply, "identity_header"), client, get_env, NULL,
	        is_governed, reply, cli_member(ca, "bundle"),
	        cli_member(ca, "pem"), cli_member(ca, "store") },
	    out);
	if (st == OK)
		add_gateways(out, reply);
	json_decref(reply);
	if (st != OK)
		return cli_fail(EX_SOFTWARE, "%s", status_text(st));
	for (size_t i = 0; !quiet && i < out->n_warnings; i++)
		(void)fprintf(
		    stderr, "wayleave: warning: %s\n", out->warnings[i]);
	return EX_OK;
}

static bool
shell_of(const char *name, enum env_shell *out)
{
	static const char *const names[] = { "sh", "fish", "powershell",
		"json" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (enum env_shell)i;
			return true;
		}
	return false;
}

static int
print_clients(bool json)
{
	json_t *list = json ? json_array() : NULL;
	int code = EX_OK;

	for (const struct env_client *c = env_clients; c->name != NULL; c++)
		if (json)
			json_array_append_new(list,
			    json_pack("{s:s, s:s}", "name", c->name, "note",
			        c->note));
		else
			printf("%-12s%s\n", c->name, c->note);
	if (json)
		code = cli_print_json(list);
	json_decref(list);
	return code;
}

int
verb_env(int argc, char **argv)
{
	static const char help[] =
	    "Usage: wayleave env [--shell sh|fish|powershell|json] "
	    "[--client NAME]\n"
	    "                    [--quiet] [--json] [--socket PATH]\n"
	    "       wayleave env --clients [--json]\n"
	    "The environment that makes unmodified clients use the agent:\n"
	    "  eval \"$(wayleave env)\"\n"
	    "NO_PROXY is merged, and warned about where it lets a governed\n"
	    "host slip past. --client adds what only that client wants, and\n"
	    "what else it needs as a comment; --clients lists them.\n";
	const char *socket = NULL, *client = NULL, *shell_name = "sh";
	bool quiet = false, json = false, clients = false;
	const struct cli_option options[] = {
		{ "clients", 0, &clients, NULL },
		{ "shell", 0, NULL, &shell_name },
		{ "client", 0, NULL, &client },
		{ "quiet", 'q', &quiet, NULL },
		{ "json", 0, &json, NULL },
		{ "socket", 0, NULL, &socket },
		{ 0 },
	};
	enum env_shell shell;
	struct env_list list = { 0 };
	struct buf out;
	int rest, code = cli_options(argc, argv, options, help, &rest);

	if (code >= 0)
		return code;
	if (rest < argc)
		return cli_usage("env", "takes no \"%s\"", argv[rest]);
	if (!shell_of(json ? "json" : shell_name, &shell))
		return cli_usage("env", "no shell \"%s\"", shell_name);
	if (clients)
		return print_clients(json);
	code = environment(socket, client, quiet, &list);
	if (code != EX_OK)
		return code;
	buf_init_secret(&out, 1 << 20);
	env_list_print(&out, &list, shell);
	if (buf_status(&out) != OK || fwrite(out.p, 1, out.n, stdout) != out.n)
		code = EX_IOERR;
	buf_release(&out);
	env_list_release(&list);
	return code;
}

static bool
apply(const struct env_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct env_var *v = &l->vars[i];
		if ((v->value != NULL ? setenv(v->name, v->value, 1)
		                      : unsetenv(v->name)) != 0)
			return false;
	}
	return true;
}

/*
 * Whose pid a manager knows must stay that process; and nobody reads what is
 * said after a service. systemd.exec(5): SYSTEMD_EXEC_PID is inherited.
 */
static bool
pid_is_known(void)
{
	const char *main_pid = getenv("SYSTEMD_EXEC_PID");
	char own[24];

	(void)snprintf(own, sizeof own, "%ld", (long)getpid());
	return getenv("NOTIFY_SOCKET") != NULL ||
	    getenv("LISTEN_PID") != NULL ||
	    (main_pid != NULL && strcmp(main_pid, own) == 0);
}

int
verb_run(int argc, char **argv)
{
	static const char help[] =
	    "Usage: wayleave run [--client NAME] [--quiet] [--socket PATH] "
	    "-- CMD [ARG...]\n"
	    "Runs CMD in the environment that wayleave env prints, and says "
	    "afterwards what\nwas denied to you meanwhile. --quiet: no such "
	    "words; becomes CMD. Exit status:\nCMD's; 127 when it is not "
	    "found, 126 when it cannot be run.\n";
	const char *socket = NULL, *client = NULL;
	bool quiet = false;
	const struct cli_option options[] = {
		{ "client", 0, NULL, &client },
		{ "quiet", 'q', &quiet, NULL },
		{ "socket", 0, NULL, &socket },
		{ 0 },
	};
	struct env_list list = { 0 };
	int rest, code = cli_options(argc, argv, options, help, &rest);
	bool ok;

	if (code >= 0)
		return code;
	if (rest >= argc)
		return cli_usage("run", "say what to run");
	code = environment(socket, client, quiet, &list);
	if (code != EX_OK)
		return code;
	ok = apply(&list);
	env_list_release(&list);
	if (!ok)
		return cli_fail(EX_SOFTWARE, "the environment is too large");
	if (quiet || pid_is_known())
		return run_exec(argv + rest);
	return run_child(argv + rest, socket);
}
