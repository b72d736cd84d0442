/* Requests inside a tunnel: to its host, and to no other. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <stdio.h>
#include <string.h>

#define HOST      "Host: up.example\r\n"
#define GET(more) "GET /x?q=1 HTTP/1.1\r\n" HOST more "\r\n"
#define ANSWER    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static int
tear_down(void **state)
{
	struct secret *token = fake.token;

	(void)state;
	fake_stop();
	secret_unref(token);
	return 0;
}

static void
a_request_goes_to_the_tunnels_host_as_it_was_sent(void **state)
{
	(void)state;
	fake_start_inside(GET("X: 1\r\n"));
	assert_string_equal(fake_upstream_got(),
	    "GET /x?q=1 HTTP/1.1\r\nHost: up.example\r\nX: 1\r\n"
	    "Via: 1.1 w\r\n\r\n");
	fake_upstream_says(ANSWER);
	assert_non_null(strstr(fake_client_got(), "200 OK"));
	assert_int_equal(fake.n_ended, 1);
	assert_true(fake.ended[0].tls);
	assert_string_equal(fake.ended[0].host, "up.example");
	assert_string_equal(fake.ended[0].path, "/x");
}

static void
the_token_is_sent_in_the_clients_place(void **state)
{
	struct secret *token;
	const char *got;

	(void)state;
	assert_int_equal(secret_create(SLICE("t0ken"), &token), OK);
	fake_next.token = token;
	fake_start_inside(GET("Authorization: Bearer placeholder\r\n"));
	got = fake_upstream_got();
	assert_non_null(strstr(got, "\r\nAuthorization: Bearer t0ken\r\n\r\n"));
	assert_null(strstr(got, "placeholder"));
}

static void
a_page_of_another_site_may_ask_as_it_could_without_us(void **state)
{
	(void)state;
	fake_start_inside(GET("Sec-Fetch-Site: cross-site\r\n"
	                      "Origin: https://page.example\r\n"));
	assert_non_null(
	    strstr(fake_upstream_got(), "Origin: https://page.example\r\n"));
}

static void
the_port_may_stand_in_host_where_it_is_the_tunnels(void **state)
{
	(void)state;
	fake_start_inside("GET /x HTTP/1.1\r\nHost: UP.example:443\r\n\r\n");
	assert_non_null(strstr(fake_upstream_got(), "GET /x HTTP/1.1\r\n"));
}

static void
what_is_not_for_the_tunnels_host_is_refused_in_http(void **state)
{
	static const char *const heads[] = {
		"GET /x HTTP/1.1\r\nHost: other.example\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: up.example:8443\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: up.example:80\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: 127.0.0.1:3180\r\n\r\n",
		"GET /x HTTP/1.0\r\n\r\n",
		"GET http://up.example/x HTTP/1.1\r\n" HOST "\r\n",
		"GET https://up.example/x HTTP/1.1\r\n" HOST "\r\n",
		"GET http://169.254.169.254/metadata/identity/oauth2/token "
		"HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
		"CONNECT up.example:443 HTTP/1.1\r\n" HOST "\r\n",
		"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		fake_start_inside(heads[i]);
		assert_non_null(
		    strstr(fake_client_got(), "HTTP/1.1 400 Denied BAD_"));
		assert_int_equal(fake.dialled, 0);
		assert_null(fake.ask);
		if (i + 1 < ARRAY_LEN(heads))
			fake_stop();
	}
}

static void
after_a_second_without_a_request_others_may_have_the_upstream(void **state)
{
	int64_t now = clock_boot_ms(&clock_system);

	(void)state;
	fake_start_inside(GET(""));
	fake.snapshot.limits.idle_ms = 60000;
	forward_tick(fake.forward, now + 90000);
	fake_upstream_says(ANSWER);
	forward_tick(fake.forward, now + 900);
	assert_int_equal(fake.pooled, 0);
	forward_tick(fake.forward, now + 3000);
	assert_int_equal(fake.pooled, 1);
	forward_tick(fake.forward, now + 4000);
	assert_int_equal(fake.pooled, 1);
	assert_false(fake.done);
	fake_client_says(GET(""));
	assert_int_equal(fake.dialled, 2);
}

static int
group_set_up(void **state)
{
	bool locked;

	(void)state;
	return secret_arena_init(65536, false, &locked) == OK ? 0 : -1;
}

#define T(name) cmocka_unit_test_teardown(name, tear_down)

/* RFC 4559 4: it has signed the connection in, for this very client. */
static void
a_connection_that_is_signed_in_is_left_to_nobody(void **state)
{
	static const struct {
		const char *fields;
		unsigned pooled;
	} table[] = {
		{ "Authorization: Negotiate YII=\r\n", 0 },
		{ "Authorization: NTLM TlRM\r\n", 0 },
		{ "Authorization: x\r\n", 0 },
		{ "Authorization: bearer mine\r\n", 1 },
		{ "Authorization: Basic bWU=\r\n", 1 },
		{ "Authorization: SharedKeyLite acct1:c2ln\r\n", 1 },
		{ "", 1 },
	};

	char head[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (i > 0)
			fake_stop();
		(void)snprintf(head, sizeof head,
		    "GET / HTTP/1.1\r\nHost: up.example\r\n%s\r\n",
		    table[i].fields);
		fake_start_inside(head);
		fake_upstream_says(ANSWER);
		/* It is the client's for as long as that is there. */
		fake_client_says("GET /2 HTTP/1.1\r\nHost: up.example\r\n"
		                 "Connection: close\r\n\r\n");
		fake_upstream_says(ANSWER);
		if (fake.pooled != table[i].pooled)
			fail_msg("%u pooled: %s", fake.pooled, table[i].fields);
	}
}

/* The audit's reader has to know what was tried on which service. */
static void
the_record_of_a_broken_head_names_the_upstream_and_the_answer_does_not(
    void **state)
{
	(void)state;
	fake_start_gateway("GET / HTTP/1.1\r\nHost : x\r\n\r\n");
	assert_string_equal(fake.ended[0].to, "up.example:443");
	assert_string_equal(fake.ended[0].host, "");
	fake_stop();
	fake_start_inside("GET / HTTP/1.1\r\nHost : x\r\n\r\n");
	assert_string_equal(fake.ended[0].to, "up.example:443");
	fake_stop();
	fake_start("GET / HTTP/1.1\r\nHost : x\r\n\r\n");
	assert_string_equal(fake.ended[0].to, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_goes_to_the_tunnels_host_as_it_was_sent),
		T(the_token_is_sent_in_the_clients_place),
		T(a_page_of_another_site_may_ask_as_it_could_without_us),
		T(the_port_may_stand_in_host_where_it_is_the_tunnels),
		T(after_a_second_without_a_request_others_may_have_the_upstream),
		T(what_is_not_for_the_tunnels_host_is_refused_in_http),
		T(a_connection_that_is_signed_in_is_left_to_nobody),
		T(the_record_of_a_broken_head_names_the_upstream_and_the_answer_does_not),
	};

	return cmocka_run_group_tests(tests, group_set_up, NULL);
}
