/* Hostile and honest answers, by hand: what each may prove. */
#include "tests/unit/test.h"

#include "proxy/dns_message.h"
#include "tests/unit/proxy/dns_packet.h"

#include <stdio.h>
#include <stdlib.h>

static const char NAME[] = "acct1.blob.core.windows.net";
static const char PL[] = "acct1.privatelink.blob.core.windows.net";
static const char PL_ZONE[] = "privatelink.blob.core.windows.net";

enum { NOERROR = 0x8180, NXDOMAIN = 0x8183, SERVFAIL = 0x8182 };

enum { PRIVATE_IP = 0x0a140005 };

static struct dns_packet packet;
static struct dns_answer answer;

static void
read_as(enum dns_type type)
{
	dns_message_read(packet_slice(&packet), NAME, type, &answer);
}

static void
assert_reason(enum reason want)
{
	assert_string_equal(reason_code(answer.failure), reason_code(want));
}

static void
assert_broken(void)
{
	read_as(DNS_TYPE_A);
	assert_reason(REASON_CHAIN_BROKEN);
	assert_int_equal(answer.n_addresses, 0);
	assert_int_equal(answer.n_chain, 0);
}

static void
walks_the_chain_to_the_address(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_a(&packet, PL, 10, PRIVATE_IP);
	packet_cname(&packet, NAME, 60, PL);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_NONE);
	assert_int_equal(answer.n_chain, 1);
	assert_string_equal(answer.chain[0], PL);
	assert_int_equal(answer.n_addresses, 1);
	assert_int_equal(answer.addresses[0].family, ADDR_V4);
	assert_memory_equal(answer.addresses[0].b, "\x0a\x14\0\5", 4);
	assert_int_equal(answer.ttl_s, 10);
}

static void
reads_compressed_names_and_folds_case(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, "ACCT1.Blob.core.windows.net", 1);
	packet_count(&packet, 1);
	packet_u16(&packet, 0xc00c);
	packet_u16(&packet, 1);
	packet_u16(&packet, 1);
	packet_u32(&packet, 30);
	packet_u16(&packet, 4);
	packet_u32(&packet, PRIVATE_IP);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_NONE);
	assert_int_equal(answer.n_addresses, 1);
}

static void
a_foreign_owner_gives_nothing(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_a(&packet, "evil.example", 60, PRIVATE_IP);
	assert_broken();
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_cname(&packet, "evil.example", 60, PL);
	packet_a(&packet, PL, 60, PRIVATE_IP);
	assert_broken();
}

static void
a_foreign_owner_beside_a_good_one_is_dropped(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_a(&packet, "evil.example", 60, 0x0a0a0a0a);
	packet_a(&packet, NAME, 60, PRIVATE_IP);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_NONE);
	assert_int_equal(answer.n_addresses, 1);
	assert_memory_equal(answer.addresses[0].b, "\x0a\x14\0\5", 4);
}

static void
two_cnames_of_an_owner_break_the_chain(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_cname(&packet, NAME, 60, PL);
	packet_cname(&packet, NAME, 60, "other.example");
	packet_a(&packet, PL, 60, PRIVATE_IP);
	assert_broken();
}

static void
an_address_beside_a_cname_breaks_the_chain(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_cname(&packet, NAME, 60, PL);
	packet_a(&packet, NAME, 60, PRIVATE_IP);
	packet_a(&packet, PL, 60, PRIVATE_IP);
	assert_broken();
}

static void
loops_break_the_chain(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_cname(&packet, NAME, 60, NAME);
	assert_broken();
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_cname(&packet, NAME, 60, PL);
	packet_cname(&packet, PL, 60, NAME);
	assert_broken();
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_cname(&packet, NAME, 60, "a.example");
	packet_cname(&packet, "a.example", 60, "b.example");
	packet_cname(&packet, "b.example", 60, "a.example");
	assert_broken();
}

static void
chain_of(unsigned hops)
{
	char owner[64], target[64];

	packet_begin(&packet, NOERROR, NAME, 1);
	for (unsigned i = 0; i < hops; i++) {
		(void)snprintf(owner, sizeof owner, "h%u.example", i);
		(void)snprintf(target, sizeof target, "h%u.example", i + 1);
		packet_cname(&packet, i == 0 ? NAME : owner, 60, target);
	}
	(void)snprintf(owner, sizeof owner, "h%u.example", hops);
	packet_a(&packet, owner, 60, PRIVATE_IP);
}

static void
eight_hops_are_walked_and_nine_are_not(void **state)
{
	(void)state;
	chain_of(8);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_NONE);
	assert_int_equal(answer.n_chain, 8);
	assert_string_equal(answer.chain[7], "h8.example");
	chain_of(9);
	assert_broken();
}

