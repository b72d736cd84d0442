/* The fakes around a real broker on loopback. */
#include "tests/unit/test.h"

#include "tests/unit/identity/broker_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

const uint8_t world_key[32] = "0123456789abcdef0123456789abcde";

static void
allow_token(void *ctx, const struct identity_token_question *q,
    struct identity_token_answer *out)
{
	struct world *w = ctx;

	snprintf(w->asked_identity, sizeof w->asked_identity, "%s",
	    q->identity == NULL ? "" : q->identity);
	w->grants_asked++;
	out->allowed =
	    !w->deny && (w->deny_from == 0 || w->grants_asked < w->deny_from);
	out->code = !out->allowed ? REASON_TOKEN_NOT_ALLOWED : REASON_NONE;
	out->phantom = w->phantom;
	snprintf(out->grant, sizeof out->grant, "grant-1");
	snprintf(out->identity, sizeof out->identity, "%s",
	    q->identity == NULL ? "" : q->identity);
}

static void
policy_now(void *ctx, struct identity_token_answer *out)
{
	(void)ctx;
	out->mode = "report";
	out->policy_generation = 7;
}

void
world_audit_done(struct world *w)
{
	for (unsigned i = 0; i < ARRAY_LEN(w->audit_waits); i++) {
		struct identity_wait *wait = w->audit_waits[i];
		w->audit_waits[i] = NULL;
		if (wait == NULL)
			continue;
		wait->priv = NULL; /* the port's, not the asker's */
		wait->done(wait, OK);
	}
}

static void
on_audit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	world_audit_done(arg);
}

static enum status
audit_submit(void *ctx, const struct record *rec, struct identity_wait *wait)
{
	static const struct timeval at_once = { 0, 0 };
	struct world *w = ctx;
	size_t n = strlen(w->records_text);

	if (w->audit_fails)
		return E_IO;
	w->records++;
	w->record_mode = rec->mode;
	w->record_generation = rec->policy_generation;
	w->last.event = rec->event;
	assert_true(
	    slice_copy(slice_of(rec->id), w->last.id, sizeof w->last.id) &&
	    slice_copy(rec->method, w->last.method, sizeof w->last.method) &&
	    slice_copy(rec->path, w->last.path, sizeof w->last.path) &&
	    slice_copy(slice_of(rec->token_id == NULL ? "" : rec->token_id),
	        w->last.token_id, sizeof w->last.token_id));
	snprintf(w->records_text + n, sizeof w->records_text - n,
	    "%s %s %s %d;", rec->verdict == RECORD_ALLOW ? "allow" : "deny",
	    reason_code(rec->code), rec->identity == NULL ? "" : rec->identity,
	    rec->status);
	if (wait != NULL) {
		unsigned i = 0;
		while (w->audit_waits[i] != NULL)
			i++;
		assert_true(i < ARRAY_LEN(w->audit_waits));
		w->audit_waits[i] = wait;
		wait->priv = w;
		if (!w->audit_silent)
			event_add(w->audit_event, &at_once);
	}
	return OK;
}

static void
note_refusal(void *ctx, const struct record *rec)
{
	struct world *w = ctx;

	assert_int_equal(rec->verdict, RECORD_DENY);
	w->noted++;
}

static void
audit_cancel(void *ctx, struct identity_wait *wait)
{
	struct world *w = ctx;

	for (unsigned i = 0; i < ARRAY_LEN(w->audit_waits); i++)
		if (w->audit_waits[i] == wait)
			w->audit_waits[i] = NULL;
}

static enum status
peer_lookup(
    void *ctx, int fd, struct identity_wait *wait, const struct peer **out)
{
	struct world *w = ctx;

	assert_true(fd >= 0);
	if (w->peer_late) {
		w->peer_wait = wait;
		wait->priv = w;
		return E_PARTIAL;
	}
	w->peers_held++;
	*out = &w->peer;
	return OK;
}

static void
peer_cancel(void *ctx, struct identity_wait *wait)
{
	struct world *w = ctx;

	assert_ptr_equal(w->peer_wait, wait);
	w->peer_wait = NULL;
}

void
world_peer_done(struct world *w)
{
	struct identity_wait *wait = w->peer_wait;

	w->peer_late = false;
	w->peer_wait = NULL;
	assert_non_null(wait);
	wait->priv = NULL;
	wait->done(wait, OK);
}

static void
peer_release(void *ctx, const struct peer *peer)
{
	struct world *w = ctx;

	assert_ptr_equal(peer, &w->peer);
	w->peers_held--;
}

static bool
still_connected(void *ctx, int fd)
{
	struct world *w = ctx;

	return fd >= 0 && !w->peer_gone;
}

static bool
host_allowed(void *ctx, const struct peer *peer, struct slice host)
{
	struct world *w = ctx;

	return peer->known && !w->deny_host &&
	    slice_is(host, "adb-1.azuredatabricks.net");
}

static int
listen_loopback(uint16_t *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t n = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (void *)&sa, sizeof sa), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (void *)&sa, &n), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

struct imds_conn {
	struct imds_conn *next, **link;
	struct world *w;
	int fd;
	struct event *ev;
};

static void
imds_conn_free(struct imds_conn *c)
{
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	event_free(c->ev);
	close(c->fd);
	free(c);
}

static void
on_imds_bytes(evutil_socket_t fd, short what, void *arg)
{
	struct imds_conn *c = arg;
	struct world *w = c->w;
	ssize_t n = recv(fd, w->imds_request, sizeof w->imds_request - 1, 0);

	(void)what;
	if (n > 0) {
		w->imds_request[n] = '\0';
		w->imds_requests++;
		if (w->imds_answer[0] == '\0')
			return;
		n = send(
		    fd, w->imds_answer, strlen(w->imds_answer), MSG_NOSIGNAL);
		assert_true(n > 0);
	}
	imds_conn_free(c);
}

