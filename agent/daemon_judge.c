/* What of a loaded policy only the running system can tell. */
#include "agent/daemon.h"

#include "agent/harden.h"

#include <unistd.h>

static enum status
judge_user(const struct daemon *d, const struct config *c,
    const struct policy *p, struct status_detail *detail)
{
	struct peer self = { .known = true,
		.uid = geteuid(),
		.pid = getpid(),
		.user = "",
		.unit = "",
		.cgroup = "",
		.exe = "" };
	const char *names[4];
	struct userdb_wait *wait = NULL;
	enum status st;

	/* The system may let one wait: it is asked at the start, and on the
	 * loop its last answer holds. */
	if (d->snapshot == NULL)
		st = userdb_lookup_now(d->userdb, &self);
	else
		st = userdb_lookup(
		    d->userdb, &self, d->mailbox, NULL, NULL, &wait);
	if (st != OK)
		return status_set(detail, st, "no memory for our own user");
	if (c->unsafe_same_user ||
	    policy_workload_names(p, &self, names, ARRAY_LEN(names)) == 0)
		return OK;
	return status_set(detail, E_DENIED,
	    "the daemon runs as %s (uid %u), which the policy also names as "
	    "workload \"%s\": that workload could read the daemon's memory; "
	    "run the daemon as a user of its own, or set "
	    "\"unsafe_same_user\": true in a lab",
	    self.user, self.uid, names[0]);
}

static enum status
judge_exes(const struct policy *p, struct status_detail *detail)
{
	if (!policy_uses_exes(p) || harden_has_ptrace())
		return OK;
	return status_set(detail, E_INVALID,
	    "the policy uses \"exes\", but the daemon may not read which "
	    "program a process runs: install the drop-in wayleaved-exe.conf "
	    "(CAP_SYS_PTRACE), or leave \"exes\" out");
}

/* Nothing but 503 could come of what such a rule allows. */
static enum status
judge_injections(const struct config *c, const struct policy *p,
    struct status_detail *detail)
{
	for (size_t i = 0; i < policy_rule_count(p); i++) {
		const struct policy_inject *inject = policy_rule_inject(p, i);

		if (inject != NULL && !config_has_identity(c, inject->identity))
			return status_set(detail, E_INVALID,
			    "the policy's rule \"%.64s\" injects a token of "
			    "\"%.64s\", which is not among \"identities\" of "
			    "%.200s",
			    policy_rule_id(p, i), inject->identity, c->file);
	}
	return OK;
}

enum status
daemon_judge(const struct daemon *d, const struct config *c,
    const struct policy *p, struct status_detail *detail)
{
	enum status st = judge_user(d, c, p, detail);

	if (st == OK)
		st = judge_injections(c, p, detail);
	if (st == OK)
		st = config_judge_inspection(c, p, detail);
	return st == OK ? judge_exes(p, detail) : st;
}

enum status
daemon_open_budgets(
    struct daemon *d, const struct policy *p, struct status_detail *detail)
{
	enum status st;

	if (d->budgets != NULL || !policy_has_budgets(p))
		return OK;
	st = budget_file_open(d->config->state_dir, &d->budgets, detail);
	if (st == OK)
		proxy_shared_set_ledger(
		    d->shared, budget_file_ledger(d->budgets));
	return st;
}

enum status
daemon_make_peers(
    const struct config *c, const struct policy *p, struct peer_source **out)
{
	return peer_source_create(c->cgroup_root, policy_uses_exes(p), out);
}
