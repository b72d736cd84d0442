/* The listeners of gateways: what they let in, and how reloads change them. */
#include "tests/unit/proxy/connect_steps.h"

#include "proxy/worker.h"

#include <arpa/inet.h>
#include <sys/resource.h>

#define NAME "127.0.0.1:3190"

static const struct proxy_gateway one = {
	.name = "g", .listener = NAME, .host = "up.example", .port = 443
};

static int
bound(uint16_t *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *sa = (struct sockaddr *)(void *)&sin;
	socklen_t n = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, sa, n), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, sa, &n), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

/* As the worker has it from its start; clients connect to it. */
static void
listen_at_start(void)
{
	int fd = bound(&fake.port);

	fake.snapshot->gateways = &one;
	fake.snapshot->n_gateways = 1;
	assert_int_equal(proxy_worker_listen(fake.worker, fd, NAME), OK);
}

static struct proxy_snapshot *
snapshot_with(size_t n_gateways, uint64_t generation)
{
	struct proxy_snapshot *s = fake_snapshot(generation);

	s->gateways = &one;
	s->n_gateways = n_gateways;
	return s;
}

static struct proxy_change *
change_to(struct proxy_snapshot *s, const struct proxy_snapshot *from)
{
	struct proxy_change *change;

	assert_int_equal(
	    proxy_change_create(fake.worker, from, s, &change), OK);
	return change;
}

static bool
is_listening(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(fake.port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool is = connect(fd, (struct sockaddr *)(void *)&sin, sizeof sin) == 0;

	fake_run();
	(void)close(fd);
	fake_run();
	return is;
}

static void
a_path_is_forwarded(void **state)
{
	int fd;

	(void)state;
	listen_at_start();
	fd = fake_client();
	say(fd, "GET /x HTTP/1.1\r\nHost: " NAME "\r\n\r\n");
	assert_int_equal(fake.forwards, 1);
	(void)close(fd);
}

static void
what_is_for_a_proxy_is_refused(void **state)
{
	static const char *const first[] = {
		"CONNECT up.example:443 HTTP/1.1\r\nHost: up.example:443\r\n\r\n",
		"GET http://up.example/ HTTP/1.1\r\nHost: up.example\r\n\r\n",
		"GET https://up.example/ HTTP/1.1\r\nHost: up.example\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: " NAME "\r\n\r\n", "\005\001\001"
	};

	(void)state;
	listen_at_start();
	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		int fd = fake_client();
		say(fd, first[i]);
		assert_starts(fd, "HTTP/1.1 400 Denied BAD_REQUEST");
		assert_string_equal(last_record()->protocol, "gateway");
		assert_int_equal(last_record()->verdict, RECORD_DENY);
		(void)close(fd);
		fake_run();
	}
	assert_int_equal(fake.forwards, 0);
	assert_int_equal(fake.dials, 0);
}

static void
a_path_at_the_proxy_port_is_still_refused(void **state)
{
	int fd;

	(void)state;
	fake.snapshot->gateways = &one;
	fake.snapshot->n_gateways = 1;
	fd = fake_client();
	say(fd, "GET /x HTTP/1.1\r\nHost: " NAME "\r\n\r\n");
	assert_starts(fd, "HTTP/1.1 400 Denied BAD_REQUEST");
	assert_string_equal(last_record()->protocol, "connect");
	(void)close(fd);
}

/* Each is one descriptor that no connection can have. */
static void
gateways_take_of_the_descriptors_that_connections_share(void **state)
{
	enum { ALL = 200, ROOM = ALL - 48 - 25 };

	const struct proxy_gateway two[] = { one,
		{ .listener = "127.0.0.1:3191" },
		{ .listener = "127.0.0.1:3192" } };
	struct rlimit old, few;
	struct proxy_snapshot *none;
	uint16_t port;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = ALL;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	fakes_init();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(shared_ceiling(fake.shared, 1000), ROOM / 2);
	fake.snapshot->gateways = two;
	fake.snapshot->n_gateways = ARRAY_LEN(two);
	for (size_t i = 0; i < ARRAY_LEN(two); i++)
		assert_int_equal(proxy_worker_listen(fake.worker, bound(&port),
		                     two[i].listener),
		    OK);
	assert_int_equal(shared_ceiling(fake.shared, 1000), (ROOM - 3) / 2);
	assert_int_equal(shared_ceiling(fake.shared, 7), 7);
	none = snapshot_with(0, 2);
	proxy_worker_apply(fake.worker, change_to(none, fake.snapshot));
	proxy_snapshot_unref(none);
	assert_int_equal(shared_ceiling(fake.shared, 1000), ROOM / 2);
	fakes_release();
}

