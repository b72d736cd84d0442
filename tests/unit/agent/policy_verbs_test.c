/* check, why and policy test, as a person calls them. */
#include "tests/unit/test.h"

#include "agent/verbs.h"
#include "base/compiler.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static char dir[] = "/tmp/wayleave-verbs-XXXXXX";
static char said[65536];

static const char *
example(const char *name)
{
	static char path[2][512];
	static unsigned turn;
	const char *src = getenv("SRCDIR");
	char *out = path[turn++ % 2];

	(void)snprintf(out, sizeof path[0], "%s/systemd/examples/%s",
	    src == NULL ? "." : src, name);
	return out;
}

static const char *
temporary(const char *name, const char *text)
{
	static char path[2][128];
	static unsigned turn;
	char *out = path[turn++ % 2];
	FILE *f;

	(void)snprintf(out, sizeof path[0], "%s/%s", dir, name);
	f = fopen(out, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return out;
}

/* Runs @verb with both outputs gathered in `said`. */
static int
run(int (*verb)(int argc, char **argv), const char *const *words)
{
	char *argv[24] = { NULL };
	char copy[24][512];
	char path[128];
	int argc = 0, code, keep_out = dup(1), keep_err = dup(2), fd;
	ssize_t n;

	for (; words[argc] != NULL; argc++) {
		(void)snprintf(
		    copy[argc], sizeof copy[argc], "%s", words[argc]);
		argv[argc] = copy[argc];
	}
	(void)snprintf(path, sizeof path, "%s/said", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	(void)fflush(stdout);
	(void)dup2(fd, 1);
	(void)dup2(fd, 2);
	code = verb(argc, argv);
	(void)fflush(stdout);
	(void)dup2(keep_out, 1);
	(void)dup2(keep_err, 2);
	(void)close(keep_out);
	(void)close(keep_err);
	n = pread(fd, said, sizeof said - 1, 0);
	said[n < 0 ? 0 : n] = '\0';
	(void)close(fd);
	return code;
}

#define RUN(verb, ...) \
	run(verb, (const char *const[]){ "wayleave", __VA_ARGS__, NULL })

static void
the_examples_pass_their_own_tests_and_cover_every_rule(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN(verb_policy, "test", example("policy.json")), EX_OK);
	assert_non_null(strstr(said, "1..7\n"));
	assert_non_null(strstr(said, "# 7 passed, 0 failed"));
	assert_non_null(strstr(said, "# rules covered: 4 of 4 (100%)"));
	assert_null(strstr(said, "not ok"));
}

static void
a_failed_policy_test_is_a_negative_finding(void **state)
{
	const char *path = temporary("p.json",
	    "{\"version\":1,\"mode\":\"report\",\"rules\":[{\"id\":\"a\","
	    "\"effect\":\"allow\",\"hosts\":[\"a.example.net\"]}],\"tests\":["
	    "{\"request\":{\"connect\":\"b.example.net:443\"},"
	    "\"expect\":\"allow\"}]}");

	(void)state;
	assert_int_equal(RUN(verb_policy, "test", path), 1);
	assert_non_null(strstr(said, "not ok 1 - b.example.net:443"));
	assert_non_null(strstr(said, "expected allow, got deny"));
	assert_non_null(strstr(said, "# not covered: a"));
	assert_non_null(strstr(said, "# mode: report"));
	assert_int_equal(RUN(verb_policy, "test", path, "--json"), 1);
	assert_non_null(strstr(said, "\"uncovered\": [\"a\"]"));
}

static void
assert_said_at(const char *path, const char *rest)
{
	const char *at = strstr(said, path);

	assert_non_null(at);
	assert_memory_equal(at + strlen(path), rest, strlen(rest));
}

static void
a_policy_that_does_not_load_says_where(void **state)
{
	const char *path =
	    temporary("bad.json", "{\n \"version\": 1,\n \"rulez\": []\n}");

	(void)state;
	assert_int_equal(RUN(verb_policy, "test", path), EX_CONFIG);
	assert_said_at(path, ":3:2: /rulez: ");
	assert_non_null(strstr(said, "did you mean \"rules\"?"));
	assert_int_equal(RUN(verb_policy, "test", "/nonexistent"), EX_CONFIG);
	assert_int_equal(RUN(verb_policy, "tset", path), EX_USAGE);
}

static const char *
why_policy(void)
{
	return temporary("why.json",
	    "{\"version\":1,\"endpoints\":[\"10.20.0.0/16\"],\"workloads\":{"
	    "\"alice\":{\"users\":[\"alice\"]},"
	    "\"jobs\":{\"units\":[\"job-*.service\"]}},\"rules\":["
	    "{\"id\":\"lake\",\"effect\":\"allow\","
	    "\"hosts\":[\"acct1.blob.core.windows.net\"]},"
	    "{\"id\":\"vault\",\"effect\":\"allow\","
	    "\"hosts\":[\"kv1.vault.azure.net\"],\"workloads\":[\"alice\"]},"
	    "{\"id\":\"no-jobs\",\"effect\":\"deny\","
	    "\"hosts\":[\"kv1.vault.azure.net\"],\"workloads\":[\"jobs\"]}"
	    "]}");
}

static void
why_answers_by_its_exit_code(void **state)
{
	static const struct {
		const char *target, *resolves;
		int code;
		const char *says;
	} rows[] = {
		{ "https://acct1.blob.core.windows.net/x",
		    "acct1.privatelink.blob.core.windows.net,10.20.0.5", EX_OK,
		    "rule       lake" },
		{ "acct1.blob.core.windows.net",
		    "acct1.privatelink.blob.core.windows.net,20.1.1.1", 1,
		    "link the private DNS zone" },
		{ "acct2.blob.core.windows.net:443", "10.20.0.5", 1,
		    "HOST_NOT_ALLOWED" },
		{ "http://acct1.blob.core.windows.net/", "10.20.0.5", 1,
		    "PLAINTEXT" },
		{ "169.254.169.254:80", "10.20.0.5", 1, "RESERVED_ADDRESS" },
		{ "https://", "10.20.0.5", EX_USAGE, "must be a URL" },
		{ "a.example.net", "10.20.0.5,b.example", EX_USAGE,
		    "targets in order" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int code = RUN(verb_why, rows[i].target, "--policy",
		    why_policy(), "--resolves", rows[i].resolves);

		if (code != rows[i].code || strstr(said, rows[i].says) == NULL)
			fail_msg("row %zu: %d %s", i, code, said);
	}
}

static void
why_takes_the_workload_and_the_time(void **state)
{
	(void)state;
	assert_int_equal(RUN(verb_why, "kv1.vault.azure.net", "--policy",
	                     why_policy(), "--user", "alice"),
	    EX_OK);
	assert_non_null(strstr(said, "nothing was resolved"));
	assert_int_equal(
	    RUN(verb_why, "kv1.vault.azure.net", "--policy", why_policy(),
	        "--user", "alice", "--unit", "job-1.service", "--json"),
	    1);
	assert_non_null(strstr(said, "\"code\": \"RULE_DENIES\""));
	assert_int_equal(RUN(verb_why, "kv1.vault.azure.net", "--policy",
	                     why_policy(), "--at", "noon"),
	    EX_USAGE);
	assert_int_equal(RUN(verb_why, "--policy", "x"), EX_USAGE);
}

static void
why_without_a_daemon_or_a_policy_is_unavailable(void **state)
{
	(void)state;
	assert_int_equal(RUN(verb_why, "acct1.blob.core.windows.net",
	                     "--socket", "/nonexistent/control.sock"),
	    EX_UNAVAILABLE);
	assert_non_null(strstr(said, "--policy"));
	assert_int_equal(RUN(verb_why, "ABCDEFGH23", "--socket",
	                     "/nonexistent/control.sock"),
	    EX_UNAVAILABLE);
}

static int
run_batch(const char *lines)
{
	const char *path = temporary("batch", lines);
	int keep = dup(0), fd = open(path, O_RDONLY), code;

	assert_true(fd >= 0);
	(void)dup2(fd, 0);
	clearerr(stdin);
	code = RUN(verb_why, "--batch", "--policy", why_policy());
	(void)dup2(keep, 0);
	(void)close(keep);
	(void)close(fd);
	return code;
}

static void
a_batch_answers_line_by_line(void **state)
{
	(void)state;
	assert_int_equal(
	    run_batch("{\"url\":\"https://acct1.blob.core.windows.net/\"}\n\n"
	              "{\"connect\":\"acct9.blob.core.windows.net:443\"}\n"),
	    1);
	assert_memory_equal(said, "{\"verdict\": \"allow\"", 19);
	assert_non_null(strstr(said, "\n{\"verdict\": \"deny\""));
}

static void
a_batch_outlives_a_line_that_is_no_text(void **state)
{
	(void)state;
	assert_int_equal(
	    run_batch("[\"\\\xf0\x9f\x98\x82\"]\n"
	              "{\"url\":\"https://acct1.blob.core.windows.net/\"}\n"),
	    EX_DATAERR);
	assert_memory_equal(said, "{\"error\": ", 10);
	assert_non_null(strstr(said, "\n{\"verdict\": \"allow\""));
}

static void
why_says_the_mode(void **state)
{
	(void)state;
	assert_int_equal(RUN(verb_why, "acct1.blob.core.windows.net",
	                     "--policy", why_policy()),
	    EX_OK);
	assert_non_null(strstr(said, "  mode       enforce\n"));
}

static void
check_gives_every_finding_its_place(void **state)
{
	const char *path =
	    temporary("wayleave.json", "{\n \"version\": 1,\n \"nmae\": 1\n}");

	(void)state;
	assert_int_equal(RUN(verb_check, "-c", path), EX_CONFIG);
	assert_said_at(path, ":3:2: ");
	assert_int_equal(RUN(verb_check, "-c", path, "--json"), EX_CONFIG);
	assert_non_null(strstr(said, "{\"ok\": false"));
	assert_int_equal(RUN(verb_check, "-c", "/nonexistent.json"), EX_CONFIG);
	assert_int_equal(RUN(verb_check, "extra"), EX_USAGE);
}

/* A word of help: it can be meant, as a rule may follow. */
static void
check_warns_of_a_gateway_that_no_rule_names(void **state)
{
	char config[1024], policy[128];
	const char *path;

	(void)state;
	(void)snprintf(policy, sizeof policy, "%s",
	    temporary("p.json",
	        "{\"version\": 1, \"rules\": [{\"id\": \"r\", \"effect\": "
	        "\"allow\", \"hosts\": [\"*.ws.example\"]}]}"));
	(void)snprintf(config, sizeof config,
	    "{\"version\": 1, \"policy_file\": \"%s\", \"gateways\": [\n"
	    "{\"name\": \"a\", \"listen\": \"127.0.0.1:1\", \"upstream\": "
	    "\"https://a.ws.example\"},\n"
	    "{\"name\": \"b\", \"listen\": \"127.0.0.1:2\", \"upstream\": "
	    "\"https://other.example\"}]}",
	    policy);
	path = temporary("wayleave.json", config);
	assert_int_equal(RUN(verb_check, "-c", path), EX_OK);
	assert_non_null(strstr(said, ":3:52: warning: /gateways/1/upstream: "));
	assert_non_null(
	    strstr(said, "no rule of the policy names \"other.example\""));
	assert_null(strstr(said, "a.ws.example"));
}

static void
check_says_which_identities_are_not_configured(void **state)
{
	char config[512];

	(void)state;
	(void)snprintf(config, sizeof config,
	    "{\"version\": 1, \"policy_file\": \"%s\", \"identities\": "
	    "[{\"name\": \"host\", \"source\": \"imds\"}]}",
	    temporary("p.json",
	        "{\"version\": 1, \"workloads\": {\"a\": {\"users\": [\"0\"]}}, "
	        "\"rules\": [\n"
	        "{\"id\": \"r\", \"effect\": \"allow\", \"hosts\": "
	        "[\"a.example\"], \"inject\": {\"identity\": \"nobody\", "
	        "\"audience\": \"https://a.example\"}},\n"
	        "{\"id\": \"s\", \"effect\": \"allow\", \"hosts\": "
	        "[\"b.example\"], \"inject\": {\"identity\": \"host\", "
	        "\"audience\": \"https://b.example\"}}],\n"
	        "\"tokens\": [{\"id\": \"t\", \"workloads\": [\"a\"], "
	        "\"audiences\": [\"https://a.example\"], \"identities\": "
	        "[\"host\", \"other\"]}]}"));
	assert_int_equal(
	    RUN(verb_check, "-c", temporary("wayleave.json", config)),
	    EX_CONFIG);
	assert_non_null(strstr(said,
	    "p.json:2:79: /rules/0/inject/identity: \"nobody\" "
	    "is not among \"identities\""));
	assert_null(strstr(said, "/rules/1"));
	assert_non_null(strstr(said,
	    "warning: /tokens/0/identities/1: \"tokens\" names "
	    "the identity \"other\""));
	assert_null(strstr(said, "\"tokens\" names the identity \"nobody\""));
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
	static const char *const names[] = { "said", "p.json", "bad.json",
		"batch", "wayleave.json", "why.json" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_examples_pass_their_own_tests_and_cover_every_rule),
		cmocka_unit_test(a_failed_policy_test_is_a_negative_finding),
		cmocka_unit_test(a_policy_that_does_not_load_says_where),
		cmocka_unit_test(why_answers_by_its_exit_code),
		cmocka_unit_test(why_takes_the_workload_and_the_time),
		cmocka_unit_test(
		    why_without_a_daemon_or_a_policy_is_unavailable),
		cmocka_unit_test(a_batch_outlives_a_line_that_is_no_text),
		cmocka_unit_test(why_says_the_mode),
		cmocka_unit_test(a_batch_answers_line_by_line),
		cmocka_unit_test(check_gives_every_finding_its_place),
		cmocka_unit_test(check_warns_of_a_gateway_that_no_rule_names),
		cmocka_unit_test(
		    check_says_which_identities_are_not_configured),
	};
	return cmocka_run_group_tests_name(
	    "policy verbs", tests, make_dir, remove_dir);
}
