/* The control socket: answers what control_client.h lists, by who asks. */
#include "agent/control.h"

#include "agent/control_ca.h"
#include "agent/control_env.h"
#include "agent/control_token.h"
#include "agent/control_why.h"
#include "agent/denials.h"
#include "agent/serve.h"
#include "agent/status_json.h"
#include "base/wiping.h"

#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IN_MAX_BYTES = 65536, OUT_MAX_BYTES = 4 << 20, TIMEOUT_MS = 30000 };

struct control {
	struct daemon *daemon;
	struct serve *serve;
	gid_t own_gid;
};

/* One question being answered; conn->priv. */
struct call {
	struct control *control;
	struct serve_conn *conn;
	struct peer_facts facts;
	struct why_asker asker;
	struct userdb_wait *wait;
	struct why *why;
	struct token_revoke *revoke;
	json_t *request;
	const char *problem; /**< of the verb, where it failed; or NULL */
	struct status_detail detail;
};

static void
call_free(struct call *c)
{
	if (c->wait != NULL)
		userdb_cancel(c->wait);
	if (c->why != NULL)
		why_cancel(c->why);
	if (c->revoke != NULL)
		token_revoke_cancel(c->revoke);
	json_decref(c->request);
	free(c);
}

static void
put_json(struct serve_conn *conn, json_t *reply)
{
	char *text = reply != NULL ? json_dumps(reply, JSON_COMPACT) : NULL;

	if (text != NULL) {
		buf_puts(&conn->out, text);
		buf_putc(&conn->out, '\n');
	}
	free(text);
	json_decref(reply);
}

static void
put_error(struct serve_conn *conn, const char *code, const char *message)
{
	struct jsonw w;

	jsonw_init(&w, &conn->out);
	jsonw_object(&w, NULL);
	jsonw_bool(&w, "ok", false);
	jsonw_object(&w, "error");
	jsonw_str(&w, "code", code);
	jsonw_str(&w, "message", message);
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	buf_putc(&conn->out, '\n');
}

static const char *
error_code(enum status st)
{
	if (st == E_DENIED)
		return "permission";
	if (st == E_NOTFOUND)
		return "notfound";
	if (st == E_INVALID || st == E_SYNTAX)
		return "usage";
	if (st == E_BUSY || st == E_TIMEOUT)
		return "unavailable";
	return "internal";
}

static bool
is_operator(const struct control *c, const struct peer *p)
{
	if (!p->known)
		return false;
	if (p->uid == 0 || p->uid == geteuid())
		return true;
	for (size_t i = 0; i < p->n_groups; i++)
		if (p->groups[i].gid == c->own_gid)
			return true;
	return false;
}

static enum status
verb_status(struct call *c, struct jsonw *w)
{
	status_put_all(w, c->control->daemon);
	return OK;
}

static enum status
verb_wait(struct call *c, struct jsonw *w)
{
	status_put_ready(w, c->control->daemon);
	return OK;
}

static enum status
verb_env(struct call *c, struct jsonw *w)
{
	if (!c->facts.peer.known)
		return E_DENIED;
	control_put_env(w, c->control->daemon, c->facts.peer.uid,
	    json_object_get(c->request, "no_proxy"));
	return OK;
}

/* Only the asker's own, also for operators: `run` tells them to a person. */
static enum status
verb_denials(struct call *c, struct jsonw *w)
{
	json_int_t after =
	    json_integer_value(json_object_get(c->request, "after"));

	if (!c->facts.peer.known || after < 0)
		return E_DENIED;
	denials_put_own(
	    w, c->control->daemon->denials, c->facts.peer.uid, (uint64_t)after);
	return OK;
}

static enum status
verb_tokens(struct call *c, struct jsonw *w)
{
	control_put_tokens(w, c->control->daemon, &c->asker);
	return OK;
}

static enum status
verb_reload(struct call *c, struct jsonw *w)
{
	struct daemon *d = c->control->daemon;
	enum status st = daemon_reload(d);

	c->problem = d->reload.message;
	jsonw_str(w, "message", d->reload.message);
	jsonw_u64(w, "generation", d->generation);
	return st;
}

static enum status
verb_ca(struct call *c, struct jsonw *w)
{
	return control_put_ca(w, c->control->daemon);
}

