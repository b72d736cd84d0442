/* What a reload changes, and that it changes all or nothing. */
#include "tests/unit/test.h"

#include "tests/unit/agent/daemon_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void
put_config(const struct lab *l, const char *more)
{
	char text[1024];

	(void)snprintf(text, sizeof text,
	    "{\"version\": 1, \"workers\": 2, \"listen\": {\"proxy\": "
	    "[\"unix:proxy.sock\"], \"admin\": [\"unix:admin.sock\"], "
	    "\"broker\": [\"unix:broker.sock\"], \"control\": "
	    "\"control.sock\"}, \"state_dir\": \".\", \"runtime_dir\": "
	    "\".\", \"unsafe_same_user\": true, \"dns\": {\"servers\": "
	    "[\"127.0.0.1:9\"]}, \"audit\": {\"file\": \"audit.jsonl\"}%s}",
	    more);
	lab_put_file(l, "wayleave.json", text);
}

static json_t *
reload(const struct lab *l)
{
	return lab_ask(l, json_pack("{s:s}", "verb", "reload"));
}

static int
join(const struct lab *l, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(
	    sun.sun_path, sizeof sun.sun_path, "%s/%s", l->dir, name);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&sun, sizeof sun), 0);
	return fd;
}

/* Whether the daemon ends the connection within @ms, whatever it says. */
static bool
is_ended_within(int fd, int ms)
{
	struct timespec now, end;
	char got[1024];

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &end), 0);
	end.tv_sec += ms / 1000;
	end.tv_nsec += (long)(ms % 1000) * 1000000;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		long left_ms;

		assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
		left_ms = (end.tv_sec - now.tv_sec) * 1000 +
		    (end.tv_nsec - now.tv_nsec) / 1000000;
		if (left_ms <= 0 || poll(&p, 1, (int)left_ms) != 1)
			return false;
		if (recv(fd, got, sizeof got, MSG_DONTWAIT) <= 0)
			return true;
	}
}

static void
limits_and_timeouts_take_effect_at_a_reload(void **state)
{
	static const char *const sockets[] = { "admin.sock", "broker.sock",
		"control.sock" };
	struct lab *l = *state;
	json_t *r;

	put_config(l, "");
	l->pid = lab_spawn(l);
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	put_config(l,
	    ", \"limits\": {\"connections_per_uid\": 1, "
	    "\"control_connections\": 2, \"admin_connections\": 1}, "
	    "\"timeouts\": {\"request_head_ms\": 1500, \"broker_idle_ms\": "
	    "1000}");
	r = reload(l);
	assert_true(json_is_true(json_object_get(r, "ok")));
	assert_string_equal(
	    json_string_value(json_object_get(r, "message")), "");
	json_decref(r);
	for (size_t i = 0; i < 3; i++) {
		int first = join(l, sockets[i]), second;

		assert_false(is_ended_within(first, 100));
		second = join(l, sockets[i]);
		assert_true(is_ended_within(second, 5000));
		/* Half a request. */
		assert_int_equal(send(first, "G", 1, MSG_NOSIGNAL), 1);
		assert_true(is_ended_within(first, 5000));
		(void)close(first);
		(void)close(second);
	}
	lab_stop(l);
}

static void
the_brokers_ceiling_takes_effect_at_a_reload(void **state)
{
	struct lab *l = *state;
	int first, second;
	json_t *r;

	put_config(l, "");
	l->pid = lab_spawn(l);
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	put_config(l, ", \"limits\": {\"broker_connections\": 1}");
	r = reload(l);
	assert_true(json_is_true(json_object_get(r, "ok")));
	json_decref(r);
	first = join(l, "broker.sock");
	assert_false(is_ended_within(first, 100));
	second = join(l, "broker.sock");
	assert_true(is_ended_within(second, 5000));
	(void)close(first);
	(void)close(second);
	lab_stop(l);
}

static bool
is_ready(const struct lab *l)
{
	json_t *r = lab_ask(l, json_pack("{s:s}", "verb", "wait"));
	bool ready = json_is_true(json_object_get(r, "ready"));

	json_decref(r);
	return ready;
}

