/* Heads of requests and responses, good and hostile. */
#include "tests/unit/test.h"

#include "base/http1.h"

#include <stdlib.h>
#include <string.h>

/* As a caller does: find the end, then parse. Returns the refusal's status,
 * 0 when the head is fine, -1 when it is not complete. */
static int
read_request(struct slice bytes, struct http1_request *out)
{
	struct http1_error error = { 0 };
	struct http1_scan scan = { 0 };
	size_t end = 0;
	enum status st =
	    http1_request_head_end(bytes, 400, &scan, &end, &error);

	if (st == E_PARTIAL)
		return -1;
	if (st == OK)
		st = http1_parse_request(slice_head(bytes, end), out, &error);
	return st == OK ? 0 : error.status;
}

struct request_case {
	struct slice bytes;
	int status;
};

static const struct request_case requests[] = {
	{ SLICE_INIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ SLICE_INIT("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ SLICE_INIT("GET / HTTP/1.1\r\n\r\n"), 0 },
	{ SLICE_INIT("GET / HTTP/1.2\r\n\r\n"), 0 },
	{ SLICE_INIT("M-SEARCH * HTTP/1.0\r\n\r\n"), 0 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA:\r\nA: \t b \t\r\n\r\n"), 0 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: \x80\xff\r\n\r\n"), 0 },
	{ SLICE_INIT("\r\n\r\nGET / HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/2.0\r\n\r\n"), 505 },
	{ SLICE_INIT("PRI * HTTP/2.0\r\n\r\n"), 505 },
	{ SLICE_INIT("GET / HTTP/0.9\r\n\r\n"), 400 },
	{ SLICE_INIT("GET /\r\n\r\n"), 400 },
	{ SLICE_INIT("GET  / HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET /  HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1 \r\n\r\n"), 400 },
	{ SLICE_INIT(" GET / HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET\t/ HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET /a b HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET /\x80 HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET /\x7f HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET /\t HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("G(T / HTTP/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / http/1.1\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/11\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.10\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\n\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: b\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\n A: b\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA : b\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA\t: b\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\n: b\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA(: b\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA\x80: b\r\n\r\n"), 400 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: b\r\n"), -1 },
	{ SLICE_INIT("GET / HTTP/1.1\r\nA: b\r"), -1 },
	{ SLICE_INIT(""), -1 },
};

static void
request_heads_are_read_strictly(void **state)
{
	struct http1_request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		int status = read_request(requests[i].bytes, &r);
		if (status != requests[i].status)
			fail_msg("%zu: %.*s: %d", i, (int)requests[i].bytes.n,
			    requests[i].bytes.p, status);
	}
}

static void
parts_of_a_request_are_slices_without_ows(void **state)
{
	struct http1_request r;

	(void)state;
	assert_int_equal(read_request(SLICE("PUT http://a/b?c HTTP/1.0\r\n"
	                                    "X: \t1 2\t \r\nx:3\r\n\r\nrest"),
	                     &r),
	    0);
	assert_true(slice_is(r.method, "PUT"));
	assert_true(slice_is(r.target, "http://a/b?c"));
	assert_int_equal(r.version, HTTP1_0);
	assert_int_equal(r.fields.n, 2);
	assert_true(slice_is(r.fields.at[0].value, "1 2"));
	assert_true(slice_is(r.fields.at[1].name, "x"));
	assert_true(slice_is(r.fields.at[1].value, "3"));
}

static void
heads_end_wherever_the_bytes_are_cut(void **state)
{
	struct slice all = SLICE("\r\nGET / HTTP/1.1\r\nA: b\r\n\r\nbody");
	struct http1_error error;
	size_t scanned = 0, end = 0;

	(void)state;
	for (size_t n = 0; n < all.n - 4; n++)
		assert_int_equal(http1_head_end(slice_head(all, n), 100,
		                     &scanned, &end, &error),
		    E_PARTIAL);
	assert_int_equal(http1_head_end(all, 100, &scanned, &end, &error), OK);
	assert_int_equal(end, all.n - 4);
}

/* Heads are looked through by eight bytes: each place in them counts. */
static void
a_byte_that_breaks_a_head_is_seen_wherever_it_stands(void **state)
{
	static const unsigned char around[] = { 'a', ' ', 0x7f, 0x80, 0xff };
	struct http1_error error;

	(void)state;
	for (size_t k = 0; k < sizeof around * 40 * 256; k++) {
		char bytes[40];
		size_t at = k / 256 % 40, scanned = 0, end = 0;
		unsigned char c = (unsigned char)(k % 256);
		bool bad = c == '\0' || c == '\n' || (c == '\r' && at < 39);

		memset(bytes, around[k / 256 / 40], sizeof bytes);
		bytes[at] = (char)c;
		assert_int_equal(
		    http1_head_end((struct slice){ bytes, sizeof bytes }, 100,
		        &scanned, &end, &error),
		    bad ? E_SYNTAX : E_PARTIAL);
	}
}

static void
long_heads_are_told_apart_from_long_targets(void **state)
{
	struct http1_request r;
	char bytes[500];

	(void)state;
	memset(bytes, 'a', sizeof bytes);
	assert_int_equal(
	    read_request((struct slice){ bytes, sizeof bytes }, &r), 414);
	memcpy(bytes, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(
	    read_request((struct slice){ bytes, sizeof bytes }, &r), 431);
	/* Exactly the ceiling passes. */
	memcpy(bytes + 16, "A:", 2);
	memcpy(bytes + 412, "\r\n\r\n", 4);
	assert_int_equal(
	    read_request((struct slice){ bytes, sizeof bytes }, &r), 0);
	assert_int_equal(r.fields.at[0].value.n, 400 - 6);
}

/* Nobody has to wait for the end of what can never be a request. */
static void
a_bad_line_is_refused_when_it_is_there(void **state)
{
	static const struct {
		const char *bytes;
		int status; /**< -1: it may still become one */
	} cases[] = {
		{ "GET /a ICE/1.0\r\nHost: a\r\n", 400 },
		{ "GET /a b HTTP/1.1\r\n", 400 },
		{ "GET / HTTP/2.0\r\n", 505 },
		{ "\r\nGET / HTTP/1.1\r\nHost: a\r\nFo@: b\r\n", 400 },
		{ "GET / HTTP/1.1\r\n: b\r\n", 400 },
		{ "GET / HTTP/1.1\r\n A: b\r\n", 400 },
		{ "GET / HTTP/1.1\r\nname\r\n", 400 },
		{ "GET / HTTP/1.1\r\nA: \001\r\n", 400 },
		{ "GET / HTTP/1.1\r\nname", -1 },
		{ "GET / HTTP/1.1\r\nname\r", -1 },
		{ "\r\nGET / HTTP/1.1\r\nA: b\r\nB: c\r\n", -1 },
		{ "G E T", -1 },
		{ "\r\n", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slice all = slice_of(cases[i].bytes);
		struct http1_scan scan = { 0 };
		struct http1_error error = { 0 };
		struct http1_request r;
		enum status st = E_PARTIAL;
		size_t n = 0, end;

		if (read_request(all, &r) != cases[i].status)
			fail_msg("whole: %s", cases[i].bytes);
		for (; st == E_PARTIAL && n <= all.n; n++)
			st = http1_request_head_end(
			    slice_head(all, n), 400, &scan, &end, &error);
		if (cases[i].status == -1 ? st != E_PARTIAL
		                          : error.status != cases[i].status)
			fail_msg("in pieces: %s", cases[i].bytes);
	}
}

/* RFC 9110 4.1 wants long targets taken; long fields are another matter. */
static void
the_line_and_the_fields_have_a_ceiling_each(void **state)
{
	struct http1_request r;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	buf_printf(&b, "GET /%0380d HTTP/1.1\r\nA: %0380d\r\n\r\n", 0, 0);
	assert_int_equal(read_request(buf_slice(&b), &r), 0);
	assert_int_equal(r.fields.at[0].value.n, 380);
	buf_clear(&b);
	buf_printf(&b, "GET /%0380d HTTP/1.1\r\nA: %0400d\r\n\r\n", 0, 0);
	assert_int_equal(read_request(buf_slice(&b), &r), 431);
	buf_release(&b);
}

static void
a_hundred_fields_pass_and_no_more(void **state)
{
	struct http1_request *r = malloc(sizeof *r);
	struct http1_error error;
	struct buf b;

	(void)state;
	assert_non_null(r);
	buf_init(&b, 4096);
	buf_puts(&b, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < HTTP1_FIELDS_MAX; i++)
		buf_puts(&b, "A: b\r\n");
	buf_puts(&b, "\r\n");
	assert_int_equal(http1_parse_request(buf_slice(&b), r, &error), OK);
	b.n -= 2;
	buf_puts(&b, "A: b\r\n\r\n");
	assert_int_equal(
	    http1_parse_request(buf_slice(&b), r, &error), E_LIMIT);
	assert_int_equal(error.status, 431);
	buf_release(&b);
	free(r);
}

static void
responses_are_read_with_the_tolerance_of_the_rfc(void **state)
{
	static const struct {
		struct slice head;
		int status; /* 0: refused */
	} cases[] = {
		{ SLICE_INIT("HTTP/1.1 200 OK\r\nA: b\r\n\r\n"), 200 },
		{ SLICE_INIT("HTTP/1.1 200 \r\n\r\n"), 200 },
		{ SLICE_INIT("HTTP/1.1 200\r\n\r\n"), 200 },
		{ SLICE_INIT("HTTP/1.0 404 Not\tFound \x80\r\n\r\n"), 404 },
		{ SLICE_INIT("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), 200 },
		{ SLICE_INIT("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/1.1 200 OK\r\n A: b\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/2.0 200 OK\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/1.1 099 OK\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/1.1 20 OK\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/1.1 2000 OK\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/1.1 +20 OK\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/1.1  200 OK\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/1.1 200 O\x01K\r\n\r\n"), 0 },
		{ SLICE_INIT("\r\nHTTP/1.1 200 OK\r\n\r\n"), 0 },
		{ SLICE_INIT("ICY 200 OK\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/1.1\r\n\r\n"), 0 },
		{ SLICE_INIT("HTTP/1.1 200 OK\r\n\r\nbody"), 0 },
	};
	struct http1_response r;
	struct http1_error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum status st =
		    http1_parse_response(cases[i].head, &r, &error);
		if ((st == OK) != (cases[i].status != 0))
			fail_msg("%zu: %s", i, status_text(st));
		if (st == OK)
			assert_int_equal(r.status, cases[i].status);
	}
	assert_int_equal(http1_parse_response(cases[4].head, &r, &error), OK);
	assert_true(slice_is(r.fields.at[0].name, "A"));
}

static void
list_fields_are_read_over_all_lines(void **state)
{
	struct http1_request r;
	struct slice v;

	(void)state;
	assert_int_equal(
	    read_request(SLICE("GET / HTTP/1.1\r\nConnection: , x ,,\tY\r\n"
	                       "Once: 1\r\ncONNECTION: close\r\n\r\n"),
	        &r),
	    0);
	assert_true(
	    http1_field_has_token(&r.fields, "connection", SLICE("CLOSE")));
	assert_true(http1_field_has_token(&r.fields, "connection", SLICE("y")));
	assert_false(
	    http1_field_has_token(&r.fields, "connection", SLICE("clos")));
	assert_int_equal(
	    http1_field_only(&r.fields, "connection", &v), E_INVALID);
	assert_int_equal(http1_field_only(&r.fields, "none", &v), E_NOTFOUND);
	assert_int_equal(http1_field_only(&r.fields, "once", &v), OK);
	assert_true(slice_is(v, "1"));
}

static void
what_no_response_begins_with_is_seen_early(void **state)
{
	static const struct {
		const char *bytes;
		bool may;
	} rows[] = {
		{ "", true },
		{ "H", true },
		{ "HTTP/1.", true },
		{ "HTTP/1.1 20", true },
		{ "HTTP/1.1 200 OK\r", true },
		{ "HTTP/1.1 200 OK\r\n", true },
		{ "HTTP/1.0 200 \r\nX: 1\r\nY", true },
		{ "h", false },
		{ "SSH-2.0-x\r\n", false },
		{ "HTTP/2.0 200", false },
		{ "<html>", false },
		{ "HTTP/1.1\r\n", false },
		{ "HTTP/1.1 2x0 OK\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
		    http1_response_may_begin(slice_of(rows[i].bytes)),
		    rows[i].may);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_heads_are_read_strictly),
		cmocka_unit_test(parts_of_a_request_are_slices_without_ows),
		cmocka_unit_test(heads_end_wherever_the_bytes_are_cut),
		cmocka_unit_test(
		    a_byte_that_breaks_a_head_is_seen_wherever_it_stands),
		cmocka_unit_test(long_heads_are_told_apart_from_long_targets),
		cmocka_unit_test(a_bad_line_is_refused_when_it_is_there),
		cmocka_unit_test(the_line_and_the_fields_have_a_ceiling_each),
		cmocka_unit_test(a_hundred_fields_pass_and_no_more),
		cmocka_unit_test(
		    responses_are_read_with_the_tolerance_of_the_rfc),
		cmocka_unit_test(what_no_response_begins_with_is_seen_early),
		cmocka_unit_test(list_fields_are_read_over_all_lines),
	};
	return cmocka_run_group_tests_name("http1_head", tests, NULL, NULL);
}
