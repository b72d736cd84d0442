#include "tests/unit/test.h"

#include "tests/unit/agent/daemon_fixture.h"

#include "base/compiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define HAVE_SANITIZER 1
#elif defined(__has_feature)
#	if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#		define HAVE_SANITIZER 1
#	endif
#endif

static void
serves_answers_and_drains_to_exit_0(void **state)
{
	struct lab *l = *state;
	json_t *r;

	for (int workers = 0; workers < 3; workers += 2) {
		lab_put_config(l, workers, true);
		lab_start(l);
		r = lab_ask(l, json_pack("{s:s}", "verb", "status"));
		assert_true(json_is_true(json_object_get(r, "ok")));
		assert_true(json_is_true(json_object_get(r, "ready")));
		json_decref(r);
		r = lab_ask(l,
		    json_pack("{s:s, s:s}", "verb", "why", "target",
		        "https://evil.example/"));
		assert_string_equal(
		    json_string_value(json_object_get(r, "code")),
		    "HOST_NOT_ALLOWED");
		json_decref(r);
		r = lab_ask(l,
		    json_pack("{s:s, s:s}", "verb", "why", "target",
		        "acct1.blob.core.windows.net:443"));
		assert_int_equal(
		    strncmp(json_string_value(json_object_get(r, "code")),
		        "DNS_", 4),
		    0);
		json_decref(r);
		r = lab_ask(l, json_pack("{s:s}", "verb", "nonsense"));
		assert_true(json_is_false(json_object_get(r, "ok")));
		json_decref(r);
		lab_stop(l);
	}
}

/* The error's code, or "" where it was revoked. */
static const char *
token_revoke(const struct lab *l, json_t *request)
{
	static char code[32];
	json_t *r;

	assert_int_equal(
	    json_object_set_new(request, "verb", json_string("token_revoke")),
	    0);
	r = lab_ask(l, request);
	(void)snprintf(code, sizeof code, "%s",
	    json_is_true(json_object_get(r, "ok"))
	        ? ""
	        : json_string_value(
	              json_object_get(json_object_get(r, "error"), "code")));
	json_decref(r);
	return code;
}

static void
what_is_revoked_is_on_the_disk_when_it_is_answered(void **state)
{
	struct lab *l = *state;
	char path[128], text[4096];
	size_t n;
	FILE *f;

	lab_put_config(l, 0, true);
	lab_start(l);
	assert_string_equal(
	    token_revoke(l, json_pack("{s:s}", "id", "x")), "usage");
	assert_string_equal(
	    token_revoke(l, json_pack("{s:s}", "id", "0123456789AB")), "usage");
	assert_string_equal(
	    token_revoke(l, json_pack("{s:i}", "id", 1)), "usage");
	assert_string_equal(
	    token_revoke(l, json_pack("{s:i}", "uid", -1)), "usage");
	assert_string_equal(
	    token_revoke(l, json_pack("{s:s}", "uid", "root")), "usage");
	(void)snprintf(path, sizeof path, "%s/phantom.revoked", l->dir);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_string_equal(
	    token_revoke(l, json_pack("{s:i}", "uid", 12345)), "");
	assert_string_equal(
	    token_revoke(l, json_pack("{s:s}", "id", "0123456789ab")), "");
	assert_string_equal(token_revoke(l, json_object()), "");
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	assert_int_equal(fclose(f), 0);
	text[n] = '\0';
	assert_non_null(strstr(text, " 12345 *\n"));
	assert_non_null(strstr(text, " * 0123456789ab\n"));
	/* What cannot be written is said. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_string_equal(token_revoke(l, json_object()), "internal");
	assert_int_equal(rmdir(path), 0);
	lab_stop(l);
}

static json_t *
why_user(const struct lab *l, const char *user)
{
	return lab_ask(l,
	    json_pack("{s:s, s:s, s:s, s:[s]}", "verb", "why", "target",
	        "https://acct1.blob.core.windows.net/", "user", user, "groups",
	        "no-such-group"));
}

static void
why_about_others_is_answered_and_names_nobody_it_does_not_know(void **state)
{
	struct lab *l = *state;
	const char *text;
	json_t *r;

	l->pid = lab_spawn(l);
	r = why_user(l, "root");
	assert_true(json_is_true(json_object_get(r, "ok")));
	json_decref(r);
	r = why_user(l, "3999999998"); /* a uid that nobody has */
	assert_true(json_is_true(json_object_get(r, "ok")));
	json_decref(r);
	r = why_user(l, "no-such-user");
	assert_true(json_is_false(json_object_get(r, "ok")));
	text = json_string_value(
	    json_object_get(json_object_get(r, "error"), "message"));
	assert_string_equal(text, "no user is called \"no-such-user\" here");
	json_decref(r);
	lab_stop(l);
}

