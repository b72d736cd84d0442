/* Fills in the ports of proxy and identity: where the rooms meet. */
#include "agent/wiring.h"

#include "agent/phantom_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
on_proxy_woken(void *arg)
{
	struct proxy_wait *wait = arg;

	wait->priv = NULL;
	wait->done(wait, OK);
}

static enum status
proxy_user_lookup(void *ctx, struct peer *peer, struct proxy_wait *wait)
{
	struct wiring *w = ctx;
	struct userdb_wait *handle = NULL;
	enum status st = userdb_lookup(
	    w->userdb, peer, w->mailbox, on_proxy_woken, wait, &handle);

	if (wait != NULL)
		wait->priv = handle;
	return st;
}

static void
proxy_user_cancel(void *ctx, struct proxy_wait *wait)
{
	(void)ctx;
	if (wait->priv != NULL)
		userdb_cancel(wait->priv);
	wait->priv = NULL;
}

static void
denial_note(void *ctx, const struct proxy_denial *d)
{
	struct wiring *w = ctx;

	denials_note(w->denials, d);
}

void
wiring_fill_proxy(struct wiring *w, struct proxy_ports *out)
{
	*out = (struct proxy_ports){
		.audit = { .submit = wiring_audit_submit,
		    .cancel = wiring_audit_cancel,
		    .healthy = wiring_audit_healthy,
		    .ctx = w },
		.userdb = { .lookup = proxy_user_lookup,
		    .cancel = proxy_user_cancel,
		    .ctx = w },
		.broker = { .ask = wiring_broker_ask,
		    .cancel = wiring_broker_cancel,
		    .ctx = w },
		.credentials = { .ask = wiring_credential_ask,
		    .cancel = wiring_credential_cancel,
		    .ctx = w },
		.denials = { .note = denial_note, .ctx = w },
	};
	if (w->phantoms != NULL)
		out->phantoms =
		    (struct proxy_phantom_port){ .read = phantom_desk_read,
			    .ctx = w->phantoms };
}

/* Cut where it does not fit, as it never is; this is on every answer's way. */
static void
put_text(const char *text, char *out, size_t out_bytes)
{
	struct slice s = slice_head(slice_of(text), out_bytes - 1);

	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

static void
policy_now(void *ctx, struct identity_token_answer *out)
{
	const struct wiring_identity *w = ctx;
	const struct policy *p = w->snapshot->policy;

	out->mode = policy_mode(p) == POLICY_REPORT ? "report" : "enforce";
	out->policy_generation = w->snapshot->generation;
	put_text(
	    policy_sha256(p), out->policy_sha256, sizeof out->policy_sha256);
}

static void
allow_token(void *ctx, const struct identity_token_question *q,
    struct identity_token_answer *out)
{
	struct wiring_identity *w = ctx;
	const struct policy *p = w->snapshot->policy;
	const struct policy_token_request request = {
		.peer = q->peer,
		.audience = q->audience,
		.identity = q->identity,
	};
	struct policy_token_verdict v;

	policy_decide_token(p, &request, &v);
	out->allowed = v.effect == POLICY_ALLOW;
	out->code = v.code;
	out->phantom = v.phantom;
	put_text(v.grant, out->grant, sizeof out->grant);
	put_text(v.identity, out->identity, sizeof out->identity);
	put_text(v.detail, out->detail, sizeof out->detail);
	policy_now(w, out);
}

/* Tokens are enforced in both modes, so a would-be denial is one here. */
static bool
host_allowed(void *ctx, const struct peer *peer, struct slice host)
{
	struct wiring_identity *w = ctx;
	struct policy_verdict v;
	struct host h;
	const struct policy_request request = {
		.host = &h,
		.port = 443,
		.peer = peer,
		.now_unix_s = clock_unix_s(&clock_system),
	};

	if (host_parse(host, &h) != OK || h.kind != HOST_NAME)
		return false;
	policy_decide_name(w->snapshot->policy, &request, &v);
	return v.effect == POLICY_ALLOW && !v.would_deny;
}

static int64_t
phantom_epoch(void *ctx)
{
	const struct wiring_identity *w = ctx;

	return phantom_desk_epoch(w->loop->phantoms);
}

static void
note_refusal(void *ctx, const struct record *rec)
{
	struct wiring_identity *w = ctx;
	struct proxy_denial d = { .record = rec };

	if (slice_copy(slice_of(rec->id), d.id, sizeof d.id))
		denials_note(w->loop->denials, &d);
}

static void
on_identity_woken(void *arg)
{
	struct identity_wait *wait = arg;

	wait->priv = NULL;
	wait->done(wait, OK);
}

static enum status
peer_lookup(
    void *ctx, int fd, struct identity_wait *wait, const struct peer **out)
{
	struct wiring_identity *w = ctx;
	struct peer_facts *facts = calloc(1, sizeof *facts);
	struct userdb_wait *handle = NULL;
	enum status st = OK;

	if (facts == NULL)
		return E_NOMEM;
	peer_source_lookup(w->peers, fd, facts);
	if (facts->peer.known)
		st = userdb_lookup(w->loop->userdb, &facts->peer,
		    w->loop->mailbox, on_identity_woken, wait, &handle);
	if (st != OK) {
		free(facts);
		wait->priv = handle;
		return st;
	}
	*out = &facts->peer;
	return OK;
}

static void
peer_cancel(void *ctx, struct identity_wait *wait)
{
	(void)ctx;
	if (wait->priv != NULL)
		userdb_cancel(wait->priv);
	wait->priv = NULL;
}

static void
peer_release(void *ctx, const struct peer *peer)
{
	(void)ctx;
	/* The peer is the first member of the struct peer_facts above. */
	free((void *)(uintptr_t)peer);
}

static bool
still_connected(void *ctx, int fd)
{
	(void)ctx;
	return peer_still_connected(fd);
}

void
wiring_fill_identity(struct wiring_identity *w, struct identity_ports *out)
{
	*out = (struct identity_ports){
		.allow_token = allow_token,
		.policy_now = policy_now,
		.host_allowed = host_allowed,
		.note_refusal = note_refusal,
		.phantom_epoch = phantom_epoch,
		.audit_submit = wiring_identity_audit_submit,
		.audit_cancel = wiring_identity_audit_cancel,
		.peer_lookup = peer_lookup,
		.peer_cancel = peer_cancel,
		.peer_release = peer_release,
		.peer_still_connected = still_connected,
		.ctx = w,
	};
}
