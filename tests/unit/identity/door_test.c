/* Who may come in: peers that are looked up, sockets, limits, the end. */
#include "tests/unit/test.h"

#include "tests/unit/identity/broker_world.h"

#include "base/buf.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK                                                           \
	"GET /metadata/identity/oauth2/token?api-version=2018-02-01"  \
	"&resource=r HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: " \
	"true\r\n\r\n"

static void
assert_status(const char *answer, const char *status)
{
	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 ||
	    strncmp(answer + 9, status, 3) != 0)
		fail_msg("\"%s\" is not %s", answer, status);
}

static void
waits_for_the_peer_before_it_reads(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	w.peer_late = true;
	fd = world_connect(&w);
	world_send(fd, ASK);
	assert_string_equal(world_receive(&w, fd, 50), "");
	assert_int_equal(w.imds_requests, 0);
	world_peer_done(&w);
	assert_status(world_receive(&w, fd, 3000), "200");
	close(fd);
	/* One whose look-up never ends is closed in time. */
	w.peer_late = true;
	fd = world_connect(&w);
	assert_string_equal(world_receive(&w, fd, 100), "");
	assert_non_null(w.peer_wait);
	world_run(&w, 400);
	assert_null(w.peer_wait);
	close(fd);
	world_release(&w);
}

static void
takes_any_host_on_a_unix_socket(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	fd = world_connect_unix(&w);
	world_send(fd,
	    "GET /metadata/identity/oauth2/token?api-version=2018-02-01"
	    "&resource=r HTTP/1.1\r\nHost: x\r\nMetadata: true\r\n\r\n");
	assert_status(world_receive(&w, fd, 3000), "200");
	close(fd);
	world_release(&w);
}

static void
limits_the_connections_of_one_user(void **state)
{
	struct world w;
	int fd[19];

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	for (unsigned i = 0; i < 19; i++)
		fd[i] = world_connect(&w);
	world_run(&w, 20);
	assert_int_equal(w.peers_held, 17);
	world_send(fd[0], ASK);
	assert_status(world_receive(&w, fd[0], 3000), "200");
	for (unsigned i = 0; i < 19; i++)
		close(fd[i]);
	world_run(&w, 20);
	assert_int_equal(w.peers_held, 0);
	world_release(&w);
}

static void
outlives_clients_that_leave_at_any_moment(void **state)
{
	struct world w;
	size_t n = strlen(ASK);

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	for (size_t i = 0; i <= n; i += 3) {
		int fd = world_connect(&w);
		char part[sizeof ASK];
		memcpy(part, ASK, i);
		part[i] = '\0';
		if (i > 0)
			world_send(fd, part);
		world_run(&w, i % 2);
		close(fd);
	}
	world_run(&w, 50);
	assert_status(world_ask(&w, ASK), "200");
	assert_int_equal(w.imds_requests, 1);
	world_release(&w);
}

static void
refuses_bodies_and_other_methods(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	assert_status(
	    world_ask(&w,
	        "GET /metadata/identity/oauth2/token HTTP/1.1\r\nHost: "
	        "169.254.169.254\r\nContent-Length: 5\r\n\r\nhello"),
	    "400");
	assert_status(
	    world_ask(&w,
	        "POST /metadata/identity/oauth2/token HTTP/1.1\r\nHost: "
	        "169.254.169.254\r\nContent-Length: 0\r\n\r\n"),
	    "405");
	assert_status(
	    world_ask(&w,
	        "GET /metadata/identity/getplatformmetadata HTTP/1.1\r\n"
	        "Host: 169.254.169.254\r\n\r\n"),
	    "404");
	assert_non_null(
	    strstr(world_ask(&w,
	               "HEAD /metadata/identity/oauth2/token HTTP/1.1\r\n"
	               "Host: 169.254.169.254\r\n\r\n"),
	        "Connection: close\r\n"));
	assert_int_equal(w.imds_requests, 0);
	world_release(&w);
}

/* The source wants to be left alone, so that the answer comes at once. */
#define LATER "Retry-After: 60\r\n\r\n"