/* What programs read: each member, with its type, and what can be known. */
static void
status_has_every_member_with_its_type(void **state)
{
	struct lab *l = *state;
	json_t *r;
	const char *name, *version, *mode, *digest, *head, *file, *message;
	int pid, up, generation, rules, time, workers, used, total;
	int ready, ok, healthy, locked;
	json_t *reasons, *listeners, *identities;

	lab_put_config(l, 1, true);
	l->pid = lab_spawn(l);
	r = lab_ask(l, json_pack("{s:s}", "verb", "status"));
	assert_int_equal(
	    json_unpack(r,
	        "{s:s, s:s, s:i, s:i, s:b, s:o, s:{s:i, s:s, s:s, s:i},"
	        " s:{s:b, s:i, s:s}, s:i, s:o, s:o, s:{s:b, s:s, s:s},"
	        " s:{s:b, s:i, s:i}}",
	        "name", &name, "version", &version, "pid", &pid, "uptime_s",
	        &up, "ready", &ready, "reasons", &reasons, "policy",
	        "generation", &generation, "sha256", &digest, "mode", &mode,
	        "rules", &rules, "reload", "ok", &ok, "time", &time, "message",
	        &message, "workers", &workers, "listeners", &listeners,
	        "identities", &identities, "audit", "healthy", &healthy, "head",
	        &head, "file", &file, "memory", "locked", &locked, "used_bytes",
	        &used, "total_bytes", &total),
	    0);
	assert_int_equal(pid, l->pid);
	assert_int_equal(strlen(digest), 64);
	assert_int_equal(strlen(head), 64);
	assert_string_equal(mode, "enforce");
	assert_int_equal(generation, 1);
	assert_int_equal(rules, 1);
	assert_int_equal(workers, 1);
	assert_true(ok && healthy && total >= 65536 && used <= total);
	assert_true(json_is_array(reasons) && json_is_array(identities));
	assert_int_equal(
	    json_array_size(json_object_get(listeners, "proxy")), 1);
	json_decref(r);
	lab_stop(l);
}

static void
a_bad_policy_at_reload_keeps_the_last_good_one(void **state)
{
	struct lab *l = *state;
	json_t *r;

	l->pid = lab_spawn(l);
	r = lab_ask(l, json_pack("{s:s}", "verb", "status"));
	json_decref(r);
	lab_put_file(l, "policy.json", "{\"version\": 1, \"rulez\": []}");
	r = lab_ask(l, json_pack("{s:s}", "verb", "reload"));
	assert_true(json_is_false(json_object_get(r, "ok")));
	json_decref(r);
	r = lab_ask(l, json_pack("{s:s}", "verb", "status"));
	assert_true(
	    json_is_false(json_object_get(json_object_get(r, "reload"), "ok")));
	assert_non_null(strstr(json_string_value(json_object_get(
	                           json_object_get(r, "reload"), "message")),
	    "rulez"));
	assert_int_equal(json_integer_value(json_object_get(
	                     json_object_get(r, "policy"), "generation")),
	    1);
	json_decref(r);
	lab_put_file(l, "policy.json", lab_policy_text);
	r = lab_ask(l, json_pack("{s:s}", "verb", "reload"));
	assert_true(json_is_true(json_object_get(r, "ok")));
	assert_int_equal(
	    json_integer_value(json_object_get(r, "generation")), 2);
	json_decref(r);
	lab_stop(l);
}

static void
the_identity_header_outlives_a_restart(void **state)
{
	struct lab *l = *state;
	char first[128] = "";

	for (int i = 0; i < 2; i++) {
		json_t *r;
		const char *header;

		l->pid = lab_spawn(l);
		r = lab_ask(l, json_pack("{s:s}", "verb", "env"));
		header =
		    json_string_value(json_object_get(r, "identity_header"));
		assert_non_null(header);
		assert_int_equal(strlen(header), 64);
		if (i == 0)
			(void)snprintf(first, sizeof first, "%s", header);
		else
			assert_string_equal(header, first);
		json_decref(r);
		lab_stop(l);
	}
}

