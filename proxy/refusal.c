/* Refusals without a request: the record first, then the answer. */
#include "proxy/refusal.h"

#include "base/metrics.h"
#include "proxy/denial.h"
#include "proxy/request_inside.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_BYTES_MAX = 16384 };

struct refusal {
	struct request_refusal what; /* without what was borrowed */
	struct proxy_wait wait;
	bool waits;
	int64_t until_ms;
	bool no_body;
	char id[RECORD_ID_BYTES];
	struct event turn;
	struct buf answer, unrecorded;
	void (*done)(void *arg, struct buf *answer);
	void *arg;
};

static bool
speaks_http(const struct request_refusal *what)
{
	return what->protocol != REQUEST_SOCKS5 || what->inside;
}

static void
refusal_put_record(const struct request_refusal *what,
    const struct proxy_snapshot *s, const char *id, struct record *rec)
{
	record_init(rec, RECORD_REQUEST);
	rec->verdict = RECORD_DENY;
	rec->code = what->code;
	rec->id = id;
	rec->peer = what->peer;
	rec->listener = what->listener;
	rec->protocol = request_protocols[what->protocol];
	rec->method = what->method;
	rec->host = what->host != NULL ? what->host : what->to;
	rec->port = what->host != NULL ? what->port : what->to_port;
	if (speaks_http(what))
		rec->status = what->status != 0
		    ? what->status
		    : reason_info(what->code)->status;
	rec->close = "denied";
	rec->ms.total = 0;
	record_put_policy(rec, s);
}

/* Records, shows and counts it; @wait as in proxy_audit_port.submit. */
static enum status
refusal_write(
    const struct request_refusal *what, const char *id, struct proxy_wait *wait)
{
	const struct proxy_ports *ports = worker_ports(what->worker);
	const struct proxy_snapshot *s = worker_snapshot(what->worker);
	const char *names[RECORD_WORKLOADS_MAX];
	struct policy_explanation why;
	struct proxy_denial d = { .explanation = &why };
	struct record rec;
	enum status st;

	memset(&why, 0, sizeof why);
	refusal_put_record(what, s, id, &rec);
	rec.workload_names = names;
	rec.n_workload_names = record_workload_names(s, what->peer, names);
	st = ports->audit.submit(ports->audit.ctx, &rec, wait);
	/* The client hears AUDIT_UNAVAILABLE: that is what is counted. */
	if (st != OK && wait != NULL && speaks_http(what))
		return st;
	if (st != OK)
		metric_add(METRIC_AUDIT_LOST_ENDS_TOTAL, 1);
	memcpy(d.id, id, sizeof d.id);
	d.record = &rec;
	ports->denials.note(ports->denials.ctx, &d);
	refusal_count(what->code);
	return st;
}

static void
refusal_name(const struct request_refusal *what, char id[RECORD_ID_BYTES])
{
	const struct refusal_key key = { .protocol = what->protocol,
		.peer = what->peer,
		.code = what->code,
		.method = what->method,
		.host = what->host,
		.port = what->port };

	refusal_id(what->worker, &key, id);
}

static void
refusal_render(const struct request_refusal *what, const char *id, bool no_body,
    struct buf *out)
{
	const struct denial d = { .code = what->code,
		.status = what->status,
		.id = id,
		.name = worker_snapshot(what->worker)->name,
		.detail = what->detail,
		.host = what->host,
		.port = what->port,
		.peer = what->peer,
		.no_body = no_body };

	denial_render(&d, out);
}

static void
refusal_free(struct refusal *r)
{
	(void)event_del(&r->turn);
	buf_release(&r->answer);
	buf_release(&r->unrecorded);
	free(r);
}

/* It ends with its answer, which is the owner's then. */
static void
refusal_say(struct refusal *r, struct buf *which)
{
	void (*done)(void *arg, struct buf *answer) = r->done;
	void *arg = r->arg;
	struct buf answer = *which;

	buf_init(which, 0);
	refusal_free(r);
	done(arg, &answer);
}

/* The audit fails: that is the reason now, and whatever came is not told.
 * @lost: of what came there will be no record, so this has one of its own. */
static void
refusal_say_unrecorded(struct refusal *r, bool lost)
{
	struct request_refusal sick = r->what;

	if (speaks_http(&r->what)) {
		sick.code = REASON_AUDIT_UNAVAILABLE;
		sick.status = 0;
		sick.detail = NULL;
		if (lost) {
			refusal_name(&sick, r->id);
			(void)refusal_write(&sick, r->id, NULL);
		}
		refusal_render(&sick, r->id, r->no_body, &r->unrecorded);
	}
	refusal_say(r, &r->unrecorded);
}

static void
refusal_on_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	refusal_say_unrecorded(arg, true);
}

static void
refusal_on_recorded(struct proxy_wait *w, enum status st)
{
	void *at = (char *)w - offsetof(struct refusal, wait);
	struct refusal *r = at;

	r->waits = false;
	if (st == OK) {
		refusal_say(r, &r->answer);
		return;
	}
	/* After a time-out it may yet be written. */
	if (st != E_TIMEOUT)
		metric_add(METRIC_AUDIT_LOST_ENDS_TOTAL, 1);
	refusal_say_unrecorded(r, st != E_TIMEOUT);
}

static void
refusal_init(struct refusal *r, const struct request_refusal *what)
{
	r->what = *what;
	r->what.method = (struct slice){ 0 };
	r->what.host = r->what.to = NULL;
	r->what.reply = r->what.reply_unrecorded = (struct slice){ 0 };
	r->no_body = slice_is(what->method, "HEAD");
	r->wait.done = refusal_on_recorded;
	(void)evtimer_assign(
	    &r->turn, worker_base(what->worker), refusal_on_turn, r);
	buf_init(&r->answer, ANSWER_BYTES_MAX);
	buf_init(&r->unrecorded, ANSWER_BYTES_MAX);
	buf_put_slice(&r->unrecorded, what->reply_unrecorded);
}

struct refusal *
refusal_start(const struct request_refusal *what,
    void (*done)(void *arg, struct buf *answer), void *arg)
{
	struct refusal *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	refusal_init(r, what);
	r->done = done;
	r->arg = arg;
	refusal_name(what, r->id);
	r->waits = refusal_write(what, r->id, &r->wait) == OK;
	r->until_ms =
	    clock_boot_ms(worker_clock(what->worker)) + RECORD_WAIT_MS;
	if (speaks_http(what))
		refusal_render(what, r->id, r->no_body, &r->answer);
	else
		buf_put_slice(&r->answer, what->reply);
	if (!r->waits)
		event_active(&r->turn, EV_TIMEOUT, 1);
	return r;
}

void
refusal_tick(struct refusal *r, int64_t now_ms)
{
	const struct proxy_audit_port *audit =
	    &worker_ports(r->what.worker)->audit;

	if (!r->waits || now_ms < r->until_ms)
		return;
	audit->cancel(audit->ctx, &r->wait);
	r->wait.done(&r->wait, E_TIMEOUT);
}

void
refusal_cancel(struct refusal *r)
{
	const struct proxy_audit_port *audit;

	if (r == NULL)
		return;
	audit = &worker_ports(r->what.worker)->audit;
	if (r->waits)
		audit->cancel(audit->ctx, &r->wait);
	refusal_free(r);
}

void
refusal_note(const struct request_refusal *what)
{
	char id[RECORD_ID_BYTES];

	refusal_name(what, id);
	(void)refusal_write(what, id, NULL);
}
