/* The broker over loopback: who gets a token, in what bytes, and after what. */
#include "tests/unit/test.h"

#include "tests/unit/identity/broker_world.h"

#include "base/buf.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMDS "/metadata/identity/oauth2/token?api-version=2018-02-01"
#define RES  "&resource=https://storage.azure.com/"

static char *
get(struct world *w, const char *target, const char *fields)
{
	static char text[4096];

	snprintf(text, sizeof text,
	    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s\r\n", target,
	    w->broker_port, fields);
	return text;
}

static void
assert_starts(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)) != 0)
		fail_msg("\"%s\" does not start with \"%s\"", text, start);
}

static void
assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

static void
gives_a_token_in_the_order_of_imds(void **state)
{
	struct world w;
	const char *a;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	a = world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_starts(a, "HTTP/1.1 200 OK\r\n");
	assert_has(a, "Content-Type: application/json; charset=utf-8\r\n");
	assert_has(a,
	    "\r\n\r\n{\"access_token\":\"TOKEN\",\"client_id\":\"cid\","
	    "\"expires_in\":\"3");
	assert_has(a,
	    "\"resource\":\"https://storage.azure.com/\","
	    "\"token_type\":\"Bearer\"}");
	assert_string_equal(w.records_text, "allow  host 200;");
	assert_has(w.imds_request,
	    "GET /metadata/identity/oauth2/token?api-version=2018-02-01"
	    "&resource=https%3A%2F%2Fstorage.azure.com%2F HTTP/1.1\r\n");
	assert_has(w.imds_request, "Metadata: true\r\n");
	world_release(&w);
}

static void
asks_the_source_once_for_many(void **state)
{
	struct world w;
	int fd[15];

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	for (unsigned i = 0; i < 15; i++) {
		fd[i] = world_connect(&w);
		world_send(fd[i], get(&w, IMDS RES, "Metadata: true\r\n"));
	}
	for (unsigned i = 0; i < 15; i++) {
		assert_starts(world_receive(&w, fd[i], 3000), "HTTP/1.1 200");
		close(fd[i]);
	}
	assert_int_equal(w.imds_requests, 1);
	assert_int_equal(w.records, 15);
	world_release(&w);
}

static void
keeps_the_connection_and_takes_pipelined_requests(void **state)
{
	struct world w;
	char two[4096];
	int fd;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	fd = world_connect(&w);
	for (unsigned i = 0; i < 3; i++) {
		world_send(fd, get(&w, IMDS RES, "Metadata: true\r\n"));
		assert_has(world_receive(&w, fd, 3000), "keep-alive\r\n");
	}
	snprintf(
	    two, sizeof two, "%s", get(&w, "/nothing", "Metadata: true\r\n"));
	world_send(fd, two);
	assert_starts(world_receive(&w, fd, 3000), "HTTP/1.1 404");
	world_send(
	    fd, get(&w, IMDS RES, "Metadata: true\r\nConnection: close\r\n"));
	assert_has(world_receive(&w, fd, 3000), "Connection: close\r\n");
	assert_string_equal(world_receive(&w, fd, 3000), "");
	close(fd);
	world_release(&w);
}

static void
refuses_what_the_policy_does_not_grant(void **state)
{
	struct world w;
	const char *a;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	w.deny = true;
	a = world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_starts(a, "HTTP/1.1 400");
	assert_has(a, "{\"error\":\"invalid_request\",\"error_description\":");
	assert_has(a, "(TOKEN_NOT_ALLOWED id=");
	assert_null(strstr(a, "TOKEN\""));
	assert_string_equal(w.records_text, "deny TOKEN_NOT_ALLOWED host 400;");
	assert_int_equal(w.imds_requests, 0);
	world_release(&w);
}

static void
refuses_a_client_that_the_kernel_does_not_know(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	w.peer.known = false;
	assert_starts(world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n")),
	    "HTTP/1.1 400");
	assert_int_equal(w.imds_requests, 0);
	world_release(&w);
}

