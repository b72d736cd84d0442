/* The ends of a forwarded connection: refusals, deadlines, reloads, drains. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET_A "GET http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_3  "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 3\r\n\r\nabc"

static void
malformed_requests_are_refused_and_end_the_connection(void **state)
{
	static const struct {
		const char *head, *answer;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 Denied BAD_REQ" },
		{ "GET https://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
		    "400 Denied BAD_REQ" },
		{ "GET http://a.example/ HTTP/1.1\nHost: a\r\n\r\n",
		    "400 Denied BAD_REQ" },
		{ "GET http://127.1/ HTTP/1.1\r\nHost: a\r\n\r\n",
		    "400 Denied BAD_HOST" },
		{ "GET http://a.example/ HTTP/1.1\r\nHost: a\r\n"
		  "Via: 1.1 w\r\n\r\n",
		    "502 Denied LOOP" },
		{ "GET http://169.254.169.254/metadata/instance HTTP/1.1\r\n"
		  "Host: a\r\n\r\n",
		    "403 Denied METADATA_PROXIED" },
		{ "GET http://[::ffff:169.254.169.254]/ HTTP/1.1\r\n"
		  "Host: a\r\n\r\n",
		    "403 Denied METADATA_PROXIED" },
		{ "TRACE http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
		    "403 Denied METHOD_NOT_ALLOWED" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fake_start(cases[i].head);
		fake_client_says(GET_A);
		if (strstr(fake_client_got(), cases[i].answer) == NULL)
			fail_msg("%s", cases[i].head);
		assert_int_equal(fake.started, 0);
		/* The record says as much as could be read. */
		if (fake.n_ended > 0 &&
		    fake.ended[0].code == REASON_METADATA_PROXIED)
			assert_string_equal(fake.ended[0].method, "GET");
		if (fake.n_ended > 0 && fake.ended[0].code == REASON_LOOP)
			assert_string_equal(fake.ended[0].host, "a.example");
		assert_true(fake_client_at_end());
		fake_stop();
	}
}

/* RFC 9110 7.6.2: the last recipient answers, and is asked like any other. */
static void
a_request_that_goes_no_further_is_judged_and_recorded(void **state)
{
	static const char last[] =
	    "OPTIONS http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	    "Max-Forwards: 0\r\n\r\n";

	(void)state;
	fake_start(last);
	assert_int_equal(fake.started, 1);
	assert_int_equal(fake.dialled, 0);
	assert_non_null(strstr(fake_client_got(), "200 OK"));
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.ended[0].status, 200);
	assert_string_equal(fake.ended[0].method, "OPTIONS");
	assert_string_equal(fake.ended[0].close, "done");
	assert_true(fake_client_at_end());
	fake_stop();

	fake_start("");
	fake.code = REASON_HOST_NOT_ALLOWED;
	fake_client_says(last);
	assert_non_null(
	    strstr(fake_client_got(), "403 Denied HOST_NOT_ALLOWED"));
	assert_int_equal(fake.ended[0].code, REASON_HOST_NOT_ALLOWED);
	fake_stop();
}

