/* The loader's messages: each says what, where, and what to do. */
#include "tests/unit/policy/fixture.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
	const char *text; /**< of the policy, ' for " */
	const char *want; /**< "line:column pointer: text" of the first issue */
	enum status st;
};

#define RULE(members)                                                   \
	"{'version':1,'endpoints':['10.20.0.0/16'],'rules':[{'id':'a'," \
	"'effect':'allow'," members "}]}"
#define DENY(members)                                                   \
	"{'version':1,'endpoints':['10.20.0.0/16'],'rules':[{'id':'a'," \
	"'effect':'deny'," members "}]}"
#define SHADOW(members)                                                      \
	"{'version':1,'workloads':{'w':{'users':[1]}},'rules':["             \
	"{'id':'ml','effect':'allow','hosts':['*.ml.example.net',"           \
	"'b.ml.example.net'],'inject':{'identity':'host','audience':'https:" \
	"//a/'}},{" members "}]}"
#define COUNTED(first, second)                                          \
	"{'version':1,'workloads':{'w':{'users':[1]}},'rules':["        \
	"{'id':'m','effect':'allow','hosts':['a.example.net'],'upload_" \
	"budget_bytes':9" first "},{" second "}]}"
#define HOST(host)     RULE("'hosts':['" host "']")
#define ENDPOINT(text) "{'version':1,'endpoints':['" text "']}"

/* clang-format off */
static const struct row rows[] = {
#include "tests/unit/policy/load_rows.inc"
};

/* clang-format on */

static char *
with_quotes(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	return copy;
}

static void
each_mistake_has_its_message_and_place(void **state)
{
	static struct policy_issues issues;
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = with_quotes(rows[i].text);
		struct policy *p = NULL;
		char got[800];
		enum status st = policy_load(slice_of(text), &p, &issues);

		assert_true((st == OK) == (p != NULL));
		(void)snprintf(got, sizeof got, "%u:%u %s: %s",
		    issues.at[0].line, issues.at[0].column,
		    issues.at[0].pointer, issues.at[0].text);
		if (st != rows[i].st || issues.n == 0 ||
		    strcmp(got, rows[i].want) != 0) {
			wrong++;
			print_message("row %zu (%s)\n  want %d %s\n  got  %d "
			              "%s\n",
			    i, rows[i].text, (int)rows[i].st, rows[i].want,
			    (int)st, got);
		}
		policy_unref(p);
		free(text);
	}
	assert_int_equal(wrong, 0);
}

/* What is for other ports, clients or hosts takes nothing away. */
static void
only_a_rule_for_the_same_requests_hides_a_credential(void **state)
{
	static const char *const rules[] = {
		SHADOW("'id':'b','effect':'allow','hosts':['a.ml.example.net'],"
		       "'ports':[80]"),
		SHADOW("'id':'b','effect':'allow','hosts':['a.ml.example.net'],"
		       "'workloads':['w']"),
		SHADOW("'id':'b','effect':'deny','hosts':['a.ml.example.net']"),
		SHADOW(
		    "'id':'z','effect':'allow','hosts':['b.ml.example.net']"),
		SHADOW("'id':'b','effect':'allow','hosts':['ml.example.net']"),
		SHADOW(
		    "'id':'z','effect':'allow','hosts':['*.ml.example.net']"),
		SHADOW("'id':'b','effect':'allow','hosts':['a.ml.example.net'],"
		       "'inject':{'identity':'i','audience':'https://a/'}"),
		/* The one with a budget decides for all of the host. */
		COUNTED(",'workloads':['w']",
		    "'id':'a','effect':'allow','hosts':['a.example.net']"),
		COUNTED(
		    "", "'id':'z','effect':'allow','hosts':['a.example.net']"),
		COUNTED(
		    "", "'id':'z','effect':'allow','hosts':['*.example.net']"),
		COUNTED("",
		    "'id':'b','effect':'allow','hosts':['a.example.net'],"
		    "'upload_budget_bytes':1"),
		COUNTED("",
		    "'id':'b','effect':'allow','hosts':['a.example.net'],"
		    "'ports':[8443]"),
		COUNTED("",
		    "'id':'b','effect':'allow','hosts':['a.example.net'],"
		    "'workloads':['w']"),
	};
	static struct policy_issues issues;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		char *text = with_quotes(rules[i]);
		struct policy *p = NULL;

		assert_int_equal(policy_load(slice_of(text), &p, &issues), OK);
		if (issues.n != 0)
			fail_msg("row %zu: %s", i, issues.at[0].text);
		policy_unref(p);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_has_its_message_and_place),
		cmocka_unit_test(
		    only_a_rule_for_the_same_requests_hides_a_credential),
	};
	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
