/* The exact bytes of each answer, and the values callers prove themselves by. */
#include "tests/unit/test.h"

#include "identity/header.h"
#include "identity/shapes.h"
#include "identity/source_imds.h"

#include <string.h>

static const struct shape_token token = {
	.token = { .p = "e.y.J", .n = 5 },
	.client_id = "cid",
	.resource = "https://storage.azure.com/",
	.expires_unix_s = 1800003600,
	.left_s = 3599,
	.not_before_unix_s = 1800000000,
};

static void
assert_text(const struct buf *b, const char *want)
{
	assert_int_equal(buf_status(b), OK);
	if (!slice_is(buf_slice(b), want))
		fail_msg("got \"%.*s\"", (int)b->n, b->p);
}

static void
gives_imds_bytes_in_order_all_strings(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 4096);
	shape_put_token(&b, &token, true);
	assert_text(&b,
	    "HTTP/1.1 200 OK\r\n"
	    "Content-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: 200\r\n"
	    "Cache-Control: no-store\r\n"
	    "Connection: keep-alive\r\n"
	    "\r\n"
	    "{\"access_token\":\"e.y.J\",\"client_id\":\"cid\","
	    "\"expires_in\":\"3599\",\"expires_on\":\"1800003600\","
	    "\"ext_expires_in\":\"3599\",\"not_before\":\"1800000000\","
	    "\"resource\":\"https://storage.azure.com/\","
	    "\"token_type\":\"Bearer\"}");
	buf_release(&b);
}

static void
gives_databricks_a_number(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 4096);
	shape_put_databricks(&b, &token, false);
	assert_text(&b,
	    "HTTP/1.1 200 OK\r\n"
	    "Content-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: 70\r\n"
	    "Cache-Control: no-store\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "{\"access_token\":\"e.y.J\",\"expires_on\":1800003600,"
	    "\"token_type\":\"Bearer\"}");
	buf_release(&b);
}

static void
gives_errors_as_json_that_names_code_and_record(void **state)
{
	struct shape_error e = { 503, "temporarily_unavailable", "not yet",
		"CREDENTIAL_UNAVAILABLE", "ABCDEFGHIJ", false };
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	shape_put_error(&b, &e, false);
	assert_text(&b,
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Content-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: 104\r\n"
	    "Cache-Control: no-store\r\n"
	    "Retry-After: 2\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "{\"error\":\"temporarily_unavailable\",\"error_description\":"
	    "\"not yet (CREDENTIAL_UNAVAILABLE id=ABCDEFGHIJ)\"}");
	buf_clear(&b);
	e = (struct shape_error){ 405, "invalid_request", "GET", "", "",
		false };
	shape_put_error(&b, &e, true);
	assert_text(&b,
	    "HTTP/1.1 405 Method Not Allowed\r\n"
	    "Content-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: 53\r\n"
	    "Cache-Control: no-store\r\n"
	    "Allow: GET\r\n"
	    "Connection: keep-alive\r\n"
	    "\r\n"
	    "{\"error\":\"invalid_request\",\"error_description\":\"GET\"}");
	buf_clear(&b);
	e = (struct shape_error){ 400, "invalid_request", "no",
		"TOKEN_NOT_ALLOWED", "A", true };
	shape_put_error(&b, &e, true);
	assert_text(&b,
	    "HTTP/1.1 400 Bad Request\r\n"
	    "Content-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: 134\r\n"
	    "Cache-Control: no-store\r\n"
	    "Connection: keep-alive\r\n"
	    "\r\n"
	    "{\"error\":\"invalid_request\",\"error_description\":"
	    "\"no (TOKEN_NOT_ALLOWED id=A)\",\"statusCode\":400,"
	    "\"message\":\"no (TOKEN_NOT_ALLOWED id=A)\"}");
	buf_release(&b);
}

static void
says_the_length_of_bodies_short_and_long(void **state)
{
	static char text[20000];
	static const size_t sizes[] = { 1, 804, 805, 1434, 9804, 9805, 20000 };

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct shape_token t = token;
		struct buf b, head;
		size_t at;

		t.token = (struct slice){ text, sizes[i] };
		buf_init_secret(&b, 65536);
		buf_init(&head, 64);
		shape_put_token(&b, &t, true);
		assert_int_equal(buf_status(&b), OK);
		at =
		    (size_t)((char *)memmem(b.p, b.n, "\r\n\r\n", 4) - b.p) + 4;
		buf_printf(
		    &head, "\r\nContent-Length: %zu\r\nCache-", b.n - at);
		assert_non_null(memmem(b.p, at, head.p, head.n));
		assert_int_equal(b.p[at], '{');
		assert_int_equal(b.p[b.n - 1], '}');
		assert_int_equal(b.n - at, 195 + sizes[i]);
		buf_release(&head);
		buf_release(&b);
	}
}

