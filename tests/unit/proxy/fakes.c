/* The stand-ins for the ports, and the harness around one worker. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/fakes_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fakes fake;

void *
fake_alloc(size_t bytes)
{
	void *p = reallocarray(NULL, 1, bytes);

	assert_non_null(p);
	memset(p, 0, bytes);
	return p;
}

static void
later_fire(evutil_socket_t fd, short what, void *arg)
{
	struct later *l = arg;

	(void)fd;
	(void)what;
	l->call(l);
	free(l);
}

struct later *
later_new(void (*call)(struct later *l), void *arg)
{
	struct later *l = fake_alloc(sizeof *l);
	const struct timeval now = { 0, 0 };

	assert_non_null(l);
	l->call = call;
	l->arg = arg;
	assert_int_equal(
	    event_base_once(fake.base, -1, EV_TIMEOUT, later_fire, l, &now), 0);
	return l;
}

/* ports */

static void
keep_text(char out[FAKE_TEXT_BYTES], struct slice s)
{
	assert_true(slice_copy(s, out, FAKE_TEXT_BYTES));
}

static void
audit_later(struct later *l)
{
	struct proxy_wait **slot = l->arg;

	if (*slot != NULL)
		(*slot)->done(*slot, fake.audit_fails ? E_IO : OK);
	free(slot);
}

static enum status
audit_submit(void *ctx, const struct record *rec, struct proxy_wait *wait)
{
	struct fake_record *r = &fake.records[fake.n_records];
	struct proxy_wait **slot;

	(void)ctx;
	if (fake.audit_sick)
		return E_IO;
	assert_true(fake.n_records < FAKE_RECORDS_MAX);
	fake.n_records++;
	r->event = rec->event;
	r->verdict = rec->verdict;
	r->code = rec->code;
	r->would = rec->would_deny;
	r->port = rec->port;
	r->status = rec->status;
	r->up = rec->bytes_up;
	r->down = rec->bytes_down;
	r->generation = rec->policy_generation;
	memcpy(r->id, rec->id, sizeof r->id);
	keep_text(r->host, slice_of(rec->host));
	keep_text(r->protocol, slice_of(rec->protocol));
	keep_text(r->close, slice_of(rec->close));
	keep_text(r->sni, rec->sni);
	keep_text(r->tls, slice_of(rec->tls));
	keep_text(r->identity, slice_of(rec->identity));
	keep_text(r->audience, slice_of(rec->audience));
	keep_text(r->token_id, slice_of(rec->token_id));
	r->tls_ms = rec->ms.tls;
	if (wait == NULL)
		return OK;
	wait->priv = NULL;
	if (fake.audit_stuck)
		return OK;
	slot = fake_alloc(sizeof(struct proxy_wait *));
	assert_non_null(slot);
	*slot = wait;
	wait->priv = slot;
	(void)later_new(audit_later, slot);
	return OK;
}

static void
audit_cancel(void *ctx, struct proxy_wait *wait)
{
	struct proxy_wait **slot = wait->priv;

	(void)ctx;
	if (slot != NULL)
		*slot = NULL;
}

static bool
audit_healthy(void *ctx)
{
	(void)ctx;
	return !fake.audit_sick;
}

static void
userdb_later(struct later *l)
{
	struct proxy_wait *w = l->arg;

	fake.userdb_later = false;
	w->done(w, OK);
}

static enum status
userdb_lookup(void *ctx, struct peer *peer, struct proxy_wait *wait)
{
	(void)ctx;
	if (fake.userdb_later) {
		(void)later_new(userdb_later, wait);
		return E_PARTIAL;
	}
	peer->user = "alice";
	return OK;
}

static void
userdb_cancel(void *ctx, struct proxy_wait *wait)
{
	(void)ctx;
	(void)wait;
}

static void
denials_note(void *ctx, const struct proxy_denial *d)
{
	(void)ctx;
	assert_int_equal(strlen(d->id), RECORD_ID_BYTES - 1);
	fake.denials++;
}