static void
uses_no_proxy_and_believes_no_garbage(void **state)
{
	struct world w;
	static char big[17000];
	static const char *const answers[] = {
		"200 OK\r\nContent-Length: 99999999\r\n" LATER "{",
		"200 OK\r\nContent-Length: 5\r\n" LATER "false",
		"200 OK\r\nContent-Encoding: gzip\r\n"
		"Content-Length: 4\r\n" LATER "\x1f\x8b\x08\x01",
		"204 No Content\r\n" LATER,
		"101 Switching Protocols\r\n" LATER,
	};

	(void)state;
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9", 1), 0);
	assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:9", 1), 0);
	for (unsigned i = 0; i < ARRAY_LEN(answers); i++) {
		world_init(&w);
		snprintf(w.imds_answer, sizeof w.imds_answer, "HTTP/1.1 %s",
		    answers[i]);
		assert_status(world_ask(&w, ASK), "503");
		world_release(&w);
	}
	world_init(&w);
	world_imds_token(&w, 3600);
	assert_status(world_ask(&w, ASK), "200");
	assert_null(strstr(w.imds_request, "Accept-Encoding"));
	assert_null(strstr(w.imds_request, "GET http"));
	world_release(&w);
	world_init(&w);
	memset(big, 'x', sizeof big - 1);
	memcpy(big, "Retry-After: 60\r\nX: ", 20);
	memcpy(big + sizeof big - 3, "\r\n", 2);
	world_imds(&w, "200 OK", big, "{}");
	assert_status(world_ask(&w, ASK), "503");
	world_release(&w);
}

static void
withholds_a_token_whose_grant_went_while_it_was_fetched(void **state)
{
	struct world w;
	const char *a;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	w.deny_from = 2;
	a = world_ask(&w, ASK);
	assert_status(a, "400");
	assert_null(strstr(a, "access_token"));
	assert_int_equal(w.grants_asked, 2);
	world_release(&w);
}

static void
count_key(void *arg, const struct identity_listing *l)
{
	(void)l;
	++*(unsigned *)arg;
}

/* By the proxy's door, where those who ask can take it back at once. */
static unsigned
keys_after(struct world *w, unsigned asked)
{
	char text[512];
	unsigned n = 0;

	for (unsigned i = 0; i < asked; i++) {
		struct identity_ask ask = { .peer = &w->peer,
			.listener = "proxy" };
		struct buf out;
		snprintf(text, sizeof text,
		    "GET /metadata/identity/oauth2/token"
		    "?api-version=2018-02-01&resource=r%u HTTP/1.1\r\n"
		    "Host: 169.254.169.254\r\nMetadata: true\r\n\r\n",
		    i);
		buf_init_secret(&out, 65536);
		ask.head = slice_of(text);
		ask.response = &out;
		assert_int_equal(identity_ask(w->id, &ask), E_PARTIAL);
		identity_ask_cancel(w->id, &ask);
		buf_release(&out);
	}
	identity_list(w->id, count_key, &n);
	return n;
}

static void
holds_each_user_to_so_many_keys_of_a_grant(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(keys_after(&w, 80), 64);
	w.peer.uid++;
	/* Four of the ten are there already: they are being fetched. */
	assert_int_equal(keys_after(&w, 10), 64 + 6);
	world_release(&w);
}

static void
fail_if_told(struct identity_wait *wait, enum status st)
{
	(void)wait;
	fail_msg("told %d after the end", (int)st);
}

static void
lets_go_of_those_who_still_ask_at_its_end(void **state)
{
	struct identity_ask ask = { .wait = { .done = fail_if_told },
		.listener = "proxy",
		.head = SLICE(ASK) };
	struct world w;
	struct buf out;

	(void)state;
	world_init(&w);
	buf_init_secret(&out, 65536);
	ask.peer = &w.peer;
	ask.response = &out;
	assert_int_equal(identity_ask(w.id, &ask), E_PARTIAL);
	assert_non_null(ask.priv);
	world_release(&w);
	assert_null(ask.priv);
	buf_release(&out);
}

static int64_t
ms_until_closed(struct world *w, int fd)
{
	int64_t begun = clock_boot_ms(&clock_system);

	assert_string_equal(world_receive(w, fd, 5000), "");
	return clock_boot_ms(&clock_system) - begun;
}

/* Idle times are longer than heads': one deadline must not stand for another
 * that came before or after it. */
static void
each_wait_has_its_own_deadline(void **state)
{
	struct world w;
	int64_t ms;
	int fd;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	fd = world_connect(&w);
	for (unsigned i = 0; i < 3; i++) {
		world_send(fd, ASK);
		assert_status(world_receive(&w, fd, 3000), "200");
		world_run(&w, 100);
	}
	/* Idle for a tenth of its time, then a head that does not end. */
	ms = clock_boot_ms(&clock_system);
	world_send(fd, "GET / HTT");
	assert_status(world_receive(&w, fd, 3000), "408");
	ms = clock_boot_ms(&clock_system) - ms;
	assert_true(ms >= 290 && ms < 800);
	close(fd);
	fd = world_connect(&w);
	world_send(fd, ASK);
	assert_status(world_receive(&w, fd, 3000), "200");
	ms = ms_until_closed(&w, fd);
	assert_true(ms >= 950 && ms < 3000);
	close(fd);
	world_release(&w);
}

