/* The inspection CA over days, and what a reload makes of work under way. */
#include "tests/unit/test.h"

#include "agent/ca_files.h"
#include "agent/ca_make.h"
#include "agent/daemon.h"

#include <event2/event.h>
#include <openssl/x509.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOW = 1790000000 };

/* The agent's calls come here (--wrap). */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
bool __wrap_daemon_renew_signer(struct daemon *d);
enum status __wrap_ca_files_write(const char *dir, const char *roots_file,
    const struct ca *ca, struct status_detail *detail);

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static struct {
	struct daemon d;
	struct policy *policy;
	struct policy_issues issues;
	char dir[64];
	int64_t now_s;
	_Atomic unsigned writings;
	enum status writes; /* what a writing gives */
	bool renews;
	unsigned renewals;
	sem_t go; /* one writing may end */
} world;

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
bool
__wrap_daemon_renew_signer(struct daemon *d)
{
	assert_ptr_equal(d, &world.d);
	world.renewals++;
	return world.renews;
}

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
enum status
__wrap_ca_files_write(const char *dir, const char *roots_file,
    const struct ca *ca, struct status_detail *detail)
{
	(void)dir;
	(void)roots_file;
	(void)ca;
	world.writings++;
	while (sem_wait(&world.go) != 0)
		continue;
	return world.writes == OK
	    ? OK
	    : status_set(detail, world.writes, "the disk is full");
}

static int64_t
unix_ns(void *ctx)
{
	(void)ctx;
	return world.now_s * 1000000000;
}

static const struct clock clock_fake = { NULL, unix_ns, NULL };

