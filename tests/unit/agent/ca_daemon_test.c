/* The inspection CA of a running daemon, and what its clients are told. */
#include "tests/unit/test.h"

#include "agent/cli.h"
#include "agent/verbs.h"
#include "tests/unit/agent/daemon_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static const char looks_inside[] =
    "{\"version\": 1, \"rules\": [{\"id\": \"r\", \"effect\": \"allow\", "
    "\"hosts\": [\"a.example\"], \"methods\": [\"GET\"]}]}";

/* Any certificate will do for roots: the file is there from the start. */
static void
put_config(const struct lab *l, int workers, const char *inspection)
{
	char text[1024];

	(void)snprintf(text, sizeof text,
	    "{\"version\": 1, \"workers\": %d, \"listen\": {\"proxy\": "
	    "[\"unix:proxy.sock\"], \"control\": \"control.sock\"}, "
	    "\"state_dir\": \".\", \"runtime_dir\": \"run\", "
	    "\"unsafe_same_user\": true, \"dns\": {\"servers\": "
	    "[\"127.0.0.1:9\"]}, \"audit\": {\"file\": \"audit.jsonl\"}, "
	    "\"tls\": {\"inspection\": \"%s\"}}",
	    workers, inspection);
	lab_put_file(l, "wayleave.json", text);
}

static int
setup(void **state)
{
	char path[128];
	struct lab *l;

	(void)lab_setup(state);
	l = *state;
	(void)snprintf(path, sizeof path, "%s/run", l->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	put_config(l, 2, "auto");
	lab_put_file(l, "policy.json", looks_inside);
	return 0;
}

static json_t *
ask(const struct lab *l, const char *verb)
{
	return lab_ask(l, json_pack("{s:s}", "verb", verb));
}

/* What the daemon says once it is at rest. */
static json_t *
settled(const struct lab *l)
{
	for (int i = 0; i < 1000; i++) {
		json_t *r = ask(l, "ca");

		if (!json_is_true(json_object_get(r, "busy")))
			return r;
		json_decref(r);
		(void)usleep(10000);
	}
	fail_msg("the daemon does not come to rest");
	return NULL;
}

/* The SHA-256 of the certificate that plays @role, or "". */
static void
hash_of(const json_t *reply, const char *role, char out[65])
{
	const json_t *c;
	size_t i;

	out[0] = '\0';
	json_array_foreach(json_object_get(reply, "certificates"), i, c)
		if (strcmp(cli_member(c, "role"), role) == 0)
			(void)snprintf(out, 65, "%s", cli_member(c, "sha256"));
}

static size_t
count_certs(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256];
	size_t n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL)
		n += strncmp(line, "-----BEGIN CERTIFICATE", 22) == 0;
	assert_int_equal(fclose(f), 0);
	return n;
}

