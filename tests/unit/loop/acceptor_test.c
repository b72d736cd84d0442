/* Accepting: a few a turn, no spin where it cannot, and back by itself. */
#include "tests/unit/test.h"

#include "base/log.h"
#include "base/metrics.h"
#include "loop/acceptor.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS_MAX = 64 };

static struct {
	struct event_base *base;
	struct acceptor *acceptor;
	struct sockaddr_un at;
	socklen_t at_bytes;
	bool full, close_in_callback;
	size_t room; /* so many are accepted in all; 0: any number */
	unsigned asked_full;
	int accepted[CLIENTS_MAX];
	int clients[CLIENTS_MAX];
	size_t n_accepted, n_clients;
	int64_t pauses;
} world;

static unsigned adds_that_fail, accepts;

int __real_accept4(int fd, struct sockaddr *sa, socklen_t *n, int flags);
int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *n, int flags);

int
__wrap_accept4(int fd, struct sockaddr *sa, socklen_t *n, int flags)
{
	accepts++;
	return __real_accept4(fd, sa, n, flags);
}

int __real_event_add(struct event *ev, const struct timeval *tv);
int __wrap_event_add(struct event *ev, const struct timeval *tv);

/* A timer needs no memory of the kernel's; a descriptor does. */
int
__wrap_event_add(struct event *ev, const struct timeval *tv)
{
	if (tv != NULL || adds_that_fail == 0)
		return __real_event_add(ev, tv);
	adds_that_fail--;
	return -1;
}

static void
on_accepted(void *ctx, int fd)
{
	assert_ptr_equal(ctx, &world);
	assert_in_range(world.n_accepted, 0, CLIENTS_MAX - 1);
	world.accepted[world.n_accepted++] = fd;
	if (world.close_in_callback)
		acceptor_close(world.acceptor);
}

static bool
is_full(void *ctx)
{
	assert_ptr_equal(ctx, &world);
	world.asked_full++;
	return world.full ||
	    (world.room != 0 && world.n_accepted >= world.room);
}

static void
start(int fd)
{
	const struct acceptor_settings s = { .base = world.base,
		.name = "here",
		.accepted = on_accepted,
		.is_full = is_full,
		.ctx = &world };

	assert_int_equal(acceptor_create(&s, fd, &world.acceptor), OK);
	assert_string_equal(acceptor_name(world.acceptor), "here");
}

static int
setup(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr *sa = (struct sockaddr *)&world.at;

	(void)state;
	memset(&world, 0, sizeof world);
	accepts = 0;
	world.base = event_base_new();
	world.at.sun_family = AF_UNIX;
	/* Autobind: a name of the kernel's in the abstract space. */
	assert_int_equal(bind(fd, sa, sizeof(sa_family_t)), 0);
	world.at_bytes = sizeof world.at;
	assert_int_equal(getsockname(fd, sa, &world.at_bytes), 0);
	assert_int_equal(listen(fd, CLIENTS_MAX), 0);
	world.pauses = metric_get(METRIC_ACCEPT_PAUSES_TOTAL);
	start(fd);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	acceptor_destroy(world.acceptor);
	for (size_t i = 0; i < world.n_accepted; i++)
		(void)close(world.accepted[i]);
	for (size_t i = 0; i < world.n_clients; i++)
		(void)close(world.clients[i]);
	event_base_free(world.base);
	return 0;
}

static void
join(int fd)
{
	const struct sockaddr *sa = (const struct sockaddr *)&world.at;

	assert_int_equal(connect(fd, sa, world.at_bytes), 0);
	world.clients[world.n_clients++] = fd;
}

static void
come(size_t n)
{
	for (size_t i = 0; i < n; i++)
		join(socket(AF_UNIX, SOCK_STREAM, 0));
}

/* Turns the loop for @ms; returns how often it found something to do. */
static unsigned
turn_ms(unsigned ms)
{
	const struct timeval tv = { .tv_usec = (suseconds_t)ms * 1000 };
	unsigned turns = 0;

	(void)event_base_loopexit(world.base, &tv);
	do {
		(void)event_base_loop(world.base, EVLOOP_ONCE);
		turns++;
	} while (!event_base_got_exit(world.base));
	return turns;
}

