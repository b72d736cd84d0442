/* One request through TLS: when a token is asked for, what it waits for, what
 * is recorded of it, and what never gets so far. */
#include "tests/unit/proxy/secure_steps.h"

#include "proxy/worker.h"

static void
what_is_allowed_gets_a_token_and_a_handshake_and_is_recorded(void **state)
{
	(void)state;
	ask();
	assert_int_equal(last_record()->event, RECORD_OPEN);
	assert_string_equal(last_record()->tls, "TLSv1.3");
	assert_string_equal(last_record()->identity, "host");
	assert_string_equal(last_record()->audience, "https://aud/");
	assert_int_equal(strlen(last_record()->token_id), 12);
	assert_true(last_record()->tls_ms >= 0);
	assert_string_equal(last_record()->protocol, "gateway");
	assert_string_equal(port.identity, "host");
	assert_string_equal(port.audience, "https://aud/");
	assert_true(
	    slice_is(secret_bytes(request_credential(the_request)), "t0ken"));
	ready();
	finish();
	assert_int_equal(fake.n_records, 2);
	assert_string_equal(last_record()->identity, "host");
}

static void
what_is_refused_costs_no_token(void **state)
{
	(void)state;
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	ask();
	refused(REASON_HOST_NOT_ALLOWED);
	finish();
	fake.name_code = REASON_NONE;
	fake.route_code = REASON_PUBLIC_ADDRESS;
	ask();
	refused(REASON_PUBLIC_ADDRESS);
	assert_int_equal(port.asked, 0);
	assert_int_equal(fake.dials, 0);
}

static void
without_a_token_nothing_is_dialled(void **state)
{
	static const struct {
		enum status answer;
		enum reason code;
	} rows[] = { { E_DENIED, REASON_CREDENTIAL_UNAVAILABLE },
		{ E_NOTFOUND, REASON_CREDENTIAL_UNAVAILABLE },
		{ E_BUSY, REASON_CREDENTIAL_UNAVAILABLE },
		{ E_TIMEOUT, REASON_CREDENTIAL_UNAVAILABLE },
		{ E_LIMIT, REASON_LIMIT_REACHED },
		{ E_NOMEM, REASON_LIMIT_REACHED } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		port.answer = rows[i].answer;
		ask();
		refused(rows[i].code);
		assert_string_equal(last_record()->identity, "");
		finish();
	}
	fake.ports.credentials.ask = NULL;
	ask();
	refused(REASON_CREDENTIAL_UNAVAILABLE);
	assert_int_equal(fake.dials, 0);
}

static void
a_token_that_comes_later_is_waited_for(void **state)
{
	(void)state;
	port.answer = E_PARTIAL;
	ask();
	assert_int_equal(told, 0);
	assert_int_equal(fake.dials, 0);
	assert_int_equal(port_fill(port.ask), OK);
	port.ask->wait.done(&port.ask->wait, OK);
	fake_run();
	ready();
	assert_int_equal(port.cancelled, 0);
}

static void
a_token_that_never_comes_is_given_up(void **state)
{
	(void)state;
	port.answer = E_PARTIAL;
	ask();
	tick(9000);
	assert_int_equal(told, 0);
	tick(2000);
	refused(REASON_CREDENTIAL_UNAVAILABLE);
	assert_int_equal(port.cancelled, 1);
}

static void
a_late_refusal_is_one_too(void **state)
{
	(void)state;
	port.answer = E_PARTIAL;
	ask();
	port.ask->wait.done(&port.ask->wait, E_DENIED);
	fake_run();
	refused(REASON_CREDENTIAL_UNAVAILABLE);
}

static void
expire_token(void)
{
	fake.now_ms = port.until_ms;
}

static void
a_token_that_expires_on_the_way_is_not_sent(void **state)
{
	(void)state;
	fake.on_dial = expire_token;
	ask();
	refused(REASON_CREDENTIAL_UNAVAILABLE);
}

static void
a_token_that_would_be_a_field_of_its_own_is_not_sent(void **state)
{
	static const struct slice tokens[] = { SLICE_INIT("a\r\nX: 1"),
		SLICE_INIT("a b"), SLICE_INIT("a\n"), SLICE_INIT("\x7f") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		port.token = tokens[i];
		ask();
		refused(REASON_CREDENTIAL_UNAVAILABLE);
		finish();
	}
	assert_int_equal(fake.dials, 0);
}

