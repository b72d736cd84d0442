/* The verbs of `wayleave`: each is one function in one verb_*.c. */
#ifndef AGENT_VERBS_H
#define AGENT_VERBS_H

/**
 * argv[0] is the verb; the result is the exit code of the process, one of
 * EX_OK, 1 (the finding is negative) and sysexits.h.
 */
int verb_audit(int argc, char **argv);
int verb_ca(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_env(int argc, char **argv);
int verb_policy(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_token(int argc, char **argv);
int verb_wait(int argc, char **argv);
int verb_why(int argc, char **argv);

#endif