static void
turn_once(void)
{
	(void)event_base_loop(world.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static int64_t
pauses(void)
{
	return metric_get(METRIC_ACCEPT_PAUSES_TOTAL) - world.pauses;
}

static void
accepts_a_few_in_one_turn_and_the_rest_in_the_next(void **state)
{
	(void)state;
	come(40);
	turn_once();
	assert_int_equal(world.n_accepted, 16);
	turn_once();
	assert_int_equal(world.n_accepted, 32);
	turn_once();
	assert_int_equal(world.n_accepted, 40);
	assert_int_equal(pauses(), 0);
}

/* The kernel makes a socket before it looks whether anybody is there. */
static void
does_not_accept_where_nobody_waits(void **state)
{
	(void)state;
	come(1);
	turn_once();
	come(2);
	turn_once();
	turn_once();
	assert_int_equal(world.n_accepted, 3);
	assert_int_equal(accepts, 3);
}

/* Threats 38. */
static void
without_descriptors_it_waits_says_so_once_and_recovers(void **state)
{
	struct rlimit old, few;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	join(fd);
	assert_in_range(turn_ms(500), 1, 10);
	assert_int_equal(world.n_accepted, 0);
	assert_int_equal(pauses(), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	(void)turn_ms(300);
	assert_int_equal(world.n_accepted, 1);
	assert_int_equal(pauses(), 1);
}

static void
a_full_house_leaves_the_next_in_the_backlog(void **state)
{
	(void)state;
	world.full = true;
	come(2);
	assert_in_range(turn_ms(500), 1, 10);
	assert_int_equal(world.n_accepted, 0);
	assert_in_range(world.asked_full, 1, 10);
	assert_int_equal(pauses(), 1);
	world.full = false;
	(void)turn_ms(300);
	assert_int_equal(world.n_accepted, 2);
	/* It is a new story once the backlog was empty. */
	world.full = true;
	come(1);
	(void)turn_ms(60);
	assert_int_equal(pauses(), 2);
}

/* One may come in now and then, and the next must wait all the same. */
static void
at_the_edge_of_full_it_does_not_say_that_it_goes_on(void **state)
{
	(void)state;
	world.room = 1;
	come(2);
	(void)turn_ms(60);
	for (int i = 2; i < 5; i++) {
		world.room++;
		(void)turn_ms(300);
		assert_int_equal(world.n_accepted, i);
		come(1);
		(void)turn_ms(60);
		assert_int_equal(pauses(), 1);
	}
	/* Once there is room for more than came it does. */
	world.room = 0;
	(void)turn_ms(300);
	assert_int_equal(world.n_accepted, 5);
	world.full = true;
	come(1);
	(void)turn_ms(60);
	assert_int_equal(pauses(), 2);
}

/* EINVAL of a socket that does not listen: no errno may make it spin. */
static void
an_error_it_does_not_know_does_not_spin_either(void **state)
{
	int pair[2];

	(void)state;
	acceptor_destroy(world.acceptor);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[0], "x", 1), 1);
	start(pair[1]);
	assert_in_range(turn_ms(500), 1, 10);
	assert_int_equal(pauses(), 1);
	(void)close(pair[0]);
}

/* epoll_ctl(2): ENOMEM. */
static void
is_not_deaf_for_good_where_it_cannot_watch_for_a_while(void **state)
{
	(void)state;
	world.full = true;
	come(1);
	adds_that_fail = 2;
	(void)turn_ms(60);
	world.full = false;
	(void)turn_ms(700);
	assert_int_equal(adds_that_fail, 0);
	assert_int_equal(world.n_accepted, 1);
}

static void
may_be_closed_while_it_accepts(void **state)
{
	(void)state;
	world.close_in_callback = true;
	come(3);
	(void)turn_ms(50);
	assert_int_equal(world.n_accepted, 1);
	assert_string_equal(acceptor_name(world.acceptor), "here");
}

static void
may_be_closed_while_it_pauses(void **state)
{
	(void)state;
	world.full = true;
	come(1);
	(void)turn_ms(10);
	acceptor_close(world.acceptor);
	world.full = false;
	(void)turn_ms(100);
	assert_int_equal(world.n_accepted, 0);
}

int
main(void)
{
#define S(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		S(accepts_a_few_in_one_turn_and_the_rest_in_the_next),
		S(does_not_accept_where_nobody_waits),
		S(without_descriptors_it_waits_says_so_once_and_recovers),
		S(a_full_house_leaves_the_next_in_the_backlog),
		S(at_the_edge_of_full_it_does_not_say_that_it_goes_on),
		S(an_error_it_does_not_know_does_not_spin_either),
		S(is_not_deaf_for_good_where_it_cannot_watch_for_a_while),
		S(may_be_closed_while_it_accepts),
		S(may_be_closed_while_it_pauses),
	};
#undef S
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("acceptor", tests, NULL, NULL);
}
