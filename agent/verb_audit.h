/* The sub-verbs of wayleave audit. */
#ifndef AGENT_VERB_AUDIT_H
#define AGENT_VERB_AUDIT_H

/** As the verbs of verbs.h. */
int verb_audit_query(int argc, char **argv);
int verb_audit_tail(int argc, char **argv);
int verb_audit_export(int argc, char **argv);

#endif
