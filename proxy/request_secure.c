/* What a request through TLS asks beside: whether the client brings a
 * credential of its own, the one that its rule injects, and a handshake. */
#include "proxy/request_inside.h"

#include "base/log.h"
#include "proxy/tls_client.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CREDENTIAL_WAIT_MS = 10000 }; /* the port has its own, shorter ones */

struct request_secure {
	struct request *request;
	const struct forward_bearer *bearer; /* until all is asked */
	struct proxy_credential_ask ask;
	int64_t until_ms; /* what is waited for is given up then */
	bool asks, waits_trust;
	struct proxy_credential credential; /* secret NULL: none */
	char *audience; /* of the credential; a reload may change the rule */
	struct tls_client *handshake;
	struct event io, deadline;
	struct stream stream;
	const char *word; /* static, or NULL */
	int64_t tls_start_ms, tls_ms;
};

enum status
request_secure_init(struct request *r, const struct request_params *params)
{
	struct request_secure *s = calloc(1, sizeof *s);

	if (s == NULL)
		return E_NOMEM;
	s->request = r;
	s->bearer = params->bearer;
	s->stream = stream_plain(-1);
	s->word = params->reuse_tls;
	s->tls_ms = -1;
	r->secure = s;
	return OK;
}

static void
handshake_forget(struct request_secure *s)
{
	if (s->handshake == NULL)
		return;
	(void)event_del(&s->io);
	(void)event_del(&s->deadline);
}

void
request_secure_rest(struct request *r)
{
	const struct proxy_credential_port *port =
	    &worker_ports(r->worker)->credentials;
	struct request_secure *s = r->secure;

	if (s == NULL)
		return;
	if (s->asks)
		port->cancel(port->ctx, &s->ask);
	s->asks = s->waits_trust = false;
	handshake_forget(s);
	tls_client_cancel(s->handshake);
	s->handshake = NULL;
	stream_close(&s->stream);
	s->bearer = NULL;
}

void
request_secure_free(struct request *r)
{
	if (r->secure == NULL)
		return;
	request_secure_rest(r);
	secret_unref(r->secure->credential.secret);
	free(r->secure->audience);
	free(r->secure);
	r->secure = NULL;
}

/* RFC 6750 2.1, RFC 9110 11.1. The client's own token is told from a
 * placeholder in constant time. */
