/* ClientHellos: whole, in pieces, fragmented, and broken in each way. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/hello_bytes.h"

#include "proxy/hello.h"

#include <string.h>

/* All of @b at once. */
static enum status
read_all(const struct buf *b, struct hello *out)
{
	struct hello_scan scan = { 0 };

	return hello_read(&scan, buf_slice(b), out);
}

/* The kind of a hello with just these @extensions. */
static enum policy_hello
kind_of(struct slice extensions)
{
	struct hello h;
	struct buf b;

	buf_init(&b, 1 << 18);
	hello_put_records(&b, extensions, 16384);
	assert_int_equal(read_all(&b, &h), OK);
	buf_release(&b);
	assert_true(h.is_tls);
	return h.kind;
}

static void
finds_the_name_byte_by_byte_and_never_early(void **state)
{
	struct hello_scan scan = { 0 };
	struct hello h;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	hello_put(&b, SLICE("Acct1.blob.test"));
	for (size_t n = 1; n < b.n; n++)
		assert_int_equal(
		    hello_read(&scan, slice_head(buf_slice(&b), n), &h),
		    E_PARTIAL);
	assert_int_equal(hello_read(&scan, buf_slice(&b), &h), OK);
	assert_int_equal(h.kind, POLICY_HELLO_OK);
	assert_true(slice_is(
	    (struct slice){ .p = h.sni, .n = h.sni_n }, "Acct1.blob.test"));
	buf_release(&b);
}

static void
fragments_of_any_size_join(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 50, 80 };
	struct buf ext;

	(void)state;
	buf_init(&ext, 4096);
	hello_put_sni(&ext, SLICE("a.test"));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct hello h;
		struct buf b;

		buf_init(&b, 4096);
		hello_put_records(&b, buf_slice(&ext), sizes[i]);
		assert_int_equal(read_all(&b, &h), OK);
		assert_int_equal(h.kind, POLICY_HELLO_OK);
		assert_int_equal(h.sni_n, 6);
		buf_release(&b);
	}
	buf_release(&ext);
}

static void
a_hello_that_would_pass_16_kib_is_refused(void **state)
{
	struct hello_scan scan = { 0 };
	struct hello h;
	struct buf b, ext;

	(void)state;
	buf_init(&b, 1 << 18);
	buf_init(&ext, 1 << 18);
	hello_put_u16(&ext, 21); /* padding */
	hello_put_u16(&ext, 16000);
	while (ext.n < 16004)
		buf_putc(&ext, 0);
	hello_put_records(&b, buf_slice(&ext), 16384);
	assert_int_equal(read_all(&b, &h), OK);
	assert_int_equal(h.kind, POLICY_HELLO_NO_SNI);
	/* The same in records of one byte is six times as long. */
	buf_clear(&b);
	hello_put_records(&b, buf_slice(&ext), 1);
	for (size_t n = 1; n < HELLO_BYTES_MAX; n += 1000)
		assert_int_equal(
		    hello_read(&scan, slice_head(buf_slice(&b), n), &h),
		    E_PARTIAL);
	assert_int_equal(
	    hello_read(&scan, slice_head(buf_slice(&b), HELLO_BYTES_MAX), &h),
	    OK);
	assert_int_equal(h.kind, POLICY_HELLO_NOT_TLS);
	buf_release(&b);
	buf_release(&ext);
}

static void
no_name_an_address_and_no_extensions_are_no_name(void **state)
{
	struct buf ext;

	(void)state;
	buf_init(&ext, 4096);
	assert_int_equal(kind_of(SLICE("")), POLICY_HELLO_NO_SNI);
	hello_put_sni(&ext, SLICE("10.20.0.5"));
	assert_int_equal(kind_of(buf_slice(&ext)), POLICY_HELLO_NO_SNI);
	buf_clear(&ext);
	hello_put_sni(&ext, SLICE("[::1]"));
	assert_int_equal(kind_of(buf_slice(&ext)), POLICY_HELLO_NO_SNI);
	buf_release(&ext);
}

static void
two_names_and_two_of_an_extension_are_malformed(void **state)
{
	struct buf ext;

	(void)state;
	buf_init(&ext, 4096);
	hello_put_sni(&ext, SLICE("a.test"));
	hello_put_sni(&ext, SLICE("a.test"));
	assert_int_equal(kind_of(buf_slice(&ext)), POLICY_HELLO_NOT_TLS);
	buf_clear(&ext);
	/* One extension whose list has two entries. */
	buf_put(&ext, "\0\0\0\x0a\0\x08\0\0\1a\0\0\1b", 14);
	assert_int_equal(kind_of(buf_slice(&ext)), POLICY_HELLO_NOT_TLS);
	buf_clear(&ext);
	buf_put(&ext, "\0\x17\0\0\0\x17\0\0", 8);
	assert_int_equal(kind_of(buf_slice(&ext)), POLICY_HELLO_NOT_TLS);
	buf_release(&ext);
}

