/* Authorities, URIs and queries, good and hostile. */
#include "tests/unit/test.h"

#include "base/uri.h"

#include <stdio.h>

struct authority_case {
	struct slice text;
	enum status st;
	const char *host;
	uint16_t port;
};

static const struct authority_case authorities[] = {
	{ SLICE_INIT("kv1.vault.azure.net:443"), OK, "kv1.vault.azure.net",
	    443 },
	{ SLICE_INIT("KV1.vault.azure.net.:443"), OK, "kv1.vault.azure.net",
	    443 },
	{ SLICE_INIT("kv1.vault.azure.net"), OK, "kv1.vault.azure.net", 0 },
	{ SLICE_INIT("[::1]:443"), OK, "::1", 443 },
	{ SLICE_INIT("[::1]"), OK, "::1", 0 },
	{ SLICE_INIT("10.0.0.1:65535"), OK, "10.0.0.1", 65535 },
	{ SLICE_INIT("a.example:1"), OK, "a.example", 1 },
	{ SLICE_INIT("a.example:"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:0"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:65536"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:-1"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:+443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:4 43"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:https"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:443x"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:0443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:443:80"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("user:pw@a.example:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example@b.example:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("b.example#.a.example:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("b.example?.a.example:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("b.example/.a.example:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("b.example\\.a.example:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a\0.example:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT(" a.example:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("a.example:443 "), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("\xd0\xb0.example:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("[::1]443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("[::1]:"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT("::1:443"), E_SYNTAX, NULL, 0 },
	{ SLICE_INIT(""), E_INVALID, NULL, 0 },
	{ SLICE_INIT(":443"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("[::1:443"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("b.example%23.a.example:443"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("b.example%00.a.example:443"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("a%2eexample:443"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("a..example:443"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("2852039166:80"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("127.1:443"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("*.a.example:443"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("[fe80::1%25eth0]:443"), E_INVALID, NULL, 0 },
	{ SLICE_INIT("[[::1]]:443"), E_SYNTAX, NULL, 0 },
};

static void
authorities_are_host_and_port_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
		const struct authority_case *c = &authorities[i];
		struct authority a = { .port = 7 };
		enum status st = authority_parse(c->text, &a);
		if (st != c->st)
			fail_msg("%.*s: %s", (int)c->text.n, c->text.p,
			    status_text(st));
		if (st != OK) {
			assert_int_equal(a.port, 7);
			continue;
		}
		assert_string_equal(a.host.name, c->host);
		assert_int_equal(a.port, c->port);
		assert_int_equal(a.has_port, c->port != 0);
	}
}

static void
uris_are_split_and_not_decoded(void **state)
{
	struct uri u;

	(void)state;
	assert_int_equal(
	    uri_parse(SLICE("HTTP://A.example:81/p%2F/..?q=1?2"), &u), OK);
	assert_int_equal(u.scheme, URI_HTTP);
	assert_string_equal(u.authority.host.name, "a.example");
	assert_int_equal(u.authority.port, 81);
	assert_true(slice_is(u.authority_text, "A.example:81"));
	assert_true(slice_is(u.path, "/p%2F/.."));
	assert_true(slice_is(u.query, "q=1?2"));
	assert_true(slice_is(u.path_query, "/p%2F/..?q=1?2"));

	assert_int_equal(uri_parse(SLICE("http://a.example"), &u), OK);
	assert_int_equal(u.authority.port, 80);
	assert_false(u.authority.has_port);
	assert_int_equal(u.path.n, 0);
	assert_null(u.query.p);
	assert_int_equal(uri_parse(SLICE("https://[::1]?"), &u), OK);
	assert_int_equal(u.authority.port, 443);
	assert_non_null(u.query.p);
	assert_int_equal(u.query.n, 0);
	assert_true(slice_is(u.path_query, "?"));
}

static void
doubtful_uris_are_refused(void **state)
{
	static const struct {
		struct slice text;
		enum status st;
	} cases[] = {
		{ SLICE_INIT("http://u@a.example/"), E_SYNTAX },
		{ SLICE_INIT("http://a.example/#f"), E_SYNTAX },
		{ SLICE_INIT("http://a.example/ "), E_SYNTAX },
		{ SLICE_INIT("http://a.example/\x80"), E_SYNTAX },
		{ SLICE_INIT("http://a.example/\t"), E_SYNTAX },
		{ SLICE_INIT("http://a.example\\@b.example/"), E_SYNTAX },
		{ SLICE_INIT("http:/a.example/"), E_SYNTAX },
		{ SLICE_INIT("http:a.example"), E_SYNTAX },
		{ SLICE_INIT("//a.example/"), E_SYNTAX },
		{ SLICE_INIT("/path"), E_SYNTAX },
		{ SLICE_INIT("*"), E_SYNTAX },
		{ SLICE_INIT("a.example:443"), E_SYNTAX },
		{ SLICE_INIT("http://a.example:/"), E_SYNTAX },
		{ SLICE_INIT("1http://a.example/"), E_SYNTAX },
		{ SLICE_INIT("ftp://a.example/"), E_UNSUPPORTED },
		{ SLICE_INIT("httpx://a.example/"), E_UNSUPPORTED },
		{ SLICE_INIT("http:///x"), E_INVALID },
		{ SLICE_INIT("http://127.1/"), E_INVALID },
		{ SLICE_INIT("http://a.example%2f/"), E_INVALID },
	};
	struct uri u = { .authority.port = 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum status st = uri_parse(cases[i].text, &u);
		if (st != cases[i].st)
			fail_msg("%s: %s", cases[i].text.p, status_text(st));
		assert_int_equal(u.authority.port, 7);
	}
}

static void
query_values_come_once_and_whole(void **state)
{
	char v[16] = "untouched";

	(void)state;
	assert_int_equal(
	    query_get(SLICE("a=1&r=x%2Fy+z&b"), "r", v, sizeof v), OK);
	assert_string_equal(v, "x/y+z");
	assert_int_equal(query_get(SLICE("a=1&b"), "b", v, sizeof v), OK);
	assert_string_equal(v, "");
	assert_int_equal(query_get(SLICE("r=a=b"), "r", v, sizeof v), OK);
	assert_string_equal(v, "a=b");
	assert_int_equal(query_get(SLICE("rr=1"), "r", v, 8), E_NOTFOUND);
	assert_int_equal(query_get(SLICE("R=1"), "r", v, 8), E_NOTFOUND);
	assert_int_equal(query_get(SLICE(""), "r", v, 8), E_NOTFOUND);
	assert_int_equal(query_get(SLICE("r=1&r=1"), "r", v, 8), E_INVALID);
	assert_int_equal(query_get(SLICE("r=1&%72=2"), "r", v, 8), E_INVALID);
	assert_int_equal(query_get(SLICE("r=%4"), "r", v, 8), E_SYNTAX);
	assert_int_equal(query_get(SLICE("r=%zz"), "r", v, 8), E_SYNTAX);
	assert_int_equal(query_get(SLICE("r=a%00b"), "r", v, 8), E_SYNTAX);
	assert_int_equal(query_get(SLICE("r=12345678"), "r", v, 8), E_LIMIT);
	assert_string_equal(v, "a=b");
}

static void
several_keys_are_found_in_one_pass(void **state)
{
	struct query_want w[] = {
		{ .key = SLICE_INIT("a") },
		{ .key = SLICE_INIT("bb") },
		{ .key = SLICE_INIT("c") },
		{ .key = SLICE_INIT("none") },
	};
	char v[16] = "untouched";
	char many[200];

	(void)state;
	assert_int_equal(
	    query_find(SLICE("bb=x%2Fy&c=1&a&%63=2&A=9&="), w, 4), OK);
	assert_int_equal(query_value(&w[3], v, sizeof v), E_NOTFOUND);
	assert_int_equal(query_value(&w[2], v, sizeof v), E_INVALID);
	assert_int_equal(query_value(&w[1], v, 3), E_LIMIT);
	assert_string_equal(v, "untouched");
	assert_int_equal(query_value(&w[1], v, sizeof v), OK);
	assert_string_equal(v, "x/y");
	assert_int_equal(query_value(&w[0], v, sizeof v), OK);
	assert_string_equal(v, "");
	/* A key that is broken anywhere, and one longer than any of ours. */
	assert_int_equal(query_find(SLICE("a=1&%zz=2"), w, 4), E_SYNTAX);
	memset(many, 'a', sizeof many);
	assert_int_equal(query_find((struct slice){ many, 200 }, w, 4), OK);
	assert_int_equal(w[0].st, E_NOTFOUND);
	many[199] = '%';
	assert_int_equal(
	    query_find((struct slice){ many, 200 }, w, 4), E_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    authorities_are_host_and_port_and_nothing_else),
		cmocka_unit_test(uris_are_split_and_not_decoded),
		cmocka_unit_test(doubtful_uris_are_refused),
		cmocka_unit_test(query_values_come_once_and_whole),
		cmocka_unit_test(several_keys_are_found_in_one_pass),
	};
	return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