static void
bring(int kind, const char *value)
{
	bearer = (struct forward_bearer){ .value = slice_of(value) };
	if (kind == FORWARD_BEARER_ONE)
		bearer.kind = FORWARD_BEARER_ONE;
	if (kind == FORWARD_BEARER_ODD)
		bearer.kind = FORWARD_BEARER_ODD;
	if (the_request != NULL)
		finish();
	ask();
}

static void
a_credential_of_the_clients_own_is_refused_where_one_is_injected(void **state)
{
	(void)state;
	bring(FORWARD_BEARER_ONE, "Bearer mine");
	refused(REASON_AUTHORIZATION_PRESENT);
	bring(FORWARD_BEARER_ONE, "");
	refused(REASON_AUTHORIZATION_PRESENT);
	bring(FORWARD_BEARER_ONE, "placeholder");
	refused(REASON_AUTHORIZATION_PRESENT);
	bring(FORWARD_BEARER_ONE, "Basic placeholder");
	refused(REASON_AUTHORIZATION_PRESENT);
	bring(FORWARD_BEARER_ONE, "Bearerx x");
	refused(REASON_AUTHORIZATION_PRESENT);
	bring(FORWARD_BEARER_ONE, "Bearer");
	refused(REASON_AUTHORIZATION_PRESENT);
	bring(FORWARD_BEARER_ONE, "Bearer Placeholder");
	refused(REASON_AUTHORIZATION_PRESENT);
	bring(FORWARD_BEARER_ONE, "Bearer placeholders");
	refused(REASON_AUTHORIZATION_PRESENT);
	bring(FORWARD_BEARER_ODD, "Bearer placeholder");
	refused(REASON_AUTHORIZATION_PRESENT);
	/* Report mode has no say in it. */
	fake.would_code = REASON_HOST_NOT_ALLOWED;
	bring(FORWARD_BEARER_ONE, "Bearer mine");
	assert_int_equal(
	    request_code(the_request), REASON_AUTHORIZATION_PRESENT);
	assert_int_equal(port.asked, 0);
	assert_int_equal(fake.dials, 0);
}

static void
a_placeholder_stands_for_none(void **state)
{
	(void)state;
	bring(FORWARD_BEARER_ONE, "Bearer placeholder");
	ready();
	bring(FORWARD_BEARER_ONE, "bearer  x");
	ready();
}

static void
without_injection_one_of_the_clients_own_passes(void **state)
{
	(void)state;
	fake.inject = NULL;
	bring(FORWARD_BEARER_ONE, "Bearer mine");
	ready();
	assert_null(request_credential(the_request));
	bring(FORWARD_BEARER_ODD, "Bearer mine");
	refused(REASON_BAD_REQUEST);
	assert_int_equal(port.asked, 0);
}

static void
who_proves_nothing_gets_no_byte(void **state)
{
	(void)state;
	tls.step = E_DENIED;
	tls.why = REASON_TLS_CERTIFICATE;
	ask();
	refused(REASON_TLS_CERTIFICATE);
	/* Contract 6: a fault after the route verdict. */
	assert_int_equal(last_record()->verdict, RECORD_ALLOW);
	assert_int_equal(last_record()->status, 502);
	assert_int_equal(tls.cancelled, 1);
	/* The token was there, and went nowhere. */
	assert_string_equal(last_record()->identity, "");
	assert_string_equal(last_record()->token_id, "");
}

/* By the clock on the wall, as the loop's timers are. */
static void
run_until_told(unsigned most_ms)
{
	for (unsigned i = 0; i < most_ms / 10 && told == 0; i++) {
		(void)usleep(10000);
		fake_run();
	}
}

static void
a_handshake_has_a_deadline(void **state)
{
	(void)state;
	tls.step = E_PARTIAL;
	fake.snapshot->limits.tls_ms = 300;
	ask();
	assert_int_equal(told, 0);
	run_until_told(5000);
	refused(REASON_TLS_FAILED);
	assert_int_equal(tls.cancelled, 1);
}

static void
a_handshake_goes_on_when_the_destination_speaks(void **state)
{
	(void)state;
	tls.step = E_PARTIAL;
	ask();
	tls.step = OK;
	assert_int_equal(send(fake.upstream, "x", 1, MSG_NOSIGNAL), 1);
	fake_run();
	ready();
}

