/* A request's memory: what lasts for its tunnel, what the asking alone needs. */
#include "proxy/request_inside.h"

#include <stdlib.h>
#include <string.h>

/* Stops what runs. */
void
request_rest(struct request *r)
{
	const struct proxy_audit_port *audit = &worker_ports(r->worker)->audit;
	struct request_asking *a = r->asking;

	request_secure_rest(r);
	if (a == NULL)
		return;
	if (a->query != NULL)
		resolver_cancel(a->query);
	if (a->dial != NULL)
		dial_cancel(a->dial);
	if (a->audit_waits)
		audit->cancel(audit->ctx, &a->audit_wait);
	(void)event_del(&a->turn);
	free(a);
	r->asking = NULL;
}

void
request_free(struct request *r)
{
	request_rest(r);
	request_budget_rest(r);
	request_secure_free(r);
	request_phantom_free(r);
	resolver_answer_unref(r->answer);
	proxy_snapshot_unref(r->snapshot);
	free(r->sni);
	free(r);
}

static uint32_t
put_text(struct request *r, uint32_t at, struct slice s)
{
	if (s.n > 0)
		memcpy(r->text + at, s.p, s.n);
	return at + (uint32_t)s.n + 1;
}

static void
request_init(struct request *r, const struct request_params *params)
{
	r->worker = params->worker;
	r->snapshot = proxy_snapshot_ref(worker_snapshot(params->worker));
	r->protocol = (uint8_t)params->protocol;
	r->peer = params->peer;
	r->listener = params->listener;
	r->port = params->port;
	r->plaintext = params->plaintext;
	r->target = params->target;
	r->local = params->local;
	r->bare = params->tls && params->bearer != NULL &&
	    params->bearer->kind == FORWARD_BEARER_NONE;
	r->verdict.effect = POLICY_DENY;
	r->fd = -1;
	r->hello = POLICY_HELLO_NOT_TLS;
	r->dns_ms = r->connect_ms = -1;
	r->first_ms = -1;
	r->start_ms = request_now(r);
	record_new_id(r->id);
}

static enum status
request_init_asking(struct request *r, const struct request_params *params)
{
	struct request_asking *a = malloc(sizeof *a);

	if (a == NULL)
		return E_NOMEM;
	memset(a, 0, sizeof *a);
	r->asking = a;
	a->request = r;
	a->reuse = params->reuse;
	a->fresh = params->fresh;
	return OK;
}

/* Zeroed but for its text, which is in it as long as it is. */
static struct request *
request_alloc(const struct request_params *params)
{
	const struct host *h = &params->host;
	struct slice host = slice_of(h->name);
	size_t literal = h->kind == HOST_IP ? sizeof h->addr : 0;
	size_t n =
	    literal + host.n + 1 + params->method.n + 1 + params->path.n + 1;
	/* calloc() of the C library never reuses what this thread freed. */
	struct request *r = malloc(sizeof *r + n);

	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof *r + n);
	r->is_literal = h->kind == HOST_IP;
	if (r->is_literal)
		memcpy(r->text, &h->addr, sizeof h->addr);
	r->host_at = (uint8_t)literal;
	r->method_at = put_text(r, r->host_at, host);
	r->path_at = put_text(r, r->method_at, params->method);
	(void)put_text(r, r->path_at, params->path);
	return r;
}

struct request *
request_create(const struct request_params *params)
{
	struct request *r = request_alloc(params);

	if (r == NULL)
		return NULL;
	request_init(r, params);
	/* request_rest() takes it that what is asked with is all there. */
	if ((!params->tls || request_secure_init(r, params) == OK) &&
	    request_phantom_init(r, params) == OK &&
	    request_init_asking(r, params) == OK)
		return r;
	request_free(r);
	return NULL;
}

int
request_take_fd(struct request *r)
{
	int fd = r->fd;

	r->fd = -1;
	return fd;
}

enum reason
request_code(const struct request *r)
{
	return r->code;
}

const char *
request_id(const struct request *r)
{
	return r->id;
}

const struct policy_verdict *
request_verdict(const struct request *r)
{
	return &r->verdict;
}

bool
request_is_reused(const struct request *r)
{
	return r->reused;
}

struct upstream_facts
request_upstream(const struct request *r)
{
	struct upstream_facts u = { .port = r->port,
		.address = r->address,
		.generation = r->snapshot->generation };

	/* The text of the host ends where that of the method begins. */
	memcpy(u.host, request_host(r), r->method_at - r->host_at);
	/* Some bind a credential to the connection (RFC 4559 4): where that is
	 * the client's own nobody else goes on with it. */
	u.uid = r->peer->known ? r->peer->uid : UINT32_MAX;
	if (r->secure == NULL)
		return u;
	if (r->secure->credential.identity[0] != '\0')
		u.uid = 0;
	u.trust = r->secure->trust;
	u.made_ms = r->secure->made_ms;
	u.tls = r->secure->word;
	u.h2 = r->secure->h2;
	memcpy(u.identity, r->secure->credential.identity, sizeof u.identity);
	return u;
}

void
request_tell_origin(const struct request *r, struct request_origin *out)
{
	*out = (struct request_origin){ .protocol =
		                            (enum request_protocol)r->protocol,
		.peer = r->peer,
		.listener = r->listener,
		.port = r->port };
	(void)request_question(r, &out->host);
}

bool
request_is_inspected(const struct request *r)
{
	return r->inspected;
}

void
request_set_code(struct request *r, enum reason code)
{
	r->code = code;
}

void
request_note_first_byte(struct request *r)
{
	if (r->first_ms < 0)
		r->first_ms = request_now(r) - r->start_ms;
}
