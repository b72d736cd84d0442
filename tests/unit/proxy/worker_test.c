/* What a worker does to its connections: reloads, deadlines, limits, drain. */
#include "tests/unit/proxy/connect_steps.h"

#include <malloc.h>
#include <sys/resource.h>
#include <time.h>

static void
a_reload_ends_what_it_no_longer_allows(void **state)
{
	struct proxy_snapshot *s = fake_snapshot(2);
	int fd = open_tunnel();
	char got[64];

	(void)state;
	proxy_worker_set_snapshot(fake.worker, s);
	fake_run();
	assert_int_equal(fake_hear(fd, got, sizeof got), 0);
	say(fd, "still");
	assert_int_equal(fake_hear(fake.upstream, got, sizeof got), 5);
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	proxy_worker_set_snapshot(fake.worker, s);
	fake_run();
	assert_int_equal(fake_hear(fd, got, sizeof got), -1);
	assert_int_equal(fake.resolutions, 1);
	assert_string_equal(last_record()->close, "policy");
	assert_int_equal(last_record()->generation, 2);
	proxy_snapshot_unref(s);
	(void)close(fd);
}

static void
an_expiry_that_passes_ends_the_tunnel(void **state)
{
	int fd;
	char got[64];

	(void)state;
	fake.expires_unix_s = fake.now_unix_s + 60;
	fd = open_tunnel();
	fake_pass_ms(59000);
	assert_int_equal(fake_hear(fd, got, sizeof got), 0);
	fake_pass_ms(2000);
	assert_int_equal(fake_hear(fd, got, sizeof got), -1);
	assert_string_equal(last_record()->close, "policy");
	(void)close(fd);
}

static void
deadlines_end_the_silent(void **state)
{
	int tunnel = open_tunnel(), silent, half, unhelloed;
	char got[1024];

	(void)state;
	silent = fake_client();
	half = fake_client();
	say(half, "CONNECT a.test:443 HT");
	unhelloed = fake_client();
	say(unhelloed, CONNECT);
	assert_starts(unhelloed, "HTTP/1.1 200 ");
	fake_pass_ms(10001);
	assert_int_equal(fake_hear(silent, got, sizeof got), -1);
	assert_starts(half, "HTTP/1.1 408 Denied BAD_REQUEST");
	assert_int_equal(fake_hear(unhelloed, got, sizeof got), -1);
	assert_int_equal(fake_hear(tunnel, got, sizeof got), 0);
	fake_pass_ms(300001);
	assert_int_equal(fake_hear(tunnel, got, sizeof got), -1);
	assert_string_equal(last_record()->close, "idle");
	(void)close(silent);
	(void)close(half);
	(void)close(unhelloed);
	(void)close(tunnel);
}

/* Who sends a byte now and then would keep a slot for ever otherwise. */
static void
a_head_has_one_deadline_however_its_bytes_come(void **state)
{
	int fd = fake_client();

	(void)state;
	for (const char *c = "CONN"; *c != '\0'; c++) {
		fake_say(fd, c, 1);
		fake_pass_ms(2501);
	}
	assert_starts(fd, "HTTP/1.1 408 Denied BAD_REQUEST");
	(void)close(fd);
}

static void
one_uid_may_not_have_more_than_its_share(void **state)
{
	int first, second;

	(void)state;
	fake.snapshot->limits.connections_per_uid = 1;
	first = fake_client();
	second = fake_client();
	say(second, CONNECT);
	assert_starts(second, "HTTP/1.1 503 Denied LIMIT_REACHED id=");
	say(first, CONNECT);
	assert_starts(first, "HTTP/1.1 200 ");
	(void)close(first);
	(void)close(second);
}

static void
reload_to_nothing(void)
{
	struct proxy_snapshot *s = fake_snapshot(2);

	fake.name_code = REASON_HOST_NOT_ALLOWED;
	proxy_worker_set_snapshot(fake.worker, s);
	proxy_snapshot_unref(s);
}

static void
a_reload_while_the_dialer_works_has_the_last_word(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.on_dial = reload_to_nothing;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 403 Denied HOST_NOT_ALLOWED id=");
	assert_int_equal(last_record()->verdict, RECORD_DENY);
	assert_int_equal(last_record()->generation, 2);
	(void)close(fd);
}

