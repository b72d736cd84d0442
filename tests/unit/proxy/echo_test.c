/* Answers that bring back the token which was put into their request. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST  "Host: 127.0.0.1:3190\r\n"
#define GET   "GET /x HTTP/1.1\r\n" HOST "\r\n"
#define TOKEN "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"
#define CHUNK "Transfer-Encoding: chunked\r\n\r\n"

static int
tear_down(void **state)
{
	struct secret *token = fake.token;

	(void)state;
	fake_stop();
	secret_unref(token);
	return 0;
}

static void
ask(void)
{
	struct secret *token;

	assert_int_equal(secret_create(SLICE(TOKEN), &token), OK);
	fake_next.token = token;
	fake_start_gateway(GET);
	assert_non_null(strstr(fake_upstream_got(), "Bearer " TOKEN));
}

static void
again(void)
{
	struct secret *token = fake.token;

	fake_stop();
	secret_unref(token);
	ask();
}

static void
in_a_head_it_is_a_502(void **state)
{
	const char *got;

	(void)state;
	ask();
	fake_upstream_says("HTTP/1.1 200 OK\r\nX-Echo: Bearer " TOKEN
	                   "\r\nContent-Length: 0\r\n\r\n");
	got = fake_client_got();
	assert_non_null(strstr(got, "HTTP/1.1 502"));
	assert_null(strstr(got, TOKEN));
	assert_int_equal(fake.ended[0].code, REASON_UPSTREAM_PROTOCOL);
}

static void
in_a_body_it_ends_the_answer(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 400 Bad\r\nContent-Length: 59\r\n\r\n{\"you\":\"" TOKEN
		"\"}",
		"HTTP/1.1 200 OK\r\n" CHUNK "5\r\nhello\r\n31\r\n" TOKEN
		"\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" CHUNK
		"1a\r\neyJhbGciOiJIUzI1NiJ9.eyJhd\r\n"
		"17\r\nWQiOiJ4In0.c2lnbmF0dXJl\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" CHUNK "1\r\nx\r\n0\r\nX-T: " TOKEN
		"\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsee " TOKEN
		" here",
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		if (i == 0)
			ask();
		else
			again();
		fake_upstream_says(answers[i]);
		assert_null(strstr(fake_client_got(), "c2lnbmF0dXJl"));
		assert_int_equal(fake.ended[0].code, REASON_UPSTREAM_PROTOCOL);
	}
}

static void
what_is_only_like_it_passes_whole(void **state)
{
	static const char like[] = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ4In0.other";
	char answer[512];

	(void)state;
	ask();
	(void)snprintf(answer, sizeof answer,
	    "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(like), like);
	fake_upstream_says(answer);
	assert_non_null(strstr(fake_client_got(), like));
	assert_string_equal(fake.ended[0].close, "done");
	again();
	/* A beginning at the very end is let go with it. */
	fake_upstream_says("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 24"
	                   "\r\n\r\neyJhbGciOiJIUzI1NiJ9.eyJ");
	assert_non_null(strstr(fake_client_got(), "eyJhbGciOiJIUzI1NiJ9.eyJ"));
	assert_string_equal(fake.ended[0].close, "done");
	again();
	fake_upstream_says("HTTP/1.1 200 OK\r\nDate: d\r\n" CHUNK
	                   "18\r\neyJhbGciOiJIUzI1NiJ9.eyJ\r\n0\r\n\r\n");
	assert_non_null(strstr(fake_client_got(), "\r\n0\r\n\r\n"));
	assert_string_equal(fake.ended[0].close, "done");
}

static int
set_up(void **state)
{
	bool locked;

	(void)state;
	return secret_arena_init(65536, false, &locked) == OK ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_teardown(f, tear_down)
		T(in_a_head_it_is_a_502),
		T(in_a_body_it_ends_the_answer),
		T(what_is_only_like_it_passes_whole),
#undef T
	};

	return cmocka_run_group_tests_name("echo", tests, set_up, NULL);
}
