/* A gateway's requests: where they go, whose word for it, and what is sent in
 * the client's place. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST      "Host: 127.0.0.1:3190\r\n"
#define GET(more) "GET /x?q=1 HTTP/1.1\r\n" HOST more "\r\n"
#define ANSWER    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define LAST_ANSWER \
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

static int
tear_down(void **state)
{
	struct secret *token = fake.token;

	(void)state;
	fake_stop();
	secret_unref(token);
	return 0;
}

/* The rule injects "t0ken". */
static void
start_injecting(const char *first)
{
	struct secret *token;

	assert_int_equal(secret_create(SLICE("t0ken"), &token), OK);
	fake_next.token = token;
	fake_start_gateway(first);
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
a_request_goes_to_the_upstream_under_its_own_prefix(void **state)
{
	(void)state;
	fake_start_gateway(GET("X: 1\r\n"));
	assert_string_equal(fake_upstream_got(),
	    "GET /base/x?q=1 HTTP/1.1\r\nHost: up.example\r\nX: 1\r\n"
	    "Via: 1.1 w\r\n\r\n");
	fake_upstream_says(ANSWER);
	assert_non_null(strstr(fake_client_got(), "200 OK"));
	assert_int_equal(fake.n_ended, 1);
	assert_true(fake.ended[0].tls);
	assert_string_equal(fake.ended[0].host, "up.example");
	assert_string_equal(fake.ended[0].path, "/base/x");
}

static void
an_upstream_on_another_port_hears_it_in_host(void **state)
{
	(void)state;
	fake_next.gateway_port = 8443;
	fake_start_gateway(GET(""));
	assert_non_null(
	    strstr(fake_upstream_got(), "\r\nHost: up.example:8443\r\n"));
}

static void
the_token_is_sent_in_the_clients_place(void **state)
{
	const char *got;

	(void)state;
	start_injecting(GET("Authorization: Bearer placeholder\r\n"));
	got = fake_upstream_got();
	assert_int_equal(count(got, "uthorization"), 1);
	assert_non_null(strstr(got, "\r\nAuthorization: Bearer t0ken\r\n\r\n"));
	fake_upstream_says(ANSWER);
	assert_int_equal(fake.ended[0].bearer, FORWARD_BEARER_ONE);
	assert_string_equal(fake.ended[0].bearer_value, "Bearer placeholder");
	assert_null(strstr(fake_client_got(), "t0ken"));
}

static void
a_body_follows_the_token(void **state)
{
	const char *got;

	(void)state;
	start_injecting(
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody");
	got = fake_upstream_got();
	assert_non_null(strstr(got, "Authorization: Bearer t0ken\r\n\r\nbody"));
}

static void
each_message_is_asked_about_and_injected_anew(void **state)
{
	(void)state;
	start_injecting(GET(""));
	fake_upstream_says(ANSWER);
	(void)fake_upstream_got();
	fake_client_says(GET("X: 2\r\n"));
	assert_int_equal(count(fake_upstream_got(), "Bearer t0ken"), 1);
	assert_int_equal(fake.started, 2);
	assert_int_equal(fake.dialled, 1);
}

static void
a_retry_on_a_fresh_connection_has_the_token_too(void **state)
{
	(void)state;
	start_injecting(GET(""));
	fake_upstream_says(ANSWER);
	/* It dies when the next message is on its way. */
	fake.hold = true;
	fake_client_says(GET("X: 2\r\n"));
	fake_upstream_closes();
	fake_release();
	assert_int_equal(fake.dialled, 2);
	assert_int_equal(count(fake_upstream_got(), "Bearer t0ken"), 1);
	assert_int_equal(fake.ended[1].code, REASON_UPSTREAM_RESET);
}

static void
without_injection_the_clients_own_word_goes_on(void **state)
{
	const char *got;

	(void)state;
	fake_start_gateway(GET("Authorization: Basic abc\r\n"));
	got = fake_upstream_got();
	assert_int_equal(count(got, "uthorization"), 1);
	assert_non_null(strstr(got, "\r\nAuthorization: Basic abc\r\n\r\n"));
}

static void
a_credential_in_any_guise_is_seen(void **state)
{
	static const char *const odd[] = {
		"Authorization: a\r\nauthorization: b\r\n",
		"AUTHORIZATION: a\r\nX: 1\r\nAuthoriZation: a\r\n",
		"Authorization: a\r\nConnection: close, authorization\r\n",
		"Connection: AUTHORIZATION\r\n",
		"Transfer-Encoding: chunked\r\nTrailer: X, Authorization\r\n",
	};
	static const char *const one[] = { "AUTHORIZATION: a\r\n",
		"authorization: a\r\n" };
	char head[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd) + ARRAY_LEN(one); i++) {
		bool is_odd = i < ARRAY_LEN(odd);
		if (i > 0)
			fake_stop();
		(void)snprintf(head, sizeof head,
		    "GET / HTTP/1.1\r\n" HOST "%s\r\n",
		    is_odd ? odd[i] : one[i - ARRAY_LEN(odd)]);
		fake_next.code = REASON_AUTHORIZATION_PRESENT;
		fake_start_gateway(head);
		assert_int_equal(fake.n_ended, 1);
		assert_int_equal(fake.ended[0].bearer,
		    is_odd ? FORWARD_BEARER_ODD : FORWARD_BEARER_ONE);
		assert_int_equal(fake.ended[0].status, 403);
		assert_int_equal(fake.dialled, 0);
	}
}

static void
an_unannounced_trailer_ends_it_before_the_last_chunk(void **state)
{
	const char *got;

	(void)state;
	start_injecting("POST / HTTP/1.1\r\n" HOST
	                "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n");
	got = fake_upstream_got();
	assert_non_null(strstr(got, "body"));
	fake.hold_refusal = true;
	fake_client_says("0\r\nx: 1\r\nauthorizatioN: Bearer mine\r\n\r\n");
	/* Its record first. */
	assert_string_equal(fake_client_got(), "");
	fake_release_refusal();
	got = fake_upstream_got();
	assert_null(strstr(got, "0\r\n"));
	assert_null(strstr(got, "mine"));
	assert_int_equal(fake.dropped, 1);
	assert_true(fake_upstream_at_end());
	assert_non_null(strstr(fake_client_got(), "AUTHORIZATION_PRESENT"));
	assert_int_equal(fake.ended[0].status, 403);
}

static void
refused_before_it_is_asked_about(const char *head, enum reason code)
{
	fake_start_gateway(head);
	if (fake.n_ended != 1 || fake.ended[0].code != code)
		fail_msg("not refused: %s", head);
	assert_int_equal(fake.started, 0);
	/* A page that asks by a name of its own must not learn the upstream's. */
	if (code == REASON_BAD_HOST)
		assert_string_equal(fake.ended[0].host, "");
	assert_non_null(strstr(fake_client_got(), "HTTP/1.1 400"));
}

static void
what_no_gateway_takes_is_refused(void **state)
{
	static const char *const heads[] = {
		"GET http://up.example/ HTTP/1.1\r\n" HOST "\r\n",
		"GET https://up.example/ HTTP/1.1\r\n" HOST "\r\n",
		"CONNECT up.example:443 HTTP/1.1\r\n" HOST "\r\n",
		"CONNECT /x HTTP/1.1\r\n" HOST "\r\n",
		"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
		"GET /../x HTTP/1.1\r\n" HOST "\r\n",
		"GET /%2e%2e/x HTTP/1.1\r\n" HOST "\r\n",
		"GET /a%2f.. HTTP/1.1\r\n" HOST "\r\n",
		"GET /x#y HTTP/1.1\r\n" HOST "\r\n",
		GET("Sec-Fetch-Site: cross-site\r\n"),
		GET("Sec-Fetch-Site: same-site\r\n"),
		GET("Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n"),
		GET("Origin: http://evil.example\r\n"),
		GET("Origin: null\r\n"),
		GET("Origin: http://localhost:3190\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		if (i > 0)
			fake_stop();
		refused_before_it_is_asked_about(heads[i], REASON_BAD_REQUEST);
	}
}

static void
another_name_for_the_gateway_is_refused(void **state)
{
	static const char *const hosts[] = { "evil.example",
		"evil.example:3190", "127.0.0.1", "127.0.0.1:3191",
		"127.0.0.2:3190", "localhost", "localhost.evil.example:3190",
		"up.example", "[::1]:3190" };
	char head[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		if (i > 0)
			fake_stop();
		(void)snprintf(head, sizeof head,
		    "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
		refused_before_it_is_asked_about(head, REASON_BAD_HOST);
	}
	fake_stop();
	refused_before_it_is_asked_about(
	    "GET / HTTP/1.0\r\n\r\n", REASON_BAD_HOST);
}

static void
a_page_of_another_site_learns_no_name(void **state)
{
	(void)state;
	refused_before_it_is_asked_about(
	    GET("Sec-Fetch-Site: cross-site\r\n"), REASON_BAD_REQUEST);
	assert_string_equal(fake.ended[0].host, "");
	fake_stop();
	refused_before_it_is_asked_about(
	    GET("Origin: http://evil.example\r\n"), REASON_BAD_REQUEST);
	assert_string_equal(fake.ended[0].host, "");
}

static void
its_own_names_and_its_own_pages_are_served(void **state)
{
	static const char *const heads[] = {
		"GET / HTTP/1.1\r\nHost: LOCALHOST:3190\r\n\r\n",
		GET("Sec-Fetch-Site: same-origin\r\n"),
		GET("Sec-Fetch-Site: none\r\n"),
		GET("Origin: http://127.0.0.1:3190\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		if (i > 0)
			fake_stop();
		fake_start_gateway(heads[i]);
		assert_int_equal(fake.dialled, 1);
	}
}

static void
a_later_absolute_form_is_refused_as_well(void **state)
{
	(void)state;
	fake_start_gateway(GET(""));
	fake_upstream_says(ANSWER);
	(void)fake_client_got();
	fake_client_says(
	    "GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n");
	assert_non_null(strstr(fake_client_got(), "HTTP/1.1 400"));
	assert_int_equal(fake.started, 1);
}

static void
a_gateway_that_is_gone_ends_even_an_idle_client(void **state)
{
	(void)state;
	fake_start_gateway(GET(""));
	fake_upstream_says(ANSWER);
	fake.snapshot.n_gateways = 0;
	forward_rejudge(fake.forward);
	assert_true(fake.done);
}

static void
a_gateway_that_is_gone_ends_the_message_in_flight(void **state)
{
	(void)state;
	fake_start_gateway(GET(""));
	fake.snapshot.n_gateways = 0;
	forward_rejudge(fake.forward);
	assert_true(fake.done);
	assert_string_equal(fake.ended[0].close, "policy");
}

static void
a_proxy_client_does_not_care_for_gateways(void **state)
{
	(void)state;
	fake_start("GET http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n");
	fake.snapshot.n_gateways = 0;
	forward_rejudge(fake.forward);
	assert_false(fake.done);
	assert_false(fake.ended[0].tls);
}

static void
what_a_client_is_done_with_is_left_to_others(void **state)
{
	(void)state;
	fake_start_gateway(GET("Connection: close\r\n"));
	fake_upstream_says(ANSWER);
	assert_int_equal(fake.pooled, 1);
	assert_string_equal(fake.pooled_facts.host, "up.example");
	assert_int_equal(fake.pooled_facts.port, 443);
	assert_string_equal(fake.pooled_facts.tls, "TLSv1.3");
	fake_stop();
	/* One that leaves between two requests. */
	fake_start_gateway(GET(""));
	fake_upstream_says(ANSWER);
	assert_int_equal(fake.pooled, 0);
	(void)close(fake.client_fd);
	fake.client_fd = -1;
	fake_turn();
	assert_true(fake.done);
	assert_int_equal(fake.pooled, 1);
}

static void
nobody_gets_a_connection_on_which_anything_is_left(void **state)
{
	static const char *const answers[] = {
		/* A byte too many; no framing; its last words. */
		ANSWER "x", "HTTP/1.1 200 OK\r\n\r\nbody", LAST_ANSWER
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		fake_start_gateway(GET("Connection: close\r\n"));
		fake_upstream_says(answers[i]);
		if (i == 1)
			fake_upstream_closes();
		assert_int_equal(fake.n_ended, 1);
		assert_int_equal(fake.pooled, 0);
		fake_stop();
	}
	/* The answer came before the end of what it answers. */
	fake_start_gateway(
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabc");
	fake_upstream_says(ANSWER);
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.pooled, 0);
	fake_stop();
	/* It was cut off in the middle. */
	fake_start_gateway(GET(""));
	fake_upstream_says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
	(void)close(fake.client_fd);
	fake.client_fd = -1;
	fake_upstream_says("c");
	fake_turn();
	assert_int_equal(fake.pooled, 0);
}

static void
a_plain_connection_is_left_to_nobody(void **state)
{
	(void)state;
	fake_start("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
	           "Connection: close\r\n\r\n");
	fake_upstream_says(ANSWER);
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.pooled, 0);
}

static void
a_retry_asks_for_a_fresh_one(void **state)
{
	(void)state;
	fake_start_gateway(GET(""));
	fake_upstream_says(ANSWER);
	(void)fake_client_got();
	fake_client_says(GET(""));
	assert_false(fake.fresh);
	fake_upstream_closes();
	assert_true(fake.fresh);
	assert_int_equal(fake.dialled, 2);
}

static void
a_reload_lets_the_idle_upstream_of_the_old_rules_go(void **state)
{
	(void)state;
	fake_start_gateway(GET(""));
	fake_upstream_says(ANSWER);
	(void)fake_upstream_got();
	forward_rejudge(fake.forward);
	assert_false(fake_upstream_at_end());
	fake.snapshot.generation = 2;
	forward_rejudge(fake.forward);
	assert_true(fake_upstream_at_end());
	assert_false(fake.done);
}

static void
another_upstream_of_a_reload_is_not_the_idle_one(void **state)
{
	(void)state;
	fake_start_gateway(GET(""));
	fake_upstream_says(ANSWER);
	assert_true(slice_copy(
	    SLICE("new.example"), fake.gateway.host, sizeof fake.gateway.host));
	assert_true(slice_copy(
	    SLICE("/v2"), fake.gateway.prefix, sizeof fake.gateway.prefix));
	fake_client_says(GET(""));
	assert_int_equal(fake.dialled, 2);
	assert_non_null(strstr(fake_upstream_got(),
	    "GET /v2/x?q=1 HTTP/1.1\r\nHost: new.example\r\n"));
}

static int
group_set_up(void **state)
{
	bool locked;

	(void)state;
	return secret_arena_init(65536, false, &locked) == OK ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, tear_down)
		T(a_request_goes_to_the_upstream_under_its_own_prefix),
		T(an_upstream_on_another_port_hears_it_in_host),
		T(the_token_is_sent_in_the_clients_place),
		T(a_body_follows_the_token),
		T(each_message_is_asked_about_and_injected_anew),
		T(a_retry_on_a_fresh_connection_has_the_token_too),
		T(without_injection_the_clients_own_word_goes_on),
		T(a_credential_in_any_guise_is_seen),
		T(an_unannounced_trailer_ends_it_before_the_last_chunk),
		T(what_no_gateway_takes_is_refused),
		T(another_name_for_the_gateway_is_refused),
		T(a_page_of_another_site_learns_no_name),
		T(its_own_names_and_its_own_pages_are_served),
		T(a_later_absolute_form_is_refused_as_well),
		T(a_gateway_that_is_gone_ends_even_an_idle_client),
		T(a_gateway_that_is_gone_ends_the_message_in_flight),
		T(a_proxy_client_does_not_care_for_gateways),
		T(what_a_client_is_done_with_is_left_to_others),
		T(nobody_gets_a_connection_on_which_anything_is_left),
		T(a_plain_connection_is_left_to_nobody),
		T(a_retry_asks_for_a_fresh_one),
		T(a_reload_lets_the_idle_upstream_of_the_old_rules_go),
		T(another_upstream_of_a_reload_is_not_the_idle_one),
	};

	return cmocka_run_group_tests(tests, group_set_up, NULL);
}
