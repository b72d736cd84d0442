/* What a gateway's heads say of addresses, there and back. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include "proxy/forward_map.h"

#include <string.h>

#define OWN "127.0.0.1:3190"

static const struct forward_route plain = { .kind = FORWARD_ROUTE_GATEWAY,
	.host = "up.example",
	.port = 443,
	.prefix = "",
	.own_host = OWN };
static const struct forward_route deep = { .kind = FORWARD_ROUTE_GATEWAY,
	.host = "up.example",
	.port = 8443,
	.prefix = "/a/b",
	.own_host = OWN };

struct row {
	const struct forward_route *route;
	const char *name, *value;
	const char *becomes; /* NULL: it stays */
};

/* clang-format off */
static const struct row back[] = {
	{ &plain, "Location", "https://up.example/x?y=1#z", "http://" OWN "/x?y=1#z" },
	{ &plain, "Location", "HTTPS://UP.example:443", "http://" OWN },
	{ &plain, "Content-Location", "https://up.example./x", "http://" OWN "/x" },
	{ &plain, "Operation-Location", "https://up.example/op", "http://" OWN "/op" },
	{ &plain, "azure-asyncoperation", "https://up.example/op", "http://" OWN "/op" },
	{ &plain, "Location", "https://other.example/x", NULL },
	{ &plain, "Location", "https://up.example.evil/x", NULL },
	{ &plain, "Location", "https://up.example@evil/x", NULL },
	{ &plain, "Location", "https://up.example:444/x", NULL },
	{ &plain, "Location", "http://up.example/x", NULL },
	{ &plain, "Location", "/x", NULL },
	{ &plain, "Location", "x", NULL },
	{ &plain, "Location", "", NULL },
	{ &plain, "Location", "//up.example/x", "http://" OWN "/x" },
	{ &plain, "Location", "//other.example/x", "https://other.example/x" },
	{ &plain, "X-Location", "https://up.example/x", NULL },
	{ &deep, "Location", "https://up.example:8443/a/b/x", "http://" OWN "/x" },
	{ &deep, "Location", "https://up.example:8443/a/b?q", "http://" OWN "?q" },
	{ &deep, "Location", "https://up.example:8443/a/bc", NULL },
	{ &deep, "Location", "https://up.example:8443/", NULL },
	{ &deep, "Location", "https://up.example/a/b/x", NULL },
	{ &deep, "Location", "/a/b/x", "/x" },
	{ &deep, "Location", "/a/b", "/" },
	{ &deep, "Location", "/a/b?q", "/?q" },
	{ &deep, "Location", "/a/b//evil.example/x", "http://" OWN "//evil.example/x" },
	{ &deep, "Location", "/a/b/\\evil.example", "http://" OWN "/\\evil.example" },
	{ &deep, "Location", "/login", "https://up.example:8443/login" },
	{ &deep, "Location", "/a/bc", "https://up.example:8443/a/bc" },
	{ &plain, "Link", "<https://up.example/2>; rel=\"next\", <https://c.example/>; rel=x",
	    "<http://" OWN "/2>; rel=\"next\", <https://c.example/>; rel=x" },
	{ &plain, "Link", "<x>; title=\"<https://up.example/\\\">\", <https://up.example/2>",
	    "<x>; title=\"<https://up.example/\\\">\", <http://" OWN "/2>" },
	{ &plain, "Link", "<https://up.example/2", "<http://" OWN "/2" },
	{ &plain, "Link", "a\"\\", "a\"\\" },
	{ &deep, "Link", "</a/b/2>", "</2>" },
	{ &plain, "Set-Cookie", "a=b; Path=/; Domain=up.example; Secure; HttpOnly",
	    "a=b; Path=/; HttpOnly" },
	{ &plain, "Set-Cookie", "a=b;secure;DOMAIN = .example", "a=b" },
	{ &plain, "Set-Cookie", "secure=domain", "secure=domain" },
	{ &plain, "Set-Cookie", "a=b; SameSite=None; Secure", "a=b" },
	{ &plain, "Set-Cookie", "a=b; SameSite=Lax", "a=b; SameSite=Lax" },
	{ &deep, "Set-Cookie", "a=b; Path=/a/b/c; x", "a=b; Path=/c; x" },
	{ &deep, "Set-Cookie", "a=b; path=/a/b", "a=b; Path=/" },
	{ &deep, "Set-Cookie", "a=b; path=/", "a=b; path=/" },
};

static const struct row forth[] = {
	{ &plain, "Origin", "http://" OWN, "https://up.example" },
	{ &deep, "Origin", "http://" OWN, "https://up.example:8443" },
	{ &plain, "Origin", "http://localhost:3190", "https://up.example" },
	{ &plain, "Origin", "null", NULL },
	{ &deep, "Referer", "http://" OWN "/x?y", "https://up.example:8443/a/b/x?y" },
	{ &deep, "x-ms-copy-source", "HTTP://" OWN "/c/b", "https://up.example:8443/a/b/c/b" },
	{ &plain, "x-ms-copy-source", "http://127.0.0.1:3191/c/b", NULL },
	{ &plain, "x-ms-copy-source", "http://u@" OWN "/c/b", NULL },
	{ &plain, "x-ms-copy-source", "https://" OWN "/c/b", NULL },
	{ &plain, "x-ms-rename-source", "/c/b", NULL },
	{ &plain, "x-ms-file-rename-source", "http://" OWN "/c/b", "https://up.example/c/b" },
	{ &plain, "x-ms-previous-snapshot-url", "http://" OWN "/c/b?snapshot=1", "https://up.example/c/b?snapshot=1" },
	{ &plain, "X-Other", "http://" OWN "/c/b", NULL },
};

