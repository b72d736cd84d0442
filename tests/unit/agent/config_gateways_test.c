#include "tests/unit/test.h"

#include "agent/config_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct policy_issues issues;

/* Reads @list behind a `listen` of one proxy address and a control socket. */
static struct config *
read_list(const char *list)
{
	struct config *c = calloc(1, sizeof *c);
	struct config_reader r = { .issues = &issues, .config = c };
	json_t *value = json_loads(list, 0, NULL);
	size_t mark;

	memset(&issues, 0, sizeof issues);
	assert_non_null(c);
	assert_non_null(value);
	(void)snprintf(c->dir, sizeof c->dir, "/etc/w");
	(void)snprintf(
	    c->proxy.at[0].name, sizeof c->proxy.at[0].name, "127.0.0.1:3180");
	c->proxy.n = 1;
	(void)snprintf(c->control.at[0].name, sizeof c->control.at[0].name,
	    "unix:/run/c.sock");
	c->control.n = 1;
	r.text = slice_of(list);
	mark = reader_push(&r, "gateways");
	config_read_gateways(&r, value);
	reader_pop(&r, mark);
	json_decref(value);
	return c;
}

#define GATEWAY(name, at, to)                              \
	"{\"name\": \"" name "\", \"listen\": \"" at "\"," \
	" \"upstream\": \"" to "\"}"
#define TO(url)    "[" GATEWAY("g", "127.0.0.1:3190", url) "]"
#define AT(listen) "[" GATEWAY("g", listen, "https://a.example") "]"

static void
reads_name_address_and_origin(void **state)
{
	struct config *c = read_list("["
	    /* clang-format off */
	    GATEWAY("mlflow", "127.0.0.1:3190",
	        "https://West.API.azureml.ms/mlflow/v1.0/")
	    "," GATEWAY("dbx", "unix:dbx.sock", "HTTPS://dbx.example:8443")
	    "," GATEWAY("v6", "[::1]:3191", "https://v6.example/")
	    /* clang-format on */
	    "]");

	(void)state;
	assert_int_equal(issues.n_errors, 0);
	assert_int_equal(c->n_gateways, 3);
	assert_string_equal(c->gateways[0].name, "mlflow");
	assert_string_equal(c->gateways[0].listen.name, "127.0.0.1:3190");
	assert_int_equal(c->gateways[0].listen.port, 3190);
	assert_string_equal(c->gateways[0].host, "west.api.azureml.ms");
	assert_int_equal(c->gateways[0].port, 443);
	assert_string_equal(c->gateways[0].prefix, "/mlflow/v1.0");
	assert_string_equal(c->gateways[1].listen.path, "/etc/w/dbx.sock");
	assert_int_equal(c->gateways[1].port, 8443);
	assert_string_equal(c->gateways[1].prefix, "");
	assert_string_equal(c->gateways[2].prefix, "");
	config_destroy(c);
}

static const struct {
	const char *list;
	const char *pointer;
	const char *text;
} wrong[] = {
	{ "{}", "/gateways", "must be a list" },
	{ "[1]", "/gateways/0", "must be an object" },
	{ "[{}]", "/gateways/0", "\"name\" is missing" },
	{ "[{\"name\": \"g\"}]", "/gateways/0", "\"listen\" is missing" },
	{ "[{\"name\": \"g\", \"listen\": \"127.0.0.1:1\"}]", "/gateways/0",
	    "\"upstream\" is missing" },
	{ "[{\"upstrem\": 1}]", "/gateways/0/upstrem",
	    "unknown key; did you mean \"upstream\"?" },
	{ "[{\"name\": \"\"}]", "/gateways/0/name",
	    "must be a text that is not empty" },
	{ "[{\"name\": \"a b\"}]", "/gateways/0/name",
	    "may hold letters, digits, \"-\", \".\" and \"_\"" },
	{ "[{\"name\": \"0123456789012345678901234567890123456789"
	  "012345678901234567890123\"}]",
	    "/gateways/0/name", "has at most 63 bytes" },
	{ "[" GATEWAY("g", "127.0.0.1:1", "https://a.example") "," GATEWAY(
	      "g", "127.0.0.1:2", "https://b.example") "]",
	    "/gateways/1/name", "the name \"g\" stands here twice" },
	{ "[" GATEWAY("g", "127.0.0.1:1", "https://a.example") "," GATEWAY(
	      "h", "127.0.0.1:1", "https://b.example") "]",
	    "/gateways/1/listen",
	    "\"127.0.0.1:1\" is the gateway \"g\" already" },
	{ AT("127.0.0.1:3180"), "/gateways/0/listen",
	    "\"127.0.0.1:3180\" stands under listen.proxy already" },
	{ AT("unix:/run/c.sock"), "/gateways/0/listen",
	    "\"unix:/run/c.sock\" stands under listen.control already" },
	{ AT("0.0.0.0:3190"), "/gateways/0/listen",
	    "\"0.0.0.0:3190\" is not a loopback address: others could use "
	    "the gateway's credential; use 127.0.0.1 or \"unix:/path\"" },
	{ AT("localhost:3190"), "/gateways/0/listen",
	    "must be \"ADDRESS:PORT\" (such as \"127.0.0.1:3180\") or "
	    "\"unix:/path\"" },
	{ TO("http://a.example"), "/gateways/0/upstream",
	    "must be https://HOST[:PORT][/PATH], as in "
	    "\"https://ws.example/mlflow\"" },
	{ TO("https://u:p@a.example"), "/gateways/0/upstream",
	    "must be https://HOST[:PORT][/PATH], as in "
	    "\"https://ws.example/mlflow\"" },
	{ TO("https://a.example/#x"), "/gateways/0/upstream",
	    "must be https://HOST[:PORT][/PATH], as in "
	    "\"https://ws.example/mlflow\"" },
	{ TO("https://a.example/b?"), "/gateways/0/upstream",
	    "may hold no query: each request brings its own" },
	{ TO("https://10.20.0.4/"), "/gateways/0/upstream",
	    "must hold a host name: an address proves neither its "
	    "certificate nor a private route" },
	{ TO("https://acct1.privatelink.blob.core.windows.net"),
	    "/gateways/0/upstream",
	    "\"acct1.privatelink.blob.core.windows.net\" is the name in a "
	    "private zone; use \"acct1.blob.core.windows.net\", which "
	    "resolves through it" },
	{ TO("https://a.privatelink.nobody.example"), "/gateways/0/upstream",
	    "\"a.privatelink.nobody.example\" is the name in a private zone; "
	    "use the public name, which resolves through it" },
	{ TO("https://a.example/b/../c"), "/gateways/0/upstream",
	    "the path may not hold \".\" or \"..\" as a segment, \"\\\", or "
	    "an escape of \"/\", \"\\\", \"%\" and NUL" },
	{ TO("https://a.example/b/%2E%2e/"), "/gateways/0/upstream",
	    "the path may not hold \".\" or \"..\" as a segment, \"\\\", or "
	    "an escape of \"/\", \"\\\", \"%\" and NUL" },
	{ TO("https://a.example/b%2fc"), "/gateways/0/upstream",
	    "the path may not hold \".\" or \"..\" as a segment, \"\\\", or "
	    "an escape of \"/\", \"\\\", \"%\" and NUL" },
	{ TO("https://a.example/b//c"), "/gateways/0/upstream",
	    "the path may not hold \"//\"" },
	{ TO("https://a.example//"), "/gateways/0/upstream",
	    "the path may not hold \"//\"" },
};

