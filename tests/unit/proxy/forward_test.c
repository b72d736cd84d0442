/* A forwarded connection, message by message, with a scripted destination. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET_A     "GET http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_A_OUT "GET / HTTP/1.1\r\nHost: a.example\r\nVia: 1.1 w\r\n\r\n"
#define OK_3      "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 3\r\n\r\nabc"
#define OK_3_OUT                                              \
	"HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 3\r\n" \
	"Via: 1.1 w\r\n\r\nabc"

static void
messages_follow_each_other_on_both_connections(void **state)
{
	(void)state;
	fake_start(GET_A);
	assert_string_equal(fake_upstream_got(), GET_A_OUT);
	fake_upstream_says(OK_3);
	assert_string_equal(fake_client_got(), OK_3_OUT);
	assert_int_equal(fake.n_ended, 1);
	assert_string_equal(fake.ended[0].close, "done");
	assert_int_equal(fake.ended[0].status, 200);
	assert_int_equal(fake.ended[0].bytes_up, strlen(GET_A_OUT));
	assert_int_equal(fake.ended[0].bytes_down, strlen(OK_3));
	assert_string_equal(fake.ended[0].method, "GET");
	assert_string_equal(fake.ended[0].path, "/");
	fake_client_says(
	    "HEAD http://a.example/x?y HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_string_equal(fake_upstream_got(),
	    "HEAD /x?y HTTP/1.1\r\nHost: a.example\r\nVia: 1.1 w\r\n\r\n");
	fake_upstream_says("HTTP/1.1 200 OK\r\nDate: d\r\n"
	                   "Content-Length: 3\r\n\r\n");
	assert_non_null(strstr(fake_client_got(), "Content-Length: 3\r\n"));
	assert_int_equal(fake.dialled, 1);
	assert_true(fake.ended[1].reused);
	assert_string_equal(fake.ended[1].path, "/x");
	/* Another destination is another connection. */
	fake_client_says("GET http://b.example/ HTTP/1.1\r\nHost: b\r\n\r\n");
	assert_int_equal(fake.dialled, 2);
	fake_stop();
}

