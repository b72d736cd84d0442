/* One request through TLS while the policy, its time or what we believe
 * changes: what was asked for under the old ones is not sent under the new. */
#include "tests/unit/proxy/secure_steps.h"

#include "proxy/worker.h"

static const struct policy_inject other_identity = { "alice", "https://aud/",
	NULL, 0 };
static const struct policy_inject other_audience = { "host", "https://b/", NULL,
	0 };

static void
swap(const struct policy_inject *what)
{
	struct proxy_snapshot *s =
	    fake_snapshot(worker_snapshot(fake.worker)->generation + 1);

	fake.inject = what;
	assert_int_equal(proxy_worker_set_snapshot(fake.worker, s), OK);
	proxy_snapshot_unref(s);
}

static void
a_reload_that_injects_another_token_ends_what_goes_on(void **state)
{
	static const struct policy_inject *const others[] = { &other_identity,
		&other_audience, NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		fake.inject = &inject;
		ask();
		swap(&inject);
		assert_true(request_still_allowed(the_request));
		swap(others[i]);
		assert_false(request_still_allowed(the_request));
		finish();
	}
}

static void
what_was_sent_is_recorded_whatever_a_reload_says(void **state)
{
	static const struct policy_inject *const others[] = { &other_identity,
		&other_audience, NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		fake.inject = &inject;
		ask();
		swap(others[i]);
		assert_false(request_still_allowed(the_request));
		finish();
		assert_int_equal(last_record()->event, RECORD_REQUEST);
		assert_string_equal(last_record()->identity, "host");
		assert_string_equal(last_record()->audience, "https://aud/");
		assert_int_equal(strlen(last_record()->token_id), 12);
	}
}

static void
swap_to_another(void)
{
	swap(&other_identity);
}

static void
a_reload_on_the_way_sends_no_token_of_the_old_rule(void **state)
{
	(void)state;
	fake.on_dial = swap_to_another;
	ask();
	assert_int_equal(outcome, REQUEST_DENIED);
	assert_int_equal(
	    request_code(the_request), REASON_CREDENTIAL_UNAVAILABLE);
}

static void
swap_to_the_same(void)
{
	swap(fake.inject);
	fake.on_dial = NULL;
}

/* The identity's name may stand for another by now. */
static void
swap_the_identity(void)
{
	swap_to_the_same();
	port.token = SLICE("other");
}

static void
a_reload_on_the_way_has_the_token_confirmed(void **state)
{
	(void)state;
	fake.on_dial = swap_to_the_same;
	ask();
	assert_int_equal(port.asked, 2);
	ready();
	finish();
	assert_int_equal(last_record()->generation, 2);
	fake.on_dial = swap_the_identity;
	ask();
	assert_int_equal(outcome, REQUEST_DENIED);
	assert_int_equal(
	    request_code(the_request), REASON_CREDENTIAL_UNAVAILABLE);
	finish();
	fake.inject = NULL;
	port.asked = 0;
	fake.on_dial = swap_to_the_same;
	ask();
	ready();
	assert_int_equal(port.asked, 0);
}

static void
swap_and_be_slow(void)
{
	swap_to_the_same();
	port.answer = E_PARTIAL;
}

static void
what_confirms_a_token_is_waited_for(void **state)
{
	(void)state;
	fake.on_dial = swap_and_be_slow;
	ask();
	assert_int_equal(told, 0);
	/* Another reload meanwhile: the answer is that of the one before. */
	port.answer = OK;
	swap(fake.inject);
	assert_int_equal(port_fill(port.ask), OK);
	port.ask->wait.done(&port.ask->wait, OK);
	fake_run();
	assert_int_equal(port.asked, 3);
	ready();
	finish();
	port.answer = OK;
	fake.on_dial = swap_and_be_slow;
	ask();
	tick(11000);
	assert_int_equal(told, 1);
	assert_int_equal(
	    request_code(the_request), REASON_CREDENTIAL_UNAVAILABLE);
	assert_int_equal(port.cancelled, 1);
	finish();
	/* Who leaves meanwhile leaves nothing behind. */
	port.answer = OK;
	fake.on_dial = swap_and_be_slow;
	ask();
	finish();
	assert_int_equal(port.cancelled, 2);
}