static void
says_what_is_wrong_and_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct config *c = read_list(wrong[i].list);
		bool found = false;

		for (size_t k = 0; k < issues.n; k++)
			found = found ||
			    (strcmp(issues.at[k].pointer, wrong[i].pointer) ==
			            0 &&
			        strcmp(issues.at[k].text, wrong[i].text) == 0);
		if (!found)
			print_message("%s: %s: %s\n", wrong[i].list,
			    issues.at[0].pointer, issues.at[0].text);
		assert_true(found);
		config_destroy(c);
	}
}

static void
an_entry_that_is_wrong_is_not_taken(void **state)
{
	struct config *c = read_list("["
	    /* clang-format off */
	    GATEWAY("a", "127.0.0.1:1", "http://a.example")
	    "," GATEWAY("b", "127.0.0.1:2", "https://b.example")
	    /* clang-format on */
	    "]");

	(void)state;
	assert_int_equal(issues.n_errors, 1);
	assert_int_equal(c->n_gateways, 1);
	assert_string_equal(c->gateways[0].name, "b");
	config_destroy(c);
}

/* The path of the longest that fits, and one byte more. */
static void
a_path_has_its_ceiling(void **state)
{
	char list[512], path[258];

	(void)state;
	memset(path, 'p', sizeof path);
	path[sizeof path - 1] = '\0';
	for (int i = 0; i < 2; i++) {
		struct config *c;

		(void)snprintf(list, sizeof list,
		    "[{\"name\": \"g\", \"listen\": \"127.0.0.1:1\", "
		    "\"upstream\": \"https://a.example/%.*s\"}]",
		    254 + i, path);
		c = read_list(list);
		assert_int_equal(c->n_gateways, 1 - i);
		assert_int_equal(issues.n_errors, i);
		if (i == 1)
			assert_string_equal(issues.at[0].text,
			    "the path has at most 255 bytes");
		config_destroy(c);
	}
}

static void
there_are_only_so_many(void **state)
{
	char list[8192], one[128];
	struct config *c;

	(void)state;
	(void)snprintf(list, sizeof list, "[");
	for (int i = 0; i <= CONFIG_GATEWAYS_MAX; i++) {
		(void)snprintf(one, sizeof one,
		    "%s{\"name\": \"g%d\", \"listen\": \"127.0.0.1:%d\", "
		    "\"upstream\": \"https://a.example\"}",
		    i > 0 ? "," : "", i, i + 1);
		strncat(list, one, sizeof list - strlen(list) - 1);
	}
	strncat(list, "]", sizeof list - strlen(list) - 1);
	c = read_list(list);
	assert_int_equal(c->n_gateways, CONFIG_GATEWAYS_MAX);
	assert_int_equal(issues.n_errors, 1);
	assert_string_equal(issues.at[0].text, "at most 32 gateways");
	config_destroy(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_name_address_and_origin),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(an_entry_that_is_wrong_is_not_taken),
		cmocka_unit_test(a_path_has_its_ceiling),
		cmocka_unit_test(there_are_only_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
