/* The real wayleaved in a folder of its own, on Unix sockets only. */
#ifndef TESTS_UNIT_AGENT_DAEMON_FIXTURE_H
#define TESTS_UNIT_AGENT_DAEMON_FIXTURE_H

#include "base/compiler.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct lab {
	char dir[64];
	char control[96];
	pid_t pid;
};

/** A policy with one rule. */
extern const char lab_policy_text[];

int lab_setup(void **state);
int lab_teardown(void **state);
void lab_put_file(const struct lab *l, const char *name, const char *text);
void lab_put_config(const struct lab *l, int workers, bool same_user);
/** As above with a name server on @port that is waited for long. */
void lab_put_silent_dns(const struct lab *l, int port);
/** In a child: becomes the daemon. */
ATTR_NORETURN void lab_exec(const struct lab *l);
pid_t lab_spawn(const struct lab *l);
/** Spawns it and waits until it says that it is ready. */
void lab_start(struct lab *l);
/** The exit code; -2 for a signal, -3 when it had to be killed. */
int lab_wait_exit(pid_t pid);
/** Waits for the control socket; takes @request, the reply is owned. */
json_t *lab_ask(const struct lab *l, json_t *request);
/** SIGTERM, and exit code 0. */
void lab_stop(struct lab *l);

#endif
