/* The environment that makes unmodified clients use the agent. Pure: the
 * caller's present environment comes in through a function. */
#ifndef AGENT_ENV_LIST_H
#define AGENT_ENV_LIST_H

#include "base/buf.h"

enum { ENV_VARS_MAX = 40, ENV_WARNINGS_MAX = 32, ENV_COMMENTS_MAX = 32 };

struct env_input {
	const char *proxy;  /**< "127.0.0.1:3180"; "" without a listener */
	const char *broker; /**< "127.0.0.1:3181"; "" without a listener */
	const char *header; /**< the caller's identity header; secret */
	const char *client; /**< one of env_client_names[], or NULL */
	/** The present value of a variable, or NULL; borrowed. */
	const char *(*get)(void *ctx, const char *name);
	void *ctx;
	/** Whether the policy governs hosts that @entry of NO_PROXY covers;
	 * NULL: nobody can tell. */
	bool (*governed)(void *ctx, struct slice entry);
	void *governed_ctx;
	/** Files that clients are to believe, where tunnels are inspected: with
	 * all other CAs, ours alone, as Java's store; all NULL or "": none. */
	const char *ca_bundle, *ca_pem, *ca_store;
};

struct env_var {
	const char *name;
	char *value; /**< NULL: to be unset */
};

/** Release with env_list_release(), which wipes it. */
struct env_list {
	struct env_var vars[ENV_VARS_MAX];
	size_t n;
	char *warnings[ENV_WARNINGS_MAX]; /**< sentences; the rest is dropped */
	size_t n_warnings;
	const char *note; /**< of the client that was asked for, or NULL */
	char *comments[ENV_COMMENTS_MAX]; /**< lines behind it */
	size_t n_comments;
};

/** E_INVALID: unknown client. E_NOMEM. On failure @out is empty. */
enum status env_list_build(
    const struct env_input *in, struct env_list *out) ATTR_MUST_USE;
void env_list_release(struct env_list *l);

/** Appends a variable; @name is kept. False: out of memory or of room. */
bool env_list_set(struct env_list *l, const char *name, const char *fmt, ...)
    ATTR_PRINTF(3, 4);

/** Appends a warning; what cannot be kept is dropped. */
void env_list_warn(struct env_list *l, const char *fmt, ...) ATTR_PRINTF(2, 3);

/** Appends a line for people. False: out of memory or of room, or it holds
 * what is no plain text. */
bool env_list_comment(struct env_list *l, const char *fmt, ...)
    ATTR_PRINTF(2, 3);

/** Borrowed; NULL when @name is not set by the list. */
const char *env_list_get(const struct env_list *l, const char *name);

enum env_shell { ENV_SH, ENV_FISH, ENV_POWERSHELL, ENV_JSON };

/** Appends @l as text that the shell can evaluate, note and comments behind it;
 * JSON has the variables alone. */
void env_list_print(
    struct buf *out, const struct env_list *l, enum env_shell shell);

#endif
