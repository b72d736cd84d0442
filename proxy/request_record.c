/* A request as a record, as an answer, and as a refusal without a request. */
#include "proxy/request_inside.h"

#include "base/metrics.h"
#include "proxy/denial.h"

#include <openssl/sha.h>
#include <string.h>

enum { KEY_TEXT_BYTES = 65536 };

const char *const request_protocols[] = {
	[REQUEST_CONNECT] = "connect",
	[REQUEST_FORWARD] = "forward",
	[REQUEST_SOCKS5] = "socks5",
	[REQUEST_GATEWAY] = "gateway",
};

bool
request_is_refused(const struct request *r)
{
	const char *code = reason_code(r->code);

	if (r->code == REASON_NONE)
		return false;
	/* Contract 6: faults after the route verdict are `allow`. */
	return strncmp(code, "CONNECT_", 8) != 0 &&
	    strncmp(code, "UPSTREAM_", 9) != 0 && strncmp(code, "TLS_", 4) != 0;
}

static const char *
mode_text(const struct proxy_snapshot *s)
{
	return policy_mode(s->policy) == POLICY_REPORT ? "report" : "enforce";
}

void
record_put_policy(struct record *rec, const struct proxy_snapshot *s)
{
	rec->mode = mode_text(s);
	rec->policy_generation = s->generation;
	rec->policy_sha256 = policy_sha256(s->policy);
}

static void
record_put_question(struct record *rec, const struct request *r)
{
	rec->id = r->id;
	rec->peer = r->peer;
	rec->listener = r->listener;
	rec->protocol = request_protocols[r->protocol];
	rec->method = slice_of(request_method(r));
	rec->path = slice_of(request_path(r));
	rec->host = request_host(r);
	rec->port = r->port;
}

static void
record_put_facts(struct record *rec, const struct request *r)
{
	const struct policy_answer *facts;

	rec->rule = r->verdict.rule;
	rec->zone = r->verdict.zone;
	rec->sni = request_sni(r);
	request_secure_record(rec, r);
	request_phantom_record(rec, r);
	if (r->address.family != ADDR_NONE)
		rec->address = &r->address;
	if (r->answer == NULL)
		return;
	facts = &r->answer->facts;
	rec->has_resolved = true;
	rec->chain = facts->chain;
	rec->n_chain = facts->n_chain;
	rec->addresses = facts->addresses;
	rec->n_addresses = facts->n_addresses;
	rec->ttl_s = r->answer->ttl_s;
}

static void
record_put_verdict(struct record *rec, const struct request *r)
{
	bool open = rec->event == RECORD_OPEN;

	rec->code = open ? REASON_NONE : r->code;
	rec->verdict =
	    !open && request_is_refused(r) ? RECORD_DENY : RECORD_ALLOW;
	if (rec->verdict == RECORD_ALLOW && r->verdict.would_deny) {
		/* What enforce mode would say; the status tells a fault. */
		rec->would_deny = true;
		rec->code = r->verdict.code;
	}
	/* An end before the last verdict (the client left) allowed nothing. */
	if (!open && r->code == REASON_NONE && !r->judged)
		rec->verdict = RECORD_DENY;
}

static void
record_put_all(
    struct record *rec, const struct request *r, const struct request_end *end)
{
	record_put_question(rec, r);
	record_put_facts(rec, r);
	record_put_verdict(rec, r);
	record_put_policy(rec, r->snapshot);
	rec->ms.dns = r->dns_ms;
	rec->ms.connect = r->connect_ms;
	rec->ms.first = r->first_ms;
	if (rec->event != RECORD_OPEN)
		rec->ms.total = request_now(r) - r->start_ms;
	if (end == NULL)
		return;
	rec->status = end->status;
	rec->bytes_up = end->bytes_up;
	rec->bytes_down = end->bytes_down;
	rec->close = end->close;
}

/* policy_workload_names() gives the true number, which may be more. */
size_t
record_workload_names(const struct proxy_snapshot *s, const struct peer *peer,
    const char *names[RECORD_WORKLOADS_MAX])
{
	size_t n;

	if (peer == NULL || !peer->known)
		return 0;
	n = policy_workload_names(s->policy, peer, names, RECORD_WORKLOADS_MAX);
	return n < RECORD_WORKLOADS_MAX ? n : RECORD_WORKLOADS_MAX;
}

