/* What was read of the CA file, and what a reload makes of it meanwhile. */
#include "tests/unit/test.h"

#include "agent/daemon.h"

#include <event2/event.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The agent's calls come here (--wrap). */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
enum status __wrap_config_load_trust(
    const char *ca_file, struct tls_trust **out, struct status_detail *detail);
void __wrap_proxy_shared_set_trust(
    struct proxy_shared *s, struct tls_trust *trust);
void __wrap_tls_trust_unref(struct tls_trust *t);

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static struct {
	struct daemon d;
	sem_t go; /* one reading may end */
	_Atomic int readings;
	const void *set; /* what is believed */
	unsigned sets;
} world;

/* The first reading gives the first of these, and so on. */
static char anchors[8];

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
enum status
__wrap_config_load_trust(
    const char *ca_file, struct tls_trust **out, struct status_detail *detail)
{
	int n = world.readings++;

	(void)ca_file;
	(void)detail;
	while (sem_wait(&world.go) != 0)
		continue;
	*out = (struct tls_trust *)(void *)&anchors[n];
	return OK;
}

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void
__wrap_proxy_shared_set_trust(struct proxy_shared *s, struct tls_trust *trust)
{
	(void)s;
	world.set = trust;
	world.sets++;
}

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void
__wrap_tls_trust_unref(struct tls_trust *t)
{
	(void)t;
}

static int
setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof world);
	assert_int_equal(sem_init(&world.go, 0, 0), 0);
	world.d.base = event_base_new();
	world.d.config = calloc(1, sizeof *world.d.config);
	assert_non_null(world.d.config);
	(void)snprintf(
	    world.d.config->ca_file, sizeof world.d.config->ca_file, "one.pem");
	assert_int_equal(mailbox_create(world.d.base, 8, &world.d.mailbox), OK);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		(void)sem_post(&world.go);
	daemon_end_trust(&world.d);
	mailbox_destroy(world.d.mailbox);
	event_base_free(world.d.base);
	free(world.d.config);
	return sem_destroy(&world.go);
}

/* Lets one reading end, and waits for what it says to come. */
static void
end_reading(void)
{
	bool was_again = world.d.trust.again;

	(void)sem_post(&world.go);
	for (int i = 0; i < 5000; i++) {
		(void)event_base_loop(world.d.base, EVLOOP_NONBLOCK);
		if (!world.d.trust.busy || (was_again && !world.d.trust.again))
			return;
		(void)usleep(1000);
	}
	fail_msg("no word of the reading came");
}

static void
a_reading_is_believed_although_another_is_asked_for_meanwhile(void **state)
{
	(void)state;
	daemon_load_trust(&world.d);
	daemon_load_trust(&world.d);
	end_reading();
	assert_ptr_equal(world.set, &anchors[0]);
	assert_true(world.d.trust.busy);
	end_reading();
	assert_ptr_equal(world.set, &anchors[1]);
	assert_false(world.d.trust.busy);
}

static void
a_reading_of_before_takes_nothing_from_what_a_reload_believes(void **state)
{
	(void)state;
	daemon_load_trust(&world.d);
	daemon_set_trust(&world.d, (struct tls_trust *)(void *)&anchors[7]);
	assert_ptr_equal(world.set, &anchors[7]);
	end_reading();
	assert_ptr_equal(world.set, &anchors[7]);
	assert_int_equal(world.sets, 1);
	/* The next one counts. */
	daemon_load_trust(&world.d);
	end_reading();
	assert_ptr_equal(world.set, &anchors[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_reading_is_believed_although_another_is_asked_for_meanwhile,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_reading_of_before_takes_nothing_from_what_a_reload_believes,
		    setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
