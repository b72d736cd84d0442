/* A scripted name server on loopback, UDP and TCP, on the test's own loop. */
#ifndef TESTS_UNIT_PROXY_DNS_SERVER_H
#define TESTS_UNIT_PROXY_DNS_SERVER_H

#include "tests/unit/test.h"

#include "base/addr.h"
#include "tests/unit/proxy/dns_packet.h"

#include <event2/event.h>
#include <unistd.h>

/** Writes the answer to one question into @out; n == 0: silence. */
typedef void script_fn(
    struct dns_packet *out, const char *name, unsigned type, bool tcp);

struct server {
	int udp, tcp;
	uint16_t port;
	struct event *on_udp, *on_tcp;
	script_fn *script;
	unsigned udp_questions, tcp_questions;
};

/* The question's name as text; good enough for honest questions. */
static unsigned
read_question(const uint8_t *b, size_t n, char *name, size_t name_bytes)
{
	size_t at = 12, used = 0;

	while (at < n && b[at] != 0) {
		size_t len = b[at++];

		assert_true(at + len < n && used + len + 2 < name_bytes);
		if (used > 0)
			name[used++] = '.';
		memcpy(name + used, b + at, len);
		used += len;
		at += len;
	}
	name[used] = '\0';
	assert_true(at + 4 < n);
	return (unsigned)(b[at + 1] << 8 | b[at + 2]);
}

static void
answer_question(struct server *s, const uint8_t *b, size_t n, bool tcp,
    struct dns_packet *out)
{
	char name[256];
	unsigned type = read_question(b, n, name, sizeof name);

	out->n = 0;
	s->script(out, name, type, tcp);
	if (out->n >= 2)
		memcpy(out->b, b, 2);
}

static void
udp_ready(evutil_socket_t fd, short what, void *arg)
{
	static struct dns_packet out;
	struct server *s = arg;
	struct sockaddr_storage ss;
	socklen_t ss_n = sizeof ss;
	uint8_t b[512];
	ssize_t n = recvfrom(fd, b, sizeof b, 0, (struct sockaddr *)&ss, &ss_n);

	(void)what;
	assert_true(n > 12);
	s->udp_questions++;
	answer_question(s, b, (size_t)n, false, &out);
	if (out.n > 0)
		assert_true(sendto(fd, out.b, out.n, 0, (struct sockaddr *)&ss,
		                ss_n) > 0);
}

static void
tcp_answer(struct server *s, int fd, const uint8_t *question, size_t n)
{
	static struct dns_packet out;
	uint8_t length[2];

	s->tcp_questions++;
	answer_question(s, question, n, true, &out);
	length[0] = (uint8_t)(out.n >> 8);
	length[1] = (uint8_t)out.n;
	assert_int_equal(write(fd, length, 2), 2);
	assert_true(write(fd, out.b, out.n) > 0);
}

/* Questions come whole here, perhaps several in one read. */
static void
tcp_client(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	uint8_t b[2048];
	ssize_t n = read(fd, b, sizeof b);
	size_t at = 0;

	(void)what;
	if (n <= 0) {
		(void)close(fd);
		return;
	}
	while (at + 2 < (size_t)n) {
		size_t len = (size_t)(b[at] << 8 | b[at + 1]);

		assert_true(len > 12 && at + 2 + len <= (size_t)n);
		tcp_answer(s, fd, b + at + 2, len);
		at += 2 + len;
	}
	assert_int_equal(event_base_once(event_get_base(s->on_tcp), fd, EV_READ,
	                     tcp_client, s, NULL),
	    0);
}

static void
tcp_ready(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	int client = accept(fd, NULL, NULL);

	(void)what;
	assert_true(client >= 0);
	assert_int_equal(event_base_once(event_get_base(s->on_tcp), client,
	                     EV_READ, tcp_client, s, NULL),
	    0);
}

static int
bind_loopback(int kind, uint16_t *port)
{
	struct addr a = { .family = ADDR_V4, .b = { 127, 0, 0, 1 } };
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&a, *port, &ss);
	int fd = socket(AF_INET, kind, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&ss, n) != 0) {
		(void)close(fd);
		return -1;
	}
	n = sizeof ss;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, &a, port));
	return fd;
}

static inline void
server_start(struct server *s, struct event_base *base)
{
	/* A port that is free for both. */
	for (int tries = 0; tries < 50; tries++) {
		s->port = 0;
		s->udp = bind_loopback(SOCK_DGRAM, &s->port);
		s->tcp = bind_loopback(SOCK_STREAM, &s->port);
		if (s->tcp >= 0)
			break;
		(void)close(s->udp);
	}
	assert_true(s->tcp >= 0);
	assert_int_equal(listen(s->tcp, 8), 0);
	s->on_udp = event_new(base, s->udp, EV_READ | EV_PERSIST, udp_ready, s);
	s->on_tcp = event_new(base, s->tcp, EV_READ | EV_PERSIST, tcp_ready, s);
	assert_int_equal(event_add(s->on_udp, NULL), 0);
	assert_int_equal(event_add(s->on_tcp, NULL), 0);
}

static inline void
server_stop(struct server *s)
{
	event_free(s->on_udp);
	event_free(s->on_tcp);
	(void)close(s->udp);
	(void)close(s->tcp);
}

#endif