static bool
is_placeholder(const struct policy_inject *inject, struct slice value)
{
	struct slice scheme = SLICE("Bearer");
	bool found = false;

	if (!slice_eq_nocase(slice_head(value, scheme.n), scheme) ||
	    !slice_starts(slice_from(value, scheme.n), SLICE(" ")))
		return false;
	value = slice_trim_ows(slice_from(value, scheme.n));
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
	if (inject == NULL)
		return b->kind == FORWARD_BEARER_ONE ? REASON_NONE
		                                     : REASON_BAD_REQUEST;
	if (b->kind == FORWARD_BEARER_ONE && is_placeholder(inject, b->value))
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

static void
secure_on_credential(struct request *r, enum status st)
{
	struct request_secure *s = r->secure;

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

static void
secure_on_asked(struct proxy_wait *w, enum status st)
{
	void *at = (char *)w - offsetof(struct request_secure, ask.wait);
	struct request_secure *s = at;

	s->asks = false;
	secure_on_credential(s->request, st);
}

static void
secure_ask(struct request *r)
{
	const struct proxy_credential_port *port =
	    &worker_ports(r->worker)->credentials;
	const struct policy_inject *inject = r->verdict.inject;
	struct request_secure *s = r->secure;
	enum status st = E_NOTFOUND;

	s->ask = (struct proxy_credential_ask){ .wait.done = secure_on_asked,
		.identity = inject->identity,
		.audience = inject->audience,
		.rule = r->verdict.rule };
	if (port->ask != NULL)
		st = port->ask(port->ctx, &s->ask);
	s->asks = st == E_PARTIAL;
	if (s->asks)
		s->until_ms = request_now(r) + CREDENTIAL_WAIT_MS;
	else
		secure_on_credential(r, st);
}

/* Only what is allowed asks for a token: no other may spend a fetch. */
static void
secure_go_on(struct request *r)
{
	enum reason fault = bearer_fault(r);

	r->secure->waits_trust = false;
	if (fault != REASON_NONE)
		request_fail(r, fault);
	else if (r->verdict.inject != NULL)
		secure_ask(r);
	else
		request_dial(r);
}

void
request_secure_start(struct request *r)
{
	struct request_secure *s = r->secure;

	if (worker_tls(r->worker) != NULL) {
		secure_go_on(r);
		return;
	}
	s->waits_trust = true;
	s->until_ms = request_now(r) + r->snapshot->limits.connect_ms;
}

void
request_secure_tick(struct request *r, int64_t now_ms)
{
	const struct proxy_credential_port *port =
	    &worker_ports(r->worker)->credentials;
	struct request_secure *s = r->secure;

	if (s->waits_trust && worker_tls(r->worker) != NULL) {
		secure_go_on(r);
	} else if (s->waits_trust && now_ms >= s->until_ms) {
		s->waits_trust = false;
		request_fail(r, REASON_NOT_READY);
	} else if (s->asks && now_ms >= s->until_ms) {
		port->cancel(port->ctx, &s->ask);
		s->asks = false;
		request_fail(r, REASON_CREDENTIAL_UNAVAILABLE);
	}
}

static void
handshake_failed(struct request *r, enum reason why)
{
	struct request_secure *s = r->secure;

	log_info("TLS with %s: %s", request_host(r),
	    tls_client_problem(s->handshake));
	handshake_forget(s);
	tls_client_cancel(s->handshake);
	s->handshake = NULL;
	request_fail(r, why);
}

static void
handshake_step(struct request *r)
{
	struct request_secure *s = r->secure;
	enum reason why = REASON_TLS_FAILED;
	short events = 0;
	enum status st = tls_client_step(s->handshake, &events, &why);
	struct event_base *base = worker_base(r->worker);
	evutil_socket_t fd = event_get_fd(&s->io);
	event_callback_fn call = event_get_callback(&s->io);

	if (st == E_PARTIAL) {
		(void)event_del(&s->io);
		(void)event_assign(&s->io, base, fd, events, call, r);
		if (event_add(&s->io, NULL) == 0)
			return;
		why = REASON_LIMIT_REACHED;
	}
	if (st != OK) {
		handshake_failed(r, why);
		return;
	}
	handshake_forget(s);
	s->word = tls_client_word(s->handshake);
	s->stream = tls_client_take(s->handshake);
	s->handshake = NULL;
	s->tls_ms = request_now(r) - s->tls_start_ms;
	request_open(r);
}

static void
handshake_on_io(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	handshake_step(arg);
}

static void
handshake_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	handshake_failed(arg, REASON_TLS_FAILED);
}

void
request_handshake(struct request *r)
{
	struct tls_client_ctx *ctx = worker_tls(r->worker);
	unsigned ms = r->snapshot->limits.tls_ms;
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };
	struct request_secure *s = r->secure;
	int fd = r->fd;
	enum status st = E_NOMEM;

	if (ctx != NULL)
		st = tls_client_start(ctx, fd, request_host(r), &s->handshake);
	if (st != OK) {
		request_fail(r,
		    st == E_INVALID ? REASON_TLS_CERTIFICATE
		                    : REASON_LIMIT_REACHED);
		return;
	}
	r->fd = -1;
	s->tls_start_ms = request_now(r);
	(void)event_assign(
	    &s->io, worker_base(r->worker), fd, EV_WRITE, handshake_on_io, r);
	(void)evtimer_assign(
	    &s->deadline, worker_base(r->worker), handshake_on_deadline, r);
	if (evtimer_add(&s->deadline, &tv) != 0)
		handshake_failed(r, REASON_LIMIT_REACHED);
	else
		handshake_step(r);
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

void
request_tls_forget(struct request *r)
{
	if (r->secure != NULL)
		r->secure->word = NULL;
}

const struct secret *
request_credential(const struct request *r)
{
	return r->secure == NULL ? NULL : r->secure->credential.secret;
}

const char *
request_tls_word(const struct request *r)
{
	return r->secure == NULL ? NULL : r->secure->word;
}

struct stream
request_take_stream(struct request *r)
{
	struct stream s;

	if (r->secure == NULL)
		return stream_plain(request_take_fd(r));
	s = r->secure->stream;
	r->secure->stream = stream_plain(-1);
	return s;
}

void
request_secure_record(struct record *rec, const struct request *r)
{
	const struct request_secure *s = r->secure;

	if (s == NULL)
		return;
	rec->tls = s->word;
	rec->ms.tls = s->tls_ms;
	/* What was refused before it was opened was sent nothing. */
	if (s->audience == NULL || (rec->event != RECORD_OPEN && !r->opened))
		return;
	rec->identity = s->credential.identity;
	rec->audience = s->audience;
	rec->token_id = s->credential.token_id;
}
