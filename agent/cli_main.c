/* The wayleave program: finds the verb and runs it. */
#include "agent/agent.h"
#include "agent/cli.h"
#include "agent/verbs.h"

#include <stdio.h>
#include <string.h>

struct verb {
	const char *name;
	int (*run)(int argc, char **argv); /**< NULL: not in this version */
	const char *does;
};

static const struct verb verbs[] = {
	{ "status", verb_status, "the state of the daemon" },
	{ "wait", verb_wait, "wait until the daemon is ready" },
	{ "env", verb_env, "the environment that makes clients use the agent" },
	{ "run", verb_run, "run a command in that environment" },
	{ "audit", verb_audit, "verify, query, tail and export the audit" },
	{ "token", verb_token,
	    "what is cached (never the token), and what is taken back" },
	{ "check", verb_check,
	    "read configuration and policy as the daemon would" },
	{ "why", verb_why, "the verdict for a request, and the smallest rule" },
	{ "policy", verb_policy, "run the tests of a policy file" },
	{ "doctor", NULL, "find private-link faults" },
	{ "login", NULL, "use your own identity" },
	{ "logout", NULL, "forget your own identity" },
	{ "ca", verb_ca, "the inspection CA: show, export, rotate" },
};

static void
print_help(FILE *out)
{
	(void)fputs("Usage: wayleave VERB [OPTION...]\n\nVerbs:\n", out);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		(void)fprintf(out, "  %-8s %s%s\n", verbs[i].name,
		    verbs[i].does,
		    verbs[i].run == NULL ? " (not in this version)" : "");
	(void)fputs("\nEach verb has --help. See wayleave(1).\n", out);
}

static int
unknown(const char *word)
{
	const char *names[ARRAY_LEN(verbs) + 1] = { NULL };
	const char *near;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		names[i] = verbs[i].name;
	near = cli_nearest(word, names);
	if (near != NULL)
		return cli_fail(EX_USAGE,
		    "no verb \"%s\"; did you mean \"%s\"?", word, near);
	return cli_fail(EX_USAGE, "no verb \"%s\"; see wayleave --help", word);
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
	    strcmp(word, "help") == 0;
}

static int
run(const struct verb *verb, int argc, char **argv)
{
	if (verb->run != NULL)
		return verb->run(argc, argv);
	if (argc > 1 && is_help(argv[1])) {
		(void)printf("wayleave %s: %s. Not in this version.\n",
		    verb->name, verb->does);
		return EX_OK;
	}
	return cli_fail(
	    EX_UNAVAILABLE, "%s is not in this version", verb->name);
}

static int
dispatch(int argc, char **argv)
{
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("wayleave %s\n", agent_version);
		return EX_OK;
	}
	if (is_help(argv[1])) {
		print_help(stdout);
		return EX_OK;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run(&verbs[i], argc - 1, argv + 1);
	return unknown(argv[1]);
}

int
main(int argc, char **argv)
{
	int code;

	if (argc < 2) {
		print_help(stderr);
		return EX_USAGE;
	}
	code = dispatch(argc, argv);
	if (fflush(stdout) != 0 && code == EX_OK)
		code = EX_IOERR;
	return code;
}