static void
believe_others(void)
{
	static struct tls_trust others;

	/* The handshake began by then. */
	proxy_shared_set_trust(fake.shared, &others);
	proxy_shared_set_trust(fake.shared, &tls.trust);
}

static void
who_proved_itself_to_those_of_before_gets_no_byte(void **state)
{
	(void)state;
	tls.step = E_PARTIAL;
	ask();
	believe_others();
	tls.step = OK;
	assert_int_equal(send(fake.upstream, "x", 1, MSG_NOSIGNAL), 1);
	fake_run();
	assert_int_equal(told, 1);
	assert_int_equal(outcome, REQUEST_DENIED);
	assert_int_equal(request_code(the_request), REASON_NOT_READY);
	finish();
	assert_int_equal(last_record()->status, 503);
	/* The same ones once more change nothing. */
	tls.step = E_PARTIAL;
	ask();
	proxy_shared_set_trust(fake.shared, &tls.trust);
	tls.step = OK;
	assert_int_equal(send(fake.upstream, "x", 1, MSG_NOSIGNAL), 1);
	fake_run();
	ready();
}

static void
a_token_that_was_sent_takes_no_memory(void **state)
{
	(void)state;
	ask();
	secret_unref(request_take_credential(the_request));
	assert_null(request_credential(the_request));
	ready();
	finish();
	assert_string_equal(last_record()->identity, "host");
	assert_int_equal(strlen(last_record()->token_id), 12);
}

static void
pass_the_expiry(void)
{
	fake.now_unix_s = fake.expires_unix_s;
}

static void
a_rule_that_expires_on_the_way_sends_nothing(void **state)
{
	(void)state;
	fake.expires_unix_s = fake.now_unix_s + 60;
	fake.on_dial = pass_the_expiry;
	ask();
	assert_int_equal(outcome, REQUEST_DENIED);
	assert_int_equal(request_code(the_request), REASON_EXCEPTION_EXPIRED);
}

static void
no_token_goes_in_clear_or_where_we_cannot_see(void **state)
{
	static const enum request_protocol opaque[] = { REQUEST_CONNECT,
		REQUEST_SOCKS5, REQUEST_FORWARD };

	(void)state;
	fake.would_code = REASON_HOST_NOT_ALLOWED; /* report mode as well */
	for (size_t i = 0; i < ARRAY_LEN(opaque); i++) {
		const struct request_params params = params_of(opaque[i]);
		told = 0;
		start(&params);
		assert_int_equal(outcome, REQUEST_DENIED);
		assert_int_equal(
		    request_code(the_request), REASON_METHOD_NOT_ALLOWED);
		finish();
	}
	assert_int_equal(port.asked, 0);
	assert_int_equal(fake.dials, 0);
}

static void
a_rule_that_begins_to_inject_ends_what_is_in_clear(void **state)
{
	const struct request_params params = params_of(REQUEST_FORWARD);

	(void)state;
	fake.inject = NULL;
	start(&params);
	assert_int_equal(outcome, REQUEST_READY);
	swap(&inject);
	assert_false(request_still_allowed(the_request));
}

#define S(name) \
	cmocka_unit_test_setup_teardown(name, secure_setup, secure_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		S(a_reload_that_injects_another_token_ends_what_goes_on),
		S(what_was_sent_is_recorded_whatever_a_reload_says),
		S(a_reload_on_the_way_sends_no_token_of_the_old_rule),
		S(a_reload_on_the_way_has_the_token_confirmed),
		S(what_confirms_a_token_is_waited_for),
		S(who_proved_itself_to_those_of_before_gets_no_byte),
		S(a_token_that_was_sent_takes_no_memory),
		S(a_rule_that_expires_on_the_way_sends_nothing),
		S(no_token_goes_in_clear_or_where_we_cannot_see),
		S(a_rule_that_begins_to_inject_ends_what_is_in_clear),
	};

	return cmocka_run_group_tests_name(
	    "secure_reload", tests, secure_group_setup, NULL);
}
