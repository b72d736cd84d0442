/* `wayleave policy test`: the policy's own tests, as TAP. */
#include "agent/cli.h"
#include "agent/policy_file.h"
#include "agent/verbs.h"

#include "base/clock.h"

#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char usage_text[] =
    "usage: wayleave policy test [FILE] [-c FILE] [--json]\n"
    "Runs the tests in the policy file, prints TAP and the share of rules\n"
    "that they cover. FILE may be \"-\". Exit: 0 all passed, 1 not.\n"
    "Not in this version: policy learn, policy diff, policy init.\n";

struct coverage {
	bool *covered; /**< one a rule */
	size_t n_rules, n_covered;
	size_t n_passed, n_failed;
};

static void
cover(struct coverage *c, const struct policy *p, const char *rule)
{
	for (size_t i = 0; rule != NULL && i < c->n_rules; i++) {
		/* The verdict's text is the policy's own. */
		if (policy_rule_id(p, i) != rule || c->covered[i])
			continue;
		c->covered[i] = true;
		c->n_covered++;
	}
}

static void
print_result(size_t number, const struct policy_test_result *r)
{
	(void)printf("%sok %zu - ", r->passed ? "" : "not ", number);
	for (const char *c = r->name; *c != '\0'; c++)
		(void)putchar(*c == '#' || *c < ' ' || *c > '~' ? '?' : *c);
	(void)putchar('\n');
	if (!r->passed) {
		(void)fputs("# ", stdout);
		policy_file_put_safe(stdout, r->why);
		(void)putchar('\n');
	}
}

static json_t *
result_json(const struct policy_test_result *r)
{
	const struct policy_verdict *v = &r->verdict;

	return json_pack("{s:s, s:b, s:s, s:s, s:s?, s:s}", "name", r->name,
	    "passed", r->passed, "verdict",
	    v->effect == POLICY_ALLOW ? "allow" : "deny", "code",
	    reason_code(v->code), "rule", v->rule, "why", r->why);
}

static unsigned
percent(const struct coverage *c)
{
	return c->n_rules == 0 ? 100
	                       : (unsigned)(c->n_covered * 100 / c->n_rules);
}

static const char *
mode_name(const struct policy *p)
{
	return policy_mode(p) == POLICY_REPORT ? "report" : "enforce";
}

static void
print_summary(const struct policy *p, const struct coverage *c)
{
	(void)printf("# %zu passed, %zu failed\n", c->n_passed, c->n_failed);
	(void)printf("# rules covered: %zu of %zu (%u%%)\n", c->n_covered,
	    c->n_rules, percent(c));
	for (size_t i = 0; i < c->n_rules; i++)
		if (!c->covered[i])
			(void)printf(
			    "# not covered: %s\n", policy_rule_id(p, i));
	(void)printf("# mode: %s%s\n", mode_name(p),
	    policy_mode(p) == POLICY_REPORT
	        ? "; the verdicts here are those of enforce"
	        : "");
}

static int
print_json(const struct policy *p, const struct coverage *c, json_t *results)
{
	json_t *missing = json_array();
	json_t *all;
	int failed;

	for (size_t i = 0; i < c->n_rules; i++)
		if (!c->covered[i])
			(void)json_array_append_new(
			    missing, json_string(policy_rule_id(p, i)));
	all = json_pack("{s:s, s:I, s:I, s:{s:I, s:I, s:o}, s:O}", "mode",
	    mode_name(p), "passed", (json_int_t)c->n_passed, "failed",
	    (json_int_t)c->n_failed, "rules", "total", (json_int_t)c->n_rules,
	    "covered", (json_int_t)c->n_covered, "uncovered", missing, "tests",
	    results);
	if (all == NULL)
		return EX_SOFTWARE;
	failed = json_dumpf(all, stdout, JSON_ENSURE_ASCII);
	(void)putchar('\n');
	json_decref(all);
	return failed != 0 ? EX_IOERR : EX_OK;
}

static int
run_tests(const struct policy *p, struct coverage *c, bool json)
{
	json_t *results = json_array();
	size_t n = policy_test_count(p);
	int code = EX_OK;

	if (!json)
		(void)printf("TAP version 13\n1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		struct policy_test_result r;

		policy_test_run(p, i, clock_unix_s(&clock_system), &r);
		c->n_passed += r.passed;
		c->n_failed += !r.passed;
		cover(c, p, r.verdict.rule);
		if (json)
			(void)json_array_append_new(results, result_json(&r));
		else
			print_result(i + 1, &r);
	}
	if (json)
		code = print_json(p, c, results);
	else
		print_summary(p, c);
	json_decref(results);
	if (code == EX_OK && fflush(stdout) != 0)
		code = EX_IOERR;
	return code != EX_OK ? code : c->n_failed > 0;
}

static int
test_file(const char *path, const char *config, bool json)
{
	struct policy *p = NULL;
	struct coverage c = { .n_rules = 0 };
	enum status st = policy_file_load(path, config, &p);
	int code = EX_SOFTWARE;

	if (st != OK)
		return policy_file_exit(st);
	c.n_rules = policy_rule_count(p);
	c.covered = calloc(c.n_rules + 1, sizeof *c.covered);
	if (c.covered != NULL)
		code = run_tests(p, &c, json);
	free(c.covered);
	policy_unref(p);
	return code;
}

static int
usage(FILE *to, int code)
{
	(void)fputs(usage_text, to);
	return code;
}

static bool
is_later(const char *word)
{
	return strcmp(word, "learn") == 0 || strcmp(word, "diff") == 0 ||
	    strcmp(word, "init") == 0;
}

int
verb_policy(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *config = NULL, *path = NULL;
	bool json = false;
	int opt;

	/* Their options are not known here: the word alone decides. */
	if (argc > 1 && is_later(argv[1]) &&
	    (argc < 3 || strcmp(argv[2], "--help") != 0))
		return cli_fail(EX_UNAVAILABLE,
		    "policy %s is not in this version", argv[1]);
	optind = 0;
	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (opt == 'c')
			config = optarg;
		else if (opt == 'j')
			json = true;
		else
			return usage(opt == 'h' ? stdout : stderr,
			    opt == 'h' ? EX_OK : EX_USAGE);
	}
	if (argc - optind < 1 || argc - optind > 2 ||
	    strcmp(argv[optind], "test") != 0)
		return usage(stderr, EX_USAGE);
	if (argc - optind == 2)
		path = argv[optind + 1];
	else if (config == NULL)
		path = policy_file_default;
	return test_file(path, config, json);
}