static void
fails_whole_when_the_buffer_is_too_small(void **state)
{
	(void)state;
	for (size_t max = 0; max < 336; max++) {
		struct buf b;
		buf_init_secret(&b, max);
		shape_put_token(&b, &token, true);
		assert_int_not_equal(buf_status(&b), OK);
		buf_release(&b);
	}
}

static void
derives_a_value_for_each_user_and_purpose(void **state)
{
	uint8_t key[HEADER_KEY_BYTES] = { 1, 2, 3 };
	char a[HEADER_TEXT_BYTES], b[HEADER_TEXT_BYTES];

	(void)state;
	header_value(key, HEADER_PURPOSE_HEADER, 1000, a);
	assert_int_equal(strlen(a), 64);
	header_value(key, HEADER_PURPOSE_HEADER, 1000, b);
	assert_string_equal(a, b);
	assert_true(header_fits(key, HEADER_PURPOSE_HEADER, 1000, slice_of(a)));
	assert_false(
	    header_fits(key, HEADER_PURPOSE_HEADER, 1001, slice_of(a)));
	assert_false(
	    header_fits(key, HEADER_PURPOSE_CAPABILITY, 1000, slice_of(a)));
	assert_false(header_fits(
	    key, HEADER_PURPOSE_HEADER, 1000, slice_head(slice_of(a), 63)));
	assert_false(
	    header_fits(key, HEADER_PURPOSE_HEADER, 1000, slice_of("")));
	key[0] ^= 1;
	assert_false(
	    header_fits(key, HEADER_PURPOSE_HEADER, 1000, slice_of(a)));
}

static void
asks_imds_at_an_ip_literal_only(void **state)
{
	static const char *const bad[] = { "https://169.254.169.254",
		"http://metadata", "http://localhost:80", "http://1.2.3.4/x",
		"http://1.2.3.4?x", "169.254.169.254", "" };
	struct identity_config c = { .selector = IDENTITY_MI_RES_ID,
		.selector_value = "/sub scr/x",
		.endpoint = "http://169.254.169.254/" };
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(imds_url(&c, SLICE("https://a/&"), true, &b), OK);
	assert_string_equal(b.p,
	    "http://169.254.169.254/metadata/identity/oauth2/token"
	    "?api-version=2018-02-01&resource=https%3A%2F%2Fa%2F%26"
	    "&msi_res_id=%2Fsub%20scr%2Fx&bypass_cache=true");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memcpy(c.endpoint, bad[i], strlen(bad[i]) + 1);
		buf_clear(&b);
		assert_int_equal(
		    imds_url(&c, SLICE("x"), false, &b), E_INVALID);
	}
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_imds_bytes_in_order_all_strings),
		cmocka_unit_test(gives_databricks_a_number),
		cmocka_unit_test(
		    gives_errors_as_json_that_names_code_and_record),
		cmocka_unit_test(says_the_length_of_bodies_short_and_long),
		cmocka_unit_test(fails_whole_when_the_buffer_is_too_small),
		cmocka_unit_test(derives_a_value_for_each_user_and_purpose),
		cmocka_unit_test(asks_imds_at_an_ip_literal_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
