/* Buffers grow to their ceiling, errors stick, secrets are wiped. */
#include "tests/unit/test.h"

#include "base/jsonw.h"

#include <string.h>

static void
text_is_composed_and_consumed(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 2000);
	buf_puts(&b, "a");
	buf_putc(&b, 'b');
	buf_put_u64(&b, UINT64_MAX);
	buf_put_i64(&b, INT64_MIN);
	buf_put_u64(&b, 0);
	buf_put_hex(&b, "\x0f\xf0", 2);
	buf_printf(&b, "<%s:%d>", "x", 7);
	assert_true(slice_is(buf_slice(&b),
	    "ab18446744073709551615-922337203685477580800ff0<x:7>"));
	for (int i = 0; i < 900; i++)
		buf_putc(&b, 'z');
	assert_int_equal(buf_status(&b), OK);
	buf_consume(&b, b.n - 3);
	assert_true(slice_is(buf_slice(&b), "zzz"));
	buf_consume(&b, 9);
	assert_int_equal(b.n, 0);
	buf_release(&b);
	buf_release(NULL);
}

static void
the_ceiling_holds_and_sticks_until_cleared(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_puts(&b, "abcd");
	assert_int_equal(buf_status(&b), OK);
	buf_putc(&b, 'e');
	assert_int_equal(buf_status(&b), E_LIMIT);
	assert_int_equal(b.n, 4);
	buf_consume(&b, 4);
	buf_putc(&b, 'f');
	assert_int_equal(b.n, 0);
	buf_clear(&b);
	buf_puts(&b, "gh");
	assert_true(slice_is(buf_slice(&b), "gh"));
	assert_false(buf_reserve(&b, SIZE_MAX));
	buf_clear(&b);
	buf_printf(&b, "%s", "12345");
	assert_int_equal(buf_status(&b), E_LIMIT);
	buf_release(&b);
}

static void
secret_bytes_do_not_stay_behind(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 100);
	buf_puts(&b, "hunter2 and more");
	buf_consume(&b, 8);
	assert_true(slice_is(buf_slice(&b), "and more"));
	for (size_t i = b.n; i < b.cap; i++)
		assert_int_equal(b.p[i], 0);
	buf_clear(&b);
	for (size_t i = 0; i < b.cap; i++)
		assert_int_equal(b.p[i], 0);
	buf_release(&b);
	assert_null(b.p);
}

static void
json_is_one_line_of_ascii(void **state)
{
	struct jsonw w;
	struct buf b;

	(void)state;
	buf_init(&b, 2000);
	jsonw_init(&w, &b);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "s", "q\"b\\n\n\x7f");
	jsonw_str(&w, "n", NULL);
	jsonw_slice(&w, "u", SLICE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
	/* Overlong, surrogate, cut, too high, lone continuation. */
	jsonw_slice(&w, "bad",
	    SLICE("\xc0\xaf|\xed\xa0\x80|\xe2\x82|\xf4\x90\x80\x80|\x80"
	          "|\xe0\x80\x80|\xc3("));
	jsonw_array(&w, "a");
	jsonw_u64(&w, NULL, 1);
	jsonw_i64(&w, NULL, -1);
	jsonw_bool(&w, NULL, true);
	jsonw_bool(&w, NULL, false);
	jsonw_null(&w, NULL);
	jsonw_raw(&w, NULL, SLICE("{}"));
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	buf_putc(&b, '\0');
	assert_string_equal(b.p,
	    "{\"s\":\"q\\\"b\\\\n\\u000a\\u007f\",\"n\":null,"
	    "\"u\":\"\\u00e9\\u20ac\\ud83d\\ude00\","
	    "\"bad\":\"\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd|"
	    "\\ufffd\\ufffd\\ufffd\\ufffd|\\ufffd|\\ufffd\\ufffd\\ufffd|"
	    "\\ufffd(\","
	    "\"a\":[1,-1,true,false,null,{}]}");
	buf_release(&b);
}

static bool
stands_for_itself(int c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The escaper looks at sixteen bytes at once, and at some of them twice. */
static void
each_byte_is_escaped_alike_wherever_it_stands(void **state)
{
	char text[39];

	(void)state;
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < sizeof text; at++) {
			struct slice s = { text, sizeof text };
			struct slice got;
			struct buf b;

			memset(text, '~', sizeof text);
			text[at] = (char)c;
			buf_init(&b, 200);
			jsonw_string(&b, s);
			assert_int_equal(buf_status(&b), OK);
			assert_int_equal(b.p[0], '"');
			assert_int_equal(b.p[b.n - 1], '"');
			got = (struct slice){ b.p + 1, b.n - 2 };
			assert_memory_equal(got.p, text, at);
			assert_memory_equal(
			    got.p + got.n - (sizeof text - at - 1),
			    text + at + 1, sizeof text - at - 1);
			assert_int_equal(
			    got.p[at] == (char)c && got.n == sizeof text,
			    stands_for_itself(c));
			buf_release(&b);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_composed_and_consumed),
		cmocka_unit_test(the_ceiling_holds_and_sticks_until_cleared),
		cmocka_unit_test(secret_bytes_do_not_stay_behind),
		cmocka_unit_test(json_is_one_line_of_ascii),
		cmocka_unit_test(each_byte_is_escaped_alike_wherever_it_stands),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
