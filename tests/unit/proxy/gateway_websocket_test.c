/* WebSocket through a gateway: asked for, proved, and then bytes both ways. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <string.h>
#include <unistd.h>

#define HOST "Host: 127.0.0.1:3190\r\n"
/* RFC 6455 1.3 */
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ACCEPT  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define V13     "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
#define ASK     "GET /chat HTTP/1.1\r\n" HOST UPGRADE KEY V13 "\r\n"
#define SWITCH                                                       \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" \
	"Connection: Upgrade\r\n" ACCEPT "\r\n"

static int
tear_down(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

static void
both_sides_speak_when_it_is_proved(void **state)
{
	const char *got;

	(void)state;
	fake_start_gateway(ASK);
	got = fake_upstream_got();
	assert_non_null(strstr(
	    got, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
	assert_non_null(strstr(got, "\r\n" KEY));
	assert_null(strstr(got, "keep-alive"));
	fake_upstream_says(SWITCH "hello");
	got = fake_client_got();
	assert_non_null(strstr(got, "HTTP/1.1 101 Switching Protocols\r\n"));
	assert_non_null(strstr(
	    got, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
	assert_non_null(strstr(got, "\r\n" ACCEPT));
	assert_null(strstr(got, "close"));
	assert_string_equal(strstr(got, "\r\n\r\n") + 4, "hello");
	fake_client_says("GET / HTTP/1.1\r\n\r\n");
	assert_string_equal(fake_upstream_got(), "GET / HTTP/1.1\r\n\r\n");
	fake_upstream_says("more");
	assert_string_equal(fake_client_got(), "more");
	fake_upstream_closes();
	assert_true(fake_client_at_end());
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.ended[0].status, 101);
	assert_string_equal(fake.ended[0].close, "done");
	assert_int_equal(fake.pooled, 0);
}

static void
a_client_that_leaves_ends_it(void **state)
{
	(void)state;
	fake_start_gateway(ASK);
	(void)fake_upstream_got();
	fake_upstream_says(SWITCH);
	(void)fake_client_got();
	(void)close(fake.client_fd);
	fake.client_fd = -1;
	fake_turn();
	assert_true(fake.done);
	assert_true(fake_upstream_at_end());
	assert_string_equal(fake.ended[0].close, "client");
}

static void
a_reload_ends_it(void **state)
{
	(void)state;
	fake_start_gateway(ASK);
	fake_upstream_says(SWITCH);
	fake.allowed = false;
	forward_rejudge(fake.forward);
	assert_true(fake.done);
	assert_string_equal(fake.ended[0].close, "policy");
}

static void
what_is_not_proved_is_no_websocket(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\n\r\n",
		"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\n"
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n\r\n",
		"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT
		"\r\n",
		"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n" ACCEPT "\r\n",
		"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\n" ACCEPT ACCEPT "\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const char *got;

		fake_start_gateway(ASK);
		(void)fake_upstream_got();
		fake_upstream_says(answers[i]);
		got = fake_client_got();
		if (strstr(got, "502 Denied UPSTREAM_PROTOCOL") == NULL ||
		    strstr(got, "101") != NULL)
			fail_msg("row %zu: %s", i, got);
		if (i + 1 < ARRAY_LEN(answers))
			fake_stop();
	}
}

/* Then an upgrade is taken away, as all others are, and a 101 is a fault. */
static void
what_does_not_ask_properly_asks_for_nothing(void **state)
{
	static const char *const heads[] = {
		"POST /chat HTTP/1.1\r\n" HOST UPGRADE KEY V13 "\r\n",
		"GET /chat HTTP/1.1\r\n" HOST UPGRADE KEY V13
		"Content-Length: 1\r\n\r\nx",
		"GET /chat HTTP/1.1\r\n" HOST UPGRADE KEY "\r\n",
		"GET /chat HTTP/1.1\r\n" HOST UPGRADE V13 "\r\n",
		"GET /chat HTTP/1.1\r\n" HOST UPGRADE KEY KEY V13 "\r\n",
		"GET /chat HTTP/1.1\r\n" HOST
		"Sec-WebSocket-Key: short==\r\n" UPGRADE V13 "\r\n",
		"GET /chat HTTP/1.1\r\n" HOST
		"Connection: Upgrade\r\nUpgrade: h2c\r\n" KEY V13 "\r\n",
		"GET /chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" KEY V13
		"\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		const char *got;

		fake_start_gateway(heads[i]);
		got = fake_upstream_got();
		if (strstr(got, "pgrade") != NULL || got[0] == '\0')
			fail_msg("row %zu: %s", i, got);
		fake_upstream_says(SWITCH);
		if (strstr(fake_client_got(), "502") == NULL)
			fail_msg("row %zu is switched", i);
		if (i + 1 < ARRAY_LEN(heads))
			fake_stop();
	}
}

static void
an_answer_that_declines_is_one_like_all(void **state)
{
	(void)state;
	fake_start_gateway(ASK);
	(void)fake_upstream_got();
	fake_upstream_says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_non_null(strstr(fake_client_got(), "200 OK"));
	fake_client_says("GET /next HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(fake_upstream_got(), "GET /base/next"));
}

static void
plain_http_is_not_switched(void **state)
{
	(void)state;
	fake_start(
	    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n" UPGRADE KEY V13
	    "\r\n");
	assert_null(strstr(fake_upstream_got(), "pgrade"));
	fake_upstream_says(SWITCH);
	assert_non_null(strstr(fake_client_got(), "502"));
}

#define T(name) cmocka_unit_test_teardown(name, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(both_sides_speak_when_it_is_proved),
		T(a_client_that_leaves_ends_it),
		T(a_reload_ends_it),
		T(what_is_not_proved_is_no_websocket),
		T(what_does_not_ask_properly_asks_for_nothing),
		T(an_answer_that_declines_is_one_like_all),
		T(plain_http_is_not_switched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
