/* The dialer on real loopback sockets and one loop. */
#include "tests/unit/test.h"

#include "proxy/dialer.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <string.h>
#include <unistd.h>

struct fixture {
	struct event_base *base;
	struct dial_result result;
	unsigned calls;
};

static void
note_result(void *arg, const struct dial_result *result)
{
	struct fixture *f = arg;

	f->result = *result;
	f->calls++;
	(void)event_base_loopbreak(f->base);
}

static struct addr
address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(slice_of(text), &a), OK);
	return a;
}

/* Binds @text; returns the socket. @port 0: any, and it is written back. */
static int
bind_to(const char *text, uint16_t *port, bool listening)
{
	struct addr a = address(text);
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&a, *port, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, n), 0);
	if (listening)
		assert_int_equal(listen(fd, 4), 0);
	n = sizeof ss;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, &a, port));
	return fd;
}

static struct dial *
start(struct fixture *f, const struct addr *addresses, size_t n, uint16_t port,
    unsigned timeout_ms)
{
	struct dial_params params = {
		.base = f->base,
		.addresses = addresses,
		.n_addresses = n,
		.port = port,
		.timeout_ms = timeout_ms,
	};
	struct dial *d = dial_start(&params, note_result, f);

	assert_non_null(d);
	assert_int_equal(f->calls, 0); /* never from inside */
	return d;
}

static void
run(struct fixture *f)
{
	assert_true(event_base_dispatch(f->base) >= 0);
	assert_int_equal(f->calls, 1);
}

static int
set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof f);
	f.base = event_base_new();
	*state = &f;
	return f.base == NULL;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	event_base_free(f->base);
	return 0;
}

static void
connects_to_the_judged_address(void **state)
{
	struct fixture *f = *state;
	struct addr a = address("127.0.0.1");
	uint16_t port = 0;
	int listener = bind_to("127.0.0.1", &port, true);

	start(f, &a, 1, port, 2000);
	run(f);
	assert_true(f->result.fd >= 0);
	assert_true(addr_eq(&f->result.address, &a));
	(void)close(f->result.fd);
	(void)close(listener);
}

static void
goes_on_to_the_next_address_after_a_refusal(void **state)
{
	struct fixture *f = *state;
	struct addr set[] = { address("127.0.0.3"), address("127.0.0.2") };
	uint16_t port = 0;
	int listener = bind_to("127.0.0.2", &port, true);

	start(f, set, 2, port, 2000);
	run(f);
	assert_true(f->result.fd >= 0);
	assert_true(addr_eq(&f->result.address, &set[1]));
	(void)close(f->result.fd);
	(void)close(listener);
}

static void
says_refused_when_all_refuse(void **state)
{
	struct fixture *f = *state;
	struct addr set[] = { address("127.0.0.1"), address("127.0.0.2") };
	uint16_t port = 0;
	int bound = bind_to("127.0.0.1", &port, false);

	start(f, set, 2, port, 2000);
	run(f);
	assert_int_equal(f->result.fd, -1);
	assert_int_equal(f->result.code, REASON_CONNECT_REFUSED);
	(void)close(bound);
}

static void
says_unreachable_without_a_route(void **state)
{
	struct fixture *f = *state;
	struct addr a = address("255.255.255.255");

	start(f, &a, 1, 443, 2000);
	run(f);
	assert_int_equal(f->result.fd, -1);
	assert_int_equal(f->result.code, REASON_CONNECT_UNREACHABLE);
}

static void
an_empty_set_is_unreachable(void **state)
{
	struct fixture *f = *state;

	start(f, NULL, 0, 443, 2000);
	run(f);
	assert_int_equal(f->result.code, REASON_CONNECT_UNREACHABLE);
}

/* A listener whose queue is full drops SYNs: silence, on loopback. */
static int
fill_backlog(const char *text, uint16_t *port, int *clients, size_t n)
{
	struct addr a = address(text);
	struct sockaddr_storage ss;
	int listener = bind_to(text, port, true);
	socklen_t ss_n = addr_to_sockaddr(&a, *port, &ss);

	assert_int_equal(listen(listener, 0), 0);
	for (size_t i = 0; i < n; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(clients[i], (struct sockaddr *)&ss, ss_n);
	}
	return listener;
}

static void
close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
}

static void
says_timeout_after_silence(void **state)
{
	struct fixture *f = *state;
	struct addr a = address("127.0.0.1");
	uint16_t port = 0;
	int clients[4];
	int listener = fill_backlog("127.0.0.1", &port, clients, 4);

	start(f, &a, 1, port, 200);
	run(f);
	assert_int_equal(f->result.fd, -1);
	assert_int_equal(f->result.code, REASON_CONNECT_TIMEOUT);
	close_all(clients, 4);
	(void)close(listener);
}

static void
a_silent_address_does_not_hold_up_the_next(void **state)
{
	struct fixture *f = *state;
	struct addr set[] = { address("127.0.0.1"), address("127.0.0.2") };
	uint16_t port = 0;
	int clients[4];
	int silent = fill_backlog("127.0.0.1", &port, clients, 4);
	int listener = bind_to("127.0.0.2", &port, true);

	start(f, set, 2, port, 900);
	run(f);
	assert_true(f->result.fd >= 0);
	assert_true(addr_eq(&f->result.address, &set[1]));
	(void)close(f->result.fd);
	close_all(clients, 4);
	(void)close(silent);
	(void)close(listener);
}

static void
no_callback_comes_after_cancel(void **state)
{
	struct fixture *f = *state;
	struct addr a = address("127.0.0.1");
	struct dial *d = start(f, &a, 1, 9, 2000);

	dial_cancel(d);
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
	assert_int_equal(f->calls, 0);
	dial_cancel(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    connects_to_the_judged_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    goes_on_to_the_next_address_after_a_refusal, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    says_refused_when_all_refuse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    says_unreachable_without_a_route, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    an_empty_set_is_unreachable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    says_timeout_after_silence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_silent_address_does_not_hold_up_the_next, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    no_callback_comes_after_cancel, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("dialer", tests, NULL, NULL);
}
