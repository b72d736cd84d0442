/* SOCKS5 messages (RFC 1928, RFC 1929), whole and cut at every byte. */
#include "tests/unit/test.h"

#include "proxy/socks5.h"

#include <string.h>

#define BYTES(lit) ((struct slice){ .p = (lit), .n = sizeof(lit) - 1 })

static const struct {
	struct slice in;
	uint8_t method;
} cases_picks_no_method[] = {
	{ { "\5\1\0", 3 }, SOCKS5_METHOD_NONE },
	{ { "\5\2\2\0", 4 }, SOCKS5_METHOD_NONE },
	{ { "\5\2\0\2", 4 }, SOCKS5_METHOD_NONE },
	{ { "\5\2\1\2", 4 }, SOCKS5_METHOD_PASSWORD },
	{ { "\5\1\1", 3 }, SOCKS5_METHOD_REFUSED },
	{ { "\5\0", 2 }, SOCKS5_METHOD_REFUSED },
};

static void
picks_no_method_before_password_before_none_of_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases_picks_no_method); i++) {
		uint8_t method = 9;
		size_t used = 0;

		for (size_t n = 0; n < cases_picks_no_method[i].in.n; n++)
			assert_int_equal(
			    socks5_read_greeting(
			        slice_head(cases_picks_no_method[i].in, n),
			        &used, &method),
			    E_PARTIAL);
		assert_int_equal(
		    socks5_read_greeting(
		        cases_picks_no_method[i].in, &used, &method),
		    OK);
		assert_int_equal(method, cases_picks_no_method[i].method);
		assert_int_equal(used, cases_picks_no_method[i].in.n);
	}
}

static void
other_versions_are_refused_at_the_first_byte(void **state)
{
	struct socks5_request r;
	uint8_t method;
	size_t used;

	(void)state;
	assert_int_equal(
	    socks5_read_greeting(BYTES("\4"), &used, &method), E_SYNTAX);
	assert_int_equal(socks5_read_password(BYTES("\5"), &used), E_SYNTAX);
	assert_int_equal(socks5_read_request(BYTES("\4"), &used, &r), E_SYNTAX);
}

static void
a_password_is_measured_and_not_looked_at(void **state)
{
	const struct slice in = BYTES("\1\2ab\3xyz rest");
	size_t used = 0;

	(void)state;
	for (size_t n = 0; n < 8; n++)
		assert_int_equal(
		    socks5_read_password(slice_head(in, n), &used), E_PARTIAL);
	assert_int_equal(socks5_read_password(in, &used), OK);
	assert_int_equal(used, 8);
	assert_int_equal(socks5_read_password(BYTES("\1\0\0"), &used), OK);
	assert_int_equal(used, 3);
}

/* Reads @in whole, after seeing that no shorter piece is enough. */
static struct socks5_request
request_of(struct slice in, size_t length)
{
	struct socks5_request r;
	size_t used = 0;

	for (size_t n = 0; n < length; n++)
		assert_int_equal(
		    socks5_read_request(slice_head(in, n), &used, &r),
		    E_PARTIAL);
	assert_int_equal(socks5_read_request(in, &used, &r), OK);
	assert_int_equal(used, length);
	return r;
}

static void
names_and_both_kinds_of_address_are_read(void **state)
{
	struct socks5_request r;

	(void)state;
	r = request_of(BYTES("\5\1\0\3\6A.Test\1\xbbpayload"), 13);
	assert_int_equal(r.refusal, SOCKS5_OK);
	assert_string_equal(r.host.name, "a.test");
	assert_int_equal(r.host.kind, HOST_NAME);
	assert_int_equal(r.port, 443);
	r = request_of(BYTES("\5\1\0\1\x0a\x14\0\5\0\x50"), 10);
	assert_int_equal(r.host.kind, HOST_IP);
	assert_string_equal(r.host.name, "10.20.0.5");
	assert_int_equal(r.port, 80);
	r = request_of(
	    BYTES("\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb"), 22);
	assert_int_equal(r.host.kind, HOST_IP);
	assert_int_equal(r.host.addr.family, ADDR_V6);
}

