/* The audit ports: a record goes to the writer's thread, its answer comes
 * back by the mailbox of the loop that asked. */
#include "agent/wiring.h"

#include <stdlib.h>

enum { WORKLOAD_NAMES_MAX = 16 };

/* One record that somebody waits for. Lives from submit to delivery. */
struct pending {
	struct mail mail; /* first */
	struct mailbox *box;
	enum status st; /* set by the writer before the mail is sent */
	/* The loop's own; both NULL when cancelled. */
	struct proxy_wait *proxy;
	struct identity_wait *identity;
};

static void
pending_deliver(struct mail *m)
{
	struct pending *p = (struct pending *)m;

	if (p->proxy != NULL)
		p->proxy->done(p->proxy, p->st);
	else if (p->identity != NULL)
		p->identity->done(p->identity, p->st);
	free(p);
}

/* On the writer's thread. */
static void
pending_written(void *arg, enum status st)
{
	struct pending *p = arg;

	p->st = st;
	mailbox_answer(p->box, &p->mail);
}

static enum status
append(struct audit_log *audit, const struct record *rec, struct pending *p)
{
	struct buf text;
	enum status st;

	buf_init(&text, AUDIT_MEMBERS_MAX);
	record_write(&text, rec);
	st = buf_status(&text);
	if (st == OK)
		st = audit_log_append(audit, buf_slice(&text),
		    p != NULL ? pending_written : NULL, p);
	buf_release(&text);
	return st;
}

static struct pending *
pending_new(struct wiring *w)
{
	struct pending *p = calloc(1, sizeof *p);

	if (p != NULL) {
		p->mail.deliver = pending_deliver;
		p->box = w->mailbox;
	}
	return p;
}

enum status
wiring_record_start(struct audit_log *audit, const struct record *rec)
{
	struct buf text;
	enum status st;

	buf_init(&text, AUDIT_MEMBERS_MAX);
	record_write(&text, rec);
	st = buf_status(&text);
	if (st == OK)
		st = audit_log_start(audit, buf_slice(&text));
	buf_release(&text);
	return st;
}

enum status
wiring_record(struct audit_log *audit, const struct record *rec)
{
	return append(audit, rec, NULL);
}

enum status
wiring_audit_submit(
    void *ctx, const struct record *rec, struct proxy_wait *wait)
{
	struct wiring *w = ctx;
	struct pending *p;
	enum status st;

	if (wait == NULL)
		return append(w->audit, rec, NULL);
	p = pending_new(w);
	if (p == NULL)
		return E_NOMEM;
	/* Before append(): the writer may be done before it returns. */
	p->proxy = wait;
	wait->priv = p;
	st = append(w->audit, rec, p);
	if (st != OK) {
		wait->priv = NULL;
		free(p);
	}
	return st;
}

void
wiring_audit_cancel(void *ctx, struct proxy_wait *wait)
{
	struct pending *p = wait->priv;

	(void)ctx;
	if (p != NULL)
		p->proxy = NULL;
	wait->priv = NULL;
}

bool
wiring_audit_healthy(void *ctx)
{
	struct wiring *w = ctx;

	return audit_log_healthy(w->audit);
}

enum status
wiring_identity_audit_submit(
    void *ctx, const struct record *rec, struct identity_wait *wait)
{
	struct wiring_identity *w = ctx;
	const char *names[WORKLOAD_NAMES_MAX];
	struct record named = *rec;
	struct pending *p;
	enum status st;

	/* Identity knows no workloads; the policy does. */
	named.workload_names = names;
	named.n_workload_names = rec->peer == NULL
	    ? 0
	    : policy_workload_names(
	          w->snapshot->policy, rec->peer, names, WORKLOAD_NAMES_MAX);
	if (wait == NULL)
		return append(w->loop->audit, &named, NULL);
	p = pending_new(w->loop);
	if (p == NULL)
		return E_NOMEM;
	p->identity = wait;
	wait->priv = p;
	st = append(w->loop->audit, &named, p);
	if (st != OK) {
		wait->priv = NULL;
		free(p);
	}
	return st;
}

void
wiring_identity_audit_cancel(void *ctx, struct identity_wait *wait)
{
	struct pending *p = wait->priv;

	(void)ctx;
	if (p != NULL)
		p->identity = NULL;
	wait->priv = NULL;
}