enum status
request_record(struct request *r, enum record_event event,
    const struct request_end *end, struct proxy_wait *wait)
{
	const struct proxy_audit_port *audit = &worker_ports(r->worker)->audit;
	const char *names[RECORD_WORKLOADS_MAX];
	struct record rec;

	record_init(&rec, event);
	record_put_all(&rec, r, end);
	rec.workload_names = names;
	rec.n_workload_names =
	    record_workload_names(r->snapshot, r->peer, names);
	return audit->submit(audit->ctx, &rec, wait);
}

void
refusal_id(struct proxy_worker *w, const struct refusal_key *k,
    char id[RECORD_ID_BYTES])
{
	bool known = k->peer != NULL && k->peer->known;
	uint8_t digest[SHARED_KEY_BYTES];
	struct buf text;

	buf_init(&text, KEY_TEXT_BYTES);
	buf_printf(&text, "%d %d %u %s %s:%u\n", (int)k->protocol, (int)known,
	    known ? (unsigned)k->peer->uid : 0, reason_code(k->code),
	    k->host == NULL ? "" : k->host, (unsigned)k->port);
	if (known)
		buf_puts(&text, k->peer->cgroup);
	buf_putc(&text, '\n');
	buf_put_slice(&text, k->method);
	buf_putc(&text, '\n');
	buf_put_slice(&text, k->path);
	if (buf_status(&text) == OK) {
		(void)SHA256((const unsigned char *)text.p, text.n, digest);
		shared_refusal_id(worker_shared(w), digest,
		    clock_boot_ms(worker_clock(w)), id);
	} else {
		record_new_id(id);
	}
	buf_release(&text);
}

void
request_name_refusal(struct request *r)
{
	const struct refusal_key key = { .protocol = r->protocol,
		.peer = r->peer,
		.code = r->code,
		.method = slice_of(request_method(r)),
		.path = slice_of(request_path(r)),
		.host = request_host(r),
		.port = r->port };

	/* Its `open` record has the id already. */
	if (!r->opened)
		refusal_id(r->worker, &key, r->id);
}

void
refusal_count(enum reason code)
{
	metric_add(METRIC_REQUESTS_DENIED_TOTAL, 1);
	metric_deny(code);
	if (code == REASON_LIMIT_REACHED)
		metric_add(METRIC_LIMIT_HITS_TOTAL, 1);
}

void
request_count_refusal(const struct request *r)
{
	if (request_is_refused(r))
		refusal_count(r->code);
}

static void
request_explain(const struct request *r, struct policy_explanation *why)
{
	struct host host;
	struct policy_request q = request_question(r, &host);
	struct policy_answer facts = request_facts(r);
	bool asked = r->answer != NULL || r->is_literal;

	memset(why, 0, sizeof *why);
	/* Only what the policy said can it explain. */
	if (r->verdict.code == r->code && r->verdict.effect == POLICY_DENY)
		policy_explain(r->snapshot->policy, &q, asked ? &facts : NULL,
		    &r->verdict, why);
}

static void
note_denial(struct request *r, const struct policy_explanation *why)
{
	const struct proxy_denial_port *port =
	    &worker_ports(r->worker)->denials;
	const char *names[RECORD_WORKLOADS_MAX];
	struct proxy_denial d = { .explanation = why };
	struct record rec;

	record_init(&rec, RECORD_REQUEST);
	record_put_all(&rec, r, NULL);
	rec.workload_names = names;
	rec.n_workload_names =
	    record_workload_names(r->snapshot, r->peer, names);
	memcpy(d.id, r->id, sizeof d.id);
	d.record = &rec;
	r->noted = true;
	port->note(port->ctx, &d);
}

/* What the client has to bring, where that is all that it wants to know. */
static const char *
challenge_of(const struct request *r)
{
	return r->code == REASON_TOKEN_INVALID ? r->verdict.challenge : NULL;
}

void
request_note_denial(struct request *r)
{
	struct policy_explanation why;

	if (r->noted || r->code == REASON_NONE || challenge_of(r) != NULL)
		return;
	request_explain(r, &why);
	note_denial(r, &why);
}

int
request_status(const struct request *r)
{
	return challenge_of(r) != NULL ? 401 : reason_info(r->code)->status;
}

void
request_render_denial(struct request *r, struct buf *out)
{
	struct policy_explanation why;
	const struct denial d = { .code = r->code,
		.id = r->id,
		.name = r->snapshot->name,
		.host = request_host(r),
		.port = r->port,
		.peer = r->peer,
		.why = &why,
		.status = request_status(r),
		.challenge = challenge_of(r),
		.no_body = strcmp(request_method(r), "HEAD") == 0 };

	request_explain(r, &why);
	denial_render(&d, out);
	/* Who asks has done nothing that a person should hear of. */
	if (!r->noted && d.challenge == NULL)
		note_denial(r, &why);
}