static void
before_trust_is_read_it_waits(void **state)
{
	(void)state;
	proxy_shared_set_trust(fake.shared, NULL);
	ask();
	tick(4000);
	assert_int_equal(told, 0);
	assert_int_equal(port.asked, 0);
	proxy_shared_set_trust(fake.shared, &tls.trust);
	tick(250);
	ready();
}

static void
trust_that_is_never_read_is_not_waited_for_long(void **state)
{
	(void)state;
	proxy_shared_set_trust(fake.shared, NULL);
	ask();
	tick(2000);
	/* Whoever leaves meanwhile leaves nothing behind. */
	finish();
	ask();
	tick(5000);
	refused(REASON_NOT_READY);
	assert_int_equal(fake.dials, 0);
}

static bool said_another;

static void
on_renewed(void *arg, bool another)
{
	(void)arg;
	said_another = another;
	told++;
}

static enum status
renew(bool *another)
{
	return request_renew(the_request, on_renewed, NULL, another);
}

static void
another_token_is_asked_for_by_the_name_of_the_spent_one(void **state)
{
	bool another = false;

	(void)state;
	ask();
	secret_unref(request_take_credential(the_request));
	assert_int_equal(renew(&another), OK);
	assert_false(another);
	assert_string_equal(port.spent_id, last_record()->token_id);
	port.token = SLICE("n3w");
	assert_int_equal(renew(&another), OK);
	assert_true(another);
	/* One that comes later, and one that does not. */
	port.answer = E_PARTIAL;
	assert_int_equal(renew(&another), E_PARTIAL);
	assert_int_equal(port_fill(port.ask), OK);
	port.ask->wait.done(&port.ask->wait, OK);
	assert_int_equal(told, 2);
	assert_true(said_another);
	assert_int_equal(renew(&another), E_PARTIAL);
	tick(11000);
	assert_int_equal(told, 3);
	assert_false(said_another);
	assert_int_equal(port.cancelled, 1);
	/* The request is as it was. */
	finish();
	assert_int_equal(last_record()->status, 200);
	fake.inject = NULL;
	port.answer = OK;
	ask();
	assert_int_equal(renew(&another), E_NOTFOUND);
}

static void
on_renewed_leave(void *arg, bool another)
{
	(void)arg;
	assert_false(another);
	finish();
}

static void
who_hears_of_no_other_token_may_leave_at_once(void **state)
{
	bool another = false;

	(void)state;
	ask();
	port.answer = E_PARTIAL;
	assert_int_equal(
	    request_renew(the_request, on_renewed_leave, NULL, &another),
	    E_PARTIAL);
	fake.now_ms += 11000;
	request_tick(the_request, fake.now_ms);
	assert_null(the_request);
}

static void
whoever_leaves_leaves_nothing_behind(void **state)
{
	(void)state;
	port.answer = E_PARTIAL;
	ask();
	finish();
	assert_int_equal(port.cancelled, 1);
	port.answer = OK;
	tls.step = E_PARTIAL;
	ask();
	finish();
	assert_int_equal(tls.cancelled, 1);
	tls.step = OK;
	/* Ready, and not taken: the stream is closed. */
	ask();
	finish();
}

#define S(name) \
	cmocka_unit_test_setup_teardown(name, secure_setup, secure_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		S(what_is_allowed_gets_a_token_and_a_handshake_and_is_recorded),
		S(what_is_refused_costs_no_token),
		S(without_a_token_nothing_is_dialled),
		S(a_token_that_comes_later_is_waited_for),
		S(a_token_that_never_comes_is_given_up),
		S(a_late_refusal_is_one_too),
		S(a_token_that_expires_on_the_way_is_not_sent),
		S(a_token_that_would_be_a_field_of_its_own_is_not_sent),
		S(a_credential_of_the_clients_own_is_refused_where_one_is_injected),
		S(a_placeholder_stands_for_none),
		S(without_injection_one_of_the_clients_own_passes),
		S(who_proves_nothing_gets_no_byte),
		S(a_handshake_has_a_deadline),
		S(a_handshake_goes_on_when_the_destination_speaks),
		S(before_trust_is_read_it_waits),
		S(trust_that_is_never_read_is_not_waited_for_long),
		S(another_token_is_asked_for_by_the_name_of_the_spent_one),
		S(who_hears_of_no_other_token_may_leave_at_once),
		S(whoever_leaves_leaves_nothing_behind),
	};

	return cmocka_run_group_tests_name(
	    "secure", tests, secure_group_setup, NULL);
}
