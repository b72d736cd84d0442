/* One request without a session: what is judged, what is recorded first. */
#include "tests/unit/proxy/connect_steps.h"

#include "proxy/budget.h"
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

static struct policy_budget five = { .rule = "r1", .bytes = 5 };
static struct budget_ledger ledger;

static void
count_uploads(void)
{
	memset(&ledger, 0, sizeof ledger);
	fake.budget = &five;
	proxy_shared_set_ledger(fake.shared, &ledger);
}

static uint64_t
counted(void)
{
	struct budget_entry *e = NULL;

	assert_int_equal(budget_find(&ledger, "r1", someone.uid, &e), OK);
	return e->used;
}

static void
what_was_not_sent_is_given_back_at_the_end(void **state)
{
	struct request *r, *other;

	(void)state;
	count_uploads();
	r = ask(&someone, false);
	assert_int_equal(outcome, REQUEST_READY);
	other = ask(&someone, false);
	assert_int_equal(request_upload_room(r, 4), 4);
	assert_int_equal(request_upload_room(other, 4), 1);
	request_uploaded(r, 3);
	/* What it has counted already is there without more. */
	assert_int_equal(request_upload_room(r, 1), 1);
	assert_int_equal(counted(), 5);
	finish(r);
	assert_int_equal(counted(), 4);
	assert_int_equal(request_upload_room(other, 4), 2);
	request_uploaded(other, 2);
	finish(other);
	assert_int_equal(counted(), 5);
	r = ask(&someone, false);
	assert_int_equal(outcome, REQUEST_DENIED);
	assert_int_equal(request_code(r), REASON_BUDGET_SPENT);
	assert_int_equal(last_record()->verdict, RECORD_DENY);
	finish(r);
}

static void
without_anybody_who_counts_nothing_passes(void **state)
{
	struct request *r;

	(void)state;
	fake.budget = &five;
	r = ask(&someone, false);
	assert_int_equal(outcome, REQUEST_DENIED);
	assert_int_equal(request_code(r), REASON_LIMIT_REACHED);
	finish(r);
}

static void
a_reload_counts_by_the_new_rule(void **state)
{
	static const struct policy_budget other = { .rule = "r2", .bytes = 9 };
	struct proxy_snapshot *next = fake_snapshot(2);
	struct request *r;

	(void)state;
	count_uploads();
	r = ask(&someone, false);
	assert_int_equal(request_upload_room(r, 4), 4);
	request_uploaded(r, 1);
	fake.budget = &other;
	assert_int_equal(proxy_worker_set_snapshot(fake.worker, next), OK);
	assert_true(request_still_allowed(r));
	assert_int_equal(counted(), 1);
	assert_int_equal(request_upload_room(r, 20), 9);
	fake.budget = NULL;
	assert_true(request_still_allowed(r));
	assert_int_equal(request_upload_room(r, 20), 20);
	finish(r);
	proxy_snapshot_unref(next);
}

/* 1 of 7 bytes does not fit, and the destination gets no clean end. */
static void
a_tunnel_ends_with_its_budget(void **state)
{
	char got[64];
	int fd = fake_client();

	(void)state;
	count_uploads();
	fake.sni_any = true;
	say(fd, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
	assert_starts(fd, "HTTP/1.1 200 ");
	say(fd, "abc");
	/* What an open one has not sent is free for others. */
	assert_int_equal(counted(), 3);
	say(fd, "defg");
	assert_int_equal(fake_hear(fake.upstream, got, sizeof got), 5);
	(void)close(fd);
	fake_run();
	assert_int_equal(last_record()->event, RECORD_REQUEST);
	assert_int_equal(last_record()->code, REASON_BUDGET_SPENT);
	assert_int_equal(last_record()->verdict, RECORD_DENY);
	assert_string_equal(last_record()->close, "budget");
	assert_int_equal(last_record()->up, 5);
}

/* A reload that brings one counts from then on. */
static void
an_open_tunnel_hears_of_a_new_budget(void **state)
{
	struct proxy_snapshot *next = fake_snapshot(2);
	char got[64];
	int fd = fake_client();

	(void)state;
	fake.sni_any = true;
	say(fd, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
	assert_starts(fd, "HTTP/1.1 200 ");
	say(fd, "0123456789");
	assert_int_equal(fake_hear(fake.upstream, got, sizeof got), 10);
	count_uploads();
	assert_int_equal(proxy_worker_set_snapshot(fake.worker, next), OK);
	fake_pass_ms(1000);
	say(fd, "abcdefg");
	assert_int_equal(fake_hear(fake.upstream, got, sizeof got), 5);
	(void)close(fd);
	fake_run();
	assert_string_equal(last_record()->close, "budget");
	proxy_snapshot_unref(next);
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
		T(what_was_not_sent_is_given_back_at_the_end),
		T(without_anybody_who_counts_nothing_passes),
		T(a_reload_counts_by_the_new_rule),
		T(a_tunnel_ends_with_its_budget),
		T(an_open_tunnel_hears_of_a_new_budget),
	};
	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
