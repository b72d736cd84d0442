/* HTTP/2 from a client: each stream is a message of HTTP/1.1, judged and
 * recorded as any other. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/h2_peer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static int
set_up(void **state)
{
	(void)state;
	h2_peer_start();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	h2_peer_stop();
	return 0;
}

static void
upstream_says(const char *text)
{
	fake_upstream_says(text);
	h2_peer_turn();
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static void
a_request_is_one_of_http1_and_so_is_its_answer(void **state)
{
	const struct h2_answered *a;
	int32_t id = h2_peer_asks("GET", "/x?q=1", "x-one: 1\n", NULL);

	(void)state;
	assert_string_equal(fake_upstream_got(),
	    "GET /base/x?q=1 HTTP/1.1\r\nHost: up.example\r\nx-one: 1\r\n"
	    "Via: 1.1 w\r\n\r\n");
	upstream_says(
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Two: 2\r\n"
	    "Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\n\r\nok");
	a = h2_peer_answer(id);
	assert_string_equal(a->status, "200");
	assert_non_null(strstr(a->head, "x-two: 2\n"));
	assert_non_null(strstr(a->head, "content-length: 2\n"));
	assert_null(strstr(a->head, "connection"));
	assert_null(strstr(a->head, "keep-alive"));
	assert_null(strstr(a->head, "x-hop"));
	assert_string_equal(a->body, "ok");
	assert_true(a->ended && a->closed);
	assert_int_equal(a->error, 0);
	assert_int_equal(fake.n_ended, 1);
	assert_string_equal(fake.ended[0].close, "done");
	assert_string_equal(fake.ended[0].path, "/base/x");
	assert_int_equal(fake.ended[0].status, 200);
	assert_false(h2_peer.gone_away);
}

static void
a_length_is_kept_and_its_absence_makes_chunks(void **state)
{
	const char *got;

	(void)state;
	(void)h2_peer_asks("POST", "/a", "content-length: 4\n", "body");
	got = fake_upstream_got();
	assert_int_equal(count(got, "content-length: 4\r\n"), 1);
	assert_null(strstr(got, "hunked"));
	assert_non_null(strstr(got, "\r\n\r\nbody"));
	upstream_says(ANSWER);
	(void)h2_peer_asks("POST", "/b", "", "body");
	got = fake_upstream_got();
	assert_int_equal(count(got, "Transfer-Encoding: chunked\r\n"), 1);
	assert_non_null(strstr(got, "\r\n\r\n4\r\nbody\r\n0\r\n\r\n"));
	upstream_says(ANSWER);
	(void)h2_peer_asks("POST", "/c", "", NULL);
	assert_non_null(strstr(fake_upstream_got(), "content-length: 0\r\n"));
	(void)h2_peer_asks("GET", "/d", "", NULL);
	assert_null(strstr(fake_upstream_got(), "content-length"));
}

static void
trailers_pass_both_ways(void **state)
{
	const struct h2_answered *a;
	int32_t id = h2_peer_uploads("trailer: x-sum\n", 3, true);

	(void)state;
	assert_non_null(
	    strstr(fake_upstream_got(), "3\r\nuuu\r\n0\r\nx-sum: 7\r\n\r\n"));
	upstream_says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	              "2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n");
	a = h2_peer_answer(id);
	assert_string_equal(a->body, "ok");
	assert_string_equal(a->trailers, "grpc-status: 0\n");
	assert_null(strstr(a->head, "transfer-encoding"));
	assert_true(a->ended);
}

static void
interim_answers_come_before_the_answer(void **state)
{
	int32_t id = h2_peer_asks(
	    "POST", "/a", "expect: 100-continue\ncontent-length: 1\n", "x");

	(void)state;
	upstream_says("HTTP/1.1 100 Continue\r\n\r\n"
	              "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
	assert_string_equal(h2_peer_answer(id)->interim, "100103");
	upstream_says(ANSWER);
	assert_string_equal(h2_peer_answer(id)->status, "200");
	assert_string_equal(h2_peer_answer(id)->body, "ok");
}

static void
an_answer_without_a_body_ends_with_its_head(void **state)
{
	static const struct {
		const char *method, *answer, *status;
	} cases[] = {
		{ "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
		    "200" },
		{ "GET", "HTTP/1.1 204 No Content\r\n\r\n", "204" },
		{ "GET", "HTTP/1.1 304 Not Modified\r\n\r\n", "304" },
		{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		    "200" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int32_t id = h2_peer_asks(cases[i].method, "/", "", NULL);
		const struct h2_answered *a = h2_peer_answer(id);
		upstream_says(cases[i].answer);
		assert_string_equal(a->status, cases[i].status);
		assert_true(a->ended && a->closed && a->body == NULL);
		assert_int_equal(a->error, 0);
	}
	assert_non_null(strstr(h2_peer_answer(1)->head, "content-length: 9\n"));
}

static void
crumbs_of_cookies_are_joined(void **state)
{
	(void)state;
	(void)h2_peer_asks(
	    "GET", "/", "cookie: a=1\nx-b: 2\ncookie: b=2\n", NULL);
	assert_non_null(
	    strstr(fake_upstream_got(), "\r\ncookie: a=1; b=2\r\n"));
}

static void
the_host_may_stand_in_for_the_authority(void **state)
{
	const char *got;

	(void)state;
	(void)h2_peer_asks_plainly(
	    ":method: GET\n:scheme: https\n:path: /\nhost: 127.0.0.1:3190\n",
	    NULL);
	got = fake_upstream_got();
	assert_int_equal(count(got, "up.example"), 1);
	assert_int_equal(count(got, "3190"), 0);
	(void)h2_peer_asks("GET", "/", "host: 127.0.0.1:3190\n", NULL);
	assert_int_equal(count(fake_upstream_got(), "up.example"), 1);
}

static void
messages_do_not_wait_for_one_another(void **state)
{
	int32_t a = h2_peer_asks("GET", "/a", "", NULL);
	int32_t b = h2_peer_asks("GET", "/b", "", NULL);

	(void)state;
	assert_int_equal(fake.dialled, 2);
	fake.upstream_fd = fake.upstreams[1];
	assert_non_null(strstr(fake_upstream_got(), "GET /base/b "));
	upstream_says(ANSWER);
	assert_true(h2_peer_answer(b)->closed);
	assert_false(h2_peer_answer(a)->closed);
	fake.upstream_fd = fake.upstreams[0];
	assert_non_null(strstr(fake_upstream_got(), "GET /base/a "));
	upstream_says(ANSWER);
	assert_true(h2_peer_answer(a)->closed);
	assert_string_equal(h2_peer_answer(a)->body, "ok");
}

static void
what_our_parser_refuses_is_refused_with_its_answer(void **state)
{
	static const struct {
		const char *fields, *status;
	} cases[] = {
		{ ":method: GET\n:scheme: https\n:authority: evil.example\n"
		  ":path: /\n",
		    "400" },
		{ ":method: GET\n:scheme: http\n:authority: 127.0.0.1:3190\n"
		  ":path: /\n",
		    "400" },
		{ ":method: GET\n:scheme: https\n:authority: 127.0.0.1:3190\n"
		  ":path: /\nhost: evil.example\n",
		    "400" },
		{ ":method: CONNECT\n:authority: 127.0.0.1:3190\n", "400" },
		{ ":method: GET\n:scheme: https\n:authority: 127.0.0.1:3190\n"
		  ":path: /../x\n",
		    "400" },
		{ ":method: OPTIONS\n:scheme: https\n"
		  ":authority: 127.0.0.1:3190\n:path: *\n",
		    "400" },
		{ ":method: GET\n:scheme: https\n:authority: 127.0.0.1:3190\n"
		  ":path: /\ncontent-length: 1\ncontent-length: 1\n",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int32_t id = h2_peer_asks_plainly(cases[i].fields, NULL);
		const struct h2_answered *a = h2_peer_answer(id);
		if (strcmp(a->status, cases[i].status) != 0 || !a->closed)
			fail_msg("%s: %s", cases[i].fields, a->status);
	}
	assert_int_equal(fake.started, 0);
	assert_int_equal(h2_peer.noted, 1);
	assert_int_equal(fake.n_ended, ARRAY_LEN(cases) - 1);
}

static void
a_head_that_is_too_long_is_answered_so(void **state)
{
	static char line[16384];
	int32_t id;

	(void)state;
	memcpy(line, "x-long: ", 8);
	memset(line + 8, 'a', 5000);
	memcpy(line + 5008, "\n", 2);
	id = h2_peer_asks("GET", "/", line, NULL);
	assert_string_equal(h2_peer_answer(id)->status, "431");
	/* More than any buffer takes. */
	memset(line + 8, 'a', 12000);
	memcpy(line + 12008, "\n", 2);
	id = h2_peer_asks("GET", "/", line, NULL);
	assert_string_equal(h2_peer_answer(id)->status, "431");
	memset(line, '/', 5000);
	line[5000] = '\0';
	id = h2_peer_asks("GET", line, "", NULL);
	assert_string_equal(h2_peer_answer(id)->status, "414");
	assert_int_equal(fake.started, 0);
	assert_false(h2_peer.gone_away);
}