static int
setup(void **state)
{
	static const char rules[] =
	    "{\"version\": 1, \"rules\": [{\"id\": \"r\", \"effect\": "
	    "\"allow\", \"hosts\": [\"a.example\"], \"methods\": "
	    "[\"GET\"]}]}";
	struct status_detail detail;
	struct config *c;

	(void)state;
	memset(&world, 0, sizeof world);
	(void)snprintf(world.dir, sizeof world.dir, "/tmp/wayleave-ca-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	assert_int_equal(sem_init(&world.go, 0, 0), 0);
	world.now_s = NOW;
	world.renews = true;
	world.d.clock = &clock_fake;
	world.d.base = event_base_new();
	assert_int_equal(mailbox_create(world.d.base, 8, &world.d.mailbox), OK);
	c = world.d.config = calloc(1, sizeof *c);
	assert_non_null(c);
	(void)snprintf(c->state_dir, sizeof c->state_dir, "%s", world.dir);
	(void)snprintf(c->name, sizeof c->name, "lab");
	assert_int_equal(
	    policy_load(slice_of(rules), &world.policy, &world.issues), OK);
	assert_int_equal(
	    daemon_open_ca(&world.d, c, world.policy, &world.d.ca, &detail),
	    OK);
	return 0;
}

static int
teardown(void **state)
{
	char command[96];

	(void)state;
	for (int i = 0; i < 8; i++)
		(void)sem_post(&world.go);
	daemon_end_ca(&world.d);
	mailbox_destroy(world.d.mailbox);
	event_base_free(world.d.base);
	ca_unref(world.d.ca);
	policy_unref(world.policy);
	free(world.d.config);
	(void)sem_destroy(&world.go);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", world.dir);
	return system(command);
}

/* Lets one work end, and waits for its word. */
static void
end_work(void)
{
	bool was_again = world.d.ca_work.again;

	assert_true(world.d.ca_work.busy);
	(void)sem_post(&world.go);
	for (int i = 0; i < 5000; i++) {
		(void)event_base_loop(world.d.base, EVLOOP_NONBLOCK);
		if (!world.d.ca_work.busy ||
		    (was_again && !world.d.ca_work.again))
			return;
		(void)usleep(1000);
	}
	fail_msg("no word of the work came");
}

static void
until_its_files_are_there_the_reason_is_said(void **state)
{
	(void)state;
	assert_string_equal(daemon_ca_reason(&world.d),
	    "the files of the inspection CA cannot be written");
	daemon_write_ca(&world.d);
	assert_string_equal(daemon_ca_reason(&world.d),
	    "the files of the inspection CA are being written");
	world.writes = E_IO;
	end_work();
	assert_string_equal(daemon_ca_reason(&world.d),
	    "the files of the inspection CA cannot be written");
	world.writes = OK;
	daemon_write_ca(&world.d);
	end_work();
	assert_null(daemon_ca_reason(&world.d));
	assert_int_equal(world.renewals, 0);
	/* Files of before are still good when new ones cannot be written. */
	world.writes = E_IO;
	daemon_write_ca(&world.d);
	end_work();
	assert_null(daemon_ca_reason(&world.d));
}

static void
the_next_one_signs_when_its_day_is_over(void **state)
{
	struct status_detail detail;
	struct tls_ca *first = tls_ca_ref(world.d.ca->signer);

	(void)state;
	assert_int_equal(daemon_rotate_ca(&world.d, false, &detail), OK);
	assert_int_equal(daemon_rotate_ca(&world.d, false, &detail), E_BUSY);
	end_work();
	assert_non_null(world.d.ca->certs[CA_NEXT]);
	assert_int_equal(daemon_rotate_ca(&world.d, false, &detail), E_BUSY);
	assert_ptr_equal(world.d.ca->signer, first);
	world.now_s += CA_OVERLAP_S - 1;
	daemon_watch_ca(&world.d);
	assert_false(world.d.ca_work.busy);
	world.now_s++;
	daemon_watch_ca(&world.d);
	/* Clients read of it before it signs. */
	assert_ptr_equal(world.d.ca->signer, first);
	end_work();
	assert_ptr_not_equal(world.d.ca->signer, first);
	assert_int_equal(world.renewals, 1);
	assert_null(world.d.ca->certs[CA_NEXT]);
	assert_non_null(world.d.ca->certs[CA_OLD]);
	daemon_watch_ca(&world.d);
	assert_false(world.d.ca_work.busy);
	world.now_s = world.d.ca->due_unix_s;
	daemon_watch_ca(&world.d);
	end_work();
	assert_null(world.d.ca->certs[CA_OLD]);
	assert_int_equal(world.renewals, 1);
	tls_ca_unref(first);
}

static void
what_could_not_be_written_is_tried_again(void **state)
{
	(void)state;
	world.writes = E_IO;
	daemon_write_ca(&world.d);
	daemon_watch_ca(&world.d);
	end_work();
	assert_false(world.d.ca_work.busy);
	world.writes = OK;
	daemon_watch_ca(&world.d);
	end_work();
	assert_null(daemon_ca_reason(&world.d));
	daemon_watch_ca(&world.d);
	assert_false(world.d.ca_work.busy);
}

/* Who steals a key has no use of it, whatever the disk says. */
static void
a_stolen_key_signs_nothing_more_also_where_files_cannot_be_written(void **state)
{
	struct tls_ca *stolen = tls_ca_ref(world.d.ca->signer);
	struct status_detail detail;

	(void)state;
	daemon_write_ca(&world.d);
	end_work();
	assert_null(daemon_ca_reason(&world.d));
	world.writes = E_IO;
	assert_int_equal(daemon_rotate_ca(&world.d, true, &detail), OK);
	end_work();
	assert_ptr_not_equal(world.d.ca->signer, stolen);
	assert_int_equal(world.renewals, 1);
	/* Clients would not believe what it signs now. */
	assert_non_null(daemon_ca_reason(&world.d));
	world.writes = OK;
	daemon_watch_ca(&world.d);
	end_work();
	assert_null(daemon_ca_reason(&world.d));
	/* A next one that clients cannot know of is made known later. */
	world.writes = E_IO;
	assert_int_equal(daemon_rotate_ca(&world.d, false, &detail), OK);
	end_work();
	world.writes = OK;
	daemon_watch_ca(&world.d);
	end_work();
	assert_non_null(world.d.ca->certs[CA_NEXT]);
	assert_int_equal(world.renewals, 1);
	tls_ca_unref(stolen);
}

static void
one_that_is_about_to_expire_is_rotated_by_itself(void **state)
{
	(void)state;
	daemon_write_ca(&world.d);
	end_work();
	world.now_s += (int64_t)(CA_DAYS - CA_RENEW_DAYS) * 86400 - 1;
	daemon_watch_ca(&world.d);
	assert_false(world.d.ca_work.busy);
	world.now_s++;
	daemon_watch_ca(&world.d);
	end_work();
	assert_non_null(world.d.ca->certs[CA_NEXT]);
	daemon_watch_ca(&world.d);
	assert_false(world.d.ca_work.busy);
	world.now_s += CA_OVERLAP_S;
	daemon_watch_ca(&world.d);
	end_work();
	assert_int_equal(world.renewals, 1);
	daemon_watch_ca(&world.d);
	assert_false(world.d.ca_work.busy);
}

static void
what_the_workers_do_not_take_up_does_not_count(void **state)
{
	struct status_detail detail;
	struct ca *first = world.d.ca;

	(void)state;
	world.renews = false;
	assert_int_equal(daemon_rotate_ca(&world.d, true, &detail), OK);
	end_work();
	assert_ptr_equal(world.d.ca, first);
	/* It is tried again with the next work. */
	world.renews = true;
	daemon_write_ca(&world.d);
	end_work();
	assert_ptr_not_equal(world.d.ca, first);
	assert_int_equal(world.renewals, 2);
}

static void
work_that_a_reload_overtakes_is_done_again_or_dropped(void **state)
{
	struct ca *none;
	struct status_detail detail;

	(void)state;
	daemon_write_ca(&world.d);
	daemon_write_ca(&world.d);
	end_work();
	assert_true(world.d.ca_ready);
	assert_true(world.d.ca_work.busy);
	/* The second is under way when inspection is turned off. */
	ca_unref(world.d.ca);
	world.d.ca = NULL;
	world.d.ca_ready = false;
	world.d.config->inspection = CONFIG_INSPECTION_OFF;
	assert_int_equal(daemon_open_ca(&world.d, world.d.config, world.policy,
	                     &none, &detail),
	    OK);
	assert_null(none);
	end_work();
	assert_null(world.d.ca);
	assert_false(world.d.ca_ready);
	assert_null(daemon_ca_reason(&world.d));
	assert_int_equal(
	    daemon_rotate_ca(&world.d, false, &detail), E_NOTFOUND);
	daemon_write_ca(&world.d);
	daemon_watch_ca(&world.d);
	assert_false(world.d.ca_work.busy);
}

static void
a_credential_is_looked_for_where_the_manager_puts_it(void **state)
{
	struct config other = *world.d.config;
	struct status_detail detail;
	char from[96], to[96];
	struct ca *ca = NULL;

	(void)state;
	other.inspection = CONFIG_INSPECTION_CREDENTIAL;
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_int_equal(
	    daemon_open_ca(&world.d, &other, world.policy, &ca, &detail),
	    E_NOTFOUND);
	assert_non_null(strstr(detail.text, "LoadCredential="));
	(void)snprintf(from, sizeof from, "%s/ca.key", world.dir);
	(void)snprintf(to, sizeof to, "%s/wayleave-ca.key", world.dir);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", world.dir, 1), 0);
	assert_int_equal(
	    daemon_open_ca(&world.d, &other, world.policy, &ca, &detail), OK);
	assert_int_equal(
	    X509_cmp(ca->certs[CA_CURRENT], world.d.ca->certs[CA_CURRENT]), 0);
	ca_unref(ca);
	world.d.config->inspection = CONFIG_INSPECTION_CREDENTIAL;
	assert_int_equal(
	    daemon_rotate_ca(&world.d, true, &detail), E_UNSUPPORTED);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(until_its_files_are_there_the_reason_is_said),
		TEST(the_next_one_signs_when_its_day_is_over),
		TEST(what_could_not_be_written_is_tried_again),
		TEST(
		    a_stolen_key_signs_nothing_more_also_where_files_cannot_be_written),
		TEST(one_that_is_about_to_expire_is_rotated_by_itself),
		TEST(what_the_workers_do_not_take_up_does_not_count),
		TEST(work_that_a_reload_overtakes_is_done_again_or_dropped),
		TEST(a_credential_is_looked_for_where_the_manager_puts_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