static void
a_reload_opens_a_new_gateway(void **state)
{
	struct proxy_snapshot *s = snapshot_with(1, 2);
	struct proxy_change *change = change_to(s, fake.snapshot);
	uint16_t port;
	int fd;

	(void)state;
	assert_int_equal(proxy_change_listen(change, bound(&port), NAME), OK);
	proxy_worker_apply(fake.worker, change);
	proxy_snapshot_unref(s);
	fake.port = port;
	fd = fake_client();
	say(fd, "GET /x HTTP/1.1\r\nHost: " NAME "\r\n\r\n");
	assert_int_equal(fake.forwards, 1);
	(void)close(fd);
}

static void
a_reload_that_is_given_up_opens_nothing(void **state)
{
	struct proxy_snapshot *s = snapshot_with(1, 2);
	struct proxy_change *change = change_to(s, fake.snapshot);

	(void)state;
	assert_int_equal(
	    proxy_change_listen(change, bound(&fake.port), NAME), OK);
	proxy_change_destroy(change);
	proxy_snapshot_unref(s);
	assert_false(is_listening());
}

static void
a_reload_closes_a_gateway_and_ends_who_waits_there(void **state)
{
	struct proxy_snapshot *s = snapshot_with(0, 2);
	int half, fd;
	char got[64];

	(void)state;
	listen_at_start();
	half = fake_client();
	say(half, "GET /x HT");
	fd = fake_client();
	assert_int_equal(proxy_worker_connections(fake.worker), 2);
	proxy_worker_apply(fake.worker, change_to(s, fake.snapshot));
	proxy_snapshot_unref(s);
	fake_run();
	assert_int_equal(fake_hear(half, got, sizeof got), -1);
	assert_int_equal(fake_hear(fd, got, sizeof got), -1);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
	assert_false(is_listening());
	(void)close(half);
	(void)close(fd);
}

static void
a_gateway_that_stays_keeps_its_listener(void **state)
{
	struct proxy_snapshot *s = snapshot_with(1, 2);
	int fd;

	(void)state;
	listen_at_start();
	fd = fake_client();
	proxy_worker_apply(fake.worker, change_to(s, fake.snapshot));
	proxy_snapshot_unref(s);
	say(fd, "GET /x HTTP/1.1\r\nHost: " NAME "\r\n\r\n");
	assert_int_equal(fake.forwards, 1);
	assert_true(is_listening());
	(void)close(fd);
}

/* Its slot is not used up, however often it goes and comes. */
static void
a_gateway_may_come_and_go_for_ever(void **state)
{
	struct proxy_snapshot *without = snapshot_with(0, 2);
	struct proxy_snapshot *with = snapshot_with(1, 3);

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct proxy_change *change = change_to(with, without);
		assert_int_equal(
		    proxy_change_listen(change, bound(&fake.port), NAME), OK);
		proxy_worker_apply(fake.worker, change);
		proxy_worker_apply(fake.worker, change_to(without, with));
	}
	assert_false(is_listening());
	proxy_snapshot_unref(with);
	proxy_snapshot_unref(without);
}

static void
one_reload_opens_so_many_and_no_more(void **state)
{
	struct proxy_snapshot *s = snapshot_with(1, 2);
	struct proxy_change *change = change_to(s, fake.snapshot);
	uint16_t port;

	(void)state;
	for (int i = 0; i < 32; i++)
		assert_int_equal(
		    proxy_change_listen(change, bound(&port), NAME), OK);
	assert_int_equal(
	    proxy_change_listen(change, bound(&port), NAME), E_LIMIT);
	proxy_change_destroy(change);
	proxy_snapshot_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    gateways_take_of_the_descriptors_that_connections_share),
		T(a_path_is_forwarded),
		T(what_is_for_a_proxy_is_refused),
		T(a_path_at_the_proxy_port_is_still_refused),
		T(a_reload_opens_a_new_gateway),
		T(a_reload_that_is_given_up_opens_nothing),
		T(a_reload_closes_a_gateway_and_ends_who_waits_there),
		T(a_gateway_that_stays_keeps_its_listener),
		T(a_gateway_may_come_and_go_for_ever),
		T(one_reload_opens_so_many_and_no_more),
	};

	return cmocka_run_group_tests_name("gateway_listen", tests, NULL, NULL);
}
