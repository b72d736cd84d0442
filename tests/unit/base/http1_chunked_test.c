/* The chunked decoder, cut at every byte. */
#include "tests/unit/test.h"

#include "base/http1.h"

#include <string.h>

/* Decodes @in in pieces of @step bytes; *rest is what was not consumed. */
static enum status
decode(struct slice in, size_t step, struct buf *body, struct buf *trailers,
    size_t *rest)
{
	struct http1_chunked c;
	size_t end = 0, at = 0;
	enum status st = E_PARTIAL;

	http1_chunked_init(&c);
	while (st == E_PARTIAL && end < in.n) {
		end = end + step < in.n ? end + step : in.n;
		for (;;) {
			struct slice data;
			size_t used = 0;
			st = http1_chunked_feed(&c,
			    slice_from(slice_head(in, end), at), &data, &used,
			    trailers);
			at += used;
			buf_put_slice(body, data);
			if (st != E_PARTIAL || used == 0)
				break;
		}
	}
	*rest = in.n - at;
	return st;
}

struct chunk_case {
	struct slice in;
	enum status st;
	const char *body, *trailers;
	size_t rest;
};

#define GOOD(in, body, trailers, rest)                   \
	{                                                \
		SLICE_INIT(in), OK, body, trailers, rest \
	}
#define BAD(in)                                         \
	{                                               \
		SLICE_INIT(in), E_SYNTAX, NULL, NULL, 0 \
	}

static const struct chunk_case cases[] = {
	GOOD("0\r\n\r\n", "", "", 0),
	GOOD("5\r\nhello\r\n0\r\n\r\nnext", "hello", "", 4),
	GOOD("00A\r\n0123456789\r\n000\r\n\r\n", "0123456789", "", 0),
	GOOD("1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n", "x", "", 0),
	GOOD("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", "x", "A: b\r\nC:\r\n", 0),
	BAD("\r\n"),
	BAD("5 \r\nhello\r\n"),
	GOOD("5 \t;a\r\nhello\r\n0 ;b\r\n\r\n", "hello", "", 0),
	BAD("5 \r\nhello\r\n"),
	BAD("5 a\r\nhello\r\n"),
	BAD("5 \t5;a\r\nhello\r\n"),
	BAD(" 5;a\r\nhello\r\n"),
	BAD(" 5\r\nhello\r\n"),
	BAD("+5\r\nhello\r\n"),
	BAD("-5\r\nhello\r\n"),
	BAD("0x5\r\nhello\r\n"),
	BAD("1_0\r\nhello\r\n"),
	BAD("g\r\n"),
	BAD("5\nhello\r\n"),
	BAD("5;a\nhello\r\n"),
	BAD("5;a\0\r\nhello\r\n"),
	BAD("5\rhello\r\n"),
	BAD("5\r\nhello0\r\n\r\n"),
	BAD("5\r\nhelloXX0\r\n\r\n"),
	BAD("5\r\nhello\n0\r\n\r\n"),
	BAD("8000000000000000\r\n"),
	BAD("10000000000000000\r\n"),
	BAD("ffffffffffffffff\r\n"),
	BAD("00000000000000001\r\nx\r\n"),
	BAD("0\r\nA : b\r\n\r\n"),
	BAD("0\r\n: b\r\n\r\n"),
	BAD("0\r\nA: b\r\n c\r\n\r\n"),
	BAD("0\r\nA: b\n\r\n"),
	BAD("0\r\nA: \x01\r\n\r\n"),
	BAD("0\r\nA\r\n\r\n"),
	BAD("0\r\n\n"),
	BAD("0\r\n\rX"),
	{ SLICE_INIT("5\r\nhel"), E_PARTIAL, NULL, NULL, 0 },
	{ SLICE_INIT("5\r\nhello\r\n"), E_PARTIAL, NULL, NULL, 0 },
	{ SLICE_INIT("0\r\n"), E_PARTIAL, NULL, NULL, 0 },
	{ SLICE_INIT("0\r\n\r"), E_PARTIAL, NULL, NULL, 0 },
};

static void
chunks_decode_the_same_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step <= cases[i].in.n; step++) {
			const struct chunk_case *c = &cases[i];
			struct buf body, trailers;
			size_t rest;
			enum status st;
			buf_init(&body, 100);
			buf_init(&trailers, 100);
			st = decode(c->in, step, &body, &trailers, &rest);
			if (st != c->st)
				fail_msg("%zu/%zu: %s", i, step, c->in.p);
			if (st == OK) {
				assert_true(
				    slice_is(buf_slice(&body), c->body));
				assert_true(slice_is(
				    buf_slice(&trailers), c->trailers));
			}
			if (st == OK && step == c->in.n)
				assert_int_equal(rest, c->rest);
			buf_release(&body);
			buf_release(&trailers);
		}
	}
}

static void
extensions_and_trailers_have_ceilings(void **state)
{
	struct buf in, body;
	size_t rest;

	(void)state;
	buf_init(&in, 20000);
	buf_init(&body, 100);
	buf_puts(&in, "1;");
	for (int i = 0; i < 300; i++)
		buf_putc(&in, 'a');
	buf_puts(&in, "\r\nx\r\n0\r\n\r\n");
	assert_int_equal(
	    decode(buf_slice(&in), in.n, &body, NULL, &rest), E_LIMIT);
	buf_clear(&in);
	buf_puts(&in, "0\r\n");
	for (int i = 0; i < 3000; i++)
		buf_puts(&in, "a:b\r\n");
	buf_puts(&in, "\r\n");
	assert_int_equal(
	    decode(buf_slice(&in), in.n, &body, NULL, &rest), E_LIMIT);
	/* The caller's own ceiling on trailers ends it too. */
	buf_clear(&in);
	buf_puts(&in, "0\r\na: bbbbbbbbbbbbbbbbbbbb\r\n\r\n");
	body.max = 10;
	assert_int_equal(
	    decode(buf_slice(&in), in.n, &in, &body, &rest), E_LIMIT);
	buf_release(&in);
	buf_release(&body);
}

static void
broken_framing_stays_broken(void **state)
{
	struct http1_chunked c;
	struct slice data;
	size_t used;

	(void)state;
	http1_chunked_init(&c);
	assert_int_equal(
	    http1_chunked_feed(&c, SLICE("x"), &data, &used, NULL), E_SYNTAX);
	assert_int_equal(
	    http1_chunked_feed(&c, SLICE("0\r\n\r\n"), &data, &used, NULL),
	    E_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_decode_the_same_however_they_are_cut),
		cmocka_unit_test(extensions_and_trailers_have_ceilings),
		cmocka_unit_test(broken_framing_stays_broken),
	};
	return cmocka_run_group_tests_name("http1_chunked", tests, NULL, NULL);
}
