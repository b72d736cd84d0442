/* The HTTP side of a session: CONNECT, absolute-form, and what is neither. */
#include "proxy/forward.h"
#include "proxy/forward_head.h"
#include "proxy/session.h"

#include "base/uri.h"

static void
http_refuse_detail(struct session *s, enum reason code, int status,
    struct slice method, const char *detail)
{
	const struct request_refusal what = { .code = code,
		.status = status,
		.method = method,
		.detail = detail };

	session_refuse(s, &what);
}

/* RFC 9112 3.2: once, and well-formed; what it says is ignored (3.2.2). */
static const char *
host_fault(const struct http1_request *r)
{
	struct slice value;
	enum status st = http1_field_only(&r->fields, "Host", &value);

	/* Python's CONNECT is HTTP/1.0 and has no Host. */
	if (st == E_NOTFOUND)
		return r->version == HTTP1_0 ? NULL : "Host is missing";
	if (st != OK)
		return "Host stands twice";
	return forward_host_is_valid(value) ? NULL : "Host is malformed";
}

/* RFC 9110 9.3.6; NULL when nothing is wrong with the fields. */
static const char *
connect_fault(const struct http1_request *r)
{
	if (http1_field_find(&r->fields, "Content-Length", 0) < r->fields.n ||
	    http1_field_find(&r->fields, "Transfer-Encoding", 0) < r->fields.n)
		return "CONNECT has no body";
	return host_fault(r);
}

static void
http_connect(struct session *s, const struct http1_request *r, size_t head)
{
	const char *fault = connect_fault(r);
	struct authority to;
	enum status st;

	if (fault != NULL) {
		http_refuse_detail(s, REASON_BAD_REQUEST, 0, r->method, fault);
		return;
	}
	st = authority_parse(r->target, &to);
	if (st != OK || !to.has_port) {
		http_refuse_detail(s,
		    st == E_INVALID ? REASON_BAD_HOST : REASON_BAD_AUTHORITY, 0,
		    r->method, NULL);
		return;
	}
	if (s->opening->over_limit) {
		const struct request_refusal what = { .code =
			                                  REASON_LIMIT_REACHED,
			.method = r->method,
			.host = to.host.name,
			.port = to.port };
		session_refuse(s, &what);
		return;
	}
	/* What came behind the head belongs to the tunnel. */
	buf_consume(&s->opening->in, head);
	session_ask(s, &to.host, to.port);
}

static void
http_on_forward_done(void *arg)
{
	struct session *s = arg;

	/* It has closed and freed itself. */
	s->forward = NULL;
	session_end(s, CLOSE_CLIENT);
}

static void
http_forward(struct session *s)
{
	struct forward_params params = { .worker = s->worker,
		.stream = stream_plain(s->fd),
		.peer = s->peer,
		.listener = s->listener,
		.protocol = s->gateway ? REQUEST_GATEWAY : REQUEST_FORWARD,
		.first = buf_slice(&s->opening->in) };

	if (s->opening->over_limit) {
		http_refuse_detail(s, REASON_LIMIT_REACHED, 0, SLICE(""), NULL);
		return;
	}
	session_move(s, SESSION_FORWARD);
	(void)event_del(&s->opening->readable);
	s->fd = -1;
	s->forward = forward_start(&params, http_on_forward_done, s);
	if (s->forward == NULL)
		session_end(s, CLOSE_ERROR);
	else
		buf_release(&s->opening->in);
}

/* RFC 9112 3.2.2: a scheme and "://" before any path or query. */
static bool
is_absolute_form(struct slice target)
{
	size_t colon = slice_find(target, ':');

	return colon > 0 &&
	    slice_starts(slice_from(target, colon), SLICE("://")) &&
	    slice_find(slice_head(target, colon), '/') == colon;
}

static void
http_dispatch(struct session *s, const struct http1_request *r, size_t head)
{
	if (s->gateway && slice_starts(r->target, SLICE("/")))
		http_forward(s);
	else if (s->gateway)
		http_refuse_detail(s, REASON_BAD_REQUEST, 0, r->method,
		    "this is a gateway: send a path, as to an origin");
	else if (slice_is(r->method, "CONNECT"))
		http_connect(s, r, head);
	else if (is_absolute_form(r->target))
		http_forward(s);
	else
		http_refuse_detail(s, REASON_BAD_REQUEST, 0, r->method,
		    "this is a proxy: use CONNECT or an absolute URI");
}

void
session_http_read(struct session *s)
{
	size_t max = worker_snapshot(s->worker)->limits.head_bytes, head = 0;
	struct http1_error error = { .status = 400 };
	struct http1_request request;
	enum status st;

	st = http1_request_head_end(
	    buf_slice(&s->opening->in), max, &s->opening->scan, &head, &error);
	if (st == E_PARTIAL)
		return;
	if (st == OK)
		st = http1_parse_request(
		    slice_head(buf_slice(&s->opening->in), head), &request,
		    &error);
	if (st != OK)
		http_refuse_detail(s, REASON_BAD_REQUEST, error.status,
		    SLICE(""), error.detail);
	else
		http_dispatch(s, &request, head);
}