static void
on_imds_accept(evutil_socket_t fd, short what, void *arg)
{
	struct imds_conn *c = calloc(1, sizeof *c);
	int conn = accept(fd, NULL, NULL);

	(void)what;
	assert_true(conn >= 0);
	assert_non_null(c);
	c->w = arg;
	c->fd = conn;
	c->link = &c->w->imds_conns;
	c->next = c->w->imds_conns;
	if (c->next != NULL)
		c->next->link = &c->next;
	c->w->imds_conns = c;
	c->ev =
	    event_new(c->w->base, conn, EV_READ | EV_PERSIST, on_imds_bytes, c);
	assert_int_equal(event_add(c->ev, NULL), 0);
}

void
world_init(struct world *w)
{
	struct identity_settings s = {
		.clock = &clock_system,
		.broker_key = world_key,
		.name = "w1",
		.limits.connections = 20,
		.limits.connections_per_uid = 17,
		.limits.head_ms = 300,
		.limits.idle_ms = 1000,
		.ports = { .allow_token = allow_token,
		    .policy_now = policy_now,
		    .note_refusal = note_refusal,
		    .audit_submit = audit_submit,
		    .audit_cancel = audit_cancel,
		    .peer_lookup = peer_lookup,
		    .peer_cancel = peer_cancel,
		    .peer_release = peer_release,
		    .peer_still_connected = still_connected,
		    .host_allowed = host_allowed,
		    .ctx = w },
	};
	struct identity_config configs[2] = {
		{ .name = "host" },
		{ .name = "alice",
		    .selector = IDENTITY_CLIENT_ID,
		    .selector_value = "aaaa-1" },
	};

	memset(w, 0, sizeof *w);
	w->base = event_base_new();
	assert_non_null(w->base);
	w->imds_fd = listen_loopback(&w->imds_port);
	w->imds_event = event_new(
	    w->base, w->imds_fd, EV_READ | EV_PERSIST, on_imds_accept, w);
	assert_int_equal(event_add(w->imds_event, NULL), 0);
	w->audit_event = evtimer_new(w->base, on_audit, w);
	w->peer = (struct peer){ .known = true, .uid = 1000, .user = "alice" };
	s.base = w->base;
	assert_int_equal(identity_create(&s, &w->id), OK);
	for (unsigned i = 0; i < 2; i++)
		snprintf(configs[i].endpoint, sizeof configs[i].endpoint,
		    "http://127.0.0.1:%u", w->imds_port);
	assert_int_equal(identity_set_configs(w->id, configs, 2), OK);
	w->broker_fd = listen_loopback(&w->broker_port);
	assert_int_equal(identity_listen(w->id, w->broker_fd, "test"), OK);
}

void
world_release(struct world *w)
{
	identity_destroy(w->id);
	assert_int_equal(w->peers_held, 0);
	while (w->imds_conns != NULL)
		imds_conn_free(w->imds_conns);
	event_free(w->imds_event);
	event_free(w->audit_event);
	close(w->imds_fd);
	event_base_free(w->base);
}

void
world_imds(
    struct world *w, const char *status, const char *fields, const char *body)
{
	snprintf(w->imds_answer, sizeof w->imds_answer,
	    "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
	    strlen(body), fields, body);
}

void
world_imds_token(struct world *w, int life_s)
{
	char body[512];

	snprintf(body, sizeof body,
	    "{\"access_token\":\"TOKEN\",\"client_id\":\"cid\","
	    "\"expires_in\":\"1\",\"expires_on\":\"%lld\","
	    "\"not_before\":\"5\",\"token_type\":\"Bearer\"}",
	    (long long)time(NULL) + life_s);
	world_imds(w, "200 OK", "Content-Type: application/json\r\n", body);
}

int
world_connect(struct world *w)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_port = htons(w->broker_port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (void *)&sa, sizeof sa), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

int
world_connect_unix(struct world *w)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof sa.sun_family;

	/* unix(7): the kernel picks a name when none is given. */
	assert_int_equal(bind(fd, (void *)&sa, n), 0);
	n = sizeof sa;
	assert_int_equal(getsockname(fd, (void *)&sa, &n), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(identity_listen(w->id, fd, "unix:test"), OK);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (void *)&sa, n), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

void
world_send(int fd, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

static int64_t
now_ms(void)
{
	return clock_boot_ms(&clock_system);
}

void
world_run(struct world *w, unsigned ms)
{
	int64_t end = now_ms() + ms;

	while (now_ms() < end) {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	}
}

static bool
is_whole(const char *text)
{
	const char *length = strstr(text, "Content-Length: ");
	const char *body = strstr(text, "\r\n\r\n");

	return length != NULL && body != NULL &&
	    strlen(body + 4) == strtoul(length + 16, NULL, 10);
}

const char *
world_receive(struct world *w, int fd, unsigned ms)
{
	static char text[WORLD_TEXT_BYTES];
	int64_t end = now_ms() + ms;
	size_t n = 0;

	text[0] = '\0';
	while (now_ms() < end && !is_whole(text)) {
		ssize_t got;
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		got = recv(fd, text + n, sizeof text - 1 - n, 0);
		if (got == 0)
			break;
		if (got < 0 && errno != EAGAIN)
			break;
		if (got < 0) {
			poll(NULL, 0, 1);
			continue;
		}
		n += (size_t)got;
		text[n] = '\0';
	}
	return text;
}

const char *
world_ask(struct world *w, const char *text)
{
	int fd = world_connect(w);
	const char *answer;

	world_send(fd, text);
	answer = world_receive(w, fd, 8000);
	close(fd);
	return answer;
}