static int64_t
fake_boot_ms(void *ctx)
{
	(void)ctx;
	return fake.now_ms;
}

static int64_t
fake_unix_ns(void *ctx)
{
	(void)ctx;
	return fake.now_unix_s * 1000000000;
}

static void
snapshot_release(struct proxy_snapshot *s)
{
	free(s);
}

struct proxy_snapshot *
fake_snapshot(uint64_t generation)
{
	struct proxy_snapshot *s = fake_alloc(sizeof *s);

	assert_non_null(s);
	s->refs = 1;
	s->generation = generation;
	s->policy = fake.policy;
	s->limits = (struct proxy_limits){ .connections = 100,
		.connections_per_uid = 50,
		.head_bytes = 16384,
		.h2_streams = 100,
		.head_ms = 10000,
		.connect_ms = 5000,
		.tls_ms = 60000,
		.idle_ms = 300000,
		.hello_ms = 10000,
		.linger_ms = 100,
		.upstreams_idle = 8,
		.upstream_idle_ms = 50000 };
	assert_true(slice_copy(SLICE("lab"), s->name, sizeof s->name));
	s->release = snapshot_release;
	return s;
}

static int
fake_listen(uint16_t *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *sa = (struct sockaddr *)(void *)&sin;
	socklen_t n = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, sa, n), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, sa, &n), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

void
fakes_init(void)
{
	struct proxy_worker_config config;
	int fd;

	(void)signal(SIGPIPE, SIG_IGN);
	memset(&fake, 0, sizeof fake);
	fake.base = event_base_new();
	fake.clock = (struct clock){ fake_boot_ms, fake_unix_ns, NULL };
	fake.now_ms = 1000000;
	fake.now_unix_s = 1800000000;
	fake.upstream = -1;
	fake.policy = fake_alloc(sizeof *fake.policy);
	fake.ports = (struct proxy_ports){
		.audit = { audit_submit, audit_cancel, audit_healthy, NULL },
		.userdb = { userdb_lookup, userdb_cancel, NULL },
		.denials = { denials_note, NULL },
	};
	fake.shared = proxy_shared_create();
	fake.snapshot = fake_snapshot(1);
	config = (struct proxy_worker_config){ fake.base, &fake.clock,
		&fake.ports, fake.snapshot, fake.shared };
	assert_int_equal(proxy_worker_create(&config, &fake.worker), OK);
	fd = fake_listen(&fake.port);
	assert_int_equal(proxy_worker_listen(fake.worker, fd, "test"), OK);
}

void
fakes_release(void)
{
	if (fake.upstream >= 0)
		(void)close(fake.upstream);
	proxy_worker_destroy(fake.worker);
	/* What was cancelled is still owed its free. */
	for (int i = 0; i < 3; i++)
		(void)event_base_loop(fake.base, EVLOOP_NONBLOCK);
	proxy_snapshot_unref(fake.snapshot);
	proxy_shared_destroy(fake.shared);
	free(fake.policy);
	event_base_free(fake.base);
}

void
fake_run(void)
{
	/* Loopback is done within its system call; the loop needs turns. */
	for (int i = 0; i < 30; i++) {
		(void)event_base_loop(fake.base, EVLOOP_NONBLOCK);
		(void)usleep(200);
	}
}

void
fake_pass_ms(int64_t ms)
{
	fake.now_ms += ms;
	fake.now_unix_s += ms / 1000;
	/* The tick is a real timer of 250 ms. */
	(void)usleep(260000);
	fake_run();
}

void
fake_connect(int fd)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(fake.port) };
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)(void *)&sin, sizeof sin), 0);
}

int
fake_client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	fake_connect(fd);
	fake_run();
	return fd;
}

void
fake_say(int fd, const void *text, size_t n)
{
	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
	fake_run();
}

long
fake_hear(int fd, char *out, size_t bytes)
{
	ssize_t n = recv(fd, out, bytes - 1, MSG_DONTWAIT);

	out[n > 0 ? n : 0] = '\0';
	if (n == 0)
		return -1;
	return n < 0 && errno == EAGAIN ? 0 : n;
}
