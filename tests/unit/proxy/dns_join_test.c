/* Two families, one answer; and how long it may be kept. */
#include "tests/unit/test.h"

#include "proxy/dns_message.h"

#include <string.h>

static struct dns_answer a, aaaa, out;

static void
with_address(struct dns_answer *d, uint8_t family, uint8_t last)
{
	dns_answer_fail(d, REASON_NONE);
	d->n_addresses = 1;
	d->addresses[0].family = family;
	d->addresses[0].b[3] = last;
	d->ttl_s = 300;
}

static void
with_hop(struct dns_answer *d, const char *name)
{
	assert_true(
	    slice_copy(slice_of(name), d->chain[d->n_chain++], HOST_BYTES));
}

static void
join(void)
{
	dns_answer_join(&a, &aaaa, 60, &out);
}

static void
nxdomain_on_either_is_nxdomain(void **state)
{
	(void)state;
	with_address(&a, ADDR_V4, 5);
	dns_answer_fail(&aaaa, REASON_DNS_NXDOMAIN);
	join();
	assert_int_equal(out.failure, REASON_DNS_NXDOMAIN);
	assert_int_equal(out.n_addresses, 0);
	dns_answer_join(&aaaa, &a, 60, &out);
	assert_int_equal(out.failure, REASON_DNS_NXDOMAIN);
}

static void
a_broken_chain_on_either_is_broken(void **state)
{
	(void)state;
	with_address(&a, ADDR_V4, 5);
	dns_answer_fail(&aaaa, REASON_CHAIN_BROKEN);
	join();
	assert_int_equal(out.failure, REASON_CHAIN_BROKEN);
	assert_int_equal(out.n_addresses, 0);
	assert_int_equal(out.ttl_s, 0);
}

static void
one_family_stands_beside_a_soft_failure(void **state)
{
	(void)state;
	for (unsigned i = REASON_DNS_NODATA; i <= REASON_DNS_TIMEOUT; i++) {
		enum reason soft = (enum reason)i;

		with_address(&a, ADDR_V4, 5);
		dns_answer_fail(&aaaa, soft);
		join();
		assert_int_equal(out.failure, REASON_NONE);
		assert_int_equal(out.n_addresses, 1);
		assert_int_equal(
		    out.ttl_s, soft == REASON_DNS_NODATA ? 60 : 10);
		dns_answer_fail(&a, soft);
		with_address(&aaaa, ADDR_V6, 7);
		join();
		assert_int_equal(out.failure, REASON_NONE);
		assert_int_equal(out.addresses[0].family, ADDR_V6);
	}
}

static void
both_families_are_judged_together(void **state)
{
	(void)state;
	with_address(&a, ADDR_V4, 5);
	with_address(&aaaa, ADDR_V6, 7);
	aaaa.ttl_s = 20;
	join();
	assert_int_equal(out.n_addresses, 2);
	assert_int_equal(out.ttl_s, 20);
}

static void
only_the_common_start_of_two_chains_proves(void **state)
{
	(void)state;
	with_address(&a, ADDR_V4, 5);
	with_hop(&a, "acct1.privatelink.blob.core.windows.net");
	with_hop(&a, "x.example");
	with_address(&aaaa, ADDR_V6, 7);
	with_hop(&aaaa, "acct1.privatelink.blob.core.windows.net");
	with_hop(&aaaa, "y.example");
	join();
	assert_int_equal(out.n_chain, 1);
	with_address(&aaaa, ADDR_V6, 7);
	with_hop(&aaaa, "y.example");
	join();
	assert_int_equal(out.n_chain, 0);
	assert_int_equal(out.n_addresses, 2);
}

static void
too_many_together_is_broken(void **state)
{
	(void)state;
	with_address(&a, ADDR_V4, 5);
	with_address(&aaaa, ADDR_V6, 7);
	a.n_addresses = 20;
	aaaa.n_addresses = 13;
	join();
	assert_int_equal(out.failure, REASON_CHAIN_BROKEN);
	assert_int_equal(out.n_addresses, 0);
	aaaa.n_addresses = 12;
	join();
	assert_int_equal(out.failure, REASON_NONE);
	assert_int_equal(out.n_addresses, 32);
}

static void
no_address_at_all_tells_the_worst(void **state)
{
	(void)state;
	dns_answer_fail(&a, REASON_DNS_NODATA);
	dns_answer_fail(&aaaa, REASON_DNS_TIMEOUT);
	join();
	assert_int_equal(out.failure, REASON_DNS_TIMEOUT);
	assert_int_equal(out.ttl_s, 0);
	dns_answer_fail(&aaaa, REASON_DNS_SERVFAIL);
	join();
	assert_int_equal(out.failure, REASON_DNS_SERVFAIL);
	dns_answer_fail(&aaaa, REASON_DNS_NODATA);
	join();
	assert_int_equal(out.failure, REASON_DNS_NODATA);
}

static void
a_chain_that_ends_nowhere_needs_an_soa(void **state)
{
	(void)state;
	dns_answer_fail(&a, REASON_DNS_NODATA);
	dns_answer_fail(&aaaa, REASON_DNS_NODATA);
	with_hop(&a, "x.example");
	join();
	assert_int_equal(out.failure, REASON_CHAIN_BROKEN);
	with_hop(&aaaa, "x.example");
	memcpy(aaaa.soa, "example", sizeof "example");
	join();
	assert_int_equal(out.failure, REASON_DNS_NODATA);
	assert_string_equal(out.soa, "example");
}

static void
ttls_have_a_floor_and_caps(void **state)
{
	(void)state;
	with_address(&a, ADDR_V4, 5);
	dns_answer_fail(&aaaa, REASON_DNS_NODATA);
	a.ttl_s = 0;
	join();
	assert_int_equal(out.ttl_s, 1);
	a.ttl_s = 86400;
	join();
	assert_int_equal(out.ttl_s, 60);
	dns_answer_fail(&a, REASON_DNS_NXDOMAIN);
	a.ttl_s = 3600;
	dns_answer_fail(&aaaa, REASON_DNS_NXDOMAIN);
	join();
	assert_int_equal(out.ttl_s, 10);
	a.ttl_s = 3;
	join();
	assert_int_equal(out.ttl_s, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nxdomain_on_either_is_nxdomain),
		cmocka_unit_test(a_broken_chain_on_either_is_broken),
		cmocka_unit_test(one_family_stands_beside_a_soft_failure),
		cmocka_unit_test(both_families_are_judged_together),
		cmocka_unit_test(only_the_common_start_of_two_chains_proves),
		cmocka_unit_test(too_many_together_is_broken),
		cmocka_unit_test(no_address_at_all_tells_the_worst),
		cmocka_unit_test(a_chain_that_ends_nowhere_needs_an_soa),
		cmocka_unit_test(ttls_have_a_floor_and_caps),
	};
	return cmocka_run_group_tests_name("dns_join", tests, NULL, NULL);
}
