/* What goes with a request in place of the client's own credential: whether
 * the client brings one, and the token that its rule injects. */
#include "proxy/request_inside.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { CREDENTIAL_WAIT_MS = 10000 }; /* the port has its own, shorter ones */

/* The client's own token is told from a placeholder in constant time. */
static bool
is_placeholder(
    const struct policy_inject *inject, const struct forward_bearer *b)
{
	struct slice value;
	bool found = false;

	if (!forward_bearer_token(b, &value))
		return false;
	for (size_t i = 0; i < inject->n_placeholders; i++) {
		struct slice p = slice_of(inject->placeholders[i]);
		if (p.n == value.n && CRYPTO_memcmp(p.p, value.p, p.n) == 0)
			found = true;
	}
	return found;
}

/* Contract 3: enforced in both modes. */
static enum reason
bearer_fault(const struct request *r)
{
	const struct policy_inject *inject = r->verdict.inject;
	const struct forward_bearer *b = r->secure->bearer;

	if (b == NULL || b->kind == FORWARD_BEARER_NONE)
		return REASON_NONE;
	/* The policy has judged it, where it saw the request. */
	if (r->phantom != NULL)
		return r->target != NULL && inject != NULL
		    ? REASON_NONE
		    : REASON_TOKEN_INVALID;
	if (inject == NULL)
		return b->kind == FORWARD_BEARER_ONE ? REASON_NONE
		                                     : REASON_BAD_REQUEST;
	if (is_placeholder(inject, b))
		return REASON_NONE;
	return REASON_AUTHORIZATION_PRESENT;
}

/* RFC 6750 2.1 has fewer; a line end in it would be a field of its own. */
static bool
token_is_sound(const struct secret *secret)
{
	struct slice token = secret == NULL ? SLICE("") : secret_bytes(secret);

	for (size_t i = 0; i < token.n; i++)
		if (token.p[i] <= ' ' || token.p[i] >= 0x7f)
			return false;
	return token.n > 0;
}

static enum reason
credential_fault(enum status st)
{
	if (st == E_LIMIT || st == E_NOMEM)
		return REASON_LIMIT_REACHED;
	return REASON_CREDENTIAL_UNAVAILABLE;
}

/* What is recorded is what is sent: another one comes too late. */
static void
credential_on_confirmed(struct request *r, enum status st)
{
	struct request_secure *s = r->secure;
	bool same = st == OK &&
	    strcmp(s->ask.got.token_id, s->credential.token_id) == 0;

	secret_unref(s->ask.got.secret);
	memset(&s->ask.got, 0, sizeof s->ask.got);
	s->confirms = false;
	if (same)
		request_say(r);
	else
		request_fail(r,
		    st == OK ? REASON_CREDENTIAL_UNAVAILABLE
		             : credential_fault(st));
}

static void
credential_on_answer(struct request *r, enum status st)
{
	struct request_secure *s = r->secure;

	s->credential_generation = r->snapshot->generation;
	if (s->confirms) {
		credential_on_confirmed(r, st);
		return;
	}
	if (st == OK) {
		s->credential = s->ask.got;
		memset(&s->ask.got, 0, sizeof s->ask.got);
		s->audience = strdup(s->ask.audience);
		if (s->audience == NULL)
			st = E_NOMEM;
	}
	if (st != OK)
		request_fail(r, credential_fault(st));
	else if (!request_credential_is_fresh(r))
		request_fail(r, REASON_CREDENTIAL_UNAVAILABLE);
	else
		request_dial(r);
}

/* Whether what came is not what was sent; it is asked for when it is used. */
static bool
renewal_is_another(struct request_secure *s, enum status st)
{
	bool another = st == OK &&
	    strcmp(s->ask.got.token_id, s->credential.token_id) != 0;

	secret_unref(s->ask.got.secret);
	memset(&s->ask.got, 0, sizeof s->ask.got);
	return another;
}

static void
renewal_on_answer(struct request_secure *s, enum status st)
{
	void (*renewed)(void *arg, bool another) = s->renewed;

	s->renewed = NULL;
	renewed(s->renewed_arg, renewal_is_another(s, st));
}