static void
an_upload_waits_until_it_is_read(void **state)
{
	size_t got = 0;
	int32_t id;

	(void)state;
	id = h2_peer_uploads("content-length: 1048576\n", 1048576, false);
	/* The window, the forward's buffers and the sockets'. */
	assert_true(h2_peer.upload_left > 0);
	while (got < 1048576) {
		size_t n = strlen(fake_upstream_got());
		assert_true(n > 0);
		got += n;
		h2_peer_turn();
	}
	upstream_says(ANSWER);
	assert_true(h2_peer_answer(id)->closed);
	assert_string_equal(fake.ended[0].close, "done");
}

static void
a_download_waits_until_there_is_a_window(void **state)
{
	static char piece[65537];
	const struct h2_answered *a;
	int32_t id;

	(void)state;
	memset(piece, 'd', 65536);
	h2_peer.no_window = true;
	id = h2_peer_asks("GET", "/", "", NULL);
	a = h2_peer_answer(id);
	upstream_says("HTTP/1.1 200 OK\r\nContent-Length: 327680\r\n\r\n");
	upstream_says(piece);
	upstream_says(piece);
	assert_int_equal(a->n, 65535);
	h2_peer.no_window = false;
	(void)nghttp2_session_consume(h2_peer.ng, id, a->n);
	h2_peer_turn();
	for (int i = 0; i < 3; i++)
		upstream_says(piece);
	assert_int_equal(a->n, 327680);
	assert_true(a->closed);
	assert_int_equal(strspn(a->body, "d"), 327680);
}

