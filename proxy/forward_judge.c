/* One request head: read, refused or asked about. */
#include "proxy/forward_conn.h"
#include "proxy/forward_map.h"

#include <stdlib.h>
#include <string.h>

static void
forward_on_refused(void *arg, struct buf *answer)
{
	struct forward *f = arg;

	f->refusal = NULL;
	forward_say_last(f, answer);
}

void
forward_refuse(struct forward *f, const struct forward_fault *fault,
    const struct forward_request *r)
{
	struct request_refusal what = { .worker = f->worker,
		.protocol = f->protocol,
		.inside = f->inside != NULL,
		.peer = f->peer,
		.listener = f->listener,
		.code = fault->code,
		.detail = fault->detail,
		.status = fault->status };
	struct forward_route route;

	/* A head that cannot be read was meant for somebody all the same; what a
	 * page of another site hears must not name them. */
	if (forward_find_route(f, &route) &&
	    route.kind != FORWARD_ROUTE_PROXY) {
		what.to = route.host;
		what.to_port = route.port;
	}
	if (r != NULL)
		what.method = r->http.method;
	if (r != NULL && r->uri.authority.host.name[0] != '\0') {
		what.host = r->uri.authority.host.name;
		what.port = r->uri.authority.port;
	}
	f->state = FORWARD_REFUSING;
	f->progress = false;
	forward_deadline(f, 0);
	f->refusal = refusal_start(&what, forward_on_refused, f);
	if (f->refusal == NULL)
		forward_end(f, CLOSE_ERROR);
}

void
forward_deny(struct forward *f)
{
	struct buf out;

	f->x.status = request_status(f->x.request);
	buf_init(&out, FORWARD_DENIAL_BYTES);
	request_render_denial(f->x.request, &out);
	forward_exchange_record(f, CLOSE_DENIED);
	forward_say_last(f, &out);
}

/* RFC 9110 7.6.2: an allowed request has come as far as it may. */
static void
forward_answer_here(struct forward *f)
{
	struct buf out;

	f->x.status = 200;
	buf_init(&out, FORWARD_DENIAL_BYTES);
	buf_puts(&out,
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
	    "Cache-Control: no-store\r\nConnection: close\r\n\r\n");
	forward_exchange_record(f, CLOSE_DONE);
	forward_say_last(f, &out);
}

/* The head was written by the policy of its time: one that has since begun or
 * ceased to name tenants for this host would have written another. */
static bool
head_is_outdated(const struct forward *f)
{
	const struct proxy_snapshot *now = worker_snapshot(f->worker);

	return now != f->snapshot &&
	    (policy_tenants_of(f->snapshot->policy, f->x.host.name) != NULL ||
	        policy_tenants_of(now->policy, f->x.host.name) != NULL);
}

static void
forward_on_judged(void *arg, enum request_outcome outcome)
{
	struct forward *f = arg;

	/* Whatever is answered, the client is looked for just before. */
	if (outcome == REQUEST_READY && !f->x.local && head_is_outdated(f))
		forward_exchange_refuse(f, REASON_NOT_READY, CLOSE_DENIED);
	else if (outcome == REQUEST_READY && !f->x.local)
		forward_exchange_start(f);
	else if (!peer_still_connected(f->client.s.fd))
		forward_end(f, CLOSE_CLIENT);
	else if (outcome != REQUEST_READY)
		forward_deny(f);
	else
		forward_answer_here(f);
}

/* Only the same destination, by name and port, may be reused. */
static bool
idle_fits(const struct forward *f)
{
	return forward_side_is_open(&f->upstream) &&
	    f->idle.port == f->x.port &&
	    strcmp(f->idle.host, f->x.host.name) == 0;
}

/* RFC 9112 9.3.1: no client expects that its first request meets a connection
 * that is about to end; so what cannot be repeated goes on a fresh one. */
void
forward_ask(struct forward *f, bool reuse)
{
	struct slice head = buf_slice(&f->x.head);
	struct request_params params = { .worker = f->worker,
		.protocol = f->protocol,
		.peer = f->peer,
		.listener = f->listener,
		.host = f->x.host,
		.port = f->x.port,
		.plaintext = !f->secure,
		.tls = f->secure,
		.h2 = f->x.wants_h2,
		.bearer = &f->x.brought,
		.local = f->x.local,
		.fresh = !reuse || (!f->served && !forward_may_repeat(f)),
		.target = f->x.target,
		.method = slice_head(head, f->x.line.method_bytes),
		.path = slice_head(slice_from(head, f->x.line.path_at),
		    f->x.line.path_bytes) };

	if (reuse && idle_fits(f))
		params.reuse = &f->idle;
	else
		forward_side_close(&f->upstream);
	f->state = FORWARD_ASKING;
	forward_deadline(f, 0); /* request.c has its own */
	f->x.request = request_start(&params, forward_on_judged, f);
	if (f->x.request == NULL)
		forward_end(f, CLOSE_ERROR);
}

/* What is left of the last message goes; the buffers stay. */
static void
exchange_reset(struct forward *f)
{
	struct buf head = f->x.head, bearer = f->x.bearer_value;

	forward_body_release(&f->x.up);
	forward_body_release(&f->x.down);
	free(f->x.target);
	free(f->x.own);
	buf_clear(&head);
	buf_release(&bearer);
	buf_release(&f->x.kept);
	memset(&f->x, 0, sizeof f->x);
	f->x.head = head;
	f->x.bearer_value = bearer;
	if (f->snapshot == worker_snapshot(f->worker))
		return;
	proxy_snapshot_unref(f->snapshot);
	f->snapshot = proxy_snapshot_ref(worker_snapshot(f->worker));
}

