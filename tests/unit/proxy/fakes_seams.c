/* The stand-ins for policy, resolver, dialer, workload and forward. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/fakes_inside.h"

#include "proxy/dialer.h"
#include "proxy/forward.h"
#include "proxy/resolver.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct addr private_address = { .family = ADDR_V4,
	.b = { 10, 20, 0, 5 } };

/* policy */

struct policy *
policy_ref(struct policy *p)
{
	return p;
}

void
policy_unref(struct policy *p)
{
	(void)p;
}

enum policy_mode
policy_mode(const struct policy *p)
{
	(void)p;
	return POLICY_ENFORCE;
}

const char *
policy_sha256(const struct policy *p)
{
	(void)p;
	return "00";
}

static void
verdict_set(struct policy_verdict *v, enum reason code)
{
	v->effect = code == REASON_NONE ? POLICY_ALLOW : POLICY_DENY;
	v->would_deny = code == REASON_NONE && fake.would_code != REASON_NONE;
	v->code = v->would_deny ? fake.would_code : code;
}

void
policy_decide_name(const struct policy *p, const struct policy_request *r,
    struct policy_verdict *out)
{
	(void)p;
	*out = (struct policy_verdict){ .sni_any = fake.sni_any,
		.expires_unix_s = fake.expires_unix_s,
		.inject = fake.inject,
		.budget = fake.budget,
		.inspect = fake.looks_inside && r->inspects,
		.rule = "r1" };
	verdict_set(
	    out, r->peer->known ? fake.name_code : REASON_WORKLOAD_NOT_ALLOWED);
	if (out->effect == POLICY_ALLOW && fake.expires_unix_s != 0 &&
	    r->now_unix_s >= fake.expires_unix_s)
		verdict_set(out, REASON_EXCEPTION_EXPIRED);
}

void
policy_decide_route(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct policy_self *self,
    struct policy_verdict *v)
{
	(void)p;
	(void)r;
	(void)self;
	verdict_set(
	    v, a->failure != REASON_NONE ? a->failure : fake.route_code);
}

void
policy_decide_request(const struct policy *p, const struct policy_request *r,
    struct policy_verdict *v)
{
	(void)p;
	fake.bearer_seen = r->bearer != NULL;
	if (r->bearer != NULL)
		fake.bearer = *r->bearer;
	fake.bare_seen = r->bare;
	v->challenge = fake.challenge;
	if (v->effect == POLICY_ALLOW && fake.request_code != REASON_NONE) {
		v->effect = POLICY_DENY;
		v->code = fake.request_code;
	}
}

void
policy_decide_hello(const struct policy *p, const struct policy_request *r,
    enum policy_hello hello, struct slice sni, struct policy_verdict *v)
{
	(void)p;
	if (v->sni_any)
		return;
	if (hello == POLICY_HELLO_NO_SNI)
		verdict_set(v, REASON_SNI_MISSING);
	else if (hello == POLICY_HELLO_NOT_TLS)
		verdict_set(v, REASON_NOT_TLS);
	else if (hello == POLICY_HELLO_ECH)
		verdict_set(v, REASON_ECH_REFUSED);
	else if (!slice_is(sni, r->host->name))
		verdict_set(v, REASON_SNI_MISMATCH);
}

size_t
policy_workload_names(const struct policy *p, const struct peer *peer,
    const char **out, size_t max)
{
	(void)p;
	(void)peer;
	(void)max;
	out[0] = "alice";
	return 1;
}

void
policy_explain(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct policy_verdict *v,
    struct policy_explanation *out)
{
	(void)p;
	(void)r;
	(void)a;
	(void)v;
	assert_true(slice_copy(SLICE("add a rule"), out->fix, sizeof out->fix));
}

/* resolver */

struct resolver_query {
	void (*done)(void *arg, struct resolver_answer *a);
	void *arg;
	bool cancelled;
};

enum status
resolver_create(struct event_base *base, const struct clock *clock,
    const struct proxy_dns_config *config, struct resolver **out)
{
	(void)base;
	(void)clock;
	(void)config;
	*out = NULL;
	return OK;
}

void
resolver_destroy(struct resolver *r)
{
	(void)r;
}

enum status
resolver_prepare(struct resolver *r, const struct proxy_dns_config *config,
    struct zone_set **out)
{
	(void)r;
	(void)config;
	*out = NULL;
	return OK;
}

void
resolver_adopt(struct resolver *r, struct zone_set *set)
{
	(void)r;
	(void)set;
}

void
resolver_abandon(struct zone_set *set)
{
	(void)set;
}

struct resolver_answer *
resolver_answer_ref(struct resolver_answer *a)
{
	a->refs++;
	return a;
}

void
resolver_answer_unref(struct resolver_answer *a)
{
	if (a != NULL && --a->refs == 0)
		free(a);
}

static struct resolver_answer *
resolver_answer_make(void)
{
	struct resolver_answer *a = fake_alloc(sizeof *a);

	assert_non_null(a);
	a->refs = 1;
	a->facts.addresses = &private_address;
	a->facts.n_addresses = 1;
	return a;
}

static void
resolver_answer_later(struct later *l)
{
	struct resolver_query *q = l->arg;

	if (!q->cancelled)
		q->done(q->arg, resolver_answer_make());
	free(q);
}

struct resolver_answer *
resolver_find(struct resolver *r, const char *name)
{
	(void)r;
	(void)name;
	if (!fake.resolver_cached)
		return NULL;
	fake.cache_hits++;
	return resolver_answer_make();
}