static void
broken_lengths_are_malformed(void **state)
{
	static const struct slice broken[] = {
		{ "\0\0\0\5\0\3\0\0\0", 9 },     /* an empty name */
		{ "\0\0\0\6\0\4\0\0\2a", 10 },   /* the name overruns */
		{ "\0\0\0\6\0\5\0\0\1a", 10 },   /* the list overruns */
		{ "\0\0\0\7\0\4\0\0\1aX", 11 },  /* bytes after the list */
		{ "\0\0\0\6\0\4\1\0\1a", 10 },   /* no host_name */
		{ "\0\0\0\xff\0\4\0\0\1a", 10 }, /* overruns the message */
		{ "\0\x17\0", 3 },               /* half an extension */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		assert_int_equal(kind_of(broken[i]), POLICY_HELLO_NOT_TLS);
}

static void
hidden_names_are_seen_as_such(void **state)
{
	struct buf ext;

	(void)state;
	buf_init(&ext, 4096);
	hello_put_sni(&ext, SLICE("a.test"));
	buf_put(&ext, "\xfe\x0d\0\1\0", 5);
	assert_int_equal(kind_of(buf_slice(&ext)), POLICY_HELLO_ECH);
	buf_clear(&ext);
	buf_put(&ext, "\xff\xce\0\1\0", 5);
	assert_int_equal(kind_of(buf_slice(&ext)), POLICY_HELLO_ECH);
	buf_release(&ext);
}

static const struct {
	struct slice bytes;
	bool is_tls;
} cases_other_protocols_are[] = {
	{ { "G", 1 }, false }, { { "SSH-2.0-x", 9 }, false },
	{ { "\x80\x2e\1\0\2", 5 }, false },        /* SSLv2 */
	{ { "\x16\2", 2 }, true },                 /* no version 3 */
	{ { "\x16\3\1\0\0", 5 }, true },           /* empty record */
	{ { "\x16\3\1\x40\1", 5 }, true },         /* too long */
	{ { "\x16\3\1\0\5\2", 6 }, true },         /* ServerHello */
	{ { "\x15\3\1\0\2\1\0", 7 }, false },      /* alert */
	{ { "\x16\3\1\0\4\1\xff\0\0", 9 }, true }, /* 16 MiB hello */
};

static void
other_protocols_are_known_by_their_first_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases_other_protocols_are); i++) {
		struct hello_scan scan = { 0 };
		struct hello h;

		assert_int_equal(
		    hello_read(&scan, cases_other_protocols_are[i].bytes, &h),
		    OK);
		assert_int_equal(h.kind, POLICY_HELLO_NOT_TLS);
		assert_int_equal(h.is_tls, cases_other_protocols_are[i].is_tls);
	}
}

static void
another_record_between_the_fragments_is_refused(void **state)
{
	struct hello h;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	buf_put(&b, "\x16\3\1\0\1\1", 6);
	buf_put(&b, "\x14\3\1\0\1\1", 6);
	assert_int_equal(read_all(&b, &h), OK);
	assert_int_equal(h.kind, POLICY_HELLO_NOT_TLS);
	assert_true(h.is_tls);
	buf_release(&b);
}

static void
bytes_behind_the_hello_are_fine_but_not_in_its_record(void **state)
{
	struct hello h;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	hello_put(&b, SLICE("a.test"));
	buf_puts(&b, "whatever follows");
	assert_int_equal(read_all(&b, &h), OK);
	assert_int_equal(h.kind, POLICY_HELLO_OK);
	buf_clear(&b);
	hello_put(&b, SLICE("a.test"));
	b.p[4]++; /* the record is one byte longer than the message */
	buf_putc(&b, 0);
	assert_int_equal(read_all(&b, &h), OK);
	assert_int_equal(h.kind, POLICY_HELLO_NOT_TLS);
	buf_release(&b);
}

static void
each_code_has_its_alert(void **state)
{
	uint8_t alert[HELLO_ALERT_BYTES];

	(void)state;
	hello_alert(REASON_SNI_MISMATCH, alert);
	assert_memory_equal(alert, "\x15\3\3\0\2\2\x70", sizeof alert);
	hello_alert(REASON_ECH_REFUSED, alert);
	assert_int_equal(alert[6], 49);
	hello_alert(REASON_NOT_TLS, alert);
	assert_int_equal(alert[6], 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_name_byte_by_byte_and_never_early),
		cmocka_unit_test(fragments_of_any_size_join),
		cmocka_unit_test(a_hello_that_would_pass_16_kib_is_refused),
		cmocka_unit_test(
		    no_name_an_address_and_no_extensions_are_no_name),
		cmocka_unit_test(
		    two_names_and_two_of_an_extension_are_malformed),
		cmocka_unit_test(broken_lengths_are_malformed),
		cmocka_unit_test(hidden_names_are_seen_as_such),
		cmocka_unit_test(
		    other_protocols_are_known_by_their_first_bytes),
		cmocka_unit_test(
		    another_record_between_the_fragments_is_refused),
		cmocka_unit_test(
		    bytes_behind_the_hello_are_fine_but_not_in_its_record),
		cmocka_unit_test(each_code_has_its_alert),
	};
	return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