static void
assert_reload(const struct lab *l, bool ok, const char *message)
{
	json_t *r = ask(l, "reload");
	json_t *status = ask(l, "status");
	const char *said =
	    cli_member(json_object_get(status, "reload"), "message");

	if (strstr(said, message) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", message, said);
	assert_int_equal(json_is_true(json_object_get(r, "ok")), ok);
	json_decref(r);
	json_decref(status);
}

static int
run_verb(const struct lab *l, const char *word, const char *flag)
{
	char *argv[] = { strdup("ca"), strdup(word), strdup("--socket"),
		strdup(l->control), flag != NULL ? strdup(flag) : NULL, NULL };
	int code = verb_ca(flag != NULL ? 5 : 4, argv);

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		free(argv[i]);
	return code;
}

static void
it_is_made_where_a_rule_needs_it_and_clients_are_told(void **state)
{
	struct lab *l = *state;
	char first[65], again[65];
	const char *bundle;
	const json_t *ca;
	json_t *r;

	/* Ready says that the files are there. */
	lab_start(l);
	r = ask(l, "env");
	ca = json_object_get(r, "ca");
	assert_non_null(ca);
	bundle = cli_member(ca, "bundle");
	assert_true(count_certs(bundle) > 1);
	assert_int_equal(count_certs(cli_member(ca, "pem")), 1);
	assert_int_equal(access(cli_member(ca, "store"), R_OK), 0);
	json_decref(r);
	r = settled(l);
	hash_of(r, "current", first);
	assert_int_equal(strlen(first), 64);
	assert_string_equal(cli_member(r, "problem"), "");
	json_decref(r);
	r = ask(l, "status");
	assert_true(json_is_true(
	    json_object_get(json_object_get(r, "inspection"), "on")));
	json_decref(r);
	assert_int_equal(run_verb(l, "show", NULL), EX_OK);
	assert_int_equal(run_verb(l, "show", "--json"), EX_OK);
	assert_int_equal(run_verb(l, "export", NULL), EX_OK);
	assert_int_equal(run_verb(l, "export", "--json"), EX_USAGE);
	assert_int_equal(run_verb(l, "show", "--now"), EX_USAGE);
	lab_stop(l);
	lab_start(l);
	r = settled(l);
	hash_of(r, "current", again);
	assert_string_equal(first, again);
	json_decref(r);
	lab_stop(l);
}

static void
without_such_a_rule_there_is_none_until_a_reload_brings_one(void **state)
{
	struct lab *l = *state;
	char path[128];
	json_t *r;

	(void)snprintf(path, sizeof path, "%s/ca.key", l->dir);
	for (int workers = 0; workers <= 2; workers += 2) {
		(void)unlink(path);
		put_config(l, workers, "auto");
		lab_put_file(l, "policy.json", lab_policy_text);
		lab_start(l);
		r = ask(l, "env");
		assert_null(json_object_get(r, "ca"));
		json_decref(r);
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(run_verb(l, "export", NULL), CLI_NEGATIVE);
		assert_int_equal(run_verb(l, "rotate", NULL), EX_UNAVAILABLE);
		lab_put_file(l, "policy.json", looks_inside);
		assert_reload(l, true, "");
		json_decref(settled(l));
		r = ask(l, "env");
		assert_non_null(json_object_get(r, "ca"));
		json_decref(r);
		lab_put_file(l, "policy.json", lab_policy_text);
		assert_reload(l, true, "");
		r = ask(l, "env");
		assert_null(json_object_get(r, "ca"));
		json_decref(r);
		lab_stop(l);
	}
}

static void
off_and_a_rule_that_needs_one_do_not_go_together(void **state)
{
	struct lab *l = *state;

	put_config(l, 1, "off");
	l->pid = lab_spawn(l);
	assert_int_equal(lab_wait_exit(l->pid), EX_CONFIG);
	lab_put_file(l, "policy.json", lab_policy_text);
	lab_start(l);
	lab_put_file(l, "policy.json", looks_inside);
	assert_reload(l, false, "\"inspection\" under \"tls\"");
	put_config(l, 1, "auto");
	assert_reload(l, true, "");
	json_decref(settled(l));
	lab_stop(l);
}

static void
a_credential_that_is_not_given_is_said(void **state)
{
	struct lab *l = *state;
	json_t *r;

	(void)unsetenv("CREDENTIALS_DIRECTORY");
	lab_start(l);
	put_config(l, 2, "credential");
	assert_reload(l, false, "LoadCredential=wayleave-ca.key");
	/* What was there serves on. */
	r = ask(l, "env");
	assert_non_null(json_object_get(r, "ca"));
	json_decref(r);
	lab_stop(l);
	l->pid = lab_spawn(l);
	assert_int_not_equal(lab_wait_exit(l->pid), EX_OK);
}

static void
a_rotation_tells_the_clients_first(void **state)
{
	struct lab *l = *state;
	char first[65], next[65], now[65], old[65], pem[128];
	json_t *r;

	(void)snprintf(pem, sizeof pem, "%s/run/ca.pem", l->dir);
	lab_start(l);
	r = settled(l);
	hash_of(r, "current", first);
	json_decref(r);
	assert_int_equal(run_verb(l, "rotate", NULL), EX_OK);
	r = settled(l);
	hash_of(r, "current", now);
	hash_of(r, "next", next);
	assert_string_equal(now, first);
	assert_int_equal(strlen(next), 64);
	assert_true(json_integer_value(json_object_get(r, "due")) > 0);
	json_decref(r);
	assert_int_equal(count_certs(pem), 2);
	assert_int_equal(run_verb(l, "rotate", NULL), EX_UNAVAILABLE);
	assert_int_equal(run_verb(l, "rotate", "--now"), EX_OK);
	r = settled(l);
	hash_of(r, "current", now);
	hash_of(r, "old", old);
	assert_string_not_equal(now, first);
	assert_string_not_equal(now, next);
	assert_string_equal(old, "");
	json_decref(r);
	assert_int_equal(count_certs(pem), 1);
	lab_stop(l);
}

/* Not ready, but serving: opaque tunnels need none of it. */
static void
files_that_cannot_be_written_are_said(void **state)
{
	struct lab *l = *state;
	const char *said;
	char path[128];
	json_t *r;

	(void)snprintf(path, sizeof path, "%s/run/ca.p12", l->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	l->pid = lab_spawn(l);
	r = settled(l);
	for (int i = 0; i < 1000 && *cli_member(r, "problem") == '\0'; i++) {
		json_decref(r);
		(void)usleep(10000);
		r = settled(l);
	}
	said = cli_member(r, "problem");
	assert_non_null(strstr(said, "ca.p12\" cannot be written"));
	json_decref(r);
	r = ask(l, "wait");
	assert_false(json_is_true(json_object_get(r, "ready")));
	json_decref(r);
	r = ask(l, "env");
	assert_null(json_object_get(r, "ca"));
	json_decref(r);
	assert_int_equal(rmdir(path), 0);
	assert_reload(l, true, "");
	json_decref(settled(l));
	r = ask(l, "wait");
	assert_true(json_is_true(json_object_get(r, "ready")));
	json_decref(r);
	lab_stop(l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, lab_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_made_where_a_rule_needs_it_and_clients_are_told),
		TEST(
		    without_such_a_rule_there_is_none_until_a_reload_brings_one),
		TEST(off_and_a_rule_that_needs_one_do_not_go_together),
		TEST(a_credential_that_is_not_given_is_said),
		TEST(a_rotation_tells_the_clients_first),
		TEST(files_that_cannot_be_written_are_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