struct resolver_query *
resolver_start(struct resolver *r, const char *name,
    void (*done)(void *arg, struct resolver_answer *a), void *arg)
{
	struct resolver_query *q = fake_alloc(sizeof *q);

	(void)r;
	(void)name;
	assert_non_null(q);
	fake.resolutions++;
	q->done = done;
	q->arg = arg;
	if (!fake.resolver_stuck)
		(void)later_new(resolver_answer_later, q);
	return q;
}

void
resolver_cancel(struct resolver_query *q)
{
	q->cancelled = true;
	fake.cancelled++;
	if (fake.resolver_stuck)
		free(q);
}

/* dialer */

struct dial {
	void (*done)(void *arg, const struct dial_result *result);
	void *arg;
	bool cancelled;
};

/* Two ends of a real TCP connection, as splice(2) and resets need it. */
static void
tcp_pair(int fds[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *sa = (struct sockaddr *)(void *)&sin;
	socklen_t n = sizeof sin;
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	assert_int_equal(bind(listener, sa, n), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, sa, &n), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[0], sa, n), 0);
	fds[1] = accept(listener, NULL, NULL);
	assert_true(fds[1] >= 0);
	for (int i = 0; i < 2; i++)
		(void)setsockopt(
		    fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)close(listener);
}

static void
dial_later(struct later *l)
{
	struct dial *d = l->arg;
	struct dial_result result = {
		.fd = -1, .code = fake.dial_code, .address = private_address
	};
	int fds[2];

	if (!d->cancelled) {
		if (fake.dial_code == REASON_NONE) {
			tcp_pair(fds);
			(void)evutil_make_socket_nonblocking(fds[0]);
			result.fd = fds[0];
			fake.upstream = fds[1];
		}
		d->done(d->arg, &result);
	}
	free(d);
}

struct dial *
dial_start(const struct dial_params *params,
    void (*done)(void *arg, const struct dial_result *result), void *arg)
{
	struct dial *d = fake_alloc(sizeof *d);

	assert_non_null(d);
	assert_int_equal(params->n_addresses, 1);
	fake.dials++;
	if (fake.on_dial != NULL)
		fake.on_dial();
	d->done = done;
	d->arg = arg;
	if (!fake.dialer_stuck)
		(void)later_new(dial_later, d);
	return d;
}

void
dial_cancel(struct dial *d)
{
	d->cancelled = true;
	fake.cancelled++;
	if (fake.dialer_stuck)
		free(d);
}

/* workload */

struct peer_source {
	int unused;
};

enum status
peer_source_create(
    const char *cgroup_root, bool exe_lookup, struct peer_source **out)
{
	(void)cgroup_root;
	(void)exe_lookup;
	*out = fake_alloc(sizeof **out);
	return *out == NULL ? E_NOMEM : OK;
}

void
peer_source_destroy(struct peer_source *s)
{
	free(s);
}

void
peer_source_lookup(struct peer_source *s, int fd, struct peer_facts *out)
{
	int on = 0;
	socklen_t n = sizeof on;

	(void)s;
	fake.sends_at_once =
	    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &n) == 0 && on != 0;
	memset(out, 0, sizeof *out);
	out->peer.known = !fake.peer_unknown;
	out->peer.uid = 1000;
	out->peer.user = "";
	assert_true(
	    slice_copy(SLICE("job-1.service"), out->unit, sizeof out->unit));
	out->peer.unit = out->unit;
	out->peer.cgroup = out->cgroup;
	out->peer.exe = out->exe;
}

bool
peer_still_connected(int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;

	return getpeername(fd, (struct sockaddr *)&ss, &n) == 0;
}

bool
peer_has_left(struct peer_source *s, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	(void)s;
	return poll(&p, 1, 0) == 1 && !fake.half_closed;
}

/* forward */

struct forward {
	struct stream stream;
};

struct forward *
forward_start(
    const struct forward_params *params, void (*done)(void *arg), void *arg)
{
	struct forward *f = fake_alloc(sizeof *f);

	assert_non_null(f);
	fake.forwards++;
	fake.forward_done = done;
	fake.forward_arg = arg;
	if (params->inside != NULL) {
		assert_true(slice_copy(slice_of(params->inside->name),
		    fake.forward_host, sizeof fake.forward_host));
		fake.forward_port = params->inside_port;
	}
	f->stream = params->stream;
	fake.forward = f;
	return f;
}

void
forward_destroy(struct forward *f)
{
	stream_close(&f->stream);
	free(f);
}

/* The real one lives until the end of the turn. */
static void
forward_reap(struct later *l)
{
	struct forward *f = l->arg;

	free(f);
}

void
forward_stop(struct forward *f, enum close_reason why)
{
	fake.forward_why = why;
	stream_close(&f->stream);
	(void)later_new(forward_reap, f);
}

enum close_reason
forward_why(const struct forward *f)
{
	(void)f;
	return fake.forward_why;
}

void
forward_bytes(const struct forward *f, uint64_t *up, uint64_t *down)
{
	(void)f;
	*up = 11;
	*down = 22;
}

void
fake_end_forward(enum close_reason why)
{
	struct forward *f = fake.forward;

	forward_stop(f, why);
	fake.forward_done(fake.forward_arg);
}

void
forward_drain(struct forward *f)
{
	(void)f;
	fake.drained++;
}

void
forward_tick(struct forward *f, int64_t now_ms)
{
	(void)f;
	(void)now_ms;
}

void
forward_rejudge(struct forward *f)
{
	(void)f;
	fake.rejudged++;
}
