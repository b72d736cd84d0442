/* The admin listener: state for machines, over HTTP on loopback, read-only. */
#include "agent/admin.h"

#include "agent/serve.h"
#include "agent/status_json.h"
#include "base/http1.h"
#include "base/metrics.h"
#include "base/uri.h"

#include <stdio.h>
#include <stdlib.h>

enum { IN_MAX_BYTES = 8192, OUT_MAX_BYTES = 1 << 20, TIMEOUT_MS = 10000 };

struct admin {
	struct daemon *daemon;
	struct serve *serve;
};

struct page {
	int status;
	const char *type;
	struct buf body;
};

static void
put_object(struct page *p, const struct daemon *d,
    void (*put)(struct jsonw *w, const struct daemon *d))
{
	struct jsonw w;

	jsonw_init(&w, &p->body);
	jsonw_object(&w, NULL);
	put(&w, d);
	jsonw_object_end(&w);
	buf_putc(&p->body, '\n');
	p->type = "application/json";
}

static void
put_nothing(struct jsonw *w, const struct daemon *d)
{
	(void)d;
	jsonw_bool(w, "live", true);
}

static void
put_metrics(struct page *p)
{
	p->type = "text/plain; version=0.0.4; charset=utf-8";
	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metric_info *m = metric_info((enum metric)i);

		buf_printf(&p->body,
		    "# HELP wayleave_%s %s\n# TYPE wayleave_%s %s\n"
		    "wayleave_%s %lld\n",
		    m->name, m->help, m->name, m->kind, m->name,
		    (long long)metric_get((enum metric)i));
	}
	buf_puts(&p->body,
	    "# HELP wayleave_denials_total Denials by reason code\n"
	    "# TYPE wayleave_denials_total counter\n");
	for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
		buf_printf(&p->body,
		    "wayleave_denials_total{code=\"%s\"} %lld\n",
		    reason_code((enum reason)r),
		    (long long)metric_denied((enum reason)r));
}

/* One plain page for people: no script, nothing that could change state. */
static void
put_dashboard(struct page *p, const struct daemon *d)
{
	const char *reasons[DAEMON_REASONS_MAX];
	size_t n = daemon_reasons(d, reasons);

	p->type = "text/html; charset=utf-8";
	buf_printf(&p->body,
	    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
	    "<title>%s</title><h1>%s</h1><p>%s",
	    d->config->name, d->config->name, n == 0 ? "ready" : "not ready: ");
	for (size_t i = 0; i < n; i++)
		buf_printf(&p->body, "%s%s", i > 0 ? ", " : "", reasons[i]);
	buf_printf(&p->body,
	    "<table><tr><td>generation<td>%llu<tr><td>rules<td>%zu"
	    "<tr><td>connections<td>%zu<tr><td>allowed<td>%lld"
	    "<tr><td>denied<td>%lld</table>"
	    "<p><a href=\"/status\">status</a> <a "
	    "href=\"/metrics\">metrics</a></html>\n",
	    (unsigned long long)d->generation,
	    policy_rule_count(d->snapshot->policy), daemon_connections(d),
	    (long long)metric_get(METRIC_REQUESTS_ALLOWED_TOTAL),
	    (long long)metric_get(METRIC_REQUESTS_DENIED_TOTAL));
}

static void
put_error(struct page *p, int status, const char *text)
{
	p->status = status;
	p->type = "text/plain; charset=utf-8";
	buf_printf(&p->body, "%s\n", text);
}

static void
route(struct page *p, const struct daemon *d, struct slice target)
{
	const char *reasons[DAEMON_REASONS_MAX];
	struct slice path = slice_head(target, slice_find(target, '?'));

	if (slice_is(path, "/livez")) {
		put_object(p, d, put_nothing);
	} else if (slice_is(path, "/readyz")) {
		put_object(p, d, status_put_ready);
		p->status = daemon_reasons(d, reasons) == 0 ? 200 : 503;
	} else if (slice_is(path, "/status")) {
		put_object(p, d, status_put_all);
	} else if (slice_is(path, "/metrics")) {
		put_metrics(p);
	} else if (slice_is(path, "/")) {
		put_dashboard(p, d);
	} else {
		put_error(p, 404, "no such page");
	}
}

