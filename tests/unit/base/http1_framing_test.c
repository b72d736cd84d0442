/* Where bodies end, and what is refused for saying it twice. */
#include "tests/unit/test.h"

#include "base/http1.h"

#include <string.h>

struct framing_case {
	struct slice head;
	int status; /* 0: fine */
	enum http1_body body;
	uint64_t length;
	bool keep_alive;
};

#define POST(fields) SLICE_INIT("POST / HTTP/1.1\r\n" fields "\r\n")
#define BAD(fields)                                          \
	{                                                    \
		POST(fields), 400, HTTP1_BODY_NONE, 0, false \
	}
#define TE(value) BAD("Transfer-Encoding: " value "\r\n")
#define CL(value) BAD("Content-Length: " value "\r\n")

static const struct framing_case requests[] = {
	{ POST(""), 0, HTTP1_BODY_NONE, 0, true },
	{ POST("Content-Length: 0\r\n"), 0, HTTP1_BODY_LENGTH, 0, true },
	{ POST("Content-Length: 9223372036854775807\r\n"), 0, HTTP1_BODY_LENGTH,
	    INT64_MAX, true },
	{ POST("transfer-encoding:\tCHUNKED\r\n"), 0, HTTP1_BODY_CHUNKED, 0,
	    true },
	{ POST("Connection: x, Close\r\n"), 0, HTTP1_BODY_NONE, 0, false },
	{ SLICE_INIT("POST / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0,
	    HTTP1_BODY_NONE, 0, false },
	BAD("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
	BAD("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
	BAD("Content-Length: 3\r\nTransfer-Encoding: x\r\n"),
	BAD("Content-Length: 3\r\nContent-Length: 3\r\n"),
	BAD("Content-Length: 3\r\nContent-Length: 4\r\n"),
	BAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
	BAD("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
	BAD("Transfer-Encoding:\r\n"),
	TE("gzip"),
	TE("identity"),
	TE("chunked,"),
	TE(",chunked"),
	TE("chunked;x"),
	TE("xchunked"),
	TE("chunked, chunked"),
	TE("chunked, identity"),
	TE("chunked\x0b"),
	TE("\"chunked\""),
	TE("chun ked"),
	CL(""),
	CL("+3"),
	CL("-3"),
	CL("0x3"),
	CL("3 3"),
	CL("3,3"),
	CL("3, 4"),
	CL("3a"),
	CL("9223372036854775808"),
	CL("18446744073709551616"),
	CL("1111111111111111111111111111111111111111"),
	{ POST("Transfer-Encoding: gzip, chunked\r\n"), 501, HTTP1_BODY_NONE, 0,
	    false },
	{ POST("Transfer-Encoding: identity, chunked\r\n"), 501,
	    HTTP1_BODY_NONE, 0, false },
	{ SLICE_INIT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    400, HTTP1_BODY_NONE, 0, false },
	{ SLICE_INIT("CONNECT a:1 HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), 400,
	    HTTP1_BODY_NONE, 0, false },
	{ SLICE_INIT(
	      "CONNECT a:1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    400, HTTP1_BODY_NONE, 0, false },
};

static void
requests_have_one_reading_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		const struct framing_case *c = &requests[i];
		struct http1_error error = { 0 };
		struct http1_framing f;
		struct http1_request r;
		enum status st = http1_parse_request(c->head, &r, &error);
		/* A control byte is refused one step before. */
		if (st == OK)
			st = http1_request_framing(&r, &f, &error);
		if (st != OK) {
			if (error.status != c->status)
				fail_msg("%zu: %s", i, c->head.p);
			continue;
		}
		if (c->status != 0 || f.body != c->body ||
		    f.length != c->length || f.keep_alive != c->keep_alive)
			fail_msg("%zu: %s", i, c->head.p);
	}
}

struct response_case {
	struct slice head;
	const char *method;
	bool ok;
	enum http1_body body;
	bool keep_alive, dirty;
};

#define OK11(fields) SLICE_INIT("HTTP/1.1 200 OK\r\n" fields "\r\n")
#define FAULTY(fields)                                                    \
	{                                                                 \
		OK11(fields), "GET", false, HTTP1_BODY_NONE, false, false \
	}

static const struct response_case responses[] = {
	{ OK11("Content-Length: 5\r\n"), "GET", true, HTTP1_BODY_LENGTH, true,
	    false },
	{ OK11("Transfer-Encoding: chunked\r\n"), "GET", true,
	    HTTP1_BODY_CHUNKED, true, false },
	{ OK11(""), "GET", true, HTTP1_BODY_UNTIL_CLOSE, false, false },
	{ OK11("Connection: close\r\nContent-Length: 5\r\n"), "GET", true,
	    HTTP1_BODY_LENGTH, false, false },
	{ OK11("Content-Length: 5\r\n"), "HEAD", true, HTTP1_BODY_NONE, true,
	    false },
	{ OK11("Transfer-Encoding: chunked\r\n"), "HEAD", true, HTTP1_BODY_NONE,
	    true, false },
	{ OK11("Content-Length: 5\r\n"), "CONNECT", true, HTTP1_BODY_NONE, true,
	    false },
	{ SLICE_INIT("HTTP/1.1 304 NM\r\nContent-Length: 5\r\n\r\n"), "GET",
	    true, HTTP1_BODY_NONE, true, false },
	{ SLICE_INIT("HTTP/1.1 204 NC\r\n\r\n"), "GET", true, HTTP1_BODY_NONE,
	    true, false },
	{ SLICE_INIT("HTTP/1.1 204 NC\r\nContent-Length: 5\r\n\r\n"), "GET",
	    true, HTTP1_BODY_NONE, false, true },
	{ SLICE_INIT("HTTP/1.1 100 Continue\r\n\r\n"), "GET", true,
	    HTTP1_BODY_NONE, true, false },
	{ OK11("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "GET",
	    true, HTTP1_BODY_CHUNKED, false, true },
	{ SLICE_INIT("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), "GET",
	    true, HTTP1_BODY_LENGTH, false, false },
	{ SLICE_INIT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    "GET", false, HTTP1_BODY_NONE, false, false },
	FAULTY("Content-Length: 5\r\nContent-Length: 5\r\n"),
	FAULTY("Content-Length: 5, 5\r\n"),
	FAULTY("Content-Length: -5\r\n"),
	FAULTY("Content-Length: 99999999999999999999\r\n"),
	FAULTY("Transfer-Encoding: gzip\r\n"),
	FAULTY("Transfer-Encoding: gzip, chunked\r\n"),
	FAULTY("Transfer-Encoding: chunked, gzip\r\n"),
	FAULTY("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"),
};

static void
responses_follow_the_table_of_rfc_9112_6_3(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
		const struct response_case *c = &responses[i];
		struct http1_error error;
		struct http1_framing f;
		struct http1_response r;
		enum status st;
		assert_int_equal(http1_parse_response(c->head, &r, &error), OK);
		st = http1_response_framing(&r, slice_of(c->method), &f);
		if ((st == OK) != c->ok)
			fail_msg("%zu: %s", i, c->head.p);
		if (st == OK &&
		    (f.body != c->body || f.keep_alive != c->keep_alive ||
		        f.dirty != c->dirty))
			fail_msg("%zu: %s", i, c->head.p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_have_one_reading_or_none),
		cmocka_unit_test(responses_follow_the_table_of_rfc_9112_6_3),
	};
	return cmocka_run_group_tests_name("http1_framing", tests, NULL, NULL);
}