static void
a_bad_chunk_never_ends_the_body_upstream(void **state)
{
	(void)state;
	fake_start("POST http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	           "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	fake_client_says("0x\r\n\r\n");
	assert_null(strstr(fake_upstream_got(), "0\r\n\r\n"));
	assert_true(fake_upstream_at_end());
	assert_non_null(strstr(fake_client_got(), "400 Denied BAD_REQUEST"));
	fake_stop();
}

static void
the_broker_answers_metadata_requests(void **state)
{
	const char *request =
	    "GET http://169.254.169.254/metadata/identity/oauth2/token?x "
	    "HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\n\r\n";

	(void)state;
	fake_start(request);
	assert_int_equal(fake.started, 0);
	assert_string_equal(fake.ask_head,
	    "GET /metadata/identity/oauth2/token?x HTTP/1.1\r\n"
	    "Host: 169.254.169.254\r\nMetadata: true\r\n"
	    "Connection: close\r\n\r\n");
	buf_puts(&fake.ask->response, "HTTP/1.1 200 OK\r\n\r\n{}");
	fake.ask->wait.done(&fake.ask->wait, OK);
	fake_turn();
	assert_string_equal(fake_client_got(), "HTTP/1.1 200 OK\r\n\r\n{}");
	assert_true(fake_client_at_end());
	fake_stop();

	fake_start(request);
	forward_destroy(fake.forward);
	fake.forward = NULL;
	assert_true(fake.ask_cancelled);
	fake_stop();
}

static void
turn_for_ms(int ms)
{
	for (int i = 0; i < ms / 10; i++) {
		(void)usleep(10000);
		fake_turn();
	}
}

static void
silence_has_its_deadlines(void **state)
{
	(void)state;
	fake_start("GET http://a.ex");
	turn_for_ms(300);
	assert_non_null(strstr(fake_client_got(), "408 Denied"));
	fake_stop();

	fake_start(GET_A);
	turn_for_ms(500);
	assert_non_null(
	    strstr(fake_client_got(), "504 Denied CONNECT_TIMEOUT"));
	assert_string_equal(fake.ended[0].close, "idle");
	fake_stop();

	fake_start(GET_A);
	fake_upstream_says(OK_3);
	turn_for_ms(500);
	assert_true(fake.done);
	fake_stop();
}

static void
the_next_head_has_one_deadline_however_its_bytes_come(void **state)
{
	(void)state;
	fake_start(GET_A);
	fake_upstream_says(OK_3);
	(void)fake_client_got();
	/* Nobody hears it for long after the end. */
	for (int i = 0; i < 5 && fake.n_ended < 2; i++) {
		fake_client_says("G");
		turn_for_ms(60);
	}
	assert_non_null(strstr(fake_client_got(), "408 Denied"));
	fake_stop();
}

static void
a_reload_ends_what_is_no_longer_allowed(void **state)
{
	(void)state;
	fake_start(GET_A);
	forward_rejudge(fake.forward);
	assert_false(fake.done);
	fake.allowed = false;
	forward_rejudge(fake.forward);
	assert_true(fake.done);
	assert_string_equal(fake.ended[0].close, "policy");
	fake_stop();
}

static void
draining_lets_the_message_end(void **state)
{
	(void)state;
	fake_start(GET_A);
	forward_drain(fake.forward);
	fake_upstream_says(OK_3);
	assert_non_null(strstr(fake_client_got(), "Connection: close"));
	assert_true(fake_client_at_end());
	fake_stop();
	/* Between messages there is nothing to wait for. */
	fake_start(GET_A);
	fake_upstream_says(OK_3);
	forward_drain(fake.forward);
	assert_true(fake.done);
	fake_stop();
}

static void
a_client_that_leaves_ends_its_upstream(void **state)
{
	(void)state;
	fake_start("POST http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	           "Content-Length: 50\r\n\r\nabc");
	(void)close(fake.client_fd);
	fake.client_fd = -1;
	fake_turn();
	(void)fake_upstream_got();
	assert_true(fake_upstream_at_end());
	assert_string_equal(fake.ended[0].close, "client");
	fake_stop();
}

static void
a_broker_that_fails_gives_no_answer_of_its_own(void **state)
{
	static const char body[] =
	    "GET http://169.254.169.254/metadata/identity/oauth2/token "
	    "HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
	static const char request[] =
	    "GET http://169.254.169.254/metadata/identity/oauth2/token "
	    "HTTP/1.1\r\nHost: a\r\n\r\n";

	(void)state;
	fake_start(body);
	assert_null(fake.ask);
	assert_non_null(strstr(fake_client_got(), "400 Denied BAD_REQUEST"));
	fake_stop();

	fake_start(request);
	fake.ask->wait.done(&fake.ask->wait, E_IO);
	fake_turn();
	assert_true(fake.done);
	assert_string_equal(fake_client_got(), "");
	fake_stop();

	fake_start("");
	fake.ask_status = E_LIMIT;
	fake_client_says(request);
	assert_non_null(strstr(fake_client_got(), "503 Denied LIMIT_REACHED"));
	fake_stop();
}

static void
an_upstream_that_goes_while_we_ask_is_replaced(void **state)
{
	(void)state;
	fake_start(GET_A);
	fake_upstream_says(OK_3);
	(void)fake_client_got();
	/* Nothing of it was sent, so that even this may go elsewhere. */
	fake.hold = true;
	fake_client_says("POST http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	                 "Content-Length: 2\r\n\r\nhi");
	fake_upstream_closes();
	fake_release();
	assert_int_equal(fake.dialled, 2);
	assert_non_null(strstr(fake_upstream_got(), "\r\n\r\nhi"));
	fake_upstream_says(OK_3);
	assert_non_null(strstr(fake_client_got(), "200 OK"));
	fake_stop();
}

static void
a_flood_of_interim_answers_is_cut(void **state)
{
	(void)state;
	fake_start(GET_A);
	(void)fake_upstream_got();
	for (int i = 0; i < 33; i++) {
		fake_upstream_says("HTTP/1.1 102 Processing\r\n\r\n");
		(void)fake_client_got();
	}
	assert_true(fake_upstream_at_end());
	assert_int_equal(fake.ended[0].code, REASON_UPSTREAM_PROTOCOL);
	fake_stop();
}

static void
a_rule_that_expires_ends_its_message(void **state)
{
	(void)state;
	fake_head_ms = 10000;
	fake_start("");
	fake_head_ms = 200;
	fake.snapshot.limits.idle_ms = 60000;
	fake.expires_s = 1;
	fake.allowed = false;
	fake_client_says(GET_A);
	assert_false(fake.done);
	turn_for_ms(1200);
	assert_true(fake.done);
	assert_string_equal(fake.ended[0].close, "policy");
	fake_stop();
}

static void
the_idle_destination_is_let_go_with_the_last_words(void **state)
{
	(void)state;
	fake_start(GET_A);
	fake_upstream_says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	(void)fake_upstream_got();
	assert_false(fake_upstream_at_end());
	fake_client_says("no request\r\n\r\n");
	assert_non_null(strstr(fake_client_got(), " 400 "));
	/* The client is still there, and nobody would read this any more. */
	assert_false(fake.done);
	assert_true(fake_upstream_at_end());
	fake_stop();
}

static void
leaving_while_asked_about_is_noticed(void **state)
{
	(void)state;
	fake_start("");
	fake.hold = true;
	fake_client_says(GET_A);
	(void)close(fake.client_fd);
	fake.client_fd = -1;
	fake_turn();
	forward_tick(fake.forward, 0);
	assert_true(fake.done);
	assert_string_equal(fake.ended[0].close, "client");
	fake_stop();

	/* One that waits for its answer and sends no more is still there. */
	fake_start("");
	fake.hold = true;
	fake_client_says(GET_A);
	assert_int_equal(shutdown(fake.client_fd, SHUT_WR), 0);
	fake_turn();
	forward_tick(fake.forward, 0);
	assert_false(fake.done);
	fake_release();
	forward_tick(fake.forward, 0);
	fake_upstream_says(OK_3);
	assert_non_null(strstr(fake_client_got(), "200 OK"));
	fake_stop();

	/* One that leaves while the destination thinks. */
	fake_start(GET_A);
	assert_int_equal(shutdown(fake.client_fd, SHUT_WR), 0);
	fake_turn();
	(void)close(fake.client_fd);
	fake.client_fd = -1;
	forward_tick(fake.forward, 0);
	assert_true(fake.done);
	assert_string_equal(fake.ended[0].close, "client");
	fake_stop();
}

/* The bytes that are allowed go out, and a 403 says why no more. */
static void
a_spent_budget_cuts_the_body_to_the_byte(void **state)
{
	static const char head[] = "POST http://a.example/ HTTP/1.1\r\n"
	                           "Host: a.example\r\n"
	                           "Content-Length: 10\r\n\r\n";
	size_t head_bytes, n;

	(void)state;
	/* So long is the head that goes on. */
	fake_start("");
	fake_client_says(head);
	head_bytes = strlen(fake_upstream_got());
	fake_stop();
	fake_start("");
	fake.hold_refusal = true;
	fake.budget = head_bytes + 4;
	fake_client_says(head);
	fake_client_says("0123");
	n = strlen(fake_upstream_got());
	assert_int_equal(n, head_bytes + 4);
	assert_int_equal(fake.n_ended, 0);
	fake_client_says("456789");
	fake_release_refusal();
	assert_string_equal(fake_upstream_got(), "");
	assert_true(fake_upstream_at_end());
	assert_non_null(strstr(fake_client_got(), "403"));
	assert_int_equal(fake.ended[0].code, REASON_BUDGET_SPENT);
	assert_int_equal(fake.ended[0].bytes_up, head_bytes + 4);
	fake_stop();
	/* A piece that does not fit goes as far as it may. */
	fake_start("");
	fake.hold_refusal = true;
	fake.budget = head_bytes + 4;
	fake_client_says(head);
	fake_client_says("0123456789");
	fake_release_refusal();
	assert_int_equal(fake.ended[0].bytes_up, head_bytes + 4);
	assert_int_equal(fake.budget, 0);
	fake_stop();
	/* An answer that began cannot become another. */
	fake_start("");
	fake.hold_refusal = true;
	fake.budget = head_bytes;
	fake_client_says(head);
	(void)fake_upstream_got();
	fake_upstream_says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
	(void)fake_client_got();
	fake_client_says("0123456789");
	fake_release_refusal();
	assert_true(fake.done);
	fake_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    malformed_requests_are_refused_and_end_the_connection),
		cmocka_unit_test(
		    a_request_that_goes_no_further_is_judged_and_recorded),
		cmocka_unit_test(a_bad_chunk_never_ends_the_body_upstream),
		cmocka_unit_test(the_broker_answers_metadata_requests),
		cmocka_unit_test(silence_has_its_deadlines),
		cmocka_unit_test(
		    the_next_head_has_one_deadline_however_its_bytes_come),
		cmocka_unit_test(a_reload_ends_what_is_no_longer_allowed),
		cmocka_unit_test(draining_lets_the_message_end),
		cmocka_unit_test(a_client_that_leaves_ends_its_upstream),
		cmocka_unit_test(
		    a_broker_that_fails_gives_no_answer_of_its_own),
		cmocka_unit_test(
		    an_upstream_that_goes_while_we_ask_is_replaced),
		cmocka_unit_test(a_flood_of_interim_answers_is_cut),
		cmocka_unit_test(a_rule_that_expires_ends_its_message),
		cmocka_unit_test(
		    the_idle_destination_is_let_go_with_the_last_words),
		cmocka_unit_test(leaving_while_asked_about_is_noticed),
		cmocka_unit_test(a_spent_budget_cuts_the_body_to_the_byte),
	};
	return cmocka_run_group_tests_name("forward_end", tests, NULL, NULL);
}
