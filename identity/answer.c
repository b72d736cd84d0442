/* The steps of one token request; each refusal is recorded, then said. */
#include "identity/answer_inside.h"

#include "base/metrics.h"
#include "identity/room.h"
#include "identity/shapes.h"

#include <stddef.h>
#include <string.h>

/* Done, or done() comes with the record: a->st says which. */
static void
refuse(struct answer *a, int status, enum reason code, const char *text)
{
	a->st = answer_refuse(a, status, code, text);
}

static void on_audited(struct identity_wait *w, enum status st);

/* All but the request, which is large and written by its reader. */
static void
begin(struct answer *a)
{
	a->started_ms = clock_boot_ms(a->id->clock);
	a->grant = (struct identity_token_answer){ .allowed = false };
	a->wait = (struct cache_wait){ .done = NULL };
	a->audit_wait = (struct identity_wait){ .done = on_audited };
	a->token = (struct cache_token){ .secret = NULL };
	a->waiting = false;
	a->auditing = false;
	a->classified = false;
	a->repeatable = false;
	a->unknown_path = false;
	a->refused = false;
	a->st = OK;
	a->shown_method[0] = '\0';
	a->shown_path[0] = '\0';
	record_new_id(a->record_id);
	if (a->id->ports.policy_now != NULL)
		a->id->ports.policy_now(a->id->ports.ctx, &a->grant);
}

enum status
answer_malformed(struct answer *a, const struct http1_error *error)
{
	const struct endpoint_error e = {
		.status = error->status,
		.error = "invalid_request",
		.description = error->detail,
		.code = REASON_BAD_REQUEST,
	};

	begin(a);
	a->request = (struct endpoint_request){ .proof_value = { NULL, 0 } };
	a->keep_alive = false;
	return answer_refuse_malformed(a, &e);
}

void
answer_cancel(struct answer *a)
{
	if (a->waiting)
		cache_cancel(a->id->cache, &a->wait);
	if (a->auditing)
		a->id->ports.audit_cancel(a->id->ports.ctx, &a->audit_wait);
	a->waiting = false;
	a->auditing = false;
	secret_unref(a->token.secret);
	a->token.secret = NULL;
}

void
answer_give_up(struct answer *a, enum reason code)
{
	answer_cancel(a);
	a->keep_alive = false;
	/* A refusal that waits for its record says enough. */
	if (!a->refused)
		answer_refuse_now(a, 503, code, reason_info(code)->text);
}

/* The record is down: now, and only now, the token is put into bytes. */
static void
respond(struct answer *a)
{
	int64_t since_s = (clock_boot_ms(a->id->clock) - a->given_ms) / 1000;
	struct shape_token t = {
		.token = secret_bytes(a->token.secret),
		.client_id = a->token.client_id,
		.resource = a->request.resource,
		.expires_unix_s = a->token.expires_unix_s,
		.left_s = a->token.left_s - since_s,
		.not_before_unix_s = a->token.not_before_unix_s,
	};

	if (a->spare != NULL && a->response->p == NULL) {
		struct buf empty = *a->response;

		*a->response = *a->spare;
		*a->spare = empty;
	}
	if (t.left_s < 1)
		answer_refuse_now(a, 503, REASON_CREDENTIAL_UNAVAILABLE,
		    "the token ended while it was handed over");
	else if (a->request.shape == ENDPOINT_DATABRICKS)
		shape_put_databricks(a->response, &t, a->keep_alive);
	else
		shape_put_token(a->response, &t, a->keep_alive);
	if (t.left_s >= 1)
		metric_add(METRIC_TOKENS_SERVED_TOTAL, 1);
	if (t.left_s >= 1 && a->grant.phantom)
		metric_add(METRIC_PHANTOMS_ISSUED_TOTAL, 1);
	secret_unref(a->token.secret);
	a->token.secret = NULL;
}

static void
on_audited(struct identity_wait *w, enum status st)
{
	struct answer *a = (struct answer *)(void *)((char *)w -
	    offsetof(struct answer, audit_wait));

	a->auditing = false;
	if (a->refused) {
		/* It stands whether or not its record could be kept. */
		if (st != OK)
			metric_add(METRIC_AUDIT_LOST_ENDS_TOTAL, 1);
	} else if (st == OK) {
		respond(a);
	} else {
		secret_unref(a->token.secret);
		a->token.secret = NULL;
		answer_refuse_now(a, 503, REASON_AUDIT_UNAVAILABLE,
		    reason_info(REASON_AUDIT_UNAVAILABLE)->text);
	}
	a->done(a);
}

