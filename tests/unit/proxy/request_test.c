/* One request without a session: what is judged, what is recorded first. */
#include "tests/unit/proxy/connect_steps.h"

#include "proxy/request.h"

static const struct peer someone = { .known = true, .uid = 1000, .user = "" };

static enum request_outcome outcome;
static unsigned told;

static void
on_told(void *arg, enum request_outcome o)
{
	(void)arg;
	outcome = o;
	told++;
}

static struct request *
ask(const struct peer *peer, bool local)
{
	struct request_params params = { .worker = fake.worker,
		.protocol = REQUEST_FORWARD,
		.peer = peer,
		.listener = "test",
		.port = 80,
		.plaintext = true,
		.local = local,
		.method = SLICE("OPTIONS"),
		.path = SLICE("/") };
	struct request *r;

	assert_int_equal(host_parse(SLICE("a.test"), &params.host), OK);
	told = 0;
	r = request_start(&params, on_told, NULL);
	assert_non_null(r);
	assert_int_equal(told, 0);
	fake_run();
	return r;
}

static void
finish(struct request *r)
{
	const struct request_end end = { .status = 200, .close = "done" };

	request_finish(r, &end);
}

static void
what_we_answer_ourselves_is_recorded_and_goes_nowhere(void **state)
{
	struct request *r = ask(&someone, true);

	(void)state;
	assert_int_equal(told, 1);
	assert_int_equal(outcome, REQUEST_READY);
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(last_record()->event, RECORD_OPEN);
	assert_int_equal(fake.resolutions, 0);
	assert_int_equal(fake.dials, 0);
	assert_true(request_still_allowed(r));
	finish(r);
	assert_int_equal(fake.n_records, 2);
	assert_int_equal(last_record()->verdict, RECORD_ALLOW);
}

static void
what_we_answer_ourselves_is_denied_to_the_unknown(void **state)
{
	static const struct peer unknown = { .known = false, .user = "" };
	struct request *r = ask(&unknown, true);

	(void)state;
	assert_int_equal(outcome, REQUEST_DENIED);
	assert_int_equal(request_code(r), REASON_WORKLOAD_NOT_ALLOWED);
	finish(r);
	fake.audit_sick = true;
	r = ask(&someone, true);
	assert_int_equal(outcome, REQUEST_DENIED);
	assert_int_equal(request_code(r), REASON_AUDIT_UNAVAILABLE);
	finish(r);
}

static void
assert_ended_by_the_client(enum record_verdict verdict)
{
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
	assert_int_equal(fake.cancelled, 1);
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(last_record()->event, RECORD_REQUEST);
	assert_int_equal(last_record()->verdict, verdict);
	assert_int_equal(last_record()->code, REASON_NONE);
	assert_string_equal(last_record()->close, "client");
}

static void
a_client_that_leaves_ends_the_look_up(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.resolver_stuck = true;
	say(fd, CONNECT);
	(void)close(fd);
	fake_pass_ms(250);
	assert_ended_by_the_client(RECORD_DENY);
}

static void
a_client_that_leaves_ends_the_dial(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.dialer_stuck = true;
	say(fd, CONNECT);
	(void)close(fd);
	fake_pass_ms(250);
	assert_ended_by_the_client(RECORD_ALLOW);
}

static void
a_client_that_sends_no_more_still_gets_its_answer(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.half_closed = fake.dialer_stuck = true;
	say(fd, CONNECT);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	fake_pass_ms(250);
	assert_int_equal(proxy_worker_connections(fake.worker), 1);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_we_answer_ourselves_is_recorded_and_goes_nowhere),
		T(what_we_answer_ourselves_is_denied_to_the_unknown),
		T(a_client_that_leaves_ends_the_look_up),
		T(a_client_that_leaves_ends_the_dial),
		T(a_client_that_sends_no_more_still_gets_its_answer),
	};
	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
