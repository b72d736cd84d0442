/* The audit ports: a record goes to the writer's thread, its answer comes
 * back by the mailbox of the loop that asked. */
#include "agent/wiring.h"

#include "base/metrics.h"

#include <stdlib.h>

#include <event2/event.h>

enum {
	WORKLOAD_NAMES_MAX = 16,
	/* The end of a request need not wake the writer by itself. */
	UNAWAITED_USEC = 2000,
	/* Of the loop, that an awaited record waits for company. */
	TURNS_MOST = 8,
	TEXT_KEPT_BYTES = 16384,
};

/* One record that somebody waits for. Lives from submit to delivery. */
struct pending {
	struct mail mail; /* first */
	struct mailbox *box;
	enum status st; /* set by the writer before the mail is sent */
	bool is_end;    /* of a request of the proxy's */
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
	else if (p->is_end && p->st != OK)
		/* Its asker gave up on it, as it might yet be written. */
		metric_add(METRIC_AUDIT_LOST_ENDS_TOTAL, 1);
	free(p);
}

/* On the writer's thread: one visit to a mailbox for all of a batch. */
static void
pending_written(void *arg, enum status st, bool more)
{
	static _Thread_local struct mail_chain chain;
	static _Thread_local struct mailbox *to;
	struct pending *p = arg;

	if (p->box != to)
		mailbox_answer_all(to, &chain);
	to = p->box;
	p->st = st;
	mail_chain_put(&chain, &p->mail);
	if (!more)
		mailbox_answer_all(to, &chain);
}

static void
kick_in(struct wiring *w, suseconds_t usec)
{
	const struct timeval soon = { .tv_usec = usec };

	if (evtimer_add(&w->kick, &soon) == 0)
		return;
	w->awaited = 0;
	audit_log_wake(w->audit);
}

static void
on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct wiring *w = arg;

	(void)fd;
	(void)what;
	if (w->awaited > w->seen && ++w->turns < TURNS_MOST) {
		w->seen = w->awaited;
		kick_in(w, 0);
		return;
	}
	w->awaited = w->seen = 0;
	audit_log_wake(w->audit);
}

void
wiring_share(const struct wiring *from, struct wiring *to)
{
	*to = (struct wiring){ .audit = from->audit,
		.userdb = from->userdb,
		.denials = from->denials,
		.mailbox = from->mailbox,
		.desk = from->desk,
		.credentials = from->credentials,
		.phantoms = from->phantoms };
}

void
wiring_open(struct wiring *w, struct event_base *base)
{
	(void)evtimer_assign(&w->kick, base, on_kick, w);
	buf_init(&w->text, AUDIT_MEMBERS_MAX);
	w->opened = true;
}

void
wiring_close(struct wiring *w)
{
	if (w->opened)
		(void)event_del(&w->kick);
	buf_release(&w->text);
	w->opened = false;
}

/* The writer's wake-up, its write(2) and its answer cost more than a record
 * does. So it is woken behind what else is ready in the next turn of the
 * loop, and later while each turn brings one more to wait for it. */
static void
kick(struct wiring *w, bool awaited)
{
	w->awaited += awaited;
	if (awaited && w->awaited == 1) {
		w->seen = 1;
		w->turns = 0;
		kick_in(w, 0);
	} else if (!event_pending(&w->kick, EV_TIMEOUT, NULL)) {
		kick_in(w, UNAWAITED_USEC);
	}
}

static enum status
append(struct wiring *w, const struct record *rec, struct pending *p)
{
	audit_written written = p != NULL ? pending_written : NULL;
	enum status st;

	if (!w->opened)
		return E_INTERNAL;
	record_write(&w->text, rec);
	st = buf_status(&w->text);
	if (st == OK)
		st = audit_log_queue(w->audit, buf_slice(&w->text), written, p);
	if (st == OK)
		kick(w, p != NULL);
	if (w->text.cap > TEXT_KEPT_BYTES)
		buf_release(&w->text);
	else
		buf_clear(&w->text);
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
	struct buf text;
	enum status st;

	buf_init(&text, AUDIT_MEMBERS_MAX);
	record_write(&text, rec);
	st = buf_status(&text);
	if (st == OK)
		st = audit_log_append(audit, buf_slice(&text), NULL, NULL);
	buf_release(&text);
	return st;
}

enum status
wiring_audit_submit(
    void *ctx, const struct record *rec, struct proxy_wait *wait)
{
	struct wiring *w = ctx;
	struct pending *p;
	enum status st;

	if (wait == NULL)
		return append(w, rec, NULL);
	p = pending_new(w);
	if (p == NULL)
		return E_NOMEM;
	/* Before append(): the writer may be done before it returns. */
	p->proxy = wait;
	p->is_end = rec->event == RECORD_REQUEST;
	wait->priv = p;
	st = append(w, rec, p);
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
		return append(w->loop, &named, NULL);
	p = pending_new(w->loop);
	if (p == NULL)
		return E_NOMEM;
	p->identity = wait;
	wait->priv = p;
	st = append(w->loop, &named, p);
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
