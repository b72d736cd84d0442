/* CONNECT from the accept to the record, on one loop with stand-ins. */
#include "tests/unit/proxy/connect_steps.h"

#define BAD_REQUEST "HTTP/1.1 400 Denied BAD_REQUEST"
#define BAD_VERSION "HTTP/1.1 505 Denied BAD_REQUEST"
#define HEAD_OPEN   "CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n"

static void
a_tunnel_carries_bytes_and_leaves_two_records(void **state)
{
	int fd = open_tunnel();
	char got[64];

	(void)state;
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(fake.records[0].event, RECORD_OPEN);
	say(fd, "ping");
	assert_int_equal(fake_hear(fake.upstream, got, sizeof got), 4);
	say(fake.upstream, "pong!");
	assert_int_equal(fake_hear(fd, got, sizeof got), 5);
	(void)close(fd);
	fake_run();
	(void)close(fake.upstream);
	fake.upstream = -1;
	fake_run();
	assert_int_equal(fake.n_records, 2);
	assert_int_equal(last_record()->event, RECORD_REQUEST);
	assert_int_equal(last_record()->verdict, RECORD_ALLOW);
	assert_int_equal(last_record()->status, 200);
	assert_int_equal(last_record()->down, 5);
	assert_string_equal(last_record()->close, "client");
	assert_string_equal(last_record()->sni, "a.test");
	assert_string_equal(last_record()->id, fake.records[0].id);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
}

static void
one_side_may_end_while_the_other_still_talks(void **state)
{
	int fd = open_tunnel();
	char got[64];

	(void)state;
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	fake_run();
	assert_int_equal(fake_hear(fake.upstream, got, sizeof got), -1);
	say(fake.upstream, "late");
	assert_int_equal(fake_hear(fd, got, sizeof got), 4);
	assert_int_equal(proxy_worker_connections(fake.worker), 1);
	(void)close(fake.upstream);
	fake.upstream = -1;
	fake_run();
	assert_int_equal(fake_hear(fd, got, sizeof got), -1);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
	(void)close(fd);
}

static void
a_denied_name_is_answered_before_any_look_up(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 403 Denied HOST_NOT_ALLOWED id=");
	assert_int_equal(fake.resolutions, 0);
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(last_record()->event, RECORD_REQUEST);
	assert_int_equal(last_record()->verdict, RECORD_DENY);
	assert_int_equal(fake.denials, 1);
	(void)close(fd);
}

static void
a_denied_route_is_never_dialled(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.route_code = REASON_PUBLIC_ADDRESS;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 403 Denied PUBLIC_ADDRESS id=");
	assert_int_equal(fake.resolutions, 1);
	assert_int_equal(fake.dials, 0);
	(void)close(fd);
}

static void
equal_refusals_share_their_id_for_ten_seconds(void **state)
{
	(void)state;
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	for (int i = 0; i < 3; i++) {
		int fd = fake_client();
		if (i == 2)
			fake.now_ms += 10001;
		say(fd, CONNECT);
		(void)close(fd);
		fake_run();
	}
	assert_int_equal(fake.n_records, 3);
	assert_string_equal(fake.records[0].id, fake.records[1].id);
	assert_string_not_equal(fake.records[0].id, fake.records[2].id);
}

static void
a_failed_dial_has_its_own_status_and_verdict_allow(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.dial_code = REASON_CONNECT_REFUSED;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 502 Denied CONNECT_REFUSED id=");
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(last_record()->verdict, RECORD_ALLOW);
	assert_int_equal(last_record()->code, REASON_CONNECT_REFUSED);
	(void)close(fd);
}

static void
no_record_means_no_answer_of_success(void **state)
{
	char got[64];
	int fd;

	(void)state;
	fake.audit_stuck = true;
	fd = fake_client();
	say(fd, CONNECT);
	assert_int_equal(fake_hear(fd, got, sizeof got), 0);
	(void)close(fd);
}

static void
a_sick_audit_refuses_everybody(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.audit_sick = true;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 503 Denied AUDIT_UNAVAILABLE id=");
	assert_int_equal(fake.dials, 0);
	(void)close(fd);
}

static void
report_mode_passes_and_says_what_it_would_do(void **state)
{
	int fd;

	(void)state;
	fake.would_code = REASON_PUBLIC_ADDRESS;
	fd = open_tunnel();
	(void)close(fake.upstream);
	fake.upstream = -1;
	(void)close(fd);
	fake_run();
	assert_int_equal(fake.n_records, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fake.records[i].verdict, RECORD_ALLOW);
		assert_true(fake.records[i].would);
		assert_int_equal(fake.records[i].code, REASON_PUBLIC_ADDRESS);
	}
	assert_int_equal(fake.denials, 0);
}