static void
thirty_two_addresses_are_kept_and_more_are_not(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	for (uint32_t i = 0; i < 32; i++)
		packet_a(&packet, NAME, 60, 0x0a140000 + i);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_NONE);
	assert_int_equal(answer.n_addresses, 32);
	packet_a(&packet, NAME, 60, 0x0a140100);
	assert_broken();
	for (uint32_t i = 0; i < 967; i++)
		packet_a(&packet, NAME, 60, 0x0a150000 + i);
	assert_broken();
}

static void
a_flood_of_foreign_records_breaks_the_chain(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_a(&packet, NAME, 60, PRIVATE_IP);
	for (uint32_t i = 0; i < 256; i++)
		packet_a(&packet, "evil.example", 60, i);
	assert_broken();
}

static void
mapped_addresses_have_no_place_in_aaaa(void **state)
{
	static const char mapped[16] = "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\0"
	                               "\5";
	static const char ula[16] = "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7";

	(void)state;
	packet_begin(&packet, NOERROR, NAME, 28);
	packet_aaaa(&packet, NAME, 60, mapped);
	read_as(DNS_TYPE_AAAA);
	assert_reason(REASON_DNS_NODATA);
	packet_aaaa(&packet, NAME, 60, ula);
	read_as(DNS_TYPE_AAAA);
	assert_reason(REASON_NONE);
	assert_int_equal(answer.n_addresses, 1);
	assert_int_equal(answer.addresses[0].b[15], 7);
}

static void
an_address_of_wrong_length_is_no_address(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_rr(&packet, NAME, 1, 60);
	packet_u16(&packet, 5);
	packet_u32(&packet, PRIVATE_IP);
	packet_u8(&packet, 0);
	assert_broken();
}

static void
nxdomain_tells_the_zone_that_said_so(void **state)
{
	(void)state;
	packet_begin(&packet, NXDOMAIN, NAME, 1);
	packet_cname(&packet, NAME, 60, PL);
	packet_soa(&packet, PL_ZONE, 3600, 7);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_DNS_NXDOMAIN);
	assert_int_equal(answer.n_chain, 1);
	assert_string_equal(answer.chain[0], PL);
	assert_string_equal(answer.soa, PL_ZONE);
	assert_int_equal(answer.ttl_s, 7);
}

static void
an_soa_of_another_zone_proves_nothing(void **state)
{
	(void)state;
	packet_begin(&packet, NXDOMAIN, NAME, 1);
	packet_soa(&packet, "evil.example", 3600, 7);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_DNS_NXDOMAIN);
	assert_string_equal(answer.soa, "");
	assert_int_equal(answer.ttl_s, 0);
	packet_begin(&packet, NXDOMAIN, NAME, 1);
	packet_soa(&packet, "lob.core.windows.net", 3600, 7);
	read_as(DNS_TYPE_A);
	assert_string_equal(answer.soa, "");
}

static void
addresses_in_an_nxdomain_break_it(void **state)
{
	(void)state;
	packet_begin(&packet, NXDOMAIN, NAME, 1);
	packet_a(&packet, NAME, 60, PRIVATE_IP);
	assert_broken();
}

static void
an_empty_answer_is_nodata(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_DNS_NODATA);
	assert_int_equal(answer.ttl_s, 0);
	packet_soa(&packet, "core.windows.net", 5, 60);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_DNS_NODATA);
	assert_int_equal(answer.ttl_s, 5);
}

static void
only_whole_answers_to_our_question_count(void **state)
{
	static const unsigned flags[] = {
		SERVFAIL, 0x8185 /* REFUSED */, 0x8181 /* FORMERR */,
		0x0180 /* a query */, 0x8380 /* truncated */,
		0x9180 /* another opcode */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		packet_begin(&packet, flags[i], NAME, 1);
		packet_a(&packet, NAME, 60, PRIVATE_IP);
		read_as(DNS_TYPE_A);
		assert_reason(REASON_DNS_SERVFAIL);
		assert_int_equal(answer.n_addresses, 0);
	}
	packet_begin(&packet, NOERROR, "acct2.blob.core.windows.net", 1);
	packet_a(&packet, NAME, 60, PRIVATE_IP);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_DNS_SERVFAIL);
	packet_begin(&packet, NOERROR, NAME, 28);
	packet_a(&packet, NAME, 60, PRIVATE_IP);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_DNS_SERVFAIL);
}

