/* What the verbs of `wayleave` share: options, the daemon's answers, text. */
#ifndef AGENT_CLI_H
#define AGENT_CLI_H

#include "base/slice.h"
#include "base/status.h"

#include <getopt.h>
#include <jansson.h>
#include <sysexits.h>

/** The finding of the verb is negative. */
enum { CLI_NEGATIVE = 1 };

#define CLI_CONTROL    "/run/wayleave/control.sock"
#define CLI_AUDIT_FILE "/var/log/wayleave/audit.jsonl"
#define CLI_AUDIT_KEY  "/var/lib/wayleave/audit.pub"

/** One option; a flag sets *flag, a value option sets *value. */
struct cli_option {
	const char *name; /**< long name, "json" */
	char letter;      /**< 'c', or 0 */
	bool *flag;
	const char **value;
};

/**
 * Takes @options (ending with a NULL name) out of argv[1..] until the first
 * other word; stops after "--". *rest is the index of what is left.
 * --help prints @help to stdout. Returns -1 to go on, else an exit code.
 */
int cli_options(int argc, char **argv, const struct cli_option *options,
    const char *help, int *rest);
/** As cli_options(), but words may stand between options; they move last. */
int cli_options_mixed(int argc, char **argv, const struct cli_option *options,
    const char *help, int *rest);

/** "wayleave: ..." on stderr; returns @code. */
int cli_fail(int code, const char *fmt, ...) ATTR_PRINTF(2, 3);
/** Says why by errno; 77 where it is a matter of rights, else 74. */
int cli_cannot_read(const char *path);
/** As cli_fail(EX_USAGE), with a hint at --help of @verb. */
int cli_usage(const char *verb, const char *fmt, ...) ATTR_PRINTF(2, 3);

/**
 * Asks the daemon at @socket (NULL: the default). On EX_OK *reply is owned
 * and says "ok"; otherwise the message was printed. @request is taken.
 */
int cli_ask(const char *socket, json_t *request, json_t **reply);

/** Prints one JSON value, indented; 70, and said, where memory is short. */
int cli_print_json(const json_t *value) ATTR_MUST_USE;
/** Prints @s with control and non-ASCII bytes made visible. */
void cli_print_safe(const char *s);
/** A member as text; "" when it is absent or no string. */
const char *cli_member(const json_t *object, const char *key);

/** The word of @words (ending with NULL) nearest to @word, or NULL. */
const char *cli_nearest(const char *word, const char *const *words);

#endif