/* What is remembered of a head is what it asks for, not what was answered. */
static void
judges_each_of_equal_heads_anew(void **state)
{
	static const char other[] =
	    "GET /metadata/identity/oauth2/token?api-version=2018-02-01"
	    "&resource=r HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: "
	    "tru!\r\n\r\n";
	struct world w;
	unsigned asked;
	int fd;

	(void)state;
	assert_int_equal(sizeof other, sizeof ASK);
	world_init(&w);
	world_imds_token(&w, 3600);
	fd = world_connect(&w);
	world_send(fd, ASK);
	assert_status(world_receive(&w, fd, 3000), "200");
	asked = w.grants_asked;
	for (unsigned i = 1; i <= 3; i++) {
		world_send(fd, ASK);
		assert_status(world_receive(&w, fd, 3000), "200");
		assert_int_equal(w.grants_asked, asked + i);
		assert_int_equal(w.records, 1 + i);
	}
	world_send(fd, other);
	assert_status(world_receive(&w, fd, 3000), "400");
	world_send(fd, ASK);
	assert_status(world_receive(&w, fd, 3000), "200");
	w.deny = true;
	world_send(fd, ASK);
	assert_status(world_receive(&w, fd, 3000), "400");
	w.deny = false;
	world_send(fd, ASK ASK);
	assert_status(world_receive(&w, fd, 3000), "200");
	assert_int_equal(w.imds_requests, 1);
	close(fd);
	world_release(&w);
}

static void
asks(struct world *w, int fd, const char *head, const char *status)
{
	world_send(fd, head);
	assert_status(world_receive(w, fd, 3000), status);
}

/* The kinds of proof: where in a head the value of @uid stands. */
static const char *
proving_head(struct world *w, unsigned kind, uint32_t uid)
{
	static char text[1024];
	char value[IDENTITY_HEADER_BYTES];

	if (kind == 2)
		identity_capability_for(w->id, uid, value);
	else
		identity_header_for(w->id, uid, value);
	(void)snprintf(text, sizeof text,
	    "GET %s%s%s&resource=r HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
	    "%s%s\r\n\r\n",
	    kind == 2 ? "/w/" : "/msi/token?api-version=",
	    kind == 2       ? value
	        : kind == 1 ? "2017-09-01"
	                    : "2019-08-01",
	    kind == 2 ? "/metadata/identity/oauth2/token"
	                "?api-version=2018-02-01"
	              : "",
	    w->broker_port,
	    kind == 2       ? "Metadata: true"
	        : kind == 1 ? "secret: "
	                    : "X-IDENTITY-HEADER: ",
	    kind == 2 ? "" : value);
	return text;
}

/* Such a head is read each time: its proof is not kept beyond the answer. */
static void
proves_each_of_equal_heads_anew(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct world w;
		int fd;

		world_init(&w);
		world_imds_token(&w, 3600);
		fd = world_connect(&w);
		for (unsigned i = 0; i < 3; i++)
			asks(&w, fd, proving_head(&w, kind, 1000), "200");
		asks(&w, fd, proving_head(&w, kind, 1001), "400");
		asks(&w, fd, proving_head(&w, kind, 1001), "400");
		asks(&w, fd, proving_head(&w, kind, 1000), "200");
		/* The connection's own facts count, not what once fitted. */
		w.peer.uid = 1001;
		asks(&w, fd, proving_head(&w, kind, 1000), "400");
		w.peer.uid = 1000;
		/* Nor is one without a proof taken for one with. */
		asks(&w, fd, ASK, "200");
		asks(&w, fd, proving_head(&w, kind, 1001), "400");
		asks(&w, fd, ASK, "200");
		assert_int_equal(w.records, 10);
		assert_int_equal(w.imds_requests, 1);
		close(fd);
		world_release(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wait_has_its_own_deadline),
		cmocka_unit_test(judges_each_of_equal_heads_anew),
		cmocka_unit_test(proves_each_of_equal_heads_anew),
		cmocka_unit_test(waits_for_the_peer_before_it_reads),
		cmocka_unit_test(takes_any_host_on_a_unix_socket),
		cmocka_unit_test(limits_the_connections_of_one_user),
		cmocka_unit_test(
		    withholds_a_token_whose_grant_went_while_it_was_fetched),
		cmocka_unit_test(outlives_clients_that_leave_at_any_moment),
		cmocka_unit_test(holds_each_user_to_so_many_keys_of_a_grant),
		cmocka_unit_test(lets_go_of_those_who_still_ask_at_its_end),
		cmocka_unit_test(refuses_bodies_and_other_methods),
		cmocka_unit_test(uses_no_proxy_and_believes_no_garbage),
	};
	bool locked;

	log_set_level(LOG_LEVEL_ERROR);
	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
