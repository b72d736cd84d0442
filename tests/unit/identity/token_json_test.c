/* Answers of a token source, good and hostile; nothing of them stays behind. */
#include "tests/unit/test.h"

#include "identity/token_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOW = 1800000000 };

static enum status
parse(const char *text, struct token_json *out)
{
	struct status_detail detail = { "" };
	enum status st = token_json_parse(slice_of(text), NOW, out, &detail);

	if (st != OK)
		assert_string_not_equal(detail.text, "");
	assert_null(strstr(detail.text, "SECRET"));
	return st;
}

static void
reads_the_answer_of_imds(void **state)
{
	struct token_json t;

	(void)state;
	assert_int_equal(
	    parse("{\"access_token\":\"e.SECRET\",\"client_id\":\"c-1\","
	          "\"expires_in\":\"86399\",\"expires_on\":\"1800003600\","
	          "\"ext_expires_in\":\"86399\",\"not_before\":\"1799999999\","
	          "\"resource\":\"https://storage.azure.com/\","
	          "\"token_type\":\"Bearer\"}",
	        &t),
	    OK);
	assert_true(slice_is(secret_bytes(t.secret), "e.SECRET"));
	assert_string_equal(t.client_id, "c-1");
	assert_int_equal(t.expires_unix_s, 1800003600);
	assert_int_equal(t.not_before_unix_s, 1799999999);
	assert_int_equal(t.refresh_in_s, -1);
	secret_unref(t.secret);
}

static void
believes_expires_on_before_expires_in(void **state)
{
	struct token_json t;

	(void)state;
	assert_int_equal(
	    parse("{\"access_token\":\"x\",\"expires_in\":\"5\","
	          "\"expires_on\":1800000600,\"refresh_in\":\"60\"}",
	        &t),
	    OK);
	assert_int_equal(t.expires_unix_s, NOW + 600);
	assert_int_equal(t.refresh_in_s, 60);
	secret_unref(t.secret);
	assert_int_equal(
	    parse("{\"access_token\":\"x\",\"expires_in\":3600}", &t), OK);
	assert_int_equal(t.expires_unix_s, NOW + 3600);
	secret_unref(t.secret);
	assert_int_equal(
	    parse("{\"access_token\":\"x\",\"expires_on\":\"1800100000\"}", &t),
	    OK);
	assert_int_equal(t.expires_unix_s, NOW + TOKEN_LIFE_MAX_S);
	secret_unref(t.secret);
}

static const char *const hostile[] = {
	"",
	" ",
	"null",
	"[]",
	"\"SECRET\"",
	"{}",
	"{\"access_token\":\"SECRET\"",
	"{\"access_token\":\"SECRET\"}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"\"}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"-1\"}",
	"{\"access_token\":\"SECRET\",\"expires_on\":-1}",
	"{\"access_token\":\"SECRET\",\"expires_on\":1.8e9}",
	"{\"access_token\":\"SECRET\",\"expires_on\":null}",
	"{\"access_token\":\"SECRET\",\"expires_on\":true}",
	"{\"access_token\":\"SECRET\",\"expires_on\":[1800003600]}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\" 1800003600\"}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"0x6B49D200\"}",
	"{\"access_token\":\"SECRET\","
	"\"expires_on\":\"99999999999999999999999\"}",
	"{\"access_token\":\"SECRET\","
	"\"expires_on\":99999999999999999999999}",
	"{\"access_token\":\"SECRET\","
	"\"expires_on\":9223372036854775807}",
	"{\"access_token\":\"SECRET\","
	"\"expires_on\":\"06/20/2027 02:57:58 +00:00\"}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"1800172801\"}",
	"{\"access_token\":\"SECRET\",\"expires_in\":\"172801\"}",
	"{\"access_token\":\"SECRET\","
	"\"expires_in\":9223372036854775807}",
	"{\"access_token\":\"SECRET\",\"access_token\":\"SECRET\","
	"\"expires_on\":\"1800003600\"}",
	"{\"access_token\":\"\",\"expires_on\":\"1800003600\"}",
	"{\"access_token\":17,\"expires_on\":\"1800003600\"}",
	"{\"access_token\":\"SECRET\\u0000\","
	"\"expires_on\":\"1800003600\"}",
	"{\"access_token\":\"SECRET\\r\\nX: y\","
	"\"expires_on\":\"1800003600\"}",
	"{\"access_token\":\"SECRET \",\"expires_on\":\"1800003600\"}",
	"{\"access_token\":\"SECR\xc3\xa9T\","
	"\"expires_on\":\"1800003600\"}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"1800003600\","
	"\"token_type\":\"pop\"}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"1800003600\","
	"\"token_type\":1}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"1800003600\","
	"\"client_id\":\"<script>\"}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"1800003600\","
	"\"not_before\":\"yesterday\"}",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"1800003600\"} x",
	"{\"access_token\":\"SECRET\",\"expires_on\":\"1800003600\","
	"\"x\":[[[[[[[[[1]]]]]]]]]}",
	"<html>SECRET</html>",
};

