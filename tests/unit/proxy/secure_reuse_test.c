/* Which connection that is there may serve a request through TLS. */
#include "tests/unit/proxy/secure_steps.h"

#include "proxy/upstream_pool.h"

/* Fit for the request of ask(). */
static struct upstream_facts
idle_upstream(void)
{
	return (struct upstream_facts){ .host = "a.test",
		.port = 443,
		.address = { .family = ADDR_V4, .b = { 10, 20, 0, 5 } },
		.generation = 1,
		.trust = worker_trust(fake.worker),
		.tls = "TLSv1.2",
		.identity = "host",
		.made_ms = fake.now_ms };
}

static void
an_idle_upstream_needs_no_handshake(void **state)
{
	struct upstream_facts idle = idle_upstream();
	struct request_params params = params_of(REQUEST_GATEWAY);
	struct stream s;

	(void)state;
	params.reuse = &idle;
	start(&params);
	assert_int_equal(outcome, REQUEST_READY);
	assert_true(request_is_reused(the_request));
	s = request_take_stream(the_request);
	assert_false(stream_is_open(&s));
	assert_int_equal(tls.started, 0);
	assert_int_equal(port.asked, 1);
	assert_string_equal(last_record()->tls, "TLSv1.2");
	assert_int_equal(last_record()->tls_ms, -1);
}

static void
an_idle_upstream_that_is_not_fit_lends_no_word(void **state)
{
	struct upstream_facts idle[5];
	struct request_params params = params_of(REQUEST_GATEWAY);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		idle[i] = idle_upstream();
	idle[0].generation = 7;
	idle[1].address.b[3] = 6;
	idle[2].trust++;
	idle[4].made_ms -= UPSTREAM_LIFE_MS;
	/* Tokens of another identity went through it. */
	assert_true(slice_copy(
	    SLICE("alice"), idle[3].identity, sizeof idle[3].identity));
	fake.dial_code = REASON_CONNECT_REFUSED;
	for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
		told = 0;
		fake.n_records = 0;
		params.reuse = &idle[i];
		start(&params);
		refused(REASON_CONNECT_REFUSED);
		assert_string_equal(last_record()->tls, "");
		assert_false(request_is_reused(the_request));
		finish();
	}
}

/* As the client of one request leaves it to the next. */
static void
leave_to_others(void)
{
	const struct upstream_facts was = request_upstream(the_request);

	upstream_pool_put(worker_upstreams(fake.worker),
	    request_take_stream(the_request), &was, &fake.snapshot->limits);
	finish();
}

static void
what_another_client_is_done_with_needs_no_handshake(void **state)
{
	(void)state;
	ask();
	leave_to_others();
	ask();
	assert_true(request_is_reused(the_request));
	assert_int_equal(fake.dials, 1);
	assert_int_equal(tls.started, 1);
	assert_string_equal(last_record()->tls, "TLSv1.3");
	assert_int_equal(last_record()->tls_ms, -1);
	/* The token is one's own. */
	assert_int_equal(port.asked, 2);
	assert_non_null(request_credential(the_request));
	ready();
}

/* A pooled connection that HTTP/2 was not asked for speaks HTTP/1.1. */
static void
who_asks_for_http2_goes_on_with_nothing_else(void **state)
{
	struct request_params params = params_of(REQUEST_GATEWAY);

	(void)state;
	ask();
	leave_to_others();
	assert_int_equal(tls.offers_h2, 0);
	params.h2 = true;
	told = 0;
	start(&params);
	assert_false(request_is_reused(the_request));
	assert_int_equal(tls.offers_h2, 1);
	assert_true(request_upstream(the_request).h2);
	leave_to_others();
	told = 0;
	start(&params);
	assert_true(request_is_reused(the_request));
	finish();
}

static void
what_failed_once_is_asked_for_afresh(void **state)
{
	struct request_params params = params_of(REQUEST_GATEWAY);

	(void)state;
	ask();
	leave_to_others();
	params.fresh = true;
	told = 0;
	start(&params);
	assert_false(request_is_reused(the_request));
	assert_int_equal(fake.dials, 2);
}

static void
without_injection_it_is_for_the_same_user_alone(void **state)
{
	struct request_params params = params_of(REQUEST_GATEWAY);
	const struct peer other = { .known = true, .uid = 1001, .user = "" };

	(void)state;
	fake.inject = NULL;
	ask();
	leave_to_others();
	params.peer = &other;
	told = 0;
	start(&params);
	assert_false(request_is_reused(the_request));
	finish();
	ask();
	assert_true(request_is_reused(the_request));
	finish();
	/* Nor for one of whom we have a token. */
	ask();
	leave_to_others();
	fake.inject = &inject;
	ask();
	assert_false(request_is_reused(the_request));
}

static void
what_is_refused_takes_none_from_others(void **state)
{
	(void)state;
	ask();
	leave_to_others();
	fake.route_code = REASON_PUBLIC_ADDRESS;
	ask();
	refused(REASON_PUBLIC_ADDRESS);
	finish();
	fake.route_code = REASON_NONE;
	ask();
	assert_true(request_is_reused(the_request));
}

#define S(name) \
	cmocka_unit_test_setup_teardown(name, secure_setup, secure_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		S(an_idle_upstream_needs_no_handshake),
		S(an_idle_upstream_that_is_not_fit_lends_no_word),
		S(what_another_client_is_done_with_needs_no_handshake),
		S(who_asks_for_http2_goes_on_with_nothing_else),
		S(what_failed_once_is_asked_for_afresh),
		S(without_injection_it_is_for_the_same_user_alone),
		S(what_is_refused_takes_none_from_others),
	};

	return cmocka_run_group_tests_name(
	    "secure_reuse", tests, secure_group_setup, NULL);
}