static void
sends_nothing_to_a_client_that_is_gone(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	w.peer_gone = true;
	assert_string_equal(
	    world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n")), "");
	world_release(&w);
}

static void
gives_no_token_without_its_record(void **state)
{
	struct world w;
	const char *a;
	int fd;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	w.audit_fails = true;
	a = world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_starts(a, "HTTP/1.1 503");
	assert_has(a, "Retry-After: 2\r\n");
	assert_has(a, "AUDIT_UNAVAILABLE");
	w.audit_fails = false;
	w.audit_silent = true;
	fd = world_connect(&w);
	world_send(fd, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_string_equal(world_receive(&w, fd, 200), "");
	world_audit_done(&w);
	assert_starts(world_receive(&w, fd, 3000), "HTTP/1.1 200");
	/* A record that never comes ends in a refusal as well. */
	world_send(fd, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_has(world_receive(&w, fd, 11000), "AUDIT_UNAVAILABLE");
	close(fd);
	world_release(&w);
}

static void
serves_the_live_token_while_the_source_is_down(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	assert_starts(world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n")),
	    "HTTP/1.1 200");
	world_imds(&w, "500 Oops", "", "{}");
	for (unsigned i = 0; i < 5; i++)
		assert_starts(
		    world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n")),
		    "HTTP/1.1 200");
	assert_int_equal(w.imds_requests, 1);
	world_release(&w);
}

static void
says_503_at_once_when_waiting_is_useless(void **state)
{
	struct world w;
	const char *a;

	(void)state;
	world_init(&w);
	world_imds(&w, "429 Slow", "Retry-After: 60\r\n", "{}");
	a = world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_starts(a, "HTTP/1.1 503");
	assert_has(a, "Retry-After: 2\r\n");
	assert_has(a, "CREDENTIAL_UNAVAILABLE");
	world_release(&w);
}

static void
says_400_when_the_source_refuses_the_identity(void **state)
{
	struct world w;
	const char *a;

	(void)state;
	world_init(&w);
	world_imds(&w, "400 Bad Request", "",
	    "{\"error\":\"invalid_request\","
	    "\"error_description\":\"Identity not found\"}");
	a = world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_starts(a, "HTTP/1.1 400");
	assert_starts(world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n")),
	    "HTTP/1.1 400");
	assert_int_equal(w.imds_requests, 1);
	world_release(&w);
}

static void
follows_no_redirect(void **state)
{
	struct world w;
	char fields[128];

	(void)state;
	world_init(&w);
	snprintf(fields, sizeof fields,
	    "Location: http://127.0.0.1:%u/x\r\nRetry-After: 60\r\n",
	    w.imds_port);
	world_imds(&w, "302 Found", fields, "");
	assert_starts(world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n")),
	    "HTTP/1.1 503");
	assert_int_equal(w.imds_requests, 1);
	world_release(&w);
}

static void
picks_the_identity_by_its_selector(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	assert_starts(
	    world_ask(&w,
	        get(&w, IMDS RES "&client_id=aaaa-1", "Metadata: true\r\n")),
	    "HTTP/1.1 200");
	assert_string_equal(w.asked_identity, "alice");
	assert_has(w.imds_request, "&client_id=aaaa-1 HTTP/1.1");
	assert_starts(
	    world_ask(
	        &w, get(&w, IMDS RES "&client_id=other", "Metadata: true\r\n")),
	    "HTTP/1.1 400");
	assert_string_equal(
	    w.records_text, "allow  alice 200;deny TOKEN_NOT_ALLOWED  400;");
	world_release(&w);
}

static void
wants_the_callers_own_header_and_capability(void **state)
{
	struct world w;
	char mine[IDENTITY_HEADER_BYTES], theirs[IDENTITY_HEADER_BYTES];
	char text[512];

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	identity_header_for(w.id, 1000, mine);
	identity_header_for(w.id, 1001, theirs);
	assert_string_not_equal(mine, theirs);
	snprintf(text, sizeof text, "X-IDENTITY-HEADER: %s\r\n", mine);
	assert_starts(
	    world_ask(
	        &w, get(&w, "/msi/token?api-version=2019-08-01" RES, text)),
	    "HTTP/1.1 200");
	snprintf(text, sizeof text, "X-IDENTITY-HEADER: %s\r\n", theirs);
	assert_starts(
	    world_ask(
	        &w, get(&w, "/msi/token?api-version=2019-08-01" RES, text)),
	    "HTTP/1.1 400");
	snprintf(text, sizeof text, "secret: %s\r\n", mine);
	assert_starts(
	    world_ask(
	        &w, get(&w, "/msi/token?api-version=2017-09-01" RES, text)),
	    "HTTP/1.1 200");
	identity_capability_for(w.id, 1000, mine);
	snprintf(text, sizeof text, "/w/%s//metadata/identity/oauth2/token/?%s",
	    mine, "api-version=2018-02-01" RES);
	assert_starts(
	    world_ask(&w, get(&w, text, "Metadata: true\r\n")), "HTTP/1.1 200");
	w.peer.uid = 1001;
	assert_starts(
	    world_ask(&w, get(&w, text, "Metadata: true\r\n")), "HTTP/1.1 400");
	world_release(&w);
}

static void
gives_databricks_a_number(void **state)
{
	struct world w;
	const char *fields = "X-Databricks-Metadata-Version: 1\r\n"
	                     "X-Databricks-Host: "
	                     "https://adb-1.azuredatabricks.net\r\n";
	const char *a;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	a = world_ask(&w, get(&w, "/databricks/token", fields));
	assert_starts(a, "HTTP/1.1 200");
	assert_has(a, "{\"access_token\":\"TOKEN\",\"expires_on\":1");
	assert_has(
	    w.imds_request, "resource=2ff814a6-3304-4ab8-85cb-cd0e6f879c1d ");
	w.deny_host = true;
	a = world_ask(&w, get(&w, "/databricks/token", fields));
	assert_starts(a, "HTTP/1.1 400");
	assert_has(a, "HOST_NOT_ALLOWED");
	world_release(&w);
}

static void
ends_a_slow_head_and_a_huge_one(void **state)
{
	struct world w;
	static char huge[20000];
	int fd;

	(void)state;
	world_init(&w);
	fd = world_connect(&w);
	world_send(fd, "GET / HTT");
	assert_starts(world_receive(&w, fd, 2000), "HTTP/1.1 408");
	close(fd);
	memset(huge, 'a', sizeof huge - 1);
	memcpy(huge, "GET / HTTP/1.1\r\nHost: ", 22);
	assert_starts(world_ask(&w, huge), "HTTP/1.1 4");
	assert_starts(world_ask(&w, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
	    "HTTP/1.1 400");
	world_release(&w);
}

static void
answers_those_who_wait_when_it_drains(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_init(&w);
	fd = world_connect(&w);
	world_send(fd, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_string_equal(world_receive(&w, fd, 200), "");
	identity_drain(w.id);
	assert_starts(world_receive(&w, fd, 2000), "HTTP/1.1 503");
	close(fd);
	world_release(&w);
}

static void
on_asked(struct identity_wait *wait, enum status st)
{
	*(bool *)wait->priv = st == OK;
}

static void
answers_the_proxys_port_on_imds_paths_only(void **state)
{
	struct world w;
	struct buf out;
	bool done = false;
	struct identity_ask ask = {
		.wait = { .done = on_asked, .priv = &done },
		.listener = "proxy",
		.response = &out,
		.head =
		    SLICE("GET " IMDS RES " HTTP/1.1\r\n"
		          "Host: 169.254.169.254\r\nMetadata: true\r\n\r\n"),
	};

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	buf_init_secret(&out, 65536);
	ask.peer = &w.peer;
	assert_int_equal(identity_ask(w.id, &ask), E_PARTIAL);
	for (unsigned i = 0; i < 2000 && !done; i++)
		world_run(&w, 1);
	assert_true(done);
	assert_true(slice_starts(buf_slice(&out), SLICE("HTTP/1.1 200 ")));
	buf_clear(&out);
	ask.head = SLICE("GET /msi/token?api-version=2019-08-01 HTTP/1.1\r\n"
	                 "Host: 169.254.169.254\r\n\r\n");
	done = false;
	assert_int_equal(identity_ask(w.id, &ask), E_PARTIAL);
	for (unsigned i = 0; i < 2000 && !done; i++)
		world_run(&w, 1);
	assert_true(slice_starts(buf_slice(&out), SLICE("HTTP/1.1 404 ")));
	buf_release(&out);
	world_release(&w);
}

static void
names_mode_and_policy_in_every_token_record(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.peer.known = false; /* refused before the policy is asked */
	(void)world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_string_equal(w.record_mode, "report");
	assert_int_equal(w.record_generation, 7);
	w.peer.known = true;
	w.deny = true;
	w.record_mode = "";
	(void)world_ask(&w, get(&w, IMDS RES, "Metadata: true\r\n"));
	assert_string_equal(w.record_mode, "report");
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_a_token_in_the_order_of_imds),
		cmocka_unit_test(asks_the_source_once_for_many),
		cmocka_unit_test(
		    keeps_the_connection_and_takes_pipelined_requests),
		cmocka_unit_test(refuses_what_the_policy_does_not_grant),
		cmocka_unit_test(
		    refuses_a_client_that_the_kernel_does_not_know),
		cmocka_unit_test(sends_nothing_to_a_client_that_is_gone),
		cmocka_unit_test(gives_no_token_without_its_record),
		cmocka_unit_test(
		    serves_the_live_token_while_the_source_is_down),
		cmocka_unit_test(says_503_at_once_when_waiting_is_useless),
		cmocka_unit_test(says_400_when_the_source_refuses_the_identity),
		cmocka_unit_test(follows_no_redirect),
		cmocka_unit_test(picks_the_identity_by_its_selector),
		cmocka_unit_test(wants_the_callers_own_header_and_capability),
		cmocka_unit_test(gives_databricks_a_number),
		cmocka_unit_test(ends_a_slow_head_and_a_huge_one),
		cmocka_unit_test(answers_those_who_wait_when_it_drains),
		cmocka_unit_test(answers_the_proxys_port_on_imds_paths_only),
		cmocka_unit_test(names_mode_and_policy_in_every_token_record),
	};
	bool locked;

	log_set_level(LOG_LEVEL_ERROR);
	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
