/* A token in an answer, whole and in pieces, and what is only like it. */
#include "tests/unit/test.h"

#include "base/buf.h"
#include "proxy/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN                                                      \
	"eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2EifQ.c2lnbmF0" \
	"dXJlLXRoYXQtaXMtbG9uZw"

static void
on_put(void *arg, struct slice s)
{
	buf_put_slice(arg, s);
}

/* Feeds @text in pieces of @piece bytes; what came out stands in @got. */
static enum status
feed(const char *token, const char *text, size_t piece, struct buf *got)
{
	const struct guard_out out = { on_put, got };
	struct slice rest = slice_of(text);
	enum status st = OK;
	struct guard g;

	buf_clear(got);
	guard_init(&g, slice_of(token));
	while (st == OK && rest.n > 0) {
		st = guard_feed(&g, slice_head(rest, piece), &out);
		rest = slice_from(rest, piece);
	}
	return st == OK ? guard_end(&g, &out) : st;
}

static void
finds_it_at_every_place_and_in_pieces_of_any_size(void **state)
{
	static const char *const texts[] = { TOKEN, "x" TOKEN, TOKEN "x",
		"Bearer eyJ" TOKEN " and more",
		"eyJhbGciOiJSUzI1NiJ9.eyJhdW" TOKEN, "eeeyJheyJhbGciO" TOKEN };
	struct buf got;

	(void)state;
	buf_init(&got, 4096);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		for (size_t piece = 1; piece <= strlen(texts[i]); piece++) {
			assert_int_equal(
			    feed(TOKEN, texts[i], piece, &got), E_DENIED);
			/* All that got out of it is what every one has. */
			buf_putc(&got, '\0');
			assert_null(strstr(
			    got.p, "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRw"));
		}
	buf_release(&got);
}

static void
passes_all_else_byte_for_byte(void **state)
{
	static const char *const texts[] = { "", "e", "no token here",
		"eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJSUzI1NiJ9.eyJhdW",
		"eyJhbGciOiJSUzI1NiJ9.eyJhbGciOiJSUzI1NiJ9.eyJhdWQx",
		"eyeyJheyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2EifQ." };
	struct buf got;

	(void)state;
	buf_init(&got, 4096);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		for (size_t piece = 1; piece <= strlen(texts[i]) + 1; piece++) {
			assert_int_equal(
			    feed(TOKEN, texts[i], piece, &got), OK);
			if (!slice_is(buf_slice(&got), texts[i]))
				fail_msg("%s by %zu: %.*s", texts[i], piece,
				    (int)got.n, got.p);
		}
	buf_release(&got);
}

static void
finds_one_whose_beginning_is_in_it_again(void **state)
{
	static const char again[] = "abababababababababababac";
	struct buf got;
	char text[64];

	(void)state;
	buf_init(&got, 4096);
	(void)snprintf(text, sizeof text, "abab%s", again);
	for (size_t piece = 1; piece <= strlen(text); piece++)
		assert_int_equal(feed(again, text, piece, &got), E_DENIED);
	text[strlen(text) - 1] = 'd';
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		assert_int_equal(feed(again, text, piece, &got), OK);
		assert_true(slice_is(buf_slice(&got), text));
	}
	buf_release(&got);
}

static void
takes_a_cut_signature_for_it(void **state)
{
	struct buf got;
	char text[] = TOKEN;

	(void)state;
	buf_init(&got, 4096);
	text[strlen(text) - 1] = '\0';
	assert_int_equal(feed(TOKEN, text, 7, &got), E_DENIED);
	buf_release(&got);
}

static void
lets_short_beginnings_go_at_once(void **state)
{
	struct guard g;
	struct buf got;
	const struct guard_out out = { on_put, &got };

	(void)state;
	buf_init(&got, 4096);
	guard_init(&g, SLICE(TOKEN));
	assert_int_equal(guard_feed(&g, SLICE("data: e"), &out), OK);
	assert_true(slice_is(buf_slice(&got), "data: e"));
	assert_int_equal(guard_feed(&g, SLICE("yJhbGciOiJSUzI"), &out), OK);
	assert_true(slice_is(buf_slice(&got), "data: eyJhbGciOiJSUzI"));
	assert_int_equal(guard_feed(&g, SLICE("1NiJ9"), &out), OK);
	assert_true(slice_is(buf_slice(&got), "data: eyJhbGciOiJSUzI"));
	assert_int_equal(guard_feed(&g, SLICE("!"), &out), OK);
	assert_true(slice_is(buf_slice(&got), "data: eyJhbGciOiJSUzI1NiJ9!"));
	buf_release(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    finds_it_at_every_place_and_in_pieces_of_any_size),
		cmocka_unit_test(passes_all_else_byte_for_byte),
		cmocka_unit_test(finds_one_whose_beginning_is_in_it_again),
		cmocka_unit_test(takes_a_cut_signature_for_it),
		cmocka_unit_test(lets_short_beginnings_go_at_once),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