static enum status
no_phantom(struct answer *a, enum status st)
{
	secret_unref(a->token.secret);
	a->token.secret = NULL;
	if (st == E_DENIED)
		refuse(a, 400, REASON_TOKEN_NOT_ALLOWED,
		    "the kernel does not say which unit asks");
	else if (st == E_INVALID)
		refuse(a, 503, REASON_CREDENTIAL_UNAVAILABLE,
		    "no phantom can stand for this token: it is no JSON Web "
		    "Token");
	else
		refuse(a, 503, REASON_LIMIT_REACHED,
		    reason_info(REASON_LIMIT_REACHED)->text);
	return a->st;
}

static enum status
record_token(struct answer *a)
{
	char token_id[SECRET_ID_BYTES];
	struct record r;
	enum status st;

	answer_fill_record(a, &r);
	secret_id(a->token.secret, token_id);
	if (a->grant.phantom) {
		st = answer_make_phantom(a, token_id);
		if (st != OK)
			return no_phantom(a, st);
	}
	r.verdict = RECORD_ALLOW;
	r.token_id = token_id;
	r.status = 200;
	a->given_ms = a->started_ms + r.ms.total;
	st = a->id->ports.audit_submit(a->id->ports.ctx, &r, &a->audit_wait);
	if (st == OK) {
		a->auditing = true;
		return E_PARTIAL;
	}
	secret_unref(a->token.secret);
	a->token.secret = NULL;
	answer_refuse_now(a, 503, REASON_AUDIT_UNAVAILABLE,
	    reason_info(REASON_AUDIT_UNAVAILABLE)->text);
	return OK;
}

static enum status
no_token(struct answer *a, enum status st)
{
	if (st == E_DENIED)
		refuse(a, 400, REASON_CREDENTIAL_UNAVAILABLE,
		    "the identity service refuses this identity or resource");
	else if (st == E_LIMIT || st == E_NOMEM)
		refuse(a, 503, REASON_LIMIT_REACHED,
		    reason_info(REASON_LIMIT_REACHED)->text);
	else
		refuse(a, 503, REASON_CREDENTIAL_UNAVAILABLE,
		    "the identity service has not answered yet");
	return a->st;
}

static bool grant(struct answer *a);

/* While it waited a reload may have come: the new policy has the last word,
 * also where it would now give another identity. */
static bool
is_still_granted(struct answer *a)
{
	char identity[sizeof a->grant.identity];

	memcpy(identity, a->grant.identity, sizeof identity);
	if (!grant(a))
		return false;
	if (strcmp(identity, a->grant.identity) == 0)
		return true;
	refuse(
	    a, 503, REASON_NOT_READY, "the policy has just changed: ask again");
	return false;
}

static void
on_token(struct cache_wait *w, enum status st)
{
	struct answer *a = w->priv;

	a->waiting = false;
	if (st == OK) {
		a->token = w->token;
		w->token.secret = NULL;
		if (is_still_granted(a)) {
			st = record_token(a);
		} else {
			secret_unref(a->token.secret);
			a->token.secret = NULL;
			st = a->st;
		}
	} else {
		st = no_token(a, st);
	}
	if (st != E_PARTIAL)
		a->done(a);
}

static enum status
fetch_token(struct answer *a)
{
	enum status st;

	a->wait.done = on_token;
	a->wait.priv = a;
	a->wait.uid = a->peer->uid;
	a->wait.grant = a->grant.grant;
	a->wait.revoked =
	    a->request.revoked[0] != '\0' ? a->request.revoked : NULL;
	st = cache_ask(a->id->cache, a->grant.identity,
	    slice_of(a->request.resource), &a->wait, &a->token);
	if (st == E_PARTIAL) {
		a->waiting = true;
		return E_PARTIAL;
	}
	return st == OK ? record_token(a) : no_token(a, st);
}

/* The kernel's uid and what the client sent must both fit. */
static bool
is_proven(const struct answer *a)
{
	switch (a->request.proof) {
	case ENDPOINT_PROOF_HEADER:
		return header_fits(a->id->key, HEADER_PURPOSE_HEADER,
		    a->peer->uid, a->request.proof_value);
	case ENDPOINT_PROOF_CAPABILITY:
		return header_fits(a->id->key, HEADER_PURPOSE_CAPABILITY,
		    a->peer->uid, a->request.proof_value);
	case ENDPOINT_PROOF_NONE:
	default:
		return true;
	}
}

static bool
is_databricks_allowed(const struct answer *a)
{
	const struct identity_ports *p = &a->id->ports;

	return a->request.shape != ENDPOINT_DATABRICKS ||
	    (p->host_allowed != NULL &&
	        p->host_allowed(
	            p->ctx, a->peer, slice_of(a->request.databricks.name)));
}