static double
cpu_s(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts), 0);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Threats 38: at the cap it waits, does not spin, and recovers. */
static void
without_descriptors_it_waits_and_recovers(void **state)
{
	struct rlimit old, few;
	int waiting[2];
	double before;

	(void)state;
	waiting[0] = fake_client();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	waiting[1] = socket(AF_INET, SOCK_STREAM, 0);
	few = old;
	few.rlim_cur = (rlim_t)waiting[1] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	fake_connect(waiting[1]);
	before = cpu_s();
	for (int i = 0; i < 200; i++) {
		(void)event_base_loop(fake.base, EVLOOP_NONBLOCK);
		(void)usleep(1000);
	}
	assert_true(cpu_s() - before < 0.1);
	assert_int_equal(proxy_worker_connections(fake.worker), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	fake_pass_ms(250);
	assert_int_equal(proxy_worker_connections(fake.worker), 2);
	say(waiting[1], CONNECT);
	assert_starts(waiting[1], "HTTP/1.1 200 ");
	(void)close(waiting[0]);
	(void)close(waiting[1]);
}

static void
at_the_limit_of_all_connections_the_next_hears_so(void **state)
{
	int first, second;

	(void)state;
	fake.snapshot->limits.connections = 1;
	first = fake_client();
	second = fake_client();
	say(second, CONNECT);
	assert_starts(second, "HTTP/1.1 503 Denied LIMIT_REACHED id=");
	assert_int_equal(fake.resolutions, 0);
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(last_record()->code, REASON_LIMIT_REACHED);
	assert_int_equal(last_record()->verdict, RECORD_DENY);
	(void)close(first);
	(void)close(second);
}

/* Descriptors for the audit, the resolver and the destinations remain. */
static void
a_flood_takes_no_more_than_its_share_of_descriptors(void **state)
{
	enum { ALL = 200, OVER = 25, SHARE = (ALL - 48 - OVER) / 2 };

	enum { FLOOD = 120 };

	struct rlimit old, few;
	int fds[FLOOD];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = ALL;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	fakes_init();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	fake.snapshot->limits.connections_per_uid = 1000;
	for (size_t i = 0; i < FLOOD; i++)
		fds[i] = fake_client();
	assert_int_equal(proxy_worker_connections(fake.worker), SHARE + OVER);
	say(fds[SHARE - 1], CONNECT);
	assert_starts(fds[SHARE - 1], "HTTP/1.1 200 ");
	say(fds[SHARE], CONNECT);
	assert_starts(fds[SHARE], "HTTP/1.1 503 Denied LIMIT_REACHED id=");
	for (size_t i = 0; i < FLOOD; i++)
		(void)close(fds[i]);
	fakes_release();
}

static void
a_uids_share_shrinks_with_the_descriptors(void **state)
{
	enum { ALL = 200, SHARE = (ALL - 48 - 25) / 2 / 2 };

	struct rlimit old, few;
	int fds[SHARE + 1];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = ALL;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	fakes_init();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	/* Of 100 connections 50 for each uid; and so half of what there is. */
	for (size_t i = 0; i < SHARE + 1; i++)
		fds[i] = fake_client();
	say(fds[SHARE - 1], CONNECT);
	assert_starts(fds[SHARE - 1], "HTTP/1.1 200 ");
	say(fds[SHARE], CONNECT);
	assert_starts(fds[SHARE], "HTTP/1.1 503 Denied LIMIT_REACHED id=");
	for (size_t i = 0; i < SHARE + 1; i++)
		(void)close(fds[i]);
	fakes_release();
}

/* http.md 64: what one idle tunnel costs in user memory. */
static void
an_idle_tunnel_costs_little(void **state)
{
	enum { TUNNELS = 40, BYTES_MOST = 4096 };

	int fds[TUNNELS][2];
	size_t before, each;

	(void)state;
	fds[0][0] = open_tunnel();
	fds[0][1] = fake.upstream;
	before = mallinfo2().uordblks;
	for (size_t i = 1; i < TUNNELS; i++) {
		fds[i][0] = open_tunnel();
		fds[i][1] = fake.upstream;
	}
	fake.upstream = -1;
	/* A sanitizer's allocator counts nothing here, and passes. */
	each = (mallinfo2().uordblks - before) / (TUNNELS - 1);
	assert_in_range(each, 0, BYTES_MOST);
	for (size_t i = 0; i < TUNNELS; i++) {
		(void)close(fds[i][0]);
		(void)close(fds[i][1]);
	}
	fake_run();
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
}

static void
note_drained(void *arg)
{
	*(bool *)arg = true;
}

static void
drain_ends_the_idle_and_waits_for_the_rest(void **state)
{
	int tunnel = open_tunnel(), idle = fake_client();
	int late = fake_client(), first = fake.upstream;
	bool drained = false;
	char got[64];

	(void)state;
	proxy_worker_drain(fake.worker, note_drained, &drained);
	fake_run();
	/* Who was accepted a moment ago may be about to speak. */
	say(late, CONNECT);
	assert_starts(late, "HTTP/1.1 200 ");
	fake_pass_ms(501);
	assert_int_equal(fake_hear(idle, got, sizeof got), -1);
	assert_false(drained);
	say(tunnel, "more");
	assert_int_equal(fake_hear(first, got, sizeof got), 4);
	(void)close(tunnel);
	(void)close(first);
	(void)close(late);
	(void)close(fake.upstream);
	fake.upstream = -1;
	fake_run();
	assert_true(drained);
	(void)close(idle);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_reload_ends_what_it_no_longer_allows),
		T(an_expiry_that_passes_ends_the_tunnel),
		T(deadlines_end_the_silent),
		T(a_head_has_one_deadline_however_its_bytes_come),
		T(one_uid_may_not_have_more_than_its_share),
		T(a_reload_while_the_dialer_works_has_the_last_word),
		T(without_descriptors_it_waits_and_recovers),
		T(at_the_limit_of_all_connections_the_next_hears_so),
		cmocka_unit_test(
		    a_flood_takes_no_more_than_its_share_of_descriptors),
		cmocka_unit_test(a_uids_share_shrinks_with_the_descriptors),
		T(an_idle_tunnel_costs_little),
		T(drain_ends_the_idle_and_waits_for_the_rest),
	};
	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
