/* Policy files as the operator's tool reads them: any path, messages said. */
#ifndef AGENT_POLICY_FILE_H
#define AGENT_POLICY_FILE_H

#include "policy/policy.h"

#include <stdio.h>

/** /etc/wayleave/wayleave.json and policy.json beside it. */
extern const char policy_file_default_config[];
extern const char policy_file_default[];

/** Reads @path ("-" is standard input) onto @out; says on stderr what fails. */
enum status policy_file_read(const char *path, struct buf *out) ATTR_MUST_USE;
/**
 * Loads the policy at @path, or with NULL the one that @config (NULL: the
 * default) names; issues go to stderr. *out is owned on OK.
 */
enum status policy_file_load(
    const char *path, const char *config, struct policy **out) ATTR_MUST_USE;
/** Says "FILE:LINE:COL: message" for each issue. */
void policy_file_say_issues(
    FILE *to, const char *path, const struct policy_issues *issues);
/** Text with control bytes as \xNN, so that no file can drive a terminal. */
void policy_file_put_safe(FILE *to, const char *text);
/** The exit code (sysexits.h) for a failed load. */
int policy_file_exit(enum status st);

#endif