/* The CA file is read beside the loops. */
static void
wait_until_ready_is(const struct lab *l, bool ready)
{
	for (unsigned i = 0; i < 500 && is_ready(l) != ready; i++)
		(void)usleep(10000);
	assert_int_equal(is_ready(l), ready);
}

/* ca.pem is a link to certificates, or is not there. */
static void
put_trust(const struct lab *l, bool there)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/ca.pem", l->dir);
	(void)unlink(path);
	if (there)
		assert_int_equal(
		    symlink("/etc/ssl/certs/ca-certificates.crt", path), 0);
}

static void
the_trust_anchors_are_read_again_at_a_reload(void **state)
{
	struct lab *l = *state;

	put_trust(l, true);
	put_config(l, ", \"tls\": {\"ca_file\": \"ca.pem\"}");
	lab_start(l);
	put_trust(l, false);
	json_decref(reload(l));
	wait_until_ready_is(l, false);
	put_trust(l, true);
	json_decref(reload(l));
	assert_true(is_ready(l));
	lab_stop(l);
	put_trust(l, false);
}

static void
trust_anchors_that_are_none_fail_the_reload(void **state)
{
	struct lab *l = *state;
	json_t *r;

	put_config(l, "");
	lab_start(l);
	put_config(l, ", \"tls\": {\"ca_file\": \"none.pem\"}");
	r = reload(l);
	assert_true(json_is_false(json_object_get(r, "ok")));
	json_decref(r);
	assert_true(is_ready(l));
	lab_stop(l);
}

static void
what_needs_a_restart_is_named_and_stays(void **state)
{
	struct lab *l = *state;
	json_t *r;

	put_config(l, "");
	l->pid = lab_spawn(l);
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	put_config(l, ", \"cgroup_root\": \"/nowhere\"");
	r = reload(l);
	assert_true(json_is_true(json_object_get(r, "ok")));
	assert_string_equal(json_string_value(json_object_get(r, "message")),
	    "changed, but needs a restart: cgroup_root");
	json_decref(r);
	lab_stop(l);
}

