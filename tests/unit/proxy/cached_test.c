/* A name whose answer is in the cache: judged no less, only sooner. */
#include "tests/unit/proxy/connect_steps.h"

static int
setup_cached(void **state)
{
	(void)setup(state);
	fake.resolver_cached = true;
	return 0;
}

static void
assert_asked_the_cache_alone(void)
{
	assert_int_equal(fake.cache_hits, 1);
	assert_int_equal(fake.resolutions, 0);
}

static void
assert_one_refusal(enum record_verdict verdict, enum reason code)
{
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(last_record()->event, RECORD_REQUEST);
	assert_int_equal(last_record()->verdict, verdict);
	assert_int_equal(last_record()->code, code);
}

static void
what_is_allowed_passes_behind_its_record(void **state)
{
	int fd = open_tunnel();

	(void)state;
	assert_asked_the_cache_alone();
	assert_int_equal(fake.dials, 1);
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(last_record()->event, RECORD_OPEN);
	(void)close(fd);
	(void)close(fake.upstream);
	fake.upstream = -1;
	fake_run();
	assert_int_equal(fake.n_records, 2);
	assert_int_equal(last_record()->verdict, RECORD_ALLOW);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
}

static void
a_denied_name_is_not_looked_for_in_the_cache(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 403 Denied HOST_NOT_ALLOWED id=");
	assert_int_equal(fake.cache_hits, 0);
	assert_one_refusal(RECORD_DENY, REASON_HOST_NOT_ALLOWED);
	(void)close(fd);
}

static void
a_denied_route_is_never_dialled(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.route_code = REASON_PUBLIC_ADDRESS;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 403 Denied PUBLIC_ADDRESS id=");
	assert_asked_the_cache_alone();
	assert_int_equal(fake.dials, 0);
	assert_one_refusal(RECORD_DENY, REASON_PUBLIC_ADDRESS);
	(void)close(fd);
}

static void
a_failed_dial_is_no_denial(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.dial_code = REASON_CONNECT_REFUSED;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 502 Denied CONNECT_REFUSED id=");
	assert_asked_the_cache_alone();
	assert_one_refusal(RECORD_ALLOW, REASON_CONNECT_REFUSED);
	(void)close(fd);
}

#define C(name) cmocka_unit_test_setup_teardown(name, setup_cached, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		C(what_is_allowed_passes_behind_its_record),
		C(a_denied_name_is_not_looked_for_in_the_cache),
		C(a_denied_route_is_never_dialled),
		C(a_failed_dial_is_no_denial),
	};
	return cmocka_run_group_tests_name("cached", tests, NULL, NULL);
}
