/* Host names and literals, by what other parsers would make of them. */
#include "tests/unit/test.h"

#include "base/host.h"

#include <string.h>

struct host_case {
	struct slice text;
	const char *canonical; /* NULL: refused */
	enum host_kind kind;
};

#define GOOD(text, name)                     \
	{                                    \
		SLICE(text), name, HOST_NAME \
	}
#define ADDR(text, name)                   \
	{                                  \
		SLICE(text), name, HOST_IP \
	}
#define BAD(text)                            \
	{                                    \
		SLICE(text), NULL, HOST_NAME \
	}
#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static void
check(const struct host_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct host_case *c = &cases[i];
		struct host h = { .name = "untouched" };
		enum status st = host_parse(c->text, &h);
		if ((st == OK) != (c->canonical != NULL))
			fail_msg("%.*s: %s", (int)c->text.n, c->text.p,
			    status_text(st));
		if (st != OK) {
			assert_string_equal(h.name, "untouched");
			continue;
		}
		assert_string_equal(h.name, c->canonical);
		assert_int_equal(h.kind, c->kind);
	}
}

static void
names_are_lowered_and_lose_one_final_dot(void **state)
{
	const struct host_case cases[] = {
		GOOD("kv1.vault.azure.net", "kv1.vault.azure.net"),
		GOOD("KV1.Vault.AZURE.net", "kv1.vault.azure.net"),
		GOOD("kv1.vault.azure.net.", "kv1.vault.azure.net"),
		GOOD("acct_1.blob.core.windows.net",
		    "acct_1.blob.core.windows.net"),
		GOOD("127.0.0.1.nip.io", "127.0.0.1.nip.io"),
		GOOD("localhost", "localhost"),
		GOOD("xn--e1afmkfd.example", "xn--e1afmkfd.example"),
		GOOD(L63 ".a", L63 ".a"),
	};

	(void)state;
	check(cases, ARRAY_LEN(cases));
}

static void
malformed_names_are_refused(void **state)
{
	const struct host_case cases[] = {
		BAD(""),
		BAD("."),
		BAD("kv1.vault.azure.net.."),
		BAD(".kv1.vault.azure.net"),
		BAD("kv1..vault.azure.net"),
		BAD("[kv1.vault.azure.net]"),
		BAD("evil.example%23.blob.core.windows.net"),
		BAD("evil.example%00.blob.core.windows.net"),
		BAD("evil.example/.blob.core.windows.net"),
		BAD("evil.example\\.blob.core.windows.net"),
		BAD("kv1%2evault.azure.net"),
		BAD("a\0b.example"),
		BAD("a\r.example"),
		BAD("a\n.example"),
		BAD("a\t.example"),
		BAD("a\v.example"),
		BAD("a\x7f.example"),
		BAD("a\x80.example"),
		BAD(" a.example"),
		BAD("a.example "),
		BAD(L63 "g.a"),
		BAD(L63 "." L63 "." L63 "." L63),
		BAD("-kv1.vault.azure.net"),
		BAD("kv1-.vault.azure.net"),
		BAD("_kv1.vault.azure.net"),
		BAD("kv1.v\xd0\xb0ult.azure.net"),
		BAD("kv1\xe3\x80\x82vault\xe3\x80\x82"
		    "azure\xe3\x80\x82net"),
		BAD("kv1.vau\xc2\xadlt.azure.net"),
		BAD("*.blob.core.windows.net"),
		BAD("a,b.example"),
		BAD("a:b"),
	};

	(void)state;
	check(cases, ARRAY_LEN(cases));
}

static void
numbers_are_exact_addresses_or_nothing(void **state)
{
	const struct host_case cases[] = {
		ADDR("10.1.0.5", "10.1.0.5"),
		ADDR("255.255.255.255", "255.255.255.255"),
		ADDR("[::1]", "::1"),
		ADDR("[2001:DB8:0:0::1]", "2001:db8::1"),
		ADDR("[::ffff:169.254.169.254]", "::ffff:169.254.169.254"),
		BAD("::1"),
		BAD("[10.1.0.5]"),
		BAD("[[::1]]"),
		BAD("[::1"),
		BAD("::1]"),
		BAD("[]"),
		BAD("["),
		BAD("[fe80::1%25eth0]"),
		BAD("[fe80::1%eth0]"),
		BAD("127.1"),
		BAD("127"),
		BAD("0"),
		BAD("2130706433"),
		BAD("0x7f000001"),
		BAD("0x7f.1"),
		BAD("0x7f.0.0.1"),
		BAD("0177.0.0.1"),
		BAD("00127.0.0.1"),
		BAD("127.000.000.001"),
		BAD("127.0.0.1."),
		BAD("169.254.169.254."),
		BAD("169.254.43518"),
		BAD("0251.0376.0251.0376"),
		BAD("169.0376.0xa9.254"),
		BAD("2852039166"),
		BAD("0xa9fea9fe"),
		BAD("0XA9FEA9FE"),
		BAD("a.0x"),
		BAD("10.0.0.0/8"),
		BAD("1.2.3.4.5"),
		BAD("\xe2\x91\xa0\xe2\x91\xa1.0.0.1"),
	};

	(void)state;
	check(cases, ARRAY_LEN(cases));
}

static void
only_names_pass_as_names(void **state)
{
	char name[HOST_BYTES] = "untouched";

	(void)state;
	assert_int_equal(host_parse_name(SLICE("10.0.0.1"), name), E_INVALID);
	assert_int_equal(host_parse_name(SLICE("10.1"), name), E_SYNTAX);
	assert_string_equal(name, "untouched");
	assert_int_equal(host_parse_name(SLICE("A.b"), name), OK);
	assert_string_equal(name, "a.b");
}

static void
suffixes_end_at_label_boundaries(void **state)
{
	struct slice blob = SLICE("blob.core.windows.net");

	(void)state;
	assert_true(host_in_suffix(SLICE("a.blob.core.windows.net"), blob));
	assert_true(host_in_suffix(blob, blob));
	assert_false(host_in_suffix(SLICE("evilblob.core.windows.net"), blob));
	assert_false(host_in_suffix(SLICE("core.windows.net"), blob));
	assert_false(host_in_suffix(blob, SLICE("")));
	assert_int_equal(host_label_count(SLICE("")), 0);
	assert_int_equal(host_label_count(SLICE("a")), 1);
	assert_int_equal(host_label_count(blob), 4);
	assert_true(
	    host_has_label(SLICE("a.privatelink.net"), SLICE("privatelink")));
	assert_true(host_has_label(SLICE("a.b"), SLICE("b")));
	assert_false(
	    host_has_label(SLICE("a.xprivatelink.net"), SLICE("privatelink")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_lowered_and_lose_one_final_dot),
		cmocka_unit_test(malformed_names_are_refused),
		cmocka_unit_test(numbers_are_exact_addresses_or_nothing),
		cmocka_unit_test(only_names_pass_as_names),
		cmocka_unit_test(suffixes_end_at_label_boundaries),
	};
	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
