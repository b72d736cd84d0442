/* Every path, field and parameter that real clients send, and what they must
 * not send. */
#include "tests/unit/test.h"

#include "identity/endpoint.h"

#include <stdio.h>
#include <string.h>

#define IMDS "/metadata/identity/oauth2/token"
#define V    "?api-version=2018-02-01"
#define RES  "&resource=https://storage.azure.com/"
#define H    "Host: 127.0.0.1:3181\r\n"
#define M    "Metadata: true\r\n"
#define CAP8 "0123abcd"
#define CAP  CAP8 CAP8 CAP8 CAP8 CAP8 CAP8 CAP8 CAP8
#define APP  "/msi/token?api-version=2019-08-01" RES
#define ML   "/msi/token?api-version=2017-09-01" RES
#define DB   "/databricks/token"
#define DBV  "X-Databricks-Metadata-Version: 1\r\n"
#define DBH  "X-Databricks-Host: https://adb-1.2.azuredatabricks.net\r\n"

static struct endpoint_listener at;

static int
classify(const char *line, const char *fields, struct endpoint_request *out,
    struct endpoint_error *error)
{
	static char head[8192];
	struct http1_request r;
	struct http1_error bad;

	snprintf(head, sizeof head, "%s\r\n%s\r\n", line, fields);
	assert_int_equal(http1_parse_request(slice_of(head), &r, &bad), OK);
	return endpoint_classify(&r, &at, out, error) == OK ? 200
	                                                    : error->status;
}

struct row {
	const char *line, *fields;
	int status;
};

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct endpoint_request out;
		struct endpoint_error error;
		char line[2048];
		int got;
		snprintf(line, sizeof line, "%s HTTP/1.1", rows[i].line);
		got = classify(line, rows[i].fields, &out, &error);
		if (got != rows[i].status)
			fail_msg("row %zu: %s [%s]: %d, not %d", i,
			    rows[i].line, rows[i].fields, got, rows[i].status);
	}
}

