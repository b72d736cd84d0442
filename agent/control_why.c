/* `why`: the policy's word on a request that nobody makes. */
#include "agent/control_why.h"

#include "agent/why_judge.h"
#include "base/uri.h"
#include "policy/rfc3339.h"

#include <stdlib.h>
#include <string.h>

struct why {
	struct daemon *daemon;
	struct proxy_snapshot *snapshot;
	struct policy_request request;
	struct host host;
	struct who who;
	struct why_plain plain;
	char sni[256];
	struct policy_verdict verdict;
	struct worker_resolve *resolve;
	bool is_operator;
	void (*reply)(void *arg, json_t *reply);
	void *arg;
};

static void
why_free(struct why *w)
{
	who_release(&w->who);
	proxy_snapshot_unref(w->snapshot);
	free(w);
}

static const char *
route_name(enum policy_route r)
{
	switch (r) {
	case ROUTE_PRIVATE:
		return "private";
	case ROUTE_PRIVATE_ADDRESS:
		return "private-address";
	case ROUTE_PUBLIC:
		return "public";
	}
	return "private";
}

/* Addresses are for operators: a workload learns only what a denial says. */
static json_t *
answer_json(struct why *w, const struct policy_answer *a)
{
	const struct policy_verdict *v = &w->verdict;
	struct policy_explanation e;
	json_t *j;

	memset(&e, 0, sizeof e);
	if (v->code != REASON_NONE)
		policy_explain(w->snapshot->policy, &w->request, a, v, &e);
	/* In report mode `why` still gives the enforce verdict. */
	j = json_pack("{s:b, s:s, s:b, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s, "
	              "s:i, s:s, s:s, s:s, s:s}",
	    "ok", 1, "verdict",
	    v->effect == POLICY_ALLOW && !v->would_deny ? "allow" : "deny",
	    "would", v->would_deny ? 1 : 0, "mode",
	    policy_mode(w->snapshot->policy) == POLICY_ENFORCE ? "enforce"
	                                                       : "report",
	    "code", reason_code(v->code), "reason",
	    v->code == REASON_NONE ? "" : reason_info(v->code)->text, "rule",
	    v->rule, "route", v->rule != NULL ? route_name(v->route) : NULL,
	    "zone", v->zone, "host", w->host.name, "port", (int)w->request.port,
	    "rule_near", e.rule_near, "unmet", e.unmet, "fix", e.fix,
	    "fix_rule", e.fix_rule);
	if (j != NULL)
		why_put_inside(j, v);
	if (j != NULL && !w->who.has_place)
		why_note_unit(j, w->snapshot->policy, &w->request);
	if (j != NULL && a != NULL && w->is_operator)
		(void)json_object_set_new(j, "resolved", why_resolved_json(a));
	return j;
}

/* In report mode too the enforce verdict is what is asked for. */
static void
judge(struct why *w, const struct policy_answer *a)
{
	const struct policy_case c = { .request = &w->request,
		.answer = a,
		.self = &w->snapshot->self,
		.has_hello = a != NULL && w->sni[0] != '\0',
		.hello = POLICY_HELLO_OK,
		.sni = slice_of(w->sni),
		.stop_at_would = true };

	policy_judge(w->snapshot->policy, &c, &w->verdict);
}

static void
on_resolved(void *arg, const struct policy_answer *a)
{
	struct why *w = arg;

	w->resolve = NULL;
	judge(w, a);
	w->reply(w->arg, answer_json(w, a));
	why_free(w);
}

/* "https://host/path", "http://...", or "host:port". */
static enum status
read_target(struct why *w, const char *target, struct status_detail *detail)
{
	struct authority a;
	struct uri u;

	if (uri_parse(slice_of(target), &u) == OK) {
		w->host = u.authority.host;
		w->request.port = u.authority.port;
		w->request.plaintext = u.scheme == URI_HTTP;
		if (why_plain_url(&w->plain, &u, detail) != OK)
			return E_INVALID;
	} else if (authority_parse(slice_of(target), &a) == OK) {
		w->host = a.host;
		w->request.port = a.has_port ? a.port : 443;
	} else {
		return status_set(detail, E_INVALID,
		    "the target must be a URL, HOST or HOST:PORT");
	}
	w->request.host = &w->host;
	return OK;
}

static bool
copy_text(json_t *request, const char *key, char *out, size_t out_bytes)
{
	json_t *v = json_object_get(request, key);

	if (v == NULL)
		return true;
	return json_is_string(v) &&
	    slice_copy(slice_of(json_string_value(v)), out, out_bytes);
}

static enum status
read_time(struct why *w, json_t *request, struct status_detail *detail)
{
	json_t *v = json_object_get(request, "at");

	w->request.now_unix_s = clock_unix_s(w->daemon->clock);
	if (v == NULL)
		return OK;
	if (!json_is_string(v) ||
	    rfc3339_parse(
	        slice_of(json_string_value(v)), &w->request.now_unix_s) != OK)
		return status_set(detail, E_INVALID,
		    "\"at\" must be like 2026-11-23T08:00:00Z");
	return OK;
}