static void
odd_bytes_in_a_name_reject_the_record(void **state)
{
	static const char *const owners[] = { "acct1.blob.core.windows.net\\",
		"acct1\\046blob.core.windows.net", "acct1 .example",
		"acct1%2e.example" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		packet_begin(&packet, NOERROR, NAME, 1);
		packet_a(&packet, owners[i], 60, PRIVATE_IP);
		assert_broken();
		packet_begin(&packet, NOERROR, NAME, 1);
		packet_cname(&packet, NAME, 60, owners[i]);
		assert_broken();
	}
	/* A dot inside a label, and a NUL. */
	for (unsigned c = 0; c <= '.'; c += '.') {
		packet_begin(&packet, NOERROR, NAME, 1);
		packet_a(&packet, NAME, 60, PRIVATE_IP);
		packet.b[packet.n - 16 - strlen(NAME) + 4] = (uint8_t)c;
		assert_broken();
	}
}

static void
a_name_over_253_bytes_is_rejected(void **state)
{
	char longest[300] = "";

	(void)state;
	for (size_t i = 0; i < 126; i++)
		memcpy(longest + i * 2, "a.", 3);
	memcpy(longest + 252, "b", 2);
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_cname(&packet, NAME, 60, longest);
	packet_a(&packet, longest, 60, PRIVATE_IP);
	read_as(DNS_TYPE_A);
	assert_reason(REASON_NONE);
	memcpy(longest + 252, "bb", 3);
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_cname(&packet, NAME, 60, longest);
	packet_a(&packet, longest, 60, PRIVATE_IP);
	assert_broken();
}

static void
pointers_go_back_only(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_count(&packet, 1);
	/* An owner that points at itself. */
	packet_u16(&packet, 0xc000 | (unsigned)packet.n);
	packet_u16(&packet, 1);
	packet_u16(&packet, 1);
	packet_u32(&packet, 60);
	packet_u16(&packet, 4);
	packet_u32(&packet, PRIVATE_IP);
	assert_broken();
}

static void
every_cut_and_every_flip_is_survived(void **state)
{
	static struct dns_packet whole;

	(void)state;
	packet_begin(&whole, NXDOMAIN, NAME, 1);
	packet_cname(&whole, NAME, 60, PL);
	packet_soa(&whole, PL_ZONE, 3600, 7);
	for (size_t n = 0; n < whole.n; n++) {
		/* On the heap, so that ASan sees a byte too far. */
		char *cut = malloc(n + 1);

		assert_non_null(cut);
		memcpy(cut, whole.b, n);
		dns_message_read(
		    (struct slice){ cut, n }, NAME, DNS_TYPE_A, &answer);
		assert_reason(REASON_DNS_SERVFAIL);
		free(cut);
	}
	for (size_t i = 0; i < whole.n * 8; i++) {
		memcpy(&packet, &whole, sizeof packet);
		packet.b[i / 8] ^= (uint8_t)(1u << i % 8);
		read_as(DNS_TYPE_A);
		assert_int_equal(answer.n_addresses, 0);
	}
}

static void
a_ttl_with_the_top_bit_is_zero(void **state)
{
	(void)state;
	packet_begin(&packet, NOERROR, NAME, 1);
	packet_a(&packet, NAME, 0xffffffff, PRIVATE_IP);
	read_as(DNS_TYPE_A);
	assert_int_equal(answer.ttl_s, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_the_chain_to_the_address),
		cmocka_unit_test(reads_compressed_names_and_folds_case),
		cmocka_unit_test(a_foreign_owner_gives_nothing),
		cmocka_unit_test(a_foreign_owner_beside_a_good_one_is_dropped),
		cmocka_unit_test(two_cnames_of_an_owner_break_the_chain),
		cmocka_unit_test(an_address_beside_a_cname_breaks_the_chain),
		cmocka_unit_test(loops_break_the_chain),
		cmocka_unit_test(eight_hops_are_walked_and_nine_are_not),
		cmocka_unit_test(
		    thirty_two_addresses_are_kept_and_more_are_not),
		cmocka_unit_test(a_flood_of_foreign_records_breaks_the_chain),
		cmocka_unit_test(mapped_addresses_have_no_place_in_aaaa),
		cmocka_unit_test(an_address_of_wrong_length_is_no_address),
		cmocka_unit_test(nxdomain_tells_the_zone_that_said_so),
		cmocka_unit_test(an_soa_of_another_zone_proves_nothing),
		cmocka_unit_test(addresses_in_an_nxdomain_break_it),
		cmocka_unit_test(an_empty_answer_is_nodata),
		cmocka_unit_test(only_whole_answers_to_our_question_count),
		cmocka_unit_test(odd_bytes_in_a_name_reject_the_record),
		cmocka_unit_test(a_name_over_253_bytes_is_rejected),
		cmocka_unit_test(pointers_go_back_only),
		cmocka_unit_test(every_cut_and_every_flip_is_survived),
		cmocka_unit_test(a_ttl_with_the_top_bit_is_zero),
	};
	return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