/* A page in a browser must not read us by a name of its own (rebinding). */
static bool
host_is_ours(const struct http1_request *r)
{
	struct slice value;
	struct authority a;

	if (http1_field_only(&r->fields, "Host", &value) != OK)
		return r->version == HTTP1_0;
	if (authority_parse(value, &a) != OK)
		return false;
	return a.host.kind == HOST_IP ||
	    slice_is(slice_of(a.host.name), "localhost");
}

static const char *
status_phrase(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 503:
		return "Service Unavailable";
	default:
		return "Error";
	}
}

static void
render(const struct page *p, bool is_head, struct buf *out)
{
	buf_printf(out,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	    "Content-Security-Policy: default-src 'none'\r\n%s"
	    "Connection: close\r\n\r\n",
	    p->status, status_phrase(p->status), p->type, p->body.n,
	    p->status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (!is_head)
		buf_put_slice(out, buf_slice(&p->body));
}

static enum status
answer(void *ctx, struct serve_conn *conn)
{
	struct admin *a = ctx;
	struct http1_request r;
	struct http1_error error = { 400, "" };
	struct page page = { .status = 200, .type = "text/plain" };
	size_t scanned = 0, end = 0;
	bool is_head = false;
	enum status st = http1_head_end(
	    buf_slice(&conn->in), IN_MAX_BYTES, &scanned, &end, &error);

	if (st == E_PARTIAL)
		return st;
	buf_init(&page.body, OUT_MAX_BYTES);
	if (st == OK)
		st = http1_parse_request(
		    slice_head(buf_slice(&conn->in), end), &r, &error);
	if (st != OK) {
		put_error(&page, 400, error.detail);
	} else if (!host_is_ours(&r)) {
		put_error(&page, 400, "the Host is not an address of ours");
	} else if (!slice_is(r.method, "GET") && !slice_is(r.method, "HEAD")) {
		put_error(&page, 405, "only GET and HEAD");
	} else {
		is_head = slice_is(r.method, "HEAD");
		route(&page, a->daemon, r.target);
	}
	render(&page, is_head, &conn->out);
	st = buf_status(&page.body);
	buf_release(&page.body);
	return st;
}

static uint32_t
uid_of(void *ctx, int fd)
{
	const struct admin *a = ctx;
	struct peer_facts facts;

	peer_source_lookup(a->daemon->peers, fd, &facts);
	return facts.peer.known ? facts.peer.uid : UINT32_MAX;
}

/* Half for one user, so that another can still ask. */
static struct serve_limits
limits_of(const struct config *c)
{
	return (struct serve_limits){ c->limits.admin_connections,
		(c->limits.admin_connections + 1) / 2 };
}

void
admin_set_limits(struct admin *a, const struct config *config)
{
	const struct serve_limits limits = limits_of(config);

	serve_set_limits(a->serve, &limits);
	serve_set_request_ms(a->serve, config->timeouts.request_head_ms);
}

enum status
admin_create(struct daemon *d, struct admin **out)
{
	struct admin *a = calloc(1, sizeof *a);
	struct serve_settings s = { .base = d->base,
		.request_ms = d->config->timeouts.request_head_ms,
		.timeout_ms = TIMEOUT_MS,
		.limits = limits_of(d->config),
		.uid_of = uid_of,
		.in_max_bytes = IN_MAX_BYTES,
		.out_max_bytes = OUT_MAX_BYTES,
		.answer = answer,
		.ctx = a };
	enum status st;

	if (a == NULL)
		return E_NOMEM;
	a->daemon = d;
	st = serve_create(&s, &a->serve);
	for (size_t i = 0; i < d->listeners.n && st == OK; i++) {
		struct listener *l = &d->listeners.at[i];
		int fd;

		if (l->role != LISTEN_ADMIN)
			continue;
		fd = listener_take(l, 0);
		st = fd < 0 ? E_IO : serve_listen(a->serve, fd, l->at.name);
	}
	if (st != OK) {
		admin_destroy(a);
		return st;
	}
	*out = a;
	return OK;
}

void
admin_destroy(struct admin *a)
{
	if (a == NULL)
		return;
	serve_destroy(a->serve);
	free(a);
}