static enum status
read_rest(struct why *w, json_t *request, struct status_detail *detail)
{
	if (!copy_text(request, "sni", w->sni, sizeof w->sni) ||
	    !copy_text(
	        request, "method", w->plain.method, sizeof w->plain.method))
		return status_set(
		    detail, E_INVALID, "sni and method must be short texts");
	w->request.peer = &w->who.peer;
	why_plain_settle(&w->plain, &w->request);
	w->request.inspects &= w->snapshot->inspection_ca != NULL;
	return read_time(w, request, detail);
}

/* E_PARTIAL: the resolver is asked first. */
static enum status
decide(struct why *w, struct status_detail *detail)
{
	struct daemon *d = w->daemon;
	const struct policy_answer literal = { .addresses = &w->host.addr,
		.n_addresses = 1 };
	const struct worker_resolve_question question = {
		.control = d->mailbox,
		.name = w->host.name,
		.done = on_resolved,
		.arg = w,
	};

	if (w->host.kind == HOST_IP) {
		judge(w, &literal);
		return OK;
	}
	/* In report mode too the enforce verdict is what is asked for. */
	policy_decide_name(w->snapshot->policy, &w->request, &w->verdict);
	if (w->verdict.effect != POLICY_ALLOW || w->verdict.would_deny)
		return OK;
	if (worker_resolve_start(d->workers[0], &question, &w->resolve) != OK)
		return status_set(
		    detail, E_BUSY, "the resolver cannot be asked now");
	return E_PARTIAL;
}

static json_t *
refusal_json(const char *code, const char *message)
{
	return json_pack("{s:b, s:{s:s, s:s}}", "ok", 0, "error", "code", code,
	    "message", message);
}

/* The user database's thread has found who it is about, or nobody. */
static void
on_who(void *arg, enum status st)
{
	struct why *w = arg;
	struct status_detail detail = { "" };
	bool nobody = st == E_NOTFOUND;
	json_t *reply;

	if (nobody)
		(void)status_set(
		    &detail, st, "no user is called \"%s\" here", w->who.user);
	if (st == OK)
		st = decide(w, &detail);
	if (st == E_PARTIAL)
		return; /* on_resolved() comes */
	if (st == OK)
		reply = answer_json(w, NULL);
	else
		reply = refusal_json(nobody ? "usage" : "unavailable",
		    detail.text[0] != '\0' ? detail.text : status_text(st));
	w->reply(w->arg, reply);
	why_free(w);
}

static struct why *
why_new(struct daemon *d, const struct why_question *q)
{
	struct why *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->daemon = d;
	w->snapshot = proxy_snapshot_ref(d->snapshot);
	w->is_operator = q->asker->is_operator;
	w->reply = q->reply;
	w->arg = q->arg;
	w->who.done = on_who;
	w->who.arg = w;
	return w;
}

enum status
why_start(struct daemon *d, const struct why_question *q, json_t **now,
    struct why **later, struct status_detail *detail)
{
	const char *target =
	    json_string_value(json_object_get(q->request, "target"));
	struct why *w;
	enum status st;

	if (target == NULL)
		return status_set(detail, E_INVALID, "\"target\" is missing");
	w = why_new(d, q);
	if (w == NULL)
		return status_set(detail, E_NOMEM, "no memory");
	st = read_target(w, target, detail);
	if (st == OK)
		st = read_rest(w, q->request, detail);
	if (st == OK)
		st = who_read(&w->who, d, q->asker, q->request, detail);
	if (st == OK)
		st = decide(w, detail);
	if (st == E_PARTIAL) {
		*later = w;
		return OK;
	}
	if (st == OK)
		*now = answer_json(w, NULL);
	why_free(w);
	return st;
}

void
why_cancel(struct why *w)
{
	if (w->resolve != NULL)
		worker_resolve_cancel(w->resolve);
	why_free(w);
}

enum status
why_past(struct daemon *d, const struct why_asker *asker, const char *id,
    json_t **reply)
{
	static const char *const operators_only[] = { "resolved", "address" };
	struct denial_found f;
	enum status st = denials_find(d->denials, slice_of(id), &f);
	struct buf text;
	json_t *record;

	if (st != OK)
		return st;
	if (!asker->is_operator &&
	    (!asker->peer.known || !f.peer_known || f.uid != asker->peer.uid)) {
		buf_release(&f.members);
		return E_NOTFOUND;
	}
	buf_init(&text, f.members.n + 2);
	buf_putc(&text, '{');
	buf_put_slice(&text, buf_slice(&f.members));
	buf_putc(&text, '}');
	buf_release(&f.members);
	record = buf_status(&text) == OK ? json_loadb(text.p, text.n, 0, NULL)
	                                 : NULL;
	buf_release(&text);
	if (record == NULL)
		return E_INTERNAL;
	for (size_t i = 0; i < ARRAY_LEN(operators_only); i++)
		if (!asker->is_operator)
			(void)json_object_del(record, operators_only[i]);
	*reply = json_pack("{s:b, s:o, s:s, s:s, s:s, s:s}", "ok", 1, "denial",
	    record, "rule_near", f.explanation.rule_near, "unmet",
	    f.explanation.unmet, "fix", f.explanation.fix, "fix_rule",
	    f.explanation.fix_rule);
	return *reply != NULL ? OK : E_NOMEM;
}