/* Else the reader of report mode would count an outage, and no denial. */
static void
a_failed_dial_does_not_hide_what_report_mode_found(void **state)
{
	int fd = fake_client();

	(void)state;
	fake.would_code = REASON_PUBLIC_ADDRESS;
	fake.dial_code = REASON_CONNECT_REFUSED;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 502 Denied CONNECT_REFUSED id=");
	(void)close(fd);
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(fake.records[0].verdict, RECORD_ALLOW);
	assert_true(fake.records[0].would);
	assert_int_equal(fake.records[0].code, REASON_PUBLIC_ADDRESS);
	assert_int_equal(fake.records[0].status, 502);
}

static void
an_unknown_peer_is_denied(void **state)
{
	int fd;

	(void)state;
	fake.peer_unknown = true;
	fd = fake_client();
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 403 Denied WORKLOAD_NOT_ALLOWED id=");
	(void)close(fd);
}

static void
waits_for_the_user_database(void **state)
{
	int fd;

	(void)state;
	fake.userdb_later = true;
	fd = fake_client();
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	(void)close(fd);
}

static const struct {
	const char *head, *answer;
} malformed[] = {
	{ "CONNECT a.test HTTP/1.1\r\nHost: a\r\n\r\n",
	    "HTTP/1.1 400 Denied BAD_AUTHORITY" },
	{ "CONNECT a.test:0 HTTP/1.1\r\nHost: a\r\n\r\n",
	    "HTTP/1.1 400 Denied BAD_AUTHORITY" },
	{ "CONNECT -a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n",
	    "HTTP/1.1 400 Denied BAD_HOST" },
	{ "CONNECT a.test:443 HTTP/1.1\r\n\r\n", BAD_REQUEST },
	{ HEAD_OPEN "Host: a\r\n\r\n", BAD_REQUEST },
	{ "CONNECT a.test:443 HTTP/1.1\r\nHost: a b\r\n\r\n", BAD_REQUEST },
	{ HEAD_OPEN "Content-Length: 3\r\n\r\nabc", BAD_REQUEST },
	{ HEAD_OPEN "Transfer-Encoding: chunked\r\n\r\n", BAD_REQUEST },
	{ "\x16\x03\x01\x01\x02", BAD_REQUEST },
	{ "\x04\x01", BAD_REQUEST },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST },
	{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", BAD_VERSION },
};

static void
malformed_heads_get_their_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		int fd = fake_client();
		say(fd, malformed[i].head);
		assert_starts(fd, malformed[i].answer);
		assert_int_equal(fake.n_records, i + 1);
		(void)close(fd);
		fake_run();
	}
	assert_int_equal(fake.dials, 0);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
}

static void
python_asks_by_http_1_0_without_host(void **state)
{
	int fd = fake_client();

	(void)state;
	say(fd, "CONNECT a.test:443 HTTP/1.0\r\n\r\n");
	assert_starts(fd, "HTTP/1.1 200 ");
	(void)close(fd);
}