static enum status
verb_ca_rotate(struct call *c, struct jsonw *w)
{
	bool at_once = json_is_true(json_object_get(c->request, "now"));

	(void)w;
	c->problem = c->detail.text;
	return daemon_rotate_ca(c->control->daemon, at_once, &c->detail);
}

static const struct {
	const char *name;
	bool operators_only;
	enum status (*run)(struct call *c, struct jsonw *w);
} verbs[] = {
	{ "status", false, verb_status },
	{ "wait", false, verb_wait },
	{ "env", false, verb_env },
	{ "denials", false, verb_denials },
	{ "tokens", false, verb_tokens },
	{ "reload", true, verb_reload },
	{ "ca", false, verb_ca },
	{ "ca_rotate", true, verb_ca_rotate },
};

static void
on_why(void *arg, json_t *reply)
{
	struct call *c = arg;
	struct serve_conn *conn = c->conn;
	struct serve *serve = c->control->serve;

	c->why = NULL;
	put_json(conn, reply);
	conn->priv = NULL;
	call_free(c);
	serve_reply(serve, conn);
}

/* OK: conn->out is filled; E_PARTIAL: on_why() comes. */
static enum status
run_why(struct call *c)
{
	struct daemon *d = c->control->daemon;
	const char *id = json_string_value(json_object_get(c->request, "id"));
	const struct why_question q = { .asker = &c->asker,
		.request = c->request,
		.reply = on_why,
		.arg = c };
	struct status_detail detail = { "" };
	json_t *reply = NULL;
	enum status st;

	if (id != NULL) {
		st = why_past(d, &c->asker, id, &reply);
		(void)status_set(&detail, st,
		    "no denial of that id is remembered here; the audit has "
		    "them all: wayleave audit query");
	} else {
		st = why_start(d, &q, &reply, &c->why, &detail);
		if (st == OK && c->why != NULL)
			return E_PARTIAL;
	}
	if (st == OK)
		put_json(c->conn, reply);
	else
		put_error(c->conn, error_code(st), detail.text);
	return OK;
}

static void
on_revoked(void *arg, enum status st, const char *detail)
{
	struct call *c = arg;
	struct serve_conn *conn = c->conn;
	struct serve *serve = c->control->serve;

	c->revoke = NULL;
	if (st == OK)
		put_json(conn, json_pack("{s:b}", "ok", 1));
	else
		put_error(conn, error_code(st), detail);
	conn->priv = NULL;
	call_free(c);
	serve_reply(serve, conn);
}

/* E_PARTIAL: on_revoked() comes; OK: it was refused. */
static enum status
run_revoke(struct call *c)
{
	const struct token_revoke_question q = { .asker = &c->asker,
		.request = c->request,
		.done = on_revoked,
		.arg = c };
	struct status_detail detail = { "" };
	enum status st =
	    token_revoke_start(c->control->daemon, &q, &c->revoke, &detail);

	if (st == OK)
		return E_PARTIAL;
	put_error(c->conn, error_code(st), detail.text);
	return OK;
}

static void
run_verb(struct call *c, size_t i)
{
	struct buf *out = &c->conn->out;
	struct jsonw w;
	enum status st;

	if (verbs[i].operators_only && !c->asker.is_operator) {
		put_error(c->conn, "permission",
		    "this is for root and the group of the daemon");
		return;
	}
	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	st = verbs[i].run(c, &w);
	if (st != OK) {
		bool unknown = st == E_DENIED && c->problem == NULL;

		buf_clear(out);
		put_error(c->conn, unknown ? "permission" : "unavailable",
		    unknown ? "the kernel could not say who you are"
		        : c->problem != NULL ? c->problem
		                             : status_text(st));
		return;
	}
	jsonw_bool(&w, "ok", true);
	jsonw_object_end(&w);
	buf_putc(out, '\n');
}

static enum status
run(struct call *c)
{
	const char *verb =
	    json_string_value(json_object_get(c->request, "verb"));

	if (verb != NULL && strcmp(verb, "why") == 0)
		return run_why(c);
	if (verb != NULL && strcmp(verb, "token_revoke") == 0)
		return run_revoke(c);
	for (size_t i = 0; verb != NULL && i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, verb) == 0) {
			run_verb(c, i);
			return OK;
		}
	put_error(c->conn, "usage", "unknown verb");
	return OK;
}

static void on_user(void *arg);