/* How many descriptors @pid has open. */
static unsigned
open_files(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	(void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	assert_int_equal(closedir(d), 0);
	return n;
}

/* The same, once it has not changed for half a second. */
static unsigned
files_at_rest(pid_t pid)
{
	unsigned last = 0, same = 0;

	for (int i = 0; same < 25; i++) {
		unsigned n = open_files(pid);

		assert_true(i < 1000);
		same = n == last ? same + 1 : 0;
		last = n;
		(void)usleep(20000);
	}
	return last;
}

/* The limit of descriptors that leaves @pid room for two more. */
static rlim_t
room_for_two(pid_t pid)
{
	char path[64];
	rlim_t fd = 0;

	for (int left = 2; left > 0; fd++) {
		(void)snprintf(
		    path, sizeof path, "/proc/%d/fd/%d", (int)pid, (int)fd);
		if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
			left--;
	}
	return fd;
}

/* Waits until the log has one of the two. */
static void
await_log(const struct lab *l, const char *this, const char *that)
{
	char path[128], text[65536];

	(void)snprintf(path, sizeof path, "%s/log", l->dir);
	for (int i = 0; i < 1000; i++) {
		FILE *f = fopen(path, "r");
		size_t n;

		assert_non_null(f);
		n = fread(text, 1, sizeof text - 1, f);
		assert_int_equal(fclose(f), 0);
		text[n] = '\0';
		if (strstr(text, this) != NULL || strstr(text, that) != NULL)
			return;
		(void)usleep(10000);
	}
	fail_msg("not in the log: \"%s\": %s", this, text);
}

static const char exes_policy[] =
    "{\"version\": 1, \"workloads\": {\"tool\": {\"exes\": "
    "[\"/usr/bin/*\"]}}, \"rules\": [{\"id\": \"old\", \"effect\": "
    "\"allow\", \"hosts\": [\"acct1.blob.core.windows.net\"], "
    "\"workloads\": [\"tool\"]}]}";

/* The new policy needs new look-ups of peers, for which there is no room. */
static void
a_reload_that_cannot_be_whole_changes_nothing(void **state)
{
	struct lab *l = *state;
	struct rlimit few, old;
	unsigned before;
	json_t *r;

	if (geteuid() != 0)
		skip(); /* "exes" need CAP_SYS_PTRACE */
	put_config(l, "");
	lab_put_file(l, "policy.json", exes_policy);
	l->pid = lab_spawn(l);
	before = files_at_rest(l->pid);
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	lab_put_file(l, "policy.json", lab_policy_text);
	put_config(l, ", \"name\": \"other\"");
	assert_int_equal(prlimit(l->pid, RLIMIT_NOFILE, NULL, &old), 0);
	/* By signal: then no connection needs a descriptor of its own. */
	few = old;
	/* The question's own connection is closed. */
	assert_int_equal(files_at_rest(l->pid), before);
	few.rlim_cur = room_for_two(l->pid);
	assert_int_equal(prlimit(l->pid, RLIMIT_NOFILE, &few, NULL), 0);
	assert_int_equal(kill(l->pid, SIGHUP), 0);
	await_log(l, "reload failed", "generation 2 is in force");
	assert_int_equal(prlimit(l->pid, RLIMIT_NOFILE, &old, NULL), 0);
	r = lab_ask(l, json_pack("{s:s}", "verb", "status"));
	assert_true(
	    json_is_false(json_object_get(json_object_get(r, "reload"), "ok")));
	assert_int_equal(json_integer_value(json_object_get(
	                     json_object_get(r, "policy"), "generation")),
	    1);
	assert_string_equal(
	    json_string_value(json_object_get(r, "name")), "wayleave");
	json_decref(r);
	r = reload(l);
	assert_true(json_is_true(json_object_get(r, "ok")));
	json_decref(r);
	lab_stop(l);
}

static const char strangers_policy[] =
    "{\"version\": 1, \"workloads\": {\"a\": {\"users\": [\"root\", "
    "\"no-such-user\", \"4000000001\"]}, \"b\": {\"groups\": "
    "[\"no-such-group\", \"root\"]}}, \"rules\": [{\"id\": \"old\", "
    "\"effect\": \"allow\", \"hosts\": [\"acct1.blob.core.windows.net\"], "
    "\"workloads\": [\"a\", \"b\"]}]}";

static void
names_that_nobody_has_are_warned_of(void **state)
{
	static const char *const want[] = {
		"no user is called \"no-such-user\" here",
		"no group is called \"no-such-group\" here",
	};
	struct lab *l = *state;

	put_config(l, "");
	l->pid = lab_spawn(l);
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	lab_put_file(l, "policy.json", strangers_policy);
	json_decref(reload(l));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		await_log(l, want[i], want[i]);
	lab_stop(l);
}

/* Needs root: from here on this process has mounts of its own. */
static bool
own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A directory service that does not answer: to open a pipe without a writer
 * is to wait. */
static void
a_reload_does_not_wait_for_the_user_database(void **state)
{
	struct lab *l = *state;
	char pipe[128];

	if (!own_mounts())
		skip();
	put_config(l, "");
	l->pid = lab_spawn(l);
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	(void)snprintf(pipe, sizeof pipe, "%s/passwd", l->dir);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(mount(pipe, "/etc/passwd", NULL, MS_BIND, NULL), 0);
	lab_put_file(l, "policy.json", strangers_policy);
	json_decref(reload(l));
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	assert_int_equal(umount2("/etc/passwd", MNT_DETACH), 0);
	/* Whoever waits finds it empty now. */
	(void)close(open(pipe, O_RDWR | O_CLOEXEC));
	await_log(l, "no group is called", "no group is called");
	lab_stop(l);
}

int
main(void)
{
#define S(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		S(limits_and_timeouts_take_effect_at_a_reload),
		S(the_brokers_ceiling_takes_effect_at_a_reload),
		S(the_trust_anchors_are_read_again_at_a_reload),
		S(trust_anchors_that_are_none_fail_the_reload),
		S(what_needs_a_restart_is_named_and_stays),
		S(a_reload_that_cannot_be_whole_changes_nothing),
		S(names_that_nobody_has_are_warned_of),
		S(a_reload_does_not_wait_for_the_user_database),
	};
#undef S
	return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