static void
refuses_to_start_where_it_must_not(void **state)
{
	struct lab *l = *state;
	struct lab second = *l;
	char text[512], path[128];

	lab_put_file(l, "wayleave.json", "{\"version\": 1, \"lisen\": {}}");
	assert_int_equal(lab_wait_exit(lab_spawn(l)), 78);
	lab_put_config(l, 1, true);
	lab_put_file(l, "policy.json", "{");
	assert_int_equal(lab_wait_exit(lab_spawn(l)), 78);
	/* Our own uid is a workload of the policy. */
	(void)snprintf(text, sizeof text,
	    "{\"version\": 1, \"endpoints\": [\"10.20.0.0/16\"], "
	    "\"workloads\": {\"me\": {\"users\": [\"%u\"]}}, \"rules\": [{"
	    "\"id\": \"a\", \"effect\": \"allow\", \"hosts\": "
	    "[\"acct1.blob.core.windows.net\"], \"workloads\": [\"me\"]}]}",
	    (unsigned)geteuid());
	lab_put_file(l, "policy.json", text);
	lab_put_config(l, 1, false);
	assert_int_equal(lab_wait_exit(lab_spawn(l)), 77);
	lab_put_file(l, "policy.json", lab_policy_text);
	lab_put_config(l, 1, true);
	l->pid = lab_spawn(l);
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	assert_int_equal(lab_wait_exit(lab_spawn(&second)), 69);
	lab_stop(l);
	(void)snprintf(path, sizeof path, "%s/broker.key", l->dir);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(lab_wait_exit(lab_spawn(l)), 77);
}

static void
admin_gives_metrics_and_refuses_what_could_change(void **state)
{
	static const struct {
		const char *request;
		const char *has;
	} cases[] = {
		{ "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
		    "HTTP/1.1 200 OK" },
		{ "GET /readyz HTTP/1.0\r\n\r\n", "\"ready\":true" },
		{ "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n",
		    "wayleave_reloads_total 0" },
		{ "GET /nope HTTP/1.0\r\n\r\n", "HTTP/1.1 404" },
		{ "POST /status HTTP/1.0\r\n\r\n", "HTTP/1.1 405" },
		{ "GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		    "HTTP/1.1 400" },
		{ "GET /status\n\n", "HTTP/1.1 400" },
	};
	struct lab *l = *state;

	lab_start(l);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_un sun = { .sun_family = AF_UNIX };
		char in[65536] = "";
		size_t n = 0;
		ssize_t got;
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		(void)snprintf(
		    sun.sun_path, sizeof sun.sun_path, "%s/admin.sock", l->dir);
		assert_int_equal(
		    connect(fd, (struct sockaddr *)&sun, sizeof sun), 0);
		got = send(fd, cases[i].request, strlen(cases[i].request),
		    MSG_NOSIGNAL);
		assert_int_equal(got, strlen(cases[i].request));
		while ((got = recv(fd, in + n, sizeof in - 1 - n, 0)) > 0)
			n += (size_t)got;
		close(fd);
		assert_non_null(strstr(in, cases[i].has));
	}
	lab_stop(l);
}

static void
runs_without_capabilities_and_behind_a_filter(void **state)
{
	struct lab *l = *state;
	char path[64], line[256];
	int seccomp = -1, no_new_privs = -1;
	unsigned long long caps = 1;
	FILE *f;

	l->pid = lab_spawn(l);
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	(void)snprintf(path, sizeof path, "/proc/%d/status", (int)l->pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, "CapEff:\t", 8) == 0)
			caps = strtoull(line + 8, NULL, 16);
		if (strncmp(line, "Seccomp:\t", 9) == 0)
			seccomp = line[9] - '0';
		if (strncmp(line, "NoNewPrivs:\t", 12) == 0)
			no_new_privs = line[12] - '0';
	}
	assert_int_equal(fclose(f), 0);
	assert_int_equal(caps, 0);
#ifndef HAVE_SANITIZER
	assert_int_equal(seccomp, 2);
	assert_int_equal(no_new_privs, 1);
#else
	(void)seccomp;
	(void)no_new_privs;
#endif
	lab_stop(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    serves_answers_and_drains_to_exit_0, lab_setup,
		    lab_teardown),
		cmocka_unit_test_setup_teardown(
		    why_about_others_is_answered_and_names_nobody_it_does_not_know,
		    lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_revoked_is_on_the_disk_when_it_is_answered,
		    lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(
		    status_has_every_member_with_its_type, lab_setup,
		    lab_teardown),
		cmocka_unit_test_setup_teardown(
		    a_bad_policy_at_reload_keeps_the_last_good_one, lab_setup,
		    lab_teardown),
		cmocka_unit_test_setup_teardown(
		    the_identity_header_outlives_a_restart, lab_setup,
		    lab_teardown),
		cmocka_unit_test_setup_teardown(
		    refuses_to_start_where_it_must_not, lab_setup,
		    lab_teardown),
		cmocka_unit_test_setup_teardown(
		    admin_gives_metrics_and_refuses_what_could_change,
		    lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(
		    runs_without_capabilities_and_behind_a_filter, lab_setup,
		    lab_teardown),
	};
	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