/* OK: answered; E_PARTIAL: the user database or the resolver is asked. */
static enum status
identify_and_run(struct call *c)
{
	struct daemon *d = c->control->daemon;
	enum status st = OK;

	if (c->facts.peer.known)
		st = userdb_lookup(d->userdb, &c->facts.peer, d->mailbox,
		    on_user, c, &c->wait);
	if (st == E_PARTIAL)
		return st;
	if (st != OK)
		c->facts.peer.known = false;
	c->asker.peer = c->facts.peer;
	c->asker.is_operator = is_operator(c->control, &c->facts.peer);
	return run(c);
}

static void
on_user(void *arg)
{
	struct call *c = arg;
	struct serve_conn *conn = c->conn;
	struct serve *serve = c->control->serve;

	c->wait = NULL;
	if (identify_and_run(c) == E_PARTIAL)
		return;
	conn->priv = NULL;
	call_free(c);
	serve_reply(serve, conn);
}

static struct call *
call_new(struct control *control, struct serve_conn *conn, json_t *request)
{
	struct call *c = calloc(1, sizeof *c);

	if (c == NULL) {
		json_decref(request);
		return NULL;
	}
	c->control = control;
	c->conn = conn;
	c->request = request;
	peer_source_lookup(control->daemon->peers, conn->fd, &c->facts);
	return c;
}

static enum status
answer(void *ctx, struct serve_conn *conn)
{
	struct control *control = ctx;
	struct slice in = buf_slice(&conn->in);
	size_t end = slice_find(in, '\n');
	struct call *c;
	json_t *request;

	if (end == in.n)
		return E_PARTIAL;
	(void)wiping_starved();
	request = json_loadb(in.p, end, JSON_REJECT_DUPLICATES, NULL);
	if (wiping_starved()) {
		json_decref(request);
		return E_NOMEM;
	}
	if (!json_is_object(request)) {
		json_decref(request);
		put_error(conn, "usage", "the question must be an object");
		return OK;
	}
	c = call_new(control, conn, request);
	if (c == NULL)
		return E_NOMEM;
	conn->priv = c;
	if (identify_and_run(c) == E_PARTIAL)
		return E_BUSY;
	conn->priv = NULL;
	call_free(c);
	return OK;
}

static void
gone(void *ctx, struct serve_conn *conn)
{
	(void)ctx;
	if (conn->priv != NULL)
		call_free(conn->priv);
	conn->priv = NULL;
}

static uint32_t
uid_of(void *ctx, int fd)
{
	const struct control *c = ctx;
	struct peer_facts facts;

	peer_source_lookup(c->daemon->peers, fd, &facts);
	return facts.peer.known ? facts.peer.uid : UINT32_MAX;
}

/* Half for one user, so that another can still ask. */
static struct serve_limits
limits_of(const struct config *c)
{
	return (struct serve_limits){ c->limits.control_connections,
		(c->limits.control_connections + 1) / 2 };
}

void
control_set_limits(struct control *c, const struct config *config)
{
	const struct serve_limits limits = limits_of(config);

	serve_set_limits(c->serve, &limits);
	serve_set_request_ms(c->serve, config->timeouts.request_head_ms);
}

enum status
control_create(struct daemon *d, struct control **out)
{
	struct control *c = calloc(1, sizeof *c);
	struct serve_settings s = { .base = d->base,
		.request_ms = d->config->timeouts.request_head_ms,
		.timeout_ms = TIMEOUT_MS,
		.limits = limits_of(d->config),
		.uid_of = uid_of,
		.in_max_bytes = IN_MAX_BYTES,
		.out_max_bytes = OUT_MAX_BYTES,
		.answer = answer,
		.gone = gone,
		.ctx = c };
	enum status st;

	if (c == NULL)
		return E_NOMEM;
	c->daemon = d;
	c->own_gid = getegid();
	st = serve_create(&s, &c->serve);
	for (size_t i = 0; i < d->listeners.n && st == OK; i++) {
		struct listener *l = &d->listeners.at[i];
		int fd;

		if (l->role != LISTEN_CONTROL)
			continue;
		fd = listener_take(l, 0);
		st = fd < 0 ? E_IO : serve_listen(c->serve, fd, l->at.name);
	}
	if (st != OK) {
		control_destroy(c);
		return st;
	}
	*out = c;
	return OK;
}

void
control_destroy(struct control *c)
{
	if (c == NULL)
		return;
	serve_destroy(c->serve);
	free(c);
}
