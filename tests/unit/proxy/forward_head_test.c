/* What a forwarded head loses, keeps and gains, and what is refused. */
#include "tests/unit/test.h"

#include "policy/tenants.h"
#include "proxy/forward_head.h"
#include "proxy/forward_path.h"

#include <string.h>

static const struct forward_route proxy_route = { .kind = FORWARD_ROUTE_PROXY };

#define GET(fields) \
	"GET http://a.example/p?q HTTP/1.1\r\nHost: a.example\r\n" fields "\r\n"

static void
check_told(const char *head, const struct policy_tenants *tenants,
    const char *expected)
{
	struct forward_fault fault = { REASON_NONE, 0, NULL };
	struct forward_request r;
	struct forward_line line;
	struct buf out;

	if (forward_head_read(
	        slice_of(head), &proxy_route, "wayleave", &r, &fault) != OK)
		fail_msg("%s: %s", head, fault.detail);
	buf_init(&out, 4096);
	r.tenants = tenants;
	forward_head_put_request(&r, "wayleave", &out, &line);
	buf_putc(&out, '\0');
	assert_string_equal(out.p, expected);
	buf_release(&out);
}

static void
check_request(const char *head, const char *expected)
{
	check_told(head, NULL, expected);
}

static void
hop_by_hop_fields_go_and_others_stay_in_order(void **state)
{
	(void)state;
	check_request(GET("X: 1\r\nConnection: foo, close\r\nFoo: 2\r\nx: 3\r\n"
	                  "Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n"
	                  "Proxy-Connection: x\r\nProxy-Authorization: y\r\n"
	                  "HTTP2-Settings: z\r\nAuthorization: keep\r\n"),
	    "GET /p?q HTTP/1.1\r\nHost: a.example\r\nX: 1\r\nx: 3\r\n"
	    "Authorization: keep\r\nVia: 1.1 wayleave\r\n\r\n");
}

/* What a client says itself does not count, however it is spelled. */
static void
tenant_restrictions_are_said_once_and_by_us(void **state)
{
	const struct policy_tenants tenants = { "ctx", "a.example,b", "t:p" };
	const struct policy_tenants second = { NULL, NULL, "t:p" };
	const char *head = GET("Restrict-Access-To-Tenants: evil\r\n"
	                       "restrict-access-CONTEXT: evil\r\nX: 1\r\n"
	                       "sec-Restrict-Tenant-Access-Policy: evil\r\n"
	                       "Sec-Restrict-Tenant-Access-Policy: e\r\n");

	(void)state;
	check_told(head, &tenants,
	    "GET /p?q HTTP/1.1\r\nHost: a.example\r\nX: 1\r\n"
	    "Restrict-Access-To-Tenants: a.example,b\r\n"
	    "Restrict-Access-Context: ctx\r\n"
	    "sec-Restrict-Tenant-Access-Policy: t:p\r\n"
	    "Via: 1.1 wayleave\r\n\r\n");
	check_told(head, &second,
	    "GET /p?q HTTP/1.1\r\nHost: a.example\r\nX: 1\r\n"
	    "sec-Restrict-Tenant-Access-Policy: t:p\r\n"
	    "Via: 1.1 wayleave\r\n\r\n");
	check_told(GET("Restrict-Access-Context: own\r\n"), NULL,
	    "GET /p?q HTTP/1.1\r\nHost: a.example\r\n"
	    "Restrict-Access-Context: own\r\nVia: 1.1 wayleave\r\n\r\n");
}

static void
claims_about_other_hops_are_dropped_and_via_is_kept(void **state)
{
	(void)state;
	check_request(GET("Forwarded: for=1\r\nX-Forwarded-For: 2\r\n"
	                  "x-forwarded-host: 3\r\nVia: 1.0 fred (x, y)\r\n"
	                  "X-Forward: 4\r\n"),
	    "GET /p?q HTTP/1.1\r\nHost: a.example\r\n"
	    "Via: 1.0 fred (x, y)\r\nX-Forward: 4\r\n"
	    "Via: 1.1 wayleave\r\n\r\n");
}

static void
the_host_comes_from_the_target(void **state)
{
	(void)state;
	check_request("GET HTTP://A.Example.:81 HTTP/1.1\r\nHost: evil\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a.example:81\r\n"
	    "Via: 1.1 wayleave\r\n\r\n");
	check_request("GET http://[::1]?x HTTP/1.0\r\nExpect: "
	              "100-continue\r\n\r\n",
	    "GET /?x HTTP/1.1\r\nHost: [::1]\r\nVia: 1.0 wayleave\r\n\r\n");
	check_request("OPTIONS http://a.example HTTP/1.0\r\n"
	              "Max-Forwards: 10\r\n\r\n",
	    "OPTIONS * HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 9\r\n"
	    "Via: 1.0 wayleave\r\n\r\n");
}