static void
refuses_hostile_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct token_json t = { .secret = NULL };
		if (parse(hostile[i], &t) == OK)
			fail_msg("accepted: %s", hostile[i]);
		assert_null(t.secret);
	}
}

static void
tells_an_old_token_from_a_bad_one(void **state)
{
	struct token_json t;

	(void)state;
	assert_int_equal(
	    parse("{\"access_token\":\"S\",\"expires_on\":\"1800000000\"}", &t),
	    E_TIMEOUT);
	assert_int_equal(
	    parse("{\"access_token\":\"S\",\"expires_in\":\"0\"}", &t),
	    E_TIMEOUT);
	assert_int_equal(
	    parse("{\"access_token\":\"S\",\"expires_on\":\"1800000001\"}", &t),
	    OK);
	secret_unref(t.secret);
}

static void
refuses_what_is_too_long_or_too_deep(void **state)
{
	static char text[TOKEN_JSON_BYTES_MAX + 2];
	struct token_json t;

	(void)state;
	memset(text, ' ', sizeof text - 1);
	assert_int_equal(parse(text, &t), E_LIMIT);
	memset(text, '[', sizeof text - 2);
	text[sizeof text - 2] = '\0';
	assert_int_equal(parse(text, &t), E_LIMIT);
}

static void
says_when_there_is_no_room_for_the_secret(void **state)
{
	struct token_json t = { .secret = NULL };
	static char text[60000];
	struct secret *held[64];
	size_t n = 0;
	enum status st;

	(void)state;
	snprintf(text, sizeof text, "%s",
	    "{\"expires_on\":\"1800003600\",\"access_token\":\"");
	memset(text + strlen(text), 'a', 50000);
	snprintf(text + strlen(text), 8, "\"}");
	while ((st = parse(text, &t)) == OK && n < ARRAY_LEN(held))
		held[n++] = t.secret;
	assert_true(n > 0);
	assert_int_equal(st, E_LIMIT);
	while (n > 0)
		secret_unref(held[--n]);
}

static void
repeats_only_short_words_of_an_error(void **state)
{
	static const struct {
		const char *body, *word;
	} rows[] = {
		{ "{\"error\":\"invalid_request\"}", "invalid_request" },
		{ "{\"error\":\"a b\"}", "" },
		{ "{\"error\":\"eyJ0.SECRET\"}", "" },
		{ "{\"error\":{\"code\":\"x\"}}", "" },
		{ "{\"error\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
		    "" },
		{ "{}", "" },
		{ "[]", "" },
		{ "<html>", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[64];
		token_json_error(slice_of(rows[i].body), out);
		assert_string_equal(out, rows[i].word);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_answer_of_imds),
		cmocka_unit_test(believes_expires_on_before_expires_in),
		cmocka_unit_test(refuses_hostile_answers),
		cmocka_unit_test(tells_an_old_token_from_a_bad_one),
		cmocka_unit_test(refuses_what_is_too_long_or_too_deep),
		cmocka_unit_test(says_when_there_is_no_room_for_the_secret),
		cmocka_unit_test(repeats_only_short_words_of_an_error),
	};
	bool locked;

	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
