/* Idle connections: whom they serve, and when they go. */
#include "tests/unit/proxy/connect_steps.h"

#include "proxy/upstream_pool.h"

#include <fcntl.h>
#include <sys/resource.h>

static struct upstream_pool *pool;
static struct proxy_limits limits;
static const struct addr judged[] = { { .family = ADDR_V4,
	                                  .b = { 10, 20, 0, 9 } },
	{ .family = ADDR_V4, .b = { 10, 20, 0, 5 } } };

static struct upstream_facts
facts(void)
{
	return (struct upstream_facts){ .host = "a.test",
		.port = 443,
		.address = judged[1],
		.generation = 1,
		.trust = 1,
		.tls = "TLSv1.3",
		.identity = "host",
		.made_ms = 1000000 };
}

/* Ours goes into the pool, theirs is returned. */
static int
put(const struct upstream_facts *f)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	upstream_pool_put(pool, stream_plain(fds[0]), f, &limits);
	return fds[1];
}

static bool
at_end(int fd)
{
	char c;

	fake_run();
	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

/* Whether there is one for @want; it is closed again. */
static bool
serves(struct upstream_facts want, size_t n_judged)
{
	struct stream s = upstream_pool_take(pool, judged, n_judged, &want);
	bool is = stream_is_open(&s);

	assert_true(!is || addr_eq(&want.address, &judged[1]));
	assert_true(!is || strcmp(want.tls, "TLSv1.3") == 0);
	stream_close(&s);
	return is;
}

static int
pool_setup(void **state)
{
	(void)setup(state);
	pool = upstream_pool_create(fake.base, &fake.clock, fake.shared);
	assert_non_null(pool);
	limits = fake.snapshot->limits;
	return 0;
}

static int
pool_teardown(void **state)
{
	upstream_pool_destroy(pool);
	return teardown(state);
}

static void
it_serves_once_whoever_needs_the_same(void **state)
{
	struct upstream_facts f = facts();
	int theirs = put(&f);

	(void)state;
	assert_false(at_end(theirs));
	f.tls = NULL; /* that is told, not asked for */
	assert_true(serves(f, 2));
	assert_false(serves(f, 2));
	assert_true(at_end(theirs));
	(void)close(theirs);
}

static void
it_serves_nobody_who_differs_in_anything(void **state)
{
	struct upstream_facts other[6];
	struct upstream_facts f = facts();
	int theirs = put(&f);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		other[i] = facts();
	other[0].host[0] = 'b';
	other[1].port = 444;
	other[2].generation = 2;
	other[3].trust = 2;
	other[4].identity[0] = 'x';
	other[5].uid = 1;
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		if (serves(other[i], 2))
			fail_msg("row %zu is served", i);
	/* Its address is not among those that were judged. */
	assert_false(serves(f, 1));
	assert_true(serves(f, 2));
	(void)close(theirs);
}

static void
the_last_one_that_was_used_serves_first(void **state)
{
	const struct upstream_facts f = facts();
	int old = put(&f), new = put(&f);

	(void)state;
	assert_true(serves(f, 2));
	assert_false(at_end(old));
	assert_true(at_end(new));
	(void)close(old);
	(void)close(new);
}

static void
one_that_speaks_or_ends_is_closed(void **state)
{
	const struct upstream_facts f = facts();
	int fds[2] = { put(&f), put(&f) };

	(void)state;
	assert_int_equal(send(fds[0], "x", 1, MSG_NOSIGNAL), 1);
	assert_true(at_end(fds[0]));
	(void)close(fds[1]);
	/* Before the loop has come to it. */
	assert_false(serves(f, 2));
	(void)close(fds[0]);
	/* And one that had done so when it came. */
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(send(fds[1], "x", 1, MSG_NOSIGNAL), 1);
	upstream_pool_put(pool, stream_plain(fds[0]), &f, &limits);
	assert_false(serves(f, 2));
	(void)close(fds[1]);
}

static void
it_goes_when_its_time_is_over(void **state)
{
	const struct upstream_facts f = facts();
	int theirs = put(&f);

	(void)state;
	fake.now_ms += 49999;
	upstream_pool_sweep(pool, 1, 1);
	assert_false(at_end(theirs));
	fake.now_ms += 1;
	assert_false(serves(f, 2));
	upstream_pool_sweep(pool, 1, 1);
	assert_true(at_end(theirs));
	(void)close(theirs);
}

/* Who is used each minute is not believed for ever. */
static void
after_an_hour_it_is_not_kept_any_more(void **state)
{
	const struct upstream_facts f = facts();
	int theirs;

	(void)state;
	fake.now_ms = f.made_ms + 3599999;
	theirs = put(&f);
	assert_true(serves(f, 2));
	(void)close(theirs);
	fake.now_ms++;
	theirs = put(&f);
	assert_true(at_end(theirs));
	(void)close(theirs);
}

static void
it_goes_with_its_policy_and_with_its_trust(void **state)
{
	const struct upstream_facts f = facts();
	int theirs = put(&f);

	(void)state;
	upstream_pool_sweep(pool, 2, 1);
	assert_true(at_end(theirs));
	(void)close(theirs);
	theirs = put(&f);
	upstream_pool_sweep(pool, 1, 2);
	assert_true(at_end(theirs));
	(void)close(theirs);
}

static void
beyond_the_limit_the_oldest_goes(void **state)
{
	const struct upstream_facts f = facts();
	int fds[9];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = put(&f);
	assert_true(at_end(fds[0]));
	for (size_t i = 1; i < ARRAY_LEN(fds); i++)
		assert_false(at_end(fds[i]));
	/* The limit is that of all workers: none of our own, no room. */
	limits.upstreams_idle = 0;
	(void)close(fds[0]);
	fds[0] = put(&f);
	assert_true(at_end(fds[0]));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
}

static void
where_descriptors_are_few_clients_come_first(void **state)
{
	enum { ALL = 200, ROOM = ALL - 48 - 25, MOST = ROOM - ROOM / 8 };

	const struct upstream_facts f = facts();
	struct rlimit old, few;
	int fds[MOST + 1];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = ALL;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	fakes_init();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	pool = upstream_pool_create(fake.base, &fake.clock, fake.shared);
	limits = fake.snapshot->limits;
	limits.upstreams_idle = 1000;
	for (size_t i = 0; i < MOST + 1; i++)
		fds[i] = put(&f);
	assert_true(at_end(fds[0]));
	assert_false(at_end(fds[1]));
	assert_int_equal(shared_ceiling(fake.shared, 1000), (ROOM - MOST) / 2);
	/* A client comes: two go for it. */
	(void)shared_enter(fake.shared);
	upstream_pool_sweep(pool, 1, 1);
	assert_true(at_end(fds[1]));
	assert_true(at_end(fds[2]));
	assert_false(at_end(fds[3]));
	shared_leave(fake.shared);
	for (size_t i = 0; i < MOST + 1; i++)
		(void)close(fds[i]);
	upstream_pool_destroy(pool);
	assert_int_equal(shared_ceiling(fake.shared, 1000), ROOM / 2);
	fakes_release();
}

#define S(name) cmocka_unit_test_setup_teardown(name, pool_setup, pool_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		S(it_serves_once_whoever_needs_the_same),
		S(it_serves_nobody_who_differs_in_anything),
		S(the_last_one_that_was_used_serves_first),
		S(one_that_speaks_or_ends_is_closed),
		S(it_goes_when_its_time_is_over),
		S(after_an_hour_it_is_not_kept_any_more),
		S(it_goes_with_its_policy_and_with_its_trust),
		S(beyond_the_limit_the_oldest_goes),
		cmocka_unit_test(where_descriptors_are_few_clients_come_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