/* gRPC is spoken by HTTP/2 alone; all else is as well off without. */
static bool
is_grpc(const struct forward_request *r)
{
	struct slice type;

	return http1_field_only(&r->http.fields, "content-type", &type) == OK &&
	    slice_starts(type, SLICE("application/grpc"));
}

static void
forward_accept(struct forward *f, struct forward_request *r)
{
	const struct authority *to = &r->uri.authority;

	f->x.host = to->host;
	f->x.port = to->port;
	f->x.framing = r->framing;
	f->x.local = r->answer_here;
	f->x.wants_h2 = f->secure && is_grpc(r);
	memcpy(f->x.websocket, r->websocket, sizeof f->x.websocket);
	f->x.is_head = slice_is(r->http.method, "HEAD");
	f->x.client_1_0 = r->http.version == HTTP1_0;
	f->x.keep_client = r->framing.keep_alive && !f->draining;
	/* The head that it is in goes before it is asked about. */
	buf_put_slice(&f->x.bearer_value, r->bearer.value);
	f->x.brought.kind = r->bearer.kind;
	f->x.brought.value = buf_slice(&f->x.bearer_value);
	if (f->secure)
		f->x.bearer = f->x.brought;
	r->tenants = policy_tenants_of(f->snapshot->policy, to->host.name);
	forward_head_put_request(r, f->snapshot->name, &f->x.head, &f->x.line);
}

/* The metadata service has one path that is answered, and by the broker. */
static void
forward_metadata(struct forward *f, const struct forward_request *r)
{
	const struct forward_fault refused = { REASON_METADATA_PROXIED, 0,
		NULL };

	if (r->uri.authority.port == 80 &&
	    slice_is(r->uri.path, "/metadata/identity/oauth2/token"))
		forward_broker_ask(f, r);
	else
		forward_refuse(f, &refused, r);
}

bool
forward_find_route(const struct forward *f, struct forward_route *route)
{
	const struct proxy_gateway *g;

	*route = (struct forward_route){ .kind = FORWARD_ROUTE_PROXY };
	if (f->inside != NULL) {
		*route = (struct forward_route){ .kind = FORWARD_ROUTE_TUNNEL,
			.host = f->inside->name,
			.port = f->inside_port,
			.prefix = "" };
		return true;
	}
	if (f->protocol != REQUEST_GATEWAY)
		return true;
	g = proxy_snapshot_gateway(f->snapshot, f->listener);
	if (g == NULL)
		return false;
	*route = (struct forward_route){ .kind = FORWARD_ROUTE_GATEWAY,
		.host = g->host,
		.port = g->port,
		.prefix = g->prefix,
		.own_host = f->listener,
		.any_host =
		    slice_starts(slice_of(f->listener), SLICE("unix:")) };
	return true;
}

/* What the client calls the gateway, and says of it. */
static enum status
forward_map(struct forward *f, const struct forward_route *route,
    struct forward_request *r, struct buf *text)
{
	struct slice host;

	if (route->kind != FORWARD_ROUTE_GATEWAY)
		return OK;
	if (http1_field_only(&r->http.fields, "host", &host) != OK)
		return E_SYNTAX;
	f->x.own = strndup(host.p, host.n);
	if (f->x.own == NULL)
		return E_NOMEM;
	return forward_map_forth(route, &r->http.fields, text);
}

/* A sound one: the message is asked about. */
static void
forward_take_request(struct forward *f, const struct forward_route *route,
    struct forward_request *r, struct slice head)
{
	const struct forward_fault limit = { REASON_LIMIT_REACHED, 0, NULL };
	struct buf text;
	enum status st;

	buf_init(&text, 0);
	st = forward_map(f, route, r, &text);
	if (st == OK)
		forward_accept(f, r);
	if (st == OK &&
	    (buf_status(&f->x.head) != OK ||
	        buf_status(&f->x.bearer_value) != OK)) {
		buf_release(&text);
		forward_refuse(f, &limit, r);
		return;
	}
	if (st == OK)
		st = forward_see(f, r);
	buf_release(&text);
	if (st != OK) {
		forward_end(f, CLOSE_ERROR);
		return;
	}
	buf_consume(&f->client.in, head.n);
	f->client_scan = (struct http1_scan){ 0 };
	forward_ask(f, true);
}

static void
forward_take_head(struct forward *f, struct slice head)
{
	struct forward_fault fault = { REASON_BAD_REQUEST, 0, NULL };
	struct forward_route route;
	struct forward_request r;
	const struct host *to;

	if (!forward_find_route(f, &route)) {
		forward_end(f, CLOSE_POLICY);
		return;
	}
	if (forward_head_read(head, &route, f->snapshot->name, &r, &fault) !=
	    OK) {
		forward_refuse(f, &fault, &r);
		return;
	}
	to = &r.uri.authority.host;
	if (!f->secure && to->kind == HOST_IP && addr_is_metadata(&to->addr)) {
		forward_metadata(f, &r);
		return;
	}
	forward_take_request(f, &route, &r, head);
}

void
forward_read_head(struct forward *f)
{
	size_t max = worker_snapshot(f->worker)->limits.head_bytes, end = 0;
	struct slice in = buf_slice(&f->client.in);
	struct http1_error error = { .status = 400 };
	struct forward_fault fault;
	enum status st;

	st = http1_request_head_end(in, max, &f->client_scan, &end, &error);
	if (st == E_PARTIAL) {
		/* Silence after the last answer is a polite end. */
		if (f->client.s.eof)
			forward_end(f, CLOSE_CLIENT);
		return;
	}
	exchange_reset(f);
	if (st != OK) {
		fault = (struct forward_fault){ REASON_BAD_REQUEST,
			error.status, error.detail };
		forward_refuse(f, &fault, NULL);
		return;
	}
	forward_take_head(f, slice_head(in, end));
}