/* Whose token it is, or for the record of a refusal would have been. */
static void
name_identity(struct answer *a, const struct identity_config *config)
{
	if (config != NULL)
		memcpy(a->grant.identity, config->name, sizeof config->name);
}

/* Whose token it will be, in the policy's words; false: refused and said. */
static bool
grant(struct answer *a)
{
	const struct identity_config *config = cache_config(a->id->cache, "");
	struct identity_token_question q = {
		.peer = a->peer,
		.audience = slice_of(a->request.resource),
	};

	if (a->request.selector != IDENTITY_SELECTOR_NONE) {
		config = cache_config_selected(a->id->cache,
		    a->request.selector, a->request.selector_value);
		if (config == NULL) {
			refuse(a, 400, REASON_TOKEN_NOT_ALLOWED,
			    "no configured identity has this selector");
			return false;
		}
		q.identity = config->name;
	}
	a->id->ports.allow_token(a->id->ports.ctx, &q, &a->grant);
	if (!a->grant.allowed) {
		enum reason code = a->grant.code != REASON_NONE
		    ? a->grant.code
		    : REASON_TOKEN_NOT_ALLOWED;
		name_identity(a, config);
		refuse(a, 400, code,
		    a->grant.detail[0] != '\0' ? a->grant.detail
		                               : reason_info(code)->text);
		return false;
	}
	config = cache_config(a->id->cache, a->grant.identity);
	if (config == NULL) {
		refuse(a, 503, REASON_CREDENTIAL_UNAVAILABLE,
		    "the granted identity is not configured");
		return false;
	}
	name_identity(a, config);
	return true;
}

static enum status
decide(struct answer *a)
{
	if (!a->peer->known) {
		metric_add(METRIC_PEER_UNKNOWN_TOTAL, 1);
		refuse(a, 400, REASON_TOKEN_NOT_ALLOWED,
		    "the kernel does not say whose connection this is");
	} else if (!is_proven(a)) {
		refuse(a, 400, REASON_TOKEN_NOT_ALLOWED,
		    "the secret in the request is not this user's");
	} else if (!is_databricks_allowed(a)) {
		refuse(a, 400, REASON_HOST_NOT_ALLOWED,
		    "X-Databricks-Host is not a host that you may reach");
	} else if (grant(a)) {
		return fetch_token(a);
	}
	return a->st;
}

static enum status
say_malformed(struct answer *a, const struct http1_request *r,
    const struct endpoint_error *error)
{
	answer_note_head(a, r);
	a->unknown_path = error->status == 404;
	if (!a->unknown_path)
		a->shown_path[0] = '\0'; /* the endpoint's own will do */
	return answer_refuse_malformed(a, error);
}

/* OK: the request is known. Otherwise a->st says how it was refused. */
static enum status
read_head(
    struct answer *a, struct slice head, const struct endpoint_listener *at)
{
	struct http1_error bad = { .status = 400, .detail = "malformed" };
	struct endpoint_error error;
	struct http1_framing framing;
	struct http1_request r;
	enum status st;

	if (http1_parse_request(head, &r, &bad) != OK ||
	    http1_request_framing(&r, &framing, &bad) != OK) {
		a->st = answer_malformed(a, &bad);
		return E_SYNTAX;
	}
	if (framing.body == HTTP1_BODY_CHUNKED || framing.length > 0) {
		bad = (struct http1_error){ 400, "a body is not expected" };
		a->st = answer_malformed(a, &bad);
		return E_SYNTAX;
	}
	begin(a);
	/* The answer to HEAD is refused with a body, which ends the framing. */
	a->keep_alive = framing.keep_alive && !slice_is(r.method, "HEAD");
	a->asked_keep_alive = a->keep_alive;
	a->classified = true;
	st = endpoint_classify(&r, at, &a->request, &error);
	if (st != OK)
		a->st = say_malformed(a, &r, &error);
	return st;
}

enum status
answer_start(
    struct answer *a, struct slice head, const struct endpoint_listener *at)
{
	enum status st = OK;

	if (a->repeated) {
		begin(a);
		a->keep_alive = a->asked_keep_alive;
		a->classified = true;
	} else if (read_head(a, head, at) != OK) {
		return a->st;
	}
	/* What proves the caller stands in the head, which goes away. */
	a->repeatable = a->request.proof == ENDPOINT_PROOF_NONE;
	if (a->id->draining)
		answer_give_up(a, REASON_NOT_READY);
	else
		st = decide(a);
	a->request.proof_value = (struct slice){ NULL, 0 };
	return st;
}
