/* Every allocation of the pure parts fails once: an error or a refusal comes
 * of it, never a leak and never a better verdict. */
#include "tests/unit/test.h"

#include "agent/audit_verify.h"
#include "agent/cli.h"
#include "agent/config.h"
#include "agent/daemon.h"
#include "agent/env_list.h"
#include "agent/phantom_desk.h"
#include "agent/verb_audit.h"
#include "agent/verbs.h"
#include "base/wiping.h"
#include "identity/phantom.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Counts down; the allocation that finds it at 0 fails. Negative: never. */
static long fail_in = -1;

static bool
fails(void)
{
	return fail_in >= 0 && fail_in-- == 0;
}

/* The names are the linker's (--wrap). */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
int __wrap_vasprintf(char **out, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
int __wrap___vasprintf_chk(char **out, int flag, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

char *
__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

int
__wrap_vasprintf(char **out, const char *fmt, va_list ap)
{
	char *s = fails() ? NULL : __real_malloc(4096);

	if (s == NULL)
		return -1;
	*out = s;
	return vsnprintf(s, 4096, fmt, ap);
}

int
__wrap___vasprintf_chk(char **out, int flag, const char *fmt, va_list ap)
{
	(void)flag;
	return __wrap_vasprintf(out, fmt, ap);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static const char *
get(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "NO_PROXY") == 0 ? ".core.windows.net,b" : NULL;
}

static void
an_environment_is_whole_or_there_is_none(void **state)
{
	const struct env_input in = { "127.0.0.1:3180", "127.0.0.1:3181",
		"c0ffee", "java", get, NULL, NULL, NULL, NULL, NULL, NULL };
	struct env_list l;
	bool failed = true;
	size_t whole;
	long n = 0;

	(void)state;
	assert_int_equal(env_list_build(&in, &l), OK);
	whole = l.n;
	env_list_release(&l);
	for (; failed; n++) {
		enum status st;

		fail_in = n;
		st = env_list_build(&in, &l);
		failed = fail_in < 0;
		fail_in = -1;
		if (st != OK) {
			assert_int_equal(st, E_NOMEM);
			continue;
		}
		/* A warning may be lost, a variable may not. */
		assert_int_equal(l.n, whole);
		env_list_release(&l);
	}
	assert_true(n > 10);
}

/* Whether the chain of a file of the corpus is found sound. */
static bool
is_sound(const char *name)
{
	static struct audit_verify v;
	static char line[65536];
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/audit/%s",
	    getenv("SRCDIR"), name);
	f = fopen(path, "r");
	assert_non_null(f);
	audit_verify_init(&v);
	while (fgets(line, sizeof line, f) != NULL)
		audit_verify_line(
		    &v, (struct slice){ line, strcspn(line, "\n") }, true, 0);
	assert_int_equal(fclose(f), 0);
	return audit_verify_end(&v);
}

static void
a_bad_chain_is_bad_whatever_fails(void **state)
{
	static const char *const bad[] = { "flipped.jsonl", "missing.jsonl",
		"swapped.jsonl" };

	(void)state;
	assert_true(is_sound("sound.jsonl"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		bool failed = true;

		for (long n = 0; failed; n++) {
			fail_in = n;
			assert_false(is_sound(bad[i]));
			failed = fail_in < 0;
			fail_in = -1;
		}
	}
}

/* jansson takes its memory where the daemon has it take it. */
static void
a_configuration_is_read_as_it_stands_or_not_at_all(void **state)
{
	static const char text[] =
	    "{\"version\":1,\"policy_file\":\"/etc/wayleave/policy.json\","
	    "\"identities\":[{\"name\":\"a-name-of-some-length\",\"source\":"
	    "\"imds\",\"client_id\":\"00000000-0000-0000-0000-000000000001\"}],"
	    "\"gateways\":[{\"name\":\"g\",\"listen\":\"127.0.0.1:1\","
	    "\"upstream\":\"https://a.example/b\"}]}";
	static struct policy_issues issues;
	bool failed = true;
	long n = 0;

	(void)state;
	json_set_alloc_funcs(wiping_malloc, wiping_free);
	for (; failed; n++) {
		struct config *c = NULL;
		enum status st;

		fail_in = n;
		st = config_parse(slice_of(text), "/w.json", &c, &issues);
		failed = fail_in < 0;
		fail_in = -1;
		if (failed && st != E_NOMEM)
			fail_msg("allocation %ld: %d", n, (int)st);
		config_destroy(c);
	}
	json_set_alloc_funcs(__real_malloc, free);
	assert_true(n > 10);
}

static void
put_file(const char *dir, const char *name, const char *text)
{
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	(void)unlink(path);
	if (text == NULL)
		return;
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

/* At a start it is all that is logged, at a reload what status shows. */
static void
a_load_that_fails_says_why(void **state)
{
	static struct daemon d;
	char dir[] = "/tmp/wayleave-nomem-XXXXXX", path[64];
	bool failed = true;
	long n = 0, starved = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/w.json", dir);
	d.config_path = path;
	put_file(dir, "w.json", "{\"version\":1}");
	put_file(dir, "policy.json", "{\"version\":1,\"rules\":[]}");
	json_set_alloc_funcs(wiping_malloc, wiping_free);
	for (; failed; n++) {
		struct config *c = NULL;
		struct policy *p = NULL;
		enum status st;

		fail_in = n;
		st = daemon_load(&d, &c, &p);
		failed = fail_in < 0;
		fail_in = -1;
		assert_int_equal(st == OK, d.reload.message[0] == '\0');
		starved += st == E_NOMEM;
		if (st == OK) {
			config_destroy(c);
			policy_unref(p);
		}
	}
	json_set_alloc_funcs(__real_malloc, free);
	assert_true(starved > 5);
	put_file(dir, "w.json", NULL);
	put_file(dir, "policy.json", NULL);
	assert_int_equal(rmdir(dir), 0);
}

enum { WORDS_MAX = 6, OUTPUT_BYTES = 65536 };

/* What a verb of `wayleave audit` printed and said. */
struct said {
	int code;
	char out[OUTPUT_BYTES], err[OUTPUT_BYTES];
};

static int
divert(int fd, FILE *to)
{
	int kept = dup(fd);

	assert_true(kept >= 0);
	assert_int_equal(dup2(fileno(to), fd), fd);
	return kept;
}

static void
take_back(int fd, int kept, FILE *from, char text[OUTPUT_BYTES])
{
	ssize_t n = pread(fileno(from), text, OUTPUT_BYTES - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(dup2(kept, fd), fd);
	(void)close(kept);
	assert_int_equal(fclose(from), 0);
}

/* The policy draws a warning: a load that ends behind it has said something,
 * but is none. */
static void
a_check_that_ends_early_is_not_passed(void **state)
{
	char dir[] = "/tmp/wayleave-nomem-XXXXXX", path[64];
	char *argv[] = { (char[]){ "check" }, (char[]){ "-c" }, path, NULL };
	bool failed = true;
	long n = 0, refused = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/w.json", dir);
	put_file(dir, "w.json", "{\"version\":1}");
	put_file(dir, "policy.json",
	    "{\"version\":1,\"rules\":[{\"id\":\"a\",\"effect\":\"allow\","
	    "\"hosts\":[\"*.blob.core.windows.net\"]}],\"tests\":[]}");
	for (; failed; n++) {
		struct said s;
		FILE *out = tmpfile();
		int kept;

		assert_non_null(out);
		(void)fflush(stdout);
		kept = divert(STDOUT_FILENO, out);
		fail_in = n;
		s.code = verb_check(3, argv);
		failed = fail_in < 0;
		fail_in = -1;
		(void)fflush(stdout);
		take_back(STDOUT_FILENO, kept, out, s.out);
		refused += s.code != 0;
		if (s.code == 0 && strstr(s.out, ": ok, 1 rules") == NULL)
			fail_msg("allocation %ld: passed: %s", n, s.out);
	}
	assert_true(refused > 5);
	put_file(dir, "w.json", NULL);
	put_file(dir, "policy.json", NULL);
	assert_int_equal(rmdir(dir), 0);
}

/* Runs it with the allocation @nth failing. */
static void
audit_say(const char *const *words, long nth, struct said *s)
{
	char path[512], *argv[WORDS_MAX + 2] = { NULL };
	FILE *out = tmpfile(), *err = tmpfile();
	int argc = 0, kept_out, kept_err;

	assert_true(out != NULL && err != NULL);
	(void)snprintf(path, sizeof path,
	    "%s/tests/fuzz/corpus/audit/sound.jsonl", getenv("SRCDIR"));
	for (; words[argc] != NULL; argc++)
		argv[argc] = strdup(words[argc]);
	argv[argc++] = strdup(path);
	(void)fflush(stdout);
	kept_out = divert(STDOUT_FILENO, out);
	kept_err = divert(STDERR_FILENO, err);
	fail_in = nth;
	s->code = strcmp(words[0], "export") == 0
	    ? verb_audit_export(argc, argv)
	    : verb_audit_query(argc, argv);
	(void)fflush(stdout);
	take_back(STDOUT_FILENO, kept_out, out, s->out);
	take_back(STDERR_FILENO, kept_err, err, s->err);
	while (argc-- > 0)
		free(argv[argc]);
}

/* A column that is blank for want of memory would read as one that is. */
static void
records_are_shown_whole_or_one_is_told(void **state)
{
	static const char *const commands[][WORDS_MAX] = {
		{ "query" },
		{ "query", "--json" },
		{ "query", "--group-by", "host,code" },
		{ "query", "--group-by", "host,code", "--json" },
		{ "export", "--format", "csv" },
	};

	static struct said whole, now;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		bool failed = true;

		audit_say(commands[i], -1, &whole);
		assert_int_equal(whole.code, 0);
		assert_string_equal(whole.err, "");
		for (long n = 0; failed; n++) {
			audit_say(commands[i], n, &now);
			failed = fail_in < 0;
			fail_in = -1;
			if (strcmp(now.out, whole.out) != 0 &&
			    now.err[0] == '\0')
				fail_msg("command %zu, allocation %ld: %d\n%s",
				    i, n, now.code, now.out);
		}
	}
}

static void
json_that_is_not_printed_is_no_success(void **state)
{
	bool failed = true;
	json_t *value;
	long n = 0;

	(void)state;
	json_set_alloc_funcs(malloc, free);
	value = json_pack("{s:s}", "key", "value");
	assert_non_null(value);
	for (; failed; n++) {
		int code;

		fail_in = n;
		code = cli_print_json(value);
		failed = fail_in < 0;
		fail_in = -1;
		assert_int_equal(code, failed ? EX_SOFTWARE : EX_OK);
	}
	assert_true(n > 1);
	json_decref(value);
	json_set_alloc_funcs(__real_malloc, free);
}

static void
a_revocation_is_never_forgotten(void **state)
{
	static const uint8_t broker_key[32] = "k";
	const struct phantom p = { .id = "0123456789abcdef0123456789abcdef",
		.expires_unix_s = INT64_MAX / 2 };
	char path[] = "/tmp/nomem-revoked-XXXXXX";
	uint8_t key[PHANTOM_KEY_BYTES];
	struct phantom_desk *desk;
	struct proxy_phantom got;
	bool failed = true;
	struct buf text;
	int fd = mkstemp(path);
	long n = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	buf_init(&text, PHANTOM_TEXT_MAX);
	assert_true(phantom_key(broker_key, key));
	assert_int_equal(
	    phantom_make(key, &p, "w1", SLICE("a.e30.b"), &text), OK);
	assert_int_equal(
	    phantom_desk_create(&clock_system, broker_key, path, &desk), OK);
	phantom_desk_revoke(desk, NULL, "0123456789ab");
	assert_int_equal(phantom_desk_save(desk, NULL), OK);
	phantom_desk_destroy(desk);
	for (; failed; n++) {
		enum status st;

		fail_in = n;
		st =
		    phantom_desk_create(&clock_system, broker_key, path, &desk);
		if (st == OK) {
			assert_int_not_equal(
			    phantom_desk_read(desk, buf_slice(&text), &got),
			    OK);
			/* What is on the disk is all or what was before. */
			st = phantom_desk_save(desk, NULL);
			assert_true(st == OK || st == E_NOMEM);
			phantom_desk_destroy(desk);
		}
		failed = fail_in < 0;
		fail_in = -1;
	}
	assert_true(n > 3);
	buf_release(&text);
	(void)unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_environment_is_whole_or_there_is_none),
		cmocka_unit_test(a_bad_chain_is_bad_whatever_fails),
		cmocka_unit_test(
		    a_configuration_is_read_as_it_stands_or_not_at_all),
		cmocka_unit_test(a_load_that_fails_says_why),
		cmocka_unit_test(a_check_that_ends_early_is_not_passed),
		cmocka_unit_test(records_are_shown_whole_or_one_is_told),
		cmocka_unit_test(a_revocation_is_never_forgotten),
		cmocka_unit_test(json_that_is_not_printed_is_no_success),
	};
	return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}