/* clang-format on */

static bool
is(struct slice got, const char *wanted)
{
	return slice_is(got, wanted);
}

static void
what_comes_back_speaks_of_the_gateway(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(back); i++) {
		const struct row *row = &back[i];
		struct http1_field f = { slice_of(row->name),
			slice_of(row->value) };
		struct buf out;
		bool mapped;

		buf_init(&out, 1024);
		mapped = forward_map_back(row->route, SLICE(OWN), &f, &out);
		if (mapped != (row->becomes != NULL) ||
		    !is(buf_slice(&out), mapped ? row->becomes : ""))
			fail_msg("%s: %s: %.*s", row->name, row->value,
			    (int)out.n, out.p);
		buf_release(&out);
	}
}

static void
what_goes_forth_speaks_of_the_destination(void **state)
{
	struct buf text;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forth); i++) {
		const struct row *row = &forth[i];
		const char *wanted =
		    row->becomes != NULL ? row->becomes : row->value;
		struct http1_fields fields = { .n = 1 };

		buf_init(&text, 0);
		fields.at[0] = (struct http1_field){ slice_of(row->name),
			slice_of(row->value) };
		assert_int_equal(
		    forward_map_forth(row->route, &fields, &text), OK);
		if (!is(fields.at[0].value, wanted))
			fail_msg("%s: %s: %.*s", row->name, row->value,
			    (int)fields.at[0].value.n, fields.at[0].value.p);
		buf_release(&text);
	}
}

static void
several_fields_do_not_disturb_one_another(void **state)
{
	struct http1_fields fields = { .n = 3 };
	struct buf text;

	(void)state;
	buf_init(&text, 0);
	fields.at[0] =
	    (struct http1_field){ SLICE("Origin"), SLICE("http://" OWN) };
	fields.at[1] = (struct http1_field){ SLICE("A"), SLICE("b") };
	fields.at[2] =
	    (struct http1_field){ SLICE("Referer"), SLICE("http://" OWN "/x") };
	assert_int_equal(forward_map_forth(&deep, &fields, &text), OK);
	assert_true(is(fields.at[0].value, "https://up.example:8443"));
	assert_true(is(fields.at[1].value, "b"));
	assert_true(is(fields.at[2].value, "https://up.example:8443/a/b/x"));
	buf_release(&text);
}

static void
a_client_of_a_gateway_knows_no_other_address(void **state)
{
	const char *got;

	(void)state;
	fake_start_gateway(
	    "PUT /copy HTTP/1.1\r\nHost: localhost:3190\r\n"
	    "Origin: http://localhost:3190\r\nContent-Length: 0\r\n"
	    "x-ms-copy-source: http://127.0.0.1:3190/c/b\r\n\r\n");
	got = fake_upstream_got();
	assert_non_null(strstr(got, "\r\nOrigin: https://up.example\r\n"));
	assert_non_null(strstr(
	    got, "\r\nx-ms-copy-source: https://up.example/base/c/b\r\n"));
	fake_upstream_says("HTTP/1.1 103 Early\r\nLink: </base/l>\r\n\r\n"
	                   "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n"
	                   "Location: https://up.example/base/op?x=1\r\n\r\n");
	got = fake_client_got();
	assert_non_null(strstr(got, "\r\nLink: </l>\r\n"));
	assert_non_null(
	    strstr(got, "\r\nLocation: http://localhost:3190/op?x=1\r\n"));
	/* The next message calls it otherwise. */
	fake_client_says("GET / HTTP/1.1\r\nHost: 127.0.0.1:3190\r\n\r\n");
	fake_upstream_says("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
	                   "Location: https://up.example/base/\r\n\r\n");
	assert_non_null(strstr(
	    fake_client_got(), "\r\nLocation: http://127.0.0.1:3190/\r\n"));
	fake_stop();
}

static void
a_client_of_the_proxy_is_told_what_was_said(void **state)
{
	(void)state;
	fake_start("GET http://up.example/ HTTP/1.1\r\nHost: up.example\r\n"
	           "Referer: http://127.0.0.1:3190/\r\n\r\n");
	assert_non_null(strstr(
	    fake_upstream_got(), "\r\nReferer: http://127.0.0.1:3190/\r\n"));
	fake_upstream_says("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
	                   "Location: https://up.example/base/\r\n\r\n");
	assert_non_null(strstr(
	    fake_client_got(), "\r\nLocation: https://up.example/base/\r\n"));
	fake_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_back_speaks_of_the_gateway),
		cmocka_unit_test(what_goes_forth_speaks_of_the_destination),
		cmocka_unit_test(several_fields_do_not_disturb_one_another),
		cmocka_unit_test(a_client_of_a_gateway_knows_no_other_address),
		cmocka_unit_test(a_client_of_the_proxy_is_told_what_was_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
