/* Addresses, networks and ports: strict in, canonical out. */
#include "tests/unit/test.h"

#include "base/addr.h"

#include <string.h>
#include <sys/un.h>

static struct addr
addr(const char *text)
{
	struct addr a = { 0 };

	assert_int_equal(addr_parse(slice_of(text), &a), OK);
	return a;
}

static void
addresses_are_read_strictly_and_written_canonically(void **state)
{
	static const char *const good[][2] = { { "10.0.0.1", "10.0.0.1" },
		{ "::", "::" }, { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "::ffff:1.2.3.4", "::ffff:1.2.3.4" } };
	static const char *const bad[] = { "", "127.1", "0x7f.1", "1.2.3.4.5",
		"01.2.3.4", "256.0.0.1", " 1.2.3.4", "1.2.3.4 ", "[::1]",
		"fe80::1%eth0", ":::", "1.2.3", "::1/128", "a.b.c.d",
		"1:2:3:4:5:6:7:8:9" };
	char out[ADDR_TEXT_BYTES];
	struct addr a = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		a = addr(good[i][0]);
		assert_string_equal(addr_text(&a, out), good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (addr_parse(slice_of(bad[i]), &a) != E_SYNTAX)
			fail_msg("%s", bad[i]);
	a = (struct addr){ 0 };
	assert_string_equal(addr_text(&a, out), "-");
}

static void
networks_have_no_host_bits(void **state)
{
	static const struct {
		const char *text;
		enum status st;
	} cases[] = {
		{ "10.20.0.0/16", OK },
		{ "10.20.0.5/32", OK },
		{ "0.0.0.0/0", OK },
		{ "2001:db8::/32", OK },
		{ "10.20.128.0/17", OK },
		{ "10.20.0.1/16", E_INVALID },
		{ "10.20.64.0/17", E_INVALID },
		{ "::1/127", E_INVALID },
		{ "10.20.0.0", E_SYNTAX },
		{ "10.20.0.0/", E_SYNTAX },
		{ "10.20.0.0/33", E_SYNTAX },
		{ "10.20.0.0/016", E_SYNTAX },
		{ "10.20.0.0/+1", E_SYNTAX },
		{ "::/129", E_SYNTAX },
		{ "::/0128", E_SYNTAX },
		{ "x/8", E_SYNTAX },
	};
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (cidr_parse(slice_of(cases[i].text), &c) != cases[i].st)
			fail_msg("%s", cases[i].text);
}

static bool
contains(const char *net, const char *text)
{
	struct addr a = addr(text);
	struct cidr c;

	assert_int_equal(cidr_parse(slice_of(net), &c), OK);
	return cidr_contains(&c, &a);
}

static void
networks_contain_by_their_bits_and_family(void **state)
{
	(void)state;
	assert_true(contains("10.20.0.0/16", "10.20.255.1"));
	assert_false(contains("10.20.0.0/16", "10.21.0.0"));
	assert_true(contains("10.20.128.0/17", "10.20.128.1"));
	assert_false(contains("10.20.128.0/17", "10.20.127.1"));
	assert_true(contains("0.0.0.0/0", "8.8.8.8"));
	assert_false(contains("0.0.0.0/0", "::1"));
	assert_true(contains("::/0", "::1"));
	assert_true(contains("10.0.0.1/32", "10.0.0.1"));
	assert_false(contains("10.0.0.1/32", "10.0.0.2"));
	assert_false(contains("::/96", "::ffff:1.2.3.4"));
}

static void
ports_come_with_an_address(void **state)
{
	static const char *const bad[] = { "10.0.0.1",
		"10.0.0.1:", "10.0.0.1:0", "10.0.0.1:065", "10.0.0.1:65536",
		"::1:80", "[10.0.0.1]:80", "[::1]", "[::1]80", "[::1]:", "[::1",
		"", "x:80" };
	char out[ADDR_TEXT_BYTES];
	struct addr a;
	uint16_t port;

	(void)state;
	assert_int_equal(
	    addr_port_parse(SLICE("10.0.0.1:65535"), &a, &port), OK);
	assert_string_equal(addr_port_text(&a, port, out), "10.0.0.1:65535");
	assert_int_equal(addr_port_parse(SLICE("[::1]:1"), &a, &port), OK);
	assert_string_equal(addr_port_text(&a, port, out), "[::1]:1");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (addr_port_parse(slice_of(bad[i]), &a, &port) == OK)
			fail_msg("%s", bad[i]);
}

static void
mapped_addresses_are_unmapped(void **state)
{
	struct addr mapped = addr("::ffff:10.0.0.1"), v4 = addr("10.0.0.1");
	struct addr other = addr("::10.0.0.1"), got = addr_unmap(&mapped);

	(void)state;
	assert_true(addr_eq(&got, &v4));
	assert_false(addr_eq(&mapped, &v4));
	got = addr_unmap(&other);
	assert_true(addr_eq(&got, &other));
	got = addr_unmap(&v4);
	assert_true(addr_eq(&got, &v4));
}

static void
sockets_addresses_go_both_ways(void **state)
{
	static const char *const texts[] = { "10.0.0.1", "2001:db8::1" };
	struct sockaddr_storage ss;
	const void *at = &ss;
	uint16_t port = 0;
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr from = addr(texts[i]);
		assert_true(addr_to_sockaddr(&from, 443, &ss) > 0);
		assert_true(addr_from_sockaddr(at, &a, &port));
		assert_true(addr_eq(&a, &from));
		assert_int_equal(port, 443);
	}
	ss.ss_family = AF_UNIX;
	assert_false(addr_from_sockaddr(at, &a, &port));
}

static void
the_metadata_service_is_known_mapped_too(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} table[] = {
		{ "169.254.169.254", true },
		{ "::ffff:169.254.169.254", true },
		{ "169.254.169.253", false },
		{ "::169.254.169.254", false },
		{ "fd00:ec2::254", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct addr a = addr(table[i].text);

		if (addr_is_metadata(&a) != table[i].want)
			fail_msg("%s", table[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    addresses_are_read_strictly_and_written_canonically),
		cmocka_unit_test(networks_have_no_host_bits),
		cmocka_unit_test(networks_contain_by_their_bits_and_family),
		cmocka_unit_test(ports_come_with_an_address),
		cmocka_unit_test(mapped_addresses_are_unmapped),
		cmocka_unit_test(the_metadata_service_is_known_mapped_too),
		cmocka_unit_test(sockets_addresses_go_both_ways),
	};
	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
