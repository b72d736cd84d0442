/* A token that the destination does not take, and a connection that fails:
 * when a message goes once more, and when it is over. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST   "Host: 127.0.0.1:3190\r\n"
#define GET    "GET /x HTTP/1.1\r\n" HOST "\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define CHALLENGE(what)                                               \
	"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " what "\r\n" \
	"Content-Length: 4\r\n\r\noops"
#define STALE CHALLENGE("Bearer error=\"invalid_token\"")

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
start_injecting(const char *first)
{
	struct secret *token;

	assert_int_equal(secret_create(SLICE("t0ken"), &token), OK);
	fake_next.token = token;
	fake_start_gateway(first);
	fake.renews = true;
	fake.renew_status = OK;
}

/* It was sent once more, and its answer is the client's. */
static void
assert_sent_again(const char *body)
{
	const char *got = fake_upstream_got();

	assert_int_equal(fake.renewals, 1);
	assert_int_equal(fake.dialled, 2);
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.ended[0].status, 401);
	assert_string_equal(fake.ended[0].close, "done");
	assert_non_null(strstr(got, "\r\nAuthorization: Bearer t0ken\r\n"));
	assert_string_equal(strstr(got, "\r\n\r\n") + 4, body);
	assert_string_equal(fake_client_got(), "");
	fake_upstream_says(ANSWER);
	got = fake_client_got();
	assert_non_null(strstr(got, "200 OK"));
	assert_null(strstr(got, "401"));
	assert_null(strstr(got, "oops"));
	assert_int_equal(fake.n_ended, 2);
	assert_int_equal(fake.ended[1].status, 200);
}

static void
a_message_goes_once_more_with_another_token(void **state)
{
	(void)state;
	start_injecting(GET);
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	assert_sent_again("");
	/* The connection serves on. */
	fake_client_says(GET);
	assert_non_null(strstr(fake_upstream_got(), "GET /base/x"));
}