static void
knows_each_path_in_every_clients_spelling(void **state)
{
	static const struct row rows[] = {
		{ "GET " IMDS V RES, H M, 200 },
		{ "GET " IMDS "/" V RES, H M, 200 },
		{ "GET /" IMDS V RES, H M, 200 },
		{ "GET /Metadata/identity/oauth2/token" V RES, H M, 200 },
		{ "GET /METADATA/identity/oauth2/token/" V RES, H M, 200 },
		{ "GET /w/" CAP IMDS V RES, H M, 200 },
		{ "GET /w/" CAP "/" IMDS "/" V RES, H M, 200 },
		{ "GET " IMDS V "&resource=https%3A%2F%2Fstorage.azure.com%2F",
		    H M, 200 },
		{ "GET /w/" CAP "/msi/token" V RES, H M, 404 },
		{ "GET /w/" CAP8 IMDS V RES, H M, 404 },
		{ "GET /w/" CAP8 CAP8 CAP8 CAP8 CAP8 CAP8 CAP8
		  "0123ABCD" IMDS V RES,
		    H M, 404 },
		{ "GET /metadata/identity/getplatformmetadata", H, 404 },
		{ "GET /metadata/identity/getplatformmetadata"
		  "?cred-api-version=2.0",
		    H M, 404 },
		{ "GET /metadata/identity/info" V, H M, 404 },
		{ "GET /metadata/instance" V, H M, 404 },
		{ "GET /", H M, 404 },
		{ "GET /metadata/identity/oauth2/token2" V RES, H M, 404 },
		{ "GET /metadata/identity/oauth2/%74oken" V RES, H M, 404 },
		{ "GET http://127.0.0.1:3181" IMDS V RES, H M, 404 },
		{ "POST " IMDS V RES, H M, 405 },
		{ "HEAD " IMDS V RES, H M, 405 },
		{ "PUT /nothing", H M, 404 },
		{ "GET /nothing", H "Origin: null\r\n", 400 },
		{ "GET /nothing", "Host: evil.example\r\n", 400 },
		{ "POST " IMDS V RES, H M "Via: 1.1 x\r\n", 400 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
refuses_browsers_relays_and_foreign_hosts(void **state)
{
	static const struct row rows[] = {
		{ "GET " IMDS V RES, H, 400 },
		{ "GET " IMDS V RES, H "Metadata: false\r\n", 400 },
		{ "GET " IMDS V RES, H M M, 400 },
		{ "GET " IMDS V RES, H "metadata: True\r\n", 200 },
		{ "GET " IMDS V RES, H M "X-Forwarded-For: 1.2.3.4\r\n", 400 },
		{ "GET " IMDS V RES, H M "x-forwarded-for:\r\n", 400 },
		{ "GET " IMDS V RES, H M "Forwarded: for=1.2.3.4\r\n", 400 },
		{ "GET " IMDS V RES, H M "Via: 1.1 x\r\n", 400 },
		{ "GET " IMDS V RES, H M "Origin: null\r\n", 400 },
		{ "GET " IMDS V RES, H M "Referer: http://x/\r\n", 400 },
		{ "GET " IMDS V RES, H M "Sec-Fetch-Site: none\r\n", 400 },
		{ "GET " APP, H "X-IDENTITY-HEADER: x\r\nVia: 1.1 x\r\n", 400 },
		{ "GET " DB, H DBV DBH "Origin: https://x\r\n", 400 },
		{ "GET " IMDS V RES, "Host: localhost:3181\r\n" M, 200 },
		{ "GET " IMDS V RES, "Host: LOCALHOST:3181\r\n" M, 200 },
		{ "GET " IMDS V RES, "Host: 169.254.169.254\r\n" M, 200 },
		{ "GET " IMDS V RES, "Host: 169.254.169.254:80\r\n" M, 200 },
		{ "GET " IMDS V RES, "Host: 169.254.169.254:81\r\n" M, 400 },
		{ "GET " IMDS V RES, "Host: 127.0.0.1\r\n" M, 400 },
		{ "GET " IMDS V RES, "Host: 127.0.0.1:3182\r\n" M, 400 },
		{ "GET " IMDS V RES, "Host: 127.0.0.2:3181\r\n" M, 400 },
		{ "GET " IMDS V RES, "Host: [::1]:3181\r\n" M, 400 },
		{ "GET " IMDS V RES, "Host: localhost\r\n" M, 400 },
		{ "GET " IMDS V RES, "Host: evil.test\r\n" M, 400 },
		{ "GET " IMDS V RES, "Host: evil.test:3181\r\n" M, 400 },
		{ "GET " IMDS V RES, "Host: localhost.evil.test:3181\r\n" M,
		    400 },
	};
	struct endpoint_request out;
	struct endpoint_error error;

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
	assert_int_equal(
	    classify("GET " IMDS V RES " HTTP/1.0", M, &out, &error), 400);
	assert_int_equal(error.code, REASON_BAD_HOST);
	at.any_host = true;
	assert_int_equal(classify("GET " IMDS V RES " HTTP/1.1",
	                     "Host: whatever\r\n" M, &out, &error),
	    200);
	at.any_host = false;
}

static void
knows_the_proxys_port_for_imds_only(void **state)
{
	static const struct row rows[] = {
		{ "GET " IMDS V RES, "Host: 169.254.169.254\r\n" M, 200 },
		{ "GET " IMDS V RES, H M, 400 },
		{ "GET " APP,
		    "Host: 169.254.169.254\r\nX-IDENTITY-HEADER: x\r\n", 404 },
		{ "GET " DB, "Host: 169.254.169.254\r\n" DBV DBH, 404 },
	};
	struct endpoint_listener keep = at;

	(void)state;
	at = (struct endpoint_listener){ .imds_only = true };
	check_rows(rows, ARRAY_LEN(rows));
	at = keep;
}

static void
reads_parameters_strictly(void **state)
{
	static const struct row rows[] = {
		{ "GET " IMDS "?resource=x", H M, 400 },
		{ "GET " IMDS V, H M, 400 },
		{ "GET " IMDS, H M, 400 },
		{ "GET " IMDS "?api-version=2018-02-0&resource=x", H M, 400 },
		{ "GET " IMDS "?api-version=2016-02-01&resource=x", H M, 400 },
		{ "GET " IMDS "?api-version=2099-02-01&resource=x", H M, 400 },
		{ "GET " IMDS "?api-version=2019-08-01&resource=x", H M, 200 },
		{ "GET " IMDS "?api-version=2020-06-01&resource=x", H M, 200 },
		{ "GET " IMDS "?api-version=2025-03-30&resource=x", H M, 200 },
		{ "GET " IMDS V "&resource=", H M, 400 },
		{ "GET " IMDS V "&resource=a%0ab", H M, 400 },
		{ "GET " IMDS V "&resource=a%00b", H M, 400 },
		{ "GET " IMDS V "&resource=a%zz", H M, 400 },
		{ "GET " IMDS V "&resource=a&resource=b", H M, 400 },
		{ "GET " IMDS V RES "&client_id=1", H M, 200 },
		{ "GET " IMDS V RES "&clientid=", H M, 200 },
		{ "GET " IMDS V RES "&client_id=", H M, 400 },
		{ "GET " IMDS V RES "&client_id=1&object_id=2", H M, 400 },
		{ "GET " IMDS V RES "&client_id=1&client_id=1", H M, 400 },
		{ "GET " IMDS V RES "&mi_res_id=1&msi_res_id=1", H M, 400 },
		{ "GET " IMDS V RES "&authority=x&x-client-sku=y&xms_cc=cp1",
		    H M, 200 },
		{ "GET " APP, H, 400 },
		{ "GET " APP, H "secret: x\r\n", 400 },
		{ "GET " APP, H "X-Identity-Header: x\r\n", 200 },
		{ "GET " APP, H "X-IDENTITY-HEADER: x\r\n" M, 200 },
		{ "GET " ML, H "X-IDENTITY-HEADER: x\r\n", 400 },
		{ "GET " ML "&clientid=", H "secret: x\r\n", 200 },
		{ "GET " DB, H DBV DBH, 200 },
		{ "GET " DB, H DBH, 400 },
		{ "GET " DB, H DBV, 400 },
		{ "GET " DB, H "X-Databricks-Metadata-Version: 2\r\n" DBH,
		    400 },
		{ "GET " DB, H DBV "X-Databricks-Host: http://a.b\r\n", 400 },
		{ "GET " DB, H DBV "X-Databricks-Host: https://a.b/x\r\n",
		    400 },
		{ "GET " DB, H DBV "X-Databricks-Host: https://1.2.3.4\r\n",
		    400 },
		{ "GET " DB, H DBV "X-Databricks-Host: https://a.b/\r\n", 200 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
keeps_the_clients_bytes(void **state)
{
	struct endpoint_request out;
	struct endpoint_error error;

	(void)state;
	assert_int_equal(
	    classify("GET " IMDS V "&resource=https%3a%2F%2FX.net%2F%2F"
	             "&principal_id=Ab-1 HTTP/1.1",
	        H M, &out, &error),
	    200);
	assert_string_equal(out.resource, "https://X.net//");
	assert_int_equal(out.selector, IDENTITY_OBJECT_ID);
	assert_string_equal(out.selector_value, "Ab-1");
	assert_int_equal(out.proof, ENDPOINT_PROOF_NONE);
	assert_int_equal(classify("GET /w/" CAP "/" IMDS V
	                          "&resource=a&msi_res_id=/sub/x HTTP/1.1",
	                     H M, &out, &error),
	    200);
	assert_int_equal(out.selector, IDENTITY_MI_RES_ID);
	assert_string_equal(out.selector_value, "/sub/x");
	assert_int_equal(out.proof, ENDPOINT_PROOF_CAPABILITY);
	assert_true(slice_is(out.proof_value, CAP));
	assert_int_equal(classify("GET " APP " HTTP/1.1",
	                     H "X-IDENTITY-HEADER: abc\r\n", &out, &error),
	    200);
	assert_int_equal(out.shape, ENDPOINT_APP_SERVICE);
	assert_true(slice_is(out.proof_value, "abc"));
	assert_int_equal(
	    classify("GET " DB " HTTP/1.1", H DBV DBH, &out, &error), 200);
	assert_string_equal(out.resource, ENDPOINT_DATABRICKS_AUDIENCE);
	assert_string_equal(out.databricks.name, "adb-1.2.azuredatabricks.net");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_each_path_in_every_clients_spelling),
		cmocka_unit_test(refuses_browsers_relays_and_foreign_hosts),
		cmocka_unit_test(knows_the_proxys_port_for_imds_only),
		cmocka_unit_test(reads_parameters_strictly),
		cmocka_unit_test(keeps_the_clients_bytes),
	};

	if (addr_parse(SLICE("127.0.0.1"), &at.addr) != OK)
		return 1;
	at.port = 3181;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
