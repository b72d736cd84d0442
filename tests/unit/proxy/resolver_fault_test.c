/* The resolver where answers are hostile, or cannot be waited for. */
#include "tests/unit/proxy/resolver_steps.h"

#include <stdio.h>
#include <unistd.h>

/* epoll_ctl(2): ENOMEM, for sockets; timers need no descriptor. */
static bool epoll_fails;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_event_add(struct event *ev, const struct timeval *timeout);
int __wrap_event_add(struct event *ev, const struct timeval *timeout);

int
__wrap_event_add(struct event *ev, const struct timeval *timeout)
{
	if (epoll_fails && event_get_fd(ev) >= 0)
		return -1;
	return __real_event_add(ev, timeout);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void
a_socket_that_cannot_be_watched_fails_the_question_at_once(void **state)
{
	struct fixture *f = *state;

	f->servers[0].script = private_script;
	epoll_fails = true;
	assert_failure(resolve(f, NAME), REASON_DNS_SERVFAIL);
	epoll_fails = false;
	assert_failure(resolve(f, NAME), REASON_NONE);
}

static void
deaf_from_now_on_script(
    struct dns_packet *out, const char *name, unsigned type, bool tcp)
{
	(void)out;
	(void)name;
	(void)type;
	(void)tcp;
	epoll_fails = true;
}

/* After the first time-out the next server is asked, by a new socket. */
static void
nor_is_a_socket_of_a_retry_waited_for(void **state)
{
	struct fixture *f = *state;
	struct proxy_dns_config config;
	struct proxy_dns_zone zone;

	zone_to(&zone, "", f->servers, 2);
	config = config_of(&zone, 1);
	resolver_destroy(f->resolver);
	assert_int_equal(
	    resolver_create(f->base, &clock_system, &config, &f->resolver), OK);
	f->servers[0].script = deaf_from_now_on_script;
	f->servers[1].script = deaf_from_now_on_script;
	/* Not a time-out: nobody has waited for the second answer. */
	assert_failure(resolve(f, NAME), REASON_DNS_SERVFAIL);
	epoll_fails = false;
	f->servers[0].script = private_script;
	f->servers[1].script = private_script;
	assert_failure(resolve(f, NAME), REASON_NONE);
}

enum { HOSTILE = 192 };

/* An honest answer with a few bytes wrong, or a part of it, or neither. */
static void
hostile_script(
    struct dns_packet *out, const char *name, unsigned type, bool tcp)
{
	static const uint8_t worst[] = { 0, 0x3f, 0x40, 0xc0, 0xff };
	static uint32_t seed = 1;

	private_script(out, name, type, tcp);
	for (unsigned i = 0; i < 8; i++) {
		size_t at;

		seed = seed * 1664525 + 1013904223;
		at = 2 + (seed >> 8) % (out->n - 2);
		if (i == 7 && seed >> 31 != 0)
			out->n = at;
		else if (i < 1 + (seed >> 28) % 7)
			out->b[at] = worst[(seed >> 4) % sizeof worst];
	}
}

static void
count_down(void *arg, struct resolver_answer *a)
{
	unsigned *left = arg;

	(*left)--;
	resolver_answer_unref(a);
}

static void
hostile_answers_harm_no_other_question(void **state)
{
	struct fixture *f = *state;
	unsigned left = HOSTILE;
	char name[32];

	f->servers[0].script = hostile_script;
	for (unsigned i = 0; i < HOSTILE; i++) {
		(void)snprintf(name, sizeof name, "h%u.example", i);
		assert_non_null(
		    resolver_start(f->resolver, name, count_down, &left));
	}
	for (int i = 0; i < 2000 && left > 0; i++) {
		(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
		(void)usleep(1000);
	}
	assert_int_equal(left, 0);
	f->servers[0].script = private_script;
	assert_failure(resolve(f, NAME), REASON_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RESOLVER_TEST(
		    a_socket_that_cannot_be_watched_fails_the_question_at_once),
		RESOLVER_TEST(nor_is_a_socket_of_a_retry_waited_for),
		RESOLVER_TEST(hostile_answers_harm_no_other_question),
	};
	return cmocka_run_group_tests_name(
	    "resolver faults", tests, NULL, NULL);
}