static void
credential_on_asked(struct proxy_wait *w, enum status st)
{
	void *at = (char *)w - offsetof(struct request_secure, ask.wait);
	struct request_secure *s = at;

	s->asks = false;
	if (s->renewed != NULL)
		renewal_on_answer(s, st);
	else
		credential_on_answer(s->request, st);
}

void
request_credential_give_up(struct request *r)
{
	if (r->secure->renewed != NULL)
		renewal_on_answer(r->secure, E_TIMEOUT);
	else
		request_fail(r, REASON_CREDENTIAL_UNAVAILABLE);
}

/* A phantom is one of an identity: no other's token goes in its place. */
static const char *
identity_of(const struct request *r)
{
	const struct policy_bearer *b = request_phantom_bearer(r);

	return b != NULL ? b->identity : r->verdict.inject->identity;
}

static enum status
credential_ask_for(struct request *r, const char *identity,
    const char *audience, const char *spent_id)
{
	const struct proxy_credential_port *port =
	    &worker_ports(r->worker)->credentials;
	struct request_secure *s = r->secure;
	enum status st = E_NOTFOUND;

	s->ask =
	    (struct proxy_credential_ask){ .wait.done = credential_on_asked,
		    .identity = identity,
		    .audience = audience,
		    .spent_id = spent_id,
		    .rule = r->verdict.rule };
	if (port->ask != NULL)
		st = port->ask(port->ctx, &s->ask);
	s->asks = st == E_PARTIAL;
	s->until_ms = request_now(r) + CREDENTIAL_WAIT_MS;
	return st;
}

static void
credential_ask(struct request *r)
{
	enum status st = credential_ask_for(
	    r, identity_of(r), r->verdict.inject->audience, NULL);

	if (st != E_PARTIAL)
		credential_on_answer(r, st);
}

enum status
request_renew(struct request *r, void (*done)(void *arg, bool another),
    void *arg, bool *another)
{
	struct request_secure *s = r->secure;
	enum status st;

	if (s == NULL || s->audience == NULL)
		return E_NOTFOUND;
	st = credential_ask_for(
	    r, s->credential.identity, s->audience, s->credential.token_id);
	if (st == E_PARTIAL) {
		s->renewed = done;
		s->renewed_arg = arg;
		return E_PARTIAL;
	}
	*another = renewal_is_another(s, st);
	return OK;
}

/* Only what is allowed asks for a token: no other may spend a fetch. */
void
request_credential_start(struct request *r)
{
	enum reason fault = bearer_fault(r);

	if (fault != REASON_NONE)
		request_fail(r, fault);
	else if (r->verdict.inject != NULL)
		credential_ask(r);
	else
		request_dial(r);
}

bool
request_credential_is_fresh(const struct request *r)
{
	const struct proxy_credential *c;

	if (r->secure == NULL || r->verdict.inject == NULL)
		return true;
	c = &r->secure->credential;
	return token_is_sound(c->secret) && c->until_ms > request_now(r);
}

/* Its identity may be another's by now. */
bool
request_credential_holds(struct request *r)
{
	struct request_secure *s = r->secure;

	if (s == NULL || s->credential.secret == NULL ||
	    s->credential_generation == r->snapshot->generation)
		return true;
	s->confirms = true;
	credential_ask(r);
	return false;
}

/* A reload may want another token than the one that was asked for. */
enum reason
request_injection_fault(
    const struct request *r, const struct policy_inject *inject)
{
	const struct policy_inject *was = r->verdict.inject;
	bool same = (was == NULL) == (inject == NULL);

	if (r->local || (r->secure == NULL && inject == NULL))
		return REASON_NONE;
	/* In both modes: nothing goes in clear, or through what we cannot see,
	 * to a destination for which we have a credential. */
	if (r->secure == NULL)
		return REASON_METHOD_NOT_ALLOWED;
	if (same && inject != NULL)
		same = strcmp(was->identity, inject->identity) == 0 &&
		    strcmp(was->audience, inject->audience) == 0;
	return same ? REASON_NONE : REASON_CREDENTIAL_UNAVAILABLE;
}

const struct secret *
request_credential(const struct request *r)
{
	return r->secure == NULL ? NULL : r->secure->credential.secret;
}

struct secret *
request_take_credential(struct request *r)
{
	struct secret *taken = NULL;

	if (r->secure != NULL) {
		taken = r->secure->credential.secret;
		r->secure->credential.secret = NULL;
	}
	return taken;
}
