/* wayleave run: the command as a child, and word of what it was denied. */
#ifndef AGENT_RUN_CHILD_H
#define AGENT_RUN_CHILD_H

/**
 * Runs @argv (ends with NULL) and waits for it; signals that others send to
 * us go to it. Afterwards says on stderr what the daemon at @socket (NULL:
 * the default) denied to our user meanwhile: many clients show no more than
 * a status. Returns the exit status; dies of the signal that it died of.
 */
int run_child(char **argv, const char *socket);
/** Becomes the command; returns only where that fails. */
int run_exec(char **argv);

#endif