/* RFC 9112 2.2 */
static void
one_empty_line_may_come_first(void **state)
{
	int fd = fake_client();

	(void)state;
	say(fd, "\r");
	say(fd, "\n" CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	(void)close(fd);
	fd = fake_client();
	say(fd, "\n" CONNECT);
	assert_starts(fd, BAD_REQUEST);
	(void)close(fd);
}

static void
absolute_form_goes_to_forward(void **state)
{
	int fd = fake_client();

	(void)state;
	say(fd, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
	assert_int_equal(fake.forwards, 1);
	(void)close(fd);
}

static void
early_bytes_behind_the_head_reach_the_destination(void **state)
{
	struct buf b;
	char got[4096];
	int fd = fake_client();

	(void)state;
	buf_init(&b, 4096);
	buf_puts(&b, CONNECT);
	hello_put(&b, SLICE("a.test"));
	fake_say(fd, b.p, b.n);
	assert_starts(fd, "HTTP/1.1 200 ");
	assert_int_equal(fake_hear(fake.upstream, got, sizeof got),
	    (long)(b.n - strlen(CONNECT)));
	buf_release(&b);
	(void)close(fd);
}

/* A turn of the loop: the head is read, and the resolver has not answered. */
static void
ask_and_turn_once(int fd)
{
	assert_int_equal(send(fd, CONNECT, strlen(CONNECT), MSG_NOSIGNAL),
	    (ssize_t)strlen(CONNECT));
	(void)event_base_loop(fake.base, EVLOOP_NONBLOCK);
	assert_int_equal(fake.resolutions, 1);
}

static void
what_comes_before_the_answer_reaches_the_destination(void **state)
{
	char got[4096];
	int fd = fake_client();

	(void)state;
	ask_and_turn_once(fd);
	say_hello(fd, SLICE("a.test"));
	assert_starts(fd, "HTTP/1.1 200 ");
	assert_true(fake_hear(fake.upstream, got, sizeof got) > 0);
	(void)close(fd);
}

static void
what_comes_before_the_answer_does_not_spin(void **state)
{
	const struct timeval tv = { .tv_usec = 100000 };
	int fd = fake_client();
	unsigned turns = 0;

	(void)state;
	fake.resolver_stuck = true;
	ask_and_turn_once(fd);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	(void)event_base_loopexit(fake.base, &tv);
	do {
		(void)event_base_loop(fake.base, EVLOOP_ONCE);
		turns++;
	} while (!event_base_got_exit(fake.base));
	assert_in_range(turns, 1, 10);
	(void)close(fd);
}

static void
a_client_is_answered_without_delay(void **state)
{
	int fd = fake_client();

	(void)state;
	assert_true(fake.sends_at_once);
	(void)close(fd);
}

static void
another_name_in_the_hello_ends_in_an_alert(void **state)
{
	char got[4096];
	int fd = fake_client();

	(void)state;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	say(fake.upstream, "early banner");
	say_hello(fd, SLICE("b.test"));
	assert_int_equal(fake_hear(fd, got, sizeof got), 7);
	assert_memory_equal(got, "\x15\x03\x03\x00\x02\x02\x70", 7);
	assert_int_equal(fake_hear(fake.upstream, got, sizeof got), -1);
	assert_int_equal(fake.n_records, 2);
	assert_int_equal(last_record()->code, REASON_SNI_MISMATCH);
	assert_int_equal(last_record()->verdict, RECORD_DENY);
	assert_string_equal(last_record()->close, "denied");
	assert_string_equal(last_record()->sni, "b.test");
	(void)close(fd);
}

/* The fake dialler answers with this address, and it must be the judged one. */
static void
an_address_is_judged_and_dialled_without_a_look_up(void **state)
{
	struct proxy_snapshot *next = fake_snapshot(2);
	char got[64];
	int fd = fake_client();

	(void)state;
	fake.sni_any = true;
	say(fd,
	    "CONNECT 10.20.0.5:443 HTTP/1.1\r\nHost: 10.20.0.5:443\r\n\r\n");
	assert_starts(fd, "HTTP/1.1 200 ");
	assert_int_equal(fake.resolutions, 0);
	/* The facts of the opening are those of a later judgement, too. */
	assert_int_equal(proxy_worker_set_snapshot(fake.worker, next), OK);
	say(fake.upstream, "220 hi");
	assert_int_equal(fake_hear(fd, got, sizeof got), 6);
	(void)close(fd);
	fake_run();
	(void)close(fake.upstream);
	fake.upstream = -1;
	fake_run();
	assert_int_equal(last_record()->event, RECORD_REQUEST);
	assert_int_equal(last_record()->generation, 2);
	assert_string_equal(last_record()->host, "10.20.0.5");
	proxy_snapshot_unref(next);
}

static void
what_is_no_tls_is_closed_without_a_byte(void **state)
{
	char got[4096];
	int fd = fake_client();

	(void)state;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	say(fd, "SSH-2.0-x\r\n");
	assert_int_equal(fake_hear(fd, got, sizeof got), -1);
	assert_int_equal(last_record()->code, REASON_NOT_TLS);
	(void)close(fd);
}

static void
sni_any_lets_the_server_speak_first(void **state)
{
	char got[64];
	int fd = fake_client();

	(void)state;
	fake.sni_any = true;
	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	say(fake.upstream, "220 hi");
	assert_int_equal(fake_hear(fd, got, sizeof got), 6);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_tunnel_carries_bytes_and_leaves_two_records),
		T(one_side_may_end_while_the_other_still_talks),
		T(a_denied_name_is_answered_before_any_look_up),
		T(a_denied_route_is_never_dialled),
		T(equal_refusals_share_their_id_for_ten_seconds),
		T(a_failed_dial_has_its_own_status_and_verdict_allow),
		T(no_record_means_no_answer_of_success),
		T(a_sick_audit_refuses_everybody),
		T(report_mode_passes_and_says_what_it_would_do),
		T(a_failed_dial_does_not_hide_what_report_mode_found),
		T(an_unknown_peer_is_denied),
		T(waits_for_the_user_database),
		T(malformed_heads_get_their_status),
		T(python_asks_by_http_1_0_without_host),
		T(one_empty_line_may_come_first),
		T(absolute_form_goes_to_forward),
		T(early_bytes_behind_the_head_reach_the_destination),
		T(what_comes_before_the_answer_reaches_the_destination),
		T(what_comes_before_the_answer_does_not_spin),
		T(a_client_is_answered_without_delay),
		T(another_name_in_the_hello_ends_in_an_alert),
		T(what_is_no_tls_is_closed_without_a_byte),
		T(sni_any_lets_the_server_speak_first),
		T(an_address_is_judged_and_dialled_without_a_look_up),
	};
	return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