static void
an_address_as_a_name_is_judged_as_an_address(void **state)
{
	struct socks5_request r;

	(void)state;
	r = request_of(BYTES("\5\1\0\3\x09"
	                     "10.20.0.5\1\xbb"),
	    16);
	assert_int_equal(r.refusal, SOCKS5_OK);
	assert_int_equal(r.host.kind, HOST_IP);
}

static void
each_refusal_has_its_reply(void **state)
{
	struct socks5_request r;
	size_t used;

	(void)state;
	r = request_of(BYTES("\5\2\0\3\1a\1\xbb"), 8);
	assert_int_equal(r.refusal, SOCKS5_COMMAND);
	r = request_of(BYTES("\5\3\0\1\1\2\3\4\1\xbb"), 10);
	assert_int_equal(r.refusal, SOCKS5_COMMAND);
	r = request_of(BYTES("\5\1\0\2x"), 4);
	assert_int_equal(r.refusal, SOCKS5_ADDRESS_TYPE);
	r = request_of(BYTES("\5\1\0\3\1a\0\0"), 8);
	assert_int_equal(r.code, REASON_BAD_AUTHORITY);
	r = request_of(BYTES("\5\1\0\3\3"
	                     "a b\1\xbb"),
	    10);
	assert_int_equal(r.refusal, SOCKS5_FAILED);
	assert_int_equal(r.code, REASON_BAD_HOST);
	r = request_of(BYTES("\5\1\0\3\3"
	                     "a\0b\1\xbb"),
	    10);
	assert_int_equal(r.code, REASON_BAD_HOST);
	assert_int_equal(
	    socks5_read_request(BYTES("\5\1\0\3\0\1\xbb"), &used, &r),
	    E_SYNTAX);
}

static const struct {
	enum reason code;
	enum socks5_reply reply;
} cases_every_code_has[] = {
	{ REASON_NONE, SOCKS5_OK },
	{ REASON_HOST_NOT_ALLOWED, SOCKS5_NOT_ALLOWED },
	{ REASON_PUBLIC_ADDRESS, SOCKS5_NOT_ALLOWED },
	{ REASON_SELF, SOCKS5_NOT_ALLOWED },
	{ REASON_CONNECT_UNREACHABLE, SOCKS5_UNREACHABLE },
	{ REASON_DNS_NXDOMAIN, SOCKS5_HOST_UNREACHABLE },
	{ REASON_DNS_TIMEOUT, SOCKS5_HOST_UNREACHABLE },
	{ REASON_CHAIN_BROKEN, SOCKS5_HOST_UNREACHABLE },
	{ REASON_CONNECT_REFUSED, SOCKS5_REFUSED },
	{ REASON_CONNECT_TIMEOUT, SOCKS5_TTL_EXPIRED },
	{ REASON_AUDIT_UNAVAILABLE, SOCKS5_FAILED },
	{ REASON_NOT_READY, SOCKS5_FAILED },
	{ REASON_LIMIT_REACHED, SOCKS5_FAILED },
};

static void
every_code_has_the_reply_of_the_contract(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases_every_code_has); i++)
		assert_int_equal(socks5_reply_for(cases_every_code_has[i].code),
		    cases_every_code_has[i].reply);
}

static void
a_reply_binds_no_real_address(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	socks5_put_reply(&b, SOCKS5_NOT_ALLOWED);
	assert_int_equal(b.n, 10);
	assert_memory_equal(b.p, "\5\2\0\1\0\0\0\0\0\0", 10);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    picks_no_method_before_password_before_none_of_them),
		cmocka_unit_test(other_versions_are_refused_at_the_first_byte),
		cmocka_unit_test(a_password_is_measured_and_not_looked_at),
		cmocka_unit_test(names_and_both_kinds_of_address_are_read),
		cmocka_unit_test(an_address_as_a_name_is_judged_as_an_address),
		cmocka_unit_test(each_refusal_has_its_reply),
		cmocka_unit_test(every_code_has_the_reply_of_the_contract),
		cmocka_unit_test(a_reply_binds_no_real_address),
	};
	return cmocka_run_group_tests_name("socks5", tests, NULL, NULL);
}