static void
a_client_that_takes_it_back_ends_the_message(void **state)
{
	int32_t id = h2_peer_asks("GET", "/", "", NULL);

	(void)state;
	(void)nghttp2_submit_rst_stream(
	    h2_peer.ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	h2_peer_turn();
	assert_int_equal(fake.n_ended, 1);
	assert_string_equal(fake.ended[0].close, "client");
	(void)fake_upstream_got();
	assert_true(fake_upstream_at_end());
	assert_false(h2_peer.done);
	id = h2_peer_asks("GET", "/", "", NULL);
	upstream_says(ANSWER);
	assert_string_equal(h2_peer_answer(id)->status, "200");
}

static void
an_answer_that_is_cut_off_is_a_reset_and_no_end(void **state)
{
	static const char *const heads[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		int32_t id = h2_peer_asks("GET", "/", "", NULL);
		const struct h2_answered *a = h2_peer_answer(id);
		upstream_says(heads[i]);
		(void)fake_upstream_got();
		assert_int_equal(shutdown(fake.upstream_fd, SHUT_RDWR), 0);
		h2_peer_turn();
		assert_false(a->ended);
		assert_int_equal(a->error, NGHTTP2_INTERNAL_ERROR);
		assert_int_equal(fake.ended[i].code, REASON_UPSTREAM_RESET);
	}
}

static void
a_body_that_its_end_frames_ends_with_the_stream(void **state)
{
	int32_t id = h2_peer_asks("GET", "/", "", NULL);
	const struct h2_answered *a = h2_peer_answer(id);

	(void)state;
	upstream_says("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok");
	assert_false(a->ended);
	(void)fake_upstream_got();
	assert_int_equal(shutdown(fake.upstream_fd, SHUT_RDWR), 0);
	h2_peer_turn();
	assert_true(a->ended && a->closed);
	assert_string_equal(a->body, "ok");
	assert_int_equal(a->error, 0);
}

static void
an_early_answer_asks_for_no_more_of_the_body(void **state)
{
	const struct h2_answered *a;
	int32_t id;

	(void)state;
	id = h2_peer_uploads("content-length: 1048576\n", 1048576, false);
	a = h2_peer_answer(id);
	upstream_says("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
	assert_string_equal(a->status, "413");
	assert_string_equal(a->body, "no");
	assert_true(a->ended && a->closed);
	assert_int_equal(a->error, NGHTTP2_NO_ERROR);
	/* What nobody read is no loss of the connection's window. */
	id = h2_peer_uploads("", 1048576, false);
	for (size_t got = 0; got < 1048576; h2_peer_turn())
		got += strlen(fake_upstream_got());
	upstream_says(ANSWER);
	assert_string_equal(h2_peer_answer(id)->status, "200");
}

static void
a_denial_is_an_answer(void **state)
{
	int32_t id;

	(void)state;
	fake.code = REASON_HOST_NOT_ALLOWED;
	id = h2_peer_asks("GET", "/", "", NULL);
	assert_string_equal(h2_peer_answer(id)->status, "403");
	assert_true(h2_peer_answer(id)->closed);
	assert_string_equal(fake.ended[0].close, "denied");
	assert_false(h2_peer.gone_away);
}

static void
a_reload_that_takes_the_rule_away_ends_the_message(void **state)
{
	int32_t id = h2_peer_asks("GET", "/", "", NULL);

	(void)state;
	fake.allowed = false;
	h2_down_rejudge(h2_peer.down);
	h2_peer_turn();
	assert_string_equal(fake.ended[0].close, "policy");
	assert_int_equal(h2_peer_answer(id)->error, NGHTTP2_INTERNAL_ERROR);
	assert_false(h2_peer.gone_away);
}

static void
draining_lets_what_is_open_end_and_nothing_begin(void **state)
{
	int32_t id = h2_peer_asks("GET", "/", "", NULL);

	(void)state;
	h2_down_drain(h2_peer.down);
	h2_peer_turn();
	assert_true(h2_peer.gone_away);
	assert_int_equal(h2_peer.why, NGHTTP2_NO_ERROR);
	assert_false(h2_peer.done);
	upstream_says(ANSWER);
	assert_string_equal(h2_peer_answer(id)->body, "ok");
	assert_true(h2_peer.at_end);
}

static void
a_client_that_goes_away_ends_all_its_messages(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		(void)h2_peer_asks("GET", "/", "", NULL);
	assert_int_equal(shutdown(fake.client_fd, SHUT_RDWR), 0);
	h2_peer_turn();
	assert_true(h2_peer.done);
	assert_int_equal(fake.n_ended, 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(fake.ended[i].close, "client");
}

static void
the_end_of_the_agent_ends_all_messages(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		(void)h2_peer_uploads("", 100000, false);
	h2_down_stop(h2_peer.down, CLOSE_DRAIN);
	h2_peer.down = NULL;
	assert_int_equal(fake.n_ended, 3);
	assert_false(h2_peer.done);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_request_is_one_of_http1_and_so_is_its_answer),
		T(a_length_is_kept_and_its_absence_makes_chunks),
		T(trailers_pass_both_ways),
		T(interim_answers_come_before_the_answer),
		T(an_answer_without_a_body_ends_with_its_head),
		T(crumbs_of_cookies_are_joined),
		T(the_host_may_stand_in_for_the_authority),
		T(messages_do_not_wait_for_one_another),
		T(what_our_parser_refuses_is_refused_with_its_answer),
		T(a_head_that_is_too_long_is_answered_so),
		T(an_upload_waits_until_it_is_read),
		T(a_download_waits_until_there_is_a_window),
		T(a_client_that_takes_it_back_ends_the_message),
		T(an_answer_that_is_cut_off_is_a_reset_and_no_end),
		T(a_body_that_its_end_frames_ends_with_the_stream),
		T(an_early_answer_asks_for_no_more_of_the_body),
		T(a_denial_is_an_answer),
		T(a_reload_that_takes_the_rule_away_ends_the_message),
		T(draining_lets_what_is_open_end_and_nothing_begin),
		T(a_client_that_goes_away_ends_all_its_messages),
		T(the_end_of_the_agent_ends_all_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