static void
a_small_body_goes_with_it(void **state)
{
	(void)state;
	start_injecting(
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n01234");
	fake_client_says("56789");
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	assert_sent_again("0123456789");
}

static void
what_is_left_of_a_body_follows_what_was_kept(void **state)
{
	const char *got;

	(void)state;
	start_injecting(
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n01234");
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	got = fake_upstream_got();
	assert_string_equal(strstr(got, "\r\n\r\n") + 4, "01234");
	fake_client_says("56789GET /next HTTP/1.1\r\n" HOST "\r\n");
	assert_string_equal(fake_upstream_got(), "56789");
	fake_upstream_says(ANSWER);
	assert_non_null(strstr(fake_client_got(), "200 OK"));
	assert_non_null(strstr(fake_upstream_got(), "GET /base/next"));
}

static void
a_body_that_waited_for_the_word_is_not_begun(void **state)
{
	(void)state;
	start_injecting("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	                "Transfer-Encoding: chunked\r\n\r\n");
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	assert_sent_again("");
}

static void
what_may_be_the_tokens_fault_is_tried(void **state)
{
	static const char *const fields[] = {
		CHALLENGE("Bearer error=\"invalid_token\", x"),
		CHALLENGE("Bearer realm=\"\", claims=\"eyJ9\", "
		          "error=\"insufficient_claims\""),
		CHALLENGE("Bearer authorization_uri=https://login/"),
		CHALLENGE("Basic, bearer Error=\"Invalid_Token\""),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		start_injecting(GET);
		(void)fake_upstream_got();
		fake_upstream_says(fields[i]);
		assert_sent_again("");
		if (i + 1 < ARRAY_LEN(fields))
			(void)tear_down(NULL);
	}
}

/* Nothing is sent twice: the client has the answer, byte for byte. */
static void
assert_passed_on(void)
{
	const char *got = fake_client_got();

	assert_int_equal(fake.dialled, 1);
	assert_non_null(strstr(got, "HTTP/1.1 401 Unauthorized\r\n"));
	assert_non_null(strstr(got, "\r\n\r\noops"));
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.ended[0].status, 401);
}

static void
where_there_is_no_other_token_the_answer_is_the_clients(void **state)
{
	(void)state;
	start_injecting(GET);
	fake.renews = false;
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	assert_int_equal(fake.renewals, 1);
	assert_passed_on();
}

/* Else what is left of the body would be read as a request. */
static void
what_was_kept_counts_once_where_it_is_not_sent_again(void **state)
{
	static const enum status answers[] = { OK, E_NOTFOUND, E_PARTIAL };

	static const char rest[] = "GET /evil HTTP/1.1\r\n" HOST "\r\n";
	char first[256];

	(void)state;
	(void)snprintf(first, sizeof first,
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n%.*s",
	    2 * strlen(rest), (int)strlen(rest), rest);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		start_injecting(first);
		fake.renews = false;
		fake.renew_status = answers[i];
		(void)fake_upstream_got();
		fake_upstream_says(STALE);
		if (answers[i] == E_PARTIAL)
			fake.renewed(fake.renewed_arg, false);
		fake_turn();
		assert_null(strstr(fake_upstream_got(), "evil"));
		/* An answer before its request's end is the last one. */
		assert_non_null(strstr(fake_client_got(), "close"));
		(void)send(fake.client_fd, rest, strlen(rest), MSG_NOSIGNAL);
		fake_turn();
		assert_int_equal(fake.started, 1);
		if (i + 1 < ARRAY_LEN(answers))
			(void)tear_down(NULL);
	}
}

static void
what_a_new_token_would_not_mend_is_the_clients(void **state)
{
	(void)state;
	start_injecting(GET);
	(void)fake_upstream_got();
	fake_upstream_says(CHALLENGE("Bearer error=\"insufficient_scope\""));
	assert_int_equal(fake.renewals, 0);
	assert_passed_on();
	(void)tear_down(NULL);
	/* Not ours. */
	fake_start_gateway(
	    "GET /x HTTP/1.1\r\n" HOST "Authorization: Bearer mine\r\n\r\n");
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	assert_int_equal(fake.renewals, 0);
	assert_passed_on();
}

static void
a_body_that_cannot_be_kept_is_not_sent_twice(void **state)
{
	char *big = malloc(33000 + 1);

	(void)state;
	memset(big, 'x', 33000);
	big[33000] = '\0';
	start_injecting(
	    "POST / HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	assert_int_equal(fake.renewals, 0);
	assert_passed_on();
	(void)tear_down(NULL);
	start_injecting(
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 33000\r\n\r\n");
	fake_client_says(big);
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	assert_int_equal(fake.renewals, 0);
	assert_passed_on();
	free(big);
}

static void
the_second_401_is_the_clients(void **state)
{
	(void)state;
	start_injecting(GET);
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	(void)fake_upstream_got();
	fake_upstream_says(STALE);
	assert_int_equal(fake.renewals, 1);
	assert_int_equal(fake.dialled, 2);
	assert_non_null(strstr(fake_client_got(), "401 Unauthorized"));
	assert_int_equal(fake.n_ended, 2);
}

static void
start_waiting(void)
{
	start_injecting(GET);
	fake.renew_status = E_PARTIAL;
	(void)fake_upstream_got();
	fake_upstream_says("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: "
	                   "Bearer\r\nContent-Length: 4\r\n\r\noo");
	assert_int_equal(fake.renewals, 1);
	assert_string_equal(fake_client_got(), "");
}

static void
a_token_that_comes_later_is_waited_for(void **state)
{
	(void)state;
	start_waiting();
	fake.renewed(fake.renewed_arg, true);
	fake_turn();
	assert_sent_again("");
}

static void
an_answer_that_waited_goes_on_as_it_was(void **state)
{
	(void)state;
	start_waiting();
	/* More of it comes meanwhile, and nobody spins. */
	fake_upstream_says("p");
	fake.renewed(fake.renewed_arg, false);
	fake_turn();
	fake_upstream_says("s");
	assert_passed_on();
	fake_client_says(GET);
	assert_int_equal(fake.dialled, 1);
	assert_int_equal(fake.started, 2);
}

static void
a_reload_while_it_waits_has_its_say(void **state)
{
	(void)state;
	start_waiting();
	fake.allowed = false;
	forward_rejudge(fake.forward);
	assert_false(fake.done);
	fake.renewed(fake.renewed_arg, false);
	fake_turn();
	assert_true(fake.done);
	assert_string_equal(fake.ended[0].close, "policy");
}

static void
a_client_that_leaves_while_it_waits_leaves_nothing(void **state)
{
	(void)state;
	start_waiting();
	(void)close(fake.client_fd);
	fake.client_fd = -1;
	forward_tick(fake.forward, 0);
	fake_turn();
	assert_true(fake.done);
	assert_true(fake_upstream_at_end());
}

/* Not a token, but a connection of the pool that fails. */

static void
one_of_the_pool_that_ends_while_we_ask_costs_nothing(void **state)
{
	(void)state;
	fake_next.hold = fake_next.pool_has_one = true;
	fake_start_gateway(
	    "PUT / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
	assert_false(fake.fresh);
	fake_upstream_closes();
	fake_release();
	assert_true(fake.fresh);
	assert_int_equal(fake.dialled, 2);
	fake_upstream_says(ANSWER);
	assert_non_null(strstr(fake_client_got(), "200 OK"));
}

static void
one_of_the_pool_that_ends_as_it_is_used_is_tried_once_more(void **state)
{
	static const char *const heads[] = { GET,
		"PUT / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
		"DELETE / HTTP/1.1\r\n" HOST "\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		fake_next.pool_has_one = true;
		fake_start_gateway(heads[i]);
		fake_upstream_closes();
		assert_true(fake.fresh);
		fake_upstream_says(ANSWER);
		assert_non_null(strstr(fake_client_got(), "200 OK"));
		if (i + 1 < ARRAY_LEN(heads))
			(void)tear_down(NULL);
	}
}

static void
what_cannot_be_repeated_begins_on_a_fresh_one(void **state)
{
	static const char post[] =
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx";

	(void)state;
	fake_start_gateway(post);
	assert_true(fake.fresh);
	fake_upstream_says(ANSWER);
	assert_non_null(strstr(fake_client_got(), "200 OK"));
	/* A client that keeps its connection knows of such ends. */
	fake_client_says(post);
	assert_false(fake.fresh);
}

/* Nor is a head that was written before a reload what it would be now. */
static void
a_sign_in_of_before_a_reload_names_no_tenants(void **state)
{
	static const char text[] =
	    "{\"version\":1,\"mode\":\"enforce\",\"rules\":[],"
	    "\"tenant_restrictions\":{\"context\":"
	    "\"72f988bf-86f1-41af-91ab-2d7cd011db47\","
	    "\"tenants\":[\"contoso.com\"]}}";
	static struct policy_issues issues;
	struct proxy_snapshot now = { .refs = 1 };
	const char *hosts[] = { "login.microsoftonline.com", "a.test" };

	(void)state;
	assert_int_equal(policy_load(slice_of(text), &now.policy, &issues), OK);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		char head[256];

		(void)snprintf(head, sizeof head,
		    "POST http://%s/ HTTP/1.1\r\nHost: %s\r\n"
		    "Content-Length: 0\r\n\r\n",
		    hosts[i], hosts[i]);
		fake_next.hold = true;
		fake_start(head);
		now.limits = fake.snapshot.limits;
		fake.now = &now;
		fake_release();
		if (i == 0) {
			assert_string_equal(fake_upstream_got(), "");
			assert_non_null(
			    strstr(fake_client_got(), "503 Denied NOT_READY"));
		} else {
			assert_non_null(strstr(fake_upstream_got(), "POST /"));
		}
		if (i + 1 < ARRAY_LEN(hosts))
			(void)tear_down(NULL);
	}
	(void)tear_down(NULL);
	policy_unref(now.policy);
	fake_start(GET);
}

#define T(name) cmocka_unit_test_teardown(name, tear_down)

static int
group_setup(void **state)
{
	bool locked;

	(void)state;
	return secret_arena_init(65536, false, &locked) == OK ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_message_goes_once_more_with_another_token),
		T(a_small_body_goes_with_it),
		T(what_is_left_of_a_body_follows_what_was_kept),
		T(a_body_that_waited_for_the_word_is_not_begun),
		T(what_may_be_the_tokens_fault_is_tried),
		T(where_there_is_no_other_token_the_answer_is_the_clients),
		T(what_was_kept_counts_once_where_it_is_not_sent_again),
		T(what_a_new_token_would_not_mend_is_the_clients),
		T(a_body_that_cannot_be_kept_is_not_sent_twice),
		T(the_second_401_is_the_clients),
		T(a_token_that_comes_later_is_waited_for),
		T(an_answer_that_waited_goes_on_as_it_was),
		T(a_reload_while_it_waits_has_its_say),
		T(a_client_that_leaves_while_it_waits_leaves_nothing),
		T(one_of_the_pool_that_ends_while_we_ask_costs_nothing),
		T(one_of_the_pool_that_ends_as_it_is_used_is_tried_once_more),
		T(what_cannot_be_repeated_begins_on_a_fresh_one),
		T(a_sign_in_of_before_a_reload_names_no_tenants),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