static void
framing_fields_stay_as_sent(void **state)
{
	(void)state;
	check_request(GET("Content-Length: 007\r\n"),
	    "GET /p?q HTTP/1.1\r\nHost: a.example\r\nContent-Length: 007\r\n"
	    "Via: 1.1 wayleave\r\n\r\n");
	check_request(GET("transfer-encoding: Chunked\r\nTrailer: a\r\n"),
	    "GET /p?q HTTP/1.1\r\nHost: a.example\r\nTrailer: a\r\n"
	    "Via: 1.1 wayleave\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static const struct {
	const char *head;
	enum reason code;
	int status;
} faults[] = {
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", REASON_BAD_REQUEST, 0 },
	{ "GET * HTTP/1.1\r\nHost: a\r\n\r\n", REASON_BAD_REQUEST, 0 },
	{ "GET a.example:80 HTTP/1.1\r\nHost: a\r\n\r\n", REASON_BAD_REQUEST,
	    0 },
	{ "CONNECT a.example:80 HTTP/1.1\r\nHost: a\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
	{ "GET https://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
	{ "GET ftp://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
	{ "GET http://u@a.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
	{ "GET http://127.1/ HTTP/1.1\r\nHost: a\r\n\r\n", REASON_BAD_HOST, 0 },
	{ "GET http://a.example/ HTTP/1.1\r\n\r\n", REASON_BAD_REQUEST, 0 },
	{ "GET http://a.example/ HTTP/1.1\r\nHost:\r\n\r\n", REASON_BAD_REQUEST,
	    0 },
	{ GET("Host: a.example\r\n"), REASON_BAD_REQUEST, 0 },
	{ "GET http://a.example/ HTTP/1.1\r\nHost: u@a\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
	{ "GET http://a.example/ HTTP/1.1\r\nHost: a:b\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
	{ "GET http://a.example/ HTTP/1.1\r\nHost: a b\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
	{ "GET http://a.example/ HTTP/1.1\r\nHost: [::1\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
	{ "GET http://a.example/ HTTP/2.0\r\nHost: a\r\n\r\n",
	    REASON_BAD_REQUEST, 505 },
	{ GET("Transfer-Encoding: gzip, chunked\r\n"), REASON_BAD_REQUEST,
	    501 },
	{ GET("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
	    REASON_BAD_REQUEST, 400 },
	{ GET("Connection: host\r\n"), REASON_BAD_REQUEST, 0 },
	{ GET("Connection: x, Authorization\r\n"), REASON_BAD_REQUEST, 0 },
	{ GET("Connection: x\r\nConnection: via\r\n"), REASON_BAD_REQUEST, 0 },
	{ GET("Connection: content-length\r\n"), REASON_BAD_REQUEST, 0 },
	{ GET("Via: 1.1 a, 1.1 Wayleave (x)\r\n"), REASON_LOOP, 0 },
	{ GET("Via: 1.1 a\r\nVia: HTTP/1.1  wayleave\r\n"), REASON_LOOP, 0 },
	{ "TRACE http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
	    REASON_METHOD_NOT_ALLOWED, 0 },
	{ "OPTIONS http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	  "Max-Forwards: x\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
	{ "GET http://a.example/a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
	    REASON_BAD_REQUEST, 0 },
};

static void
what_cannot_be_forwarded_has_its_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct forward_fault fault = { REASON_NONE, 0, NULL };
		struct forward_request r;
		enum status st = forward_head_read(slice_of(faults[i].head),
		    &proxy_route, "wayleave", &r, &fault);
		if (st == OK || fault.code != faults[i].code ||
		    fault.status != faults[i].status)
			fail_msg("%s: %s", faults[i].head,
			    st == OK ? "passed" : reason_code(fault.code));
	}
}

static void
max_forwards_zero_is_answered_here(void **state)
{
	struct forward_fault fault;
	struct forward_request r;

	(void)state;
	assert_int_equal(
	    forward_head_read(
	        SLICE("OPTIONS http://a.example/ HTTP/1.1\r\nHost: a\r\n"
	              "Max-Forwards: 0\r\n\r\n"),
	        &proxy_route, "wayleave", &r, &fault),
	    OK);
	assert_true(r.answer_here);
	/* Of other methods it is only a field. */
	assert_int_equal(forward_head_read(SLICE(GET("Max-Forwards: 0\r\n")),
	                     &proxy_route, "wayleave", &r, &fault),
	    OK);
	assert_false(r.answer_here);
}

static void
doubtful_paths_are_refused(void **state)
{
	static const char *const good[] = { "", "/", "/a/b.c/%41/..a/a../...",
		"/%2e%2e%2e/x%2ey", "/a%25/%25zz", "/a;b=c@:!$&'()*+,=~" };
	static const char *const bad[] = { "/.", "/../x", "/a/..", "/%2e",
		"/a/%2E./b", "/.%2e/", "/a%2fb", "/a%5Cb", "/a\\b", "/%00",
		"/%2541", "/%", "/%4", "/%4g", "..", "." };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!forward_path_ok(slice_of(good[i]), false))
			fail_msg("%s refused", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (forward_path_ok(slice_of(bad[i]), false))
			fail_msg("%s passed", bad[i]);
}

/* SDKs encode the names of blobs whole; the rules see both readings. */
static void
an_encoded_slash_is_for_https_alone(void **state)
{
	static const char *const good[] = { "/c/dir%2Ffile", "/c/a%2fb%2fc",
		"/%2f", "/a%2f.b", "/a/b" };
	static const char *const bad[] = { "/a%2f..%2fb", "/a%2f.", "/..%2fa",
		"/a%252fb", "/a%5Cb", "/%2e%2f" };
	static const struct forward_route gateway = { .kind =
		                                          FORWARD_ROUTE_GATEWAY,
		.host = "up.example",
		.port = 443,
		.prefix = "",
		.own_host = "127.0.0.1:3190" };
	const char *head = "GET /c/dir%2Ffile HTTP/1.1\r\n"
	                   "Host: 127.0.0.1:3190\r\n\r\n";
	struct forward_fault fault = { REASON_NONE, 0, NULL };
	struct forward_request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!forward_path_ok(slice_of(good[i]), true))
			fail_msg("%s refused", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (forward_path_ok(slice_of(bad[i]), true))
			fail_msg("%s passed", bad[i]);
	assert_int_equal(
	    forward_head_read(slice_of(head), &gateway, "wayleave", &r, &fault),
	    OK);
	assert_int_equal(
	    forward_head_read(SLICE("GET http://a.example/c%2Fd HTTP/1.1\r\n"
	                            "Host: a.example\r\n\r\n"),
	        &proxy_route, "wayleave", &r, &fault),
	    E_SYNTAX);
}

struct answer_case {
	const char *head, *expected; /* NULL: refused */
	bool chunked, close;
};

static struct forward_answer
answer_as(const struct answer_case *c)
{
	return (struct forward_answer){ .name = "wayleave",
		.chunked = c->chunked,
		.close = c->close,
		.now_unix_s = 784111777 };
}

static void
answers_are_rewritten_likewise(void **state)
{
	static const struct answer_case cases[] = {
		{ "HTTP/1.0 200 Fine\r\nServer: x\r\nConnection: foo\r\nFoo: "
		  "1\r\nKeep-Alive: 2\r\nDate: d\r\nContent-Length: 3\r\n\r\n",
		    "HTTP/1.1 200 Fine\r\nServer: x\r\nDate: d\r\n"
		    "Content-Length: 3\r\nVia: 1.0 wayleave\r\n\r\n",
		    false, false },
		{ "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n"
		  "Content-Length: 3\r\nA : b\r\n\r\n",
		    "HTTP/1.1 200 \r\nA: b\r\n"
		    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		    "Via: 1.1 wayleave\r\nTransfer-Encoding: chunked\r\n"
		    "Connection: close\r\n\r\n",
		    true, true },
		{ "HTTP/1.1 204 No\r\nContent-Length: 3\r\nDate: d\r\n\r\n",
		    "HTTP/1.1 204 No\r\nDate: d\r\nVia: 1.1 wayleave\r\n\r\n",
		    false, false },
		{ "HTTP/1.1 304 NM\r\nContent-Length: 3\r\nDate: d\r\n\r\n",
		    "HTTP/1.1 304 NM\r\nContent-Length: 3\r\nDate: d\r\n"
		    "Via: 1.1 wayleave\r\n\r\n",
		    false, false },
		{ "HTTP/1.1 405 No\r\nAllow: GET\r\nWWW-Authenticate: x\r\n"
		  "Date: d\r\n\r\n",
		    "HTTP/1.1 405 No\r\nAllow: GET\r\nWWW-Authenticate: x\r\n"
		    "Date: d\r\nVia: 1.1 wayleave\r\n\r\n",
		    false, false },
		{ "HTTP/1.1 502 No\r\nProxy-Status: a; error=dns_error\r\n"
		  "Date: d\r\nCache-Control: no-transform\r\n\r\n",
		    "HTTP/1.1 502 No\r\nProxy-Status: a; error=dns_error\r\n"
		    "Date: d\r\nCache-Control: no-transform\r\n"
		    "Via: 1.1 wayleave\r\n\r\n",
		    false, false },
		{ "HTTP/1.1 200 OK\r\nConnection: content-length\r\n"
		  "Content-Length: 3\r\n\r\n",
		    NULL, false, false },
		{ "HTTP/1.1 407 Auth\r\n\r\n", NULL, false, false },
		{ "HTTP/1.1 101 Switch\r\n\r\n", NULL, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct answer_case *c = &cases[i];
		const struct forward_answer how = answer_as(c);
		struct http1_response r;
		struct http1_framing f;
		struct http1_error error;
		struct buf out;
		enum status st;
		assert_int_equal(
		    http1_parse_response(slice_of(c->head), &r, &error), OK);
		assert_int_equal(
		    http1_response_framing(&r, SLICE("GET"), &f), OK);
		buf_init(&out, 4096);
		st = forward_head_put_response(&r, &f, &how, &out);
		assert_int_equal(st == OK, c->expected != NULL);
		buf_putc(&out, '\0');
		if (st == OK)
			assert_string_equal(out.p, c->expected);
		buf_release(&out);
	}
}

/* RFC 9110 6.5.1; RFC 9209 2: a status of proxies is of no use so late. */
static void
trailers_are_told_from_what_belongs_to_the_head(void **state)
{
	static const char *const kept[] = { "X-Sum", "ETag", "Server-Timing" };
	static const char *const dropped[] = { "Content-Length", "host",
		"Transfer-Encoding", "Authorization", "Set-Cookie", "Via",
		"Connection", "X-Forwarded-For", "Proxy-Status",
		"Restrict-Access-To-Tenants", "Restrict-Access-Context",
		"Sec-Restrict-Tenant-Access-Policy" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		assert_true(forward_trailer_is_allowed(slice_of(kept[i])));
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
		assert_false(forward_trailer_is_allowed(slice_of(dropped[i])));
}

static void
the_broker_sees_what_it_must_refuse(void **state)
{
	struct forward_fault fault;
	struct forward_request r;
	struct buf out;

	(void)state;
	assert_int_equal(
	    forward_head_read(
	        SLICE("GET http://169.254.169.254/metadata?x=1 HTTP/1.1\r\n"
	              "Host: 169.254.169.254\r\nMetadata: true\r\n"
	              "X-Forwarded-For: 1\r\nVia: 1.1 a\r\n"
	              "Proxy-Connection: keep-alive\r\n\r\n"),
	        &proxy_route, "wayleave", &r, &fault),
	    OK);
	buf_init(&out, 4096);
	forward_head_put_broker(&r, &out);
	buf_putc(&out, '\0');
	assert_string_equal(out.p,
	    "GET /metadata?x=1 HTTP/1.1\r\nHost: 169.254.169.254\r\n"
	    "Metadata: true\r\nX-Forwarded-For: 1\r\nVia: 1.1 a\r\n"
	    "Connection: close\r\n\r\n");
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hop_by_hop_fields_go_and_others_stay_in_order),
		cmocka_unit_test(tenant_restrictions_are_said_once_and_by_us),
		cmocka_unit_test(
		    claims_about_other_hops_are_dropped_and_via_is_kept),
		cmocka_unit_test(the_host_comes_from_the_target),
		cmocka_unit_test(framing_fields_stay_as_sent),
		cmocka_unit_test(what_cannot_be_forwarded_has_its_code),
		cmocka_unit_test(max_forwards_zero_is_answered_here),
		cmocka_unit_test(doubtful_paths_are_refused),
		cmocka_unit_test(an_encoded_slash_is_for_https_alone),
		cmocka_unit_test(answers_are_rewritten_likewise),
		cmocka_unit_test(
		    trailers_are_told_from_what_belongs_to_the_head),
		cmocka_unit_test(the_broker_sees_what_it_must_refuse),
	};
	return cmocka_run_group_tests_name("forward_head", tests, NULL, NULL);
}