/* Plain requests may have one; whether it is a phantom is to be seen. */
static void
a_credential_is_shown_and_goes_on_as_it_was_sent(void **state)
{
	(void)state;
	fake_start("GET http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	           "Authorization: Bearer mine\r\nX-A: 1\r\n\r\n");
	assert_string_equal(fake_upstream_got(),
	    "GET / HTTP/1.1\r\nHost: a.example\r\n"
	    "Authorization: Bearer mine\r\nX-A: 1\r\nVia: 1.1 w\r\n\r\n");
	fake_upstream_says(OK_3);
	assert_int_equal(fake.ended[0].bearer, FORWARD_BEARER_ONE);
	assert_string_equal(fake.ended[0].bearer_value, "Bearer mine");
	fake_stop();
}

static void
pipelined_requests_are_judged_one_by_one_and_answered_in_order(void **state)
{
	(void)state;
	fake_start(GET_A "GET http://b.example/ HTTP/1.1\r\nHost: b\r\n\r\n");
	assert_string_equal(fake_upstream_got(), GET_A_OUT);
	assert_int_equal(fake.started, 1);
	fake.code = REASON_HOST_NOT_ALLOWED;
	fake_upstream_says(OK_3);
	assert_int_equal(fake.started, 2);
	assert_string_equal(fake_client_got(),
	    OK_3_OUT "HTTP/1.1 403 Denied HOST_NOT_ALLOWED\r\n"
	             "Connection: close\r\n\r\n");
	assert_string_equal(fake.ended[1].host, "b.example");
	assert_string_equal(fake.ended[1].close, "denied");
	assert_true(fake_client_at_end());
	fake_stop();
}

static void
bodies_go_up_with_their_framing_and_no_further(void **state)
{
	(void)state;
	fake_start("POST http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	           "Content-Length: 5\r\n\r\nhel");
	fake_client_says("lo" GET_A);
	assert_non_null(strstr(fake_upstream_got(), "\r\n\r\nhello"));
	assert_int_equal(fake.started, 1);
	fake_upstream_says(OK_3);
	assert_int_equal(fake.started, 2);
	assert_string_equal(fake_upstream_got(), GET_A_OUT);
	fake_stop();
}

static void
chunks_are_written_anew_and_forbidden_trailers_dropped(void **state)
{
	(void)state;
	fake_start("POST http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	           "Transfer-Encoding: chunked\r\n\r\n"
	           "005;ext=1\r\nhello\r\n0;x\r\nX-Sum: 1\r\n"
	           "Content-Length: 3\r\nHost: b\r\n\r\n");
	assert_non_null(strstr(fake_upstream_got(),
	    "\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"));
	fake_upstream_says("HTTP/1.1 200 OK\r\nDate: d\r\n"
	                   "Transfer-Encoding: chunked\r\n\r\n"
	                   "3;y\r\nabc\r\n0\r\nVia: x\r\nT: 2\r\n\r\n");
	assert_string_equal(fake_client_got(),
	    "HTTP/1.1 200 OK\r\nDate: d\r\nVia: 1.1 w\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n0\r\nT: 2\r\n\r\n");
	assert_string_equal(fake.ended[0].close, "done");
	fake_stop();
}

static void
old_clients_get_no_chunks_and_no_second_request(void **state)
{
	(void)state;
	fake_start("GET http://a.example/ HTTP/1.0\r\n"
	           "Connection: keep-alive\r\n\r\n");
	fake_upstream_says("HTTP/1.1 100 Continue\r\n\r\n"
	                   "HTTP/1.1 200 OK\r\nDate: d\r\n"
	                   "Transfer-Encoding: chunked\r\n\r\n"
	                   "3\r\nabc\r\n0\r\n\r\n");
	assert_string_equal(fake_client_got(),
	    "HTTP/1.1 200 OK\r\nDate: d\r\nVia: 1.1 w\r\n"
	    "Connection: close\r\n\r\nabc");
	assert_true(fake_client_at_end());
	fake_stop();
}

static void
interim_answers_pass_before_the_body(void **state)
{
	(void)state;
	fake_start("PUT http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	           "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	assert_non_null(strstr(fake_upstream_got(), "Expect: 100-continue"));
	fake_upstream_says("HTTP/1.1 100 Continue\r\n\r\n");
	assert_string_equal(
	    fake_client_got(), "HTTP/1.1 100 Continue\r\nVia: 1.1 w\r\n\r\n");
	fake_client_says("hi");
	assert_string_equal(fake_upstream_got(), "hi");
	fake_upstream_says(OK_3);
	assert_string_equal(fake_client_got(), OK_3_OUT);
	assert_false(fake_client_at_end());
	fake_stop();
}

static void
an_early_answer_ends_the_connection_after_it(void **state)
{
	(void)state;
	fake_start("PUT http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	           "Content-Length: 1000\r\n\r\nxx");
	(void)fake_upstream_got();
	fake_upstream_says("HTTP/1.1 413 No\r\nDate: d\r\n"
	                   "Content-Length: 0\r\n\r\n");
	assert_string_equal(fake_client_got(),
	    "HTTP/1.1 413 No\r\nDate: d\r\nContent-Length: 0\r\n"
	    "Via: 1.1 w\r\nConnection: close\r\n\r\n");
	assert_true(fake_client_at_end());
	assert_true(fake_upstream_at_end());
	/* The rest of the body is drained, not answered with a reset. */
	fake_client_says("yyyyyy");
	assert_false(fake.done);
	fake_stop();
}

static void
broken_answers_are_502_and_close_the_upstream(void **state)
{
	static const char *const answers[] = {
		("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
		 "Content-Length: 4\r\n\r\nabc"),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 101 Switching\r\n\r\n",
		"SSH-2.0-x\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		fake_start(GET_A);
		(void)fake_upstream_got();
		fake_upstream_says(answers[i]);
		assert_string_equal(fake_client_got(),
		    "HTTP/1.1 502 Denied UPSTREAM_PROTOCOL\r\n"
		    "Connection: close\r\n\r\n");
		assert_true(fake_upstream_at_end());
		assert_int_equal(fake.ended[0].status, 502);
		fake_stop();
	}
}

static void
cut_answers_are_cut_for_the_client_too(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const char *got;
		fake_start(GET_A);
		fake_upstream_says(answers[i]);
		if (i == 2)
			fake_upstream_says("4x\r\n");
		fake_upstream_closes();
		got = fake_client_got();
		assert_non_null(strstr(got, "abc"));
		assert_null(strstr(got, "0\r\n\r\n"));
		assert_true(fake.done);
		assert_true(fake_client_at_end());
		assert_int_equal(fake.n_ended, 1);
		assert_string_equal(fake.ended[0].close, "upstream");
		fake_stop();
	}
}

static void
an_answer_without_length_ends_with_the_connection(void **state)
{
	(void)state;
	fake_start(GET_A);
	fake_upstream_says("HTTP/1.1 200 OK\r\nDate: d\r\n\r\nabc");
	fake_upstream_closes();
	assert_string_equal(fake_client_got(),
	    "HTTP/1.1 200 OK\r\nDate: d\r\nVia: 1.1 w\r\n"
	    "Connection: close\r\n\r\nabc");
	assert_true(fake_client_at_end());
	assert_string_equal(fake.ended[0].close, "done");
	fake_stop();
}

static void
bytes_on_an_idle_upstream_are_never_an_answer(void **state)
{
	(void)state;
	fake_start(GET_A);
	fake_upstream_says(OK_3);
	(void)fake_client_got();
	fake_upstream_says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	(void)fake_upstream_got();
	assert_true(fake_upstream_at_end());
	fake_client_says(GET_A);
	assert_int_equal(fake.dialled, 2);
	fake_upstream_says(OK_3);
	assert_string_equal(fake_client_got(), OK_3_OUT);
	fake_stop();
	/* The same when they come with the answer before. */
	fake_start(GET_A);
	fake_upstream_says(OK_3 "HTTP/1.1 200 OK\r\n\r\n");
	assert_string_equal(fake_client_got(), OK_3_OUT);
	fake_client_says(GET_A);
	assert_int_equal(fake.dialled, 2);
	fake_stop();
}

/* Kills the idle upstream and sends in one turn, so that it looks alive. */
static void
race(const char *request)
{
	fake_start(GET_A);
	fake_upstream_says(OK_3);
	(void)fake_client_got();
	assert_int_equal(
	    send(fake.client_fd, request, strlen(request), 0), strlen(request));
	(void)event_base_loop(fake.base, EVLOOP_NONBLOCK);
	fake_turn();
	(void)fake_upstream_got();
	(void)close(fake.upstream_fd);
	fake.upstream_fd = -1;
	fake_turn();
}

static void
only_idempotent_requests_are_tried_again_and_once(void **state)
{
	(void)state;
	race(GET_A);
	assert_int_equal(fake.dialled, 2);
	assert_string_equal(fake_upstream_got(), GET_A_OUT);
	assert_int_equal(fake.n_ended, 2);
	fake_upstream_closes();
	assert_int_equal(fake.dialled, 2);
	assert_string_equal(fake_client_got(),
	    "HTTP/1.1 502 Denied UPSTREAM_RESET\r\n"
	    "Connection: close\r\n\r\n");
	fake_stop();

	race("POST http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(fake.dialled, 1);
	assert_non_null(strstr(fake_client_got(), "502 Denied"));
	fake_stop();
}

static void
large_bodies_pass_both_ways_in_bounded_memory(void **state)
{
	enum { SIZE = 3000000 };

	char *body = malloc(SIZE + 1);
	char head[128];
	size_t sent = 0, seen = 0;

	(void)state;
	assert_non_null(body);
	memset(body, 'x', SIZE);
	body[SIZE] = '\0';
	(void)snprintf(head, sizeof head,
	    "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: %d\r\n\r\n", SIZE);
	fake_start(GET_A);
	fake_upstream_says(head);
	seen = 0;
	(void)fake_client_got();
	while (seen < SIZE) {
		ssize_t n = send(
		    fake.upstream_fd, body + sent, SIZE - sent, MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		fake_turn();
		/* A slow reader: what it does not take, we do not read. */
		if (sent < SIZE && n < 0)
			assert_true(sent - seen < 2000000);
		seen += strlen(fake_client_got());
	}
	assert_int_equal(seen, SIZE);
	assert_string_equal(fake.ended[0].close, "done");
	fake_stop();
	free(body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    messages_follow_each_other_on_both_connections),
		cmocka_unit_test(
		    a_credential_is_shown_and_goes_on_as_it_was_sent),
		cmocka_unit_test(
		    pipelined_requests_are_judged_one_by_one_and_answered_in_order),
		cmocka_unit_test(
		    bodies_go_up_with_their_framing_and_no_further),
		cmocka_unit_test(
		    chunks_are_written_anew_and_forbidden_trailers_dropped),
		cmocka_unit_test(
		    old_clients_get_no_chunks_and_no_second_request),
		cmocka_unit_test(interim_answers_pass_before_the_body),
		cmocka_unit_test(an_early_answer_ends_the_connection_after_it),
		cmocka_unit_test(broken_answers_are_502_and_close_the_upstream),
		cmocka_unit_test(cut_answers_are_cut_for_the_client_too),
		cmocka_unit_test(
		    an_answer_without_length_ends_with_the_connection),
		cmocka_unit_test(bytes_on_an_idle_upstream_are_never_an_answer),
		cmocka_unit_test(
		    only_idempotent_requests_are_tried_again_and_once),
		cmocka_unit_test(large_bodies_pass_both_ways_in_bounded_memory),
	};
	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
