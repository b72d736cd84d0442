/* A stream through TLS, at whose other end is OpenSSL with its own ways. */
#include "tests/unit/test.h"

#include "proxy/tls_conn.h"
#include "tests/unit/proxy/tls_peer.h"

#include <event2/event.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BULK_BYTES = 300000 };

static struct pki_cert root, leaf;
static struct tls_client_ctx *ctx;
static char bulk[BULK_BYTES], taken[BULK_BYTES + 1], at_peer[BULK_BYTES + 1];

static int
make_certificates(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN); /* the peer's */
	for (size_t i = 0; i < sizeof bulk; i++)
		bulk[i] = (char)(i * 7 + i / 251);
	pki_make(&(struct pki_spec){ .name = "root", .is_ca = true }, &root);
	pki_make(
	    &(struct pki_spec){
	        .name = "a server", .san = "DNS:" LINK_HOST, .issuer = &root },
	    &leaf);
	ctx = peer_client_ctx(&root);
	return 0;
}

static int
free_certificates(void **state)
{
	(void)state;
	tls_client_ctx_destroy(ctx);
	pki_free(&leaf);
	pki_free(&root);
	return 0;
}

/* Each way at once, as much as the sockets take. */
static void
pass_both_ways(struct link *l, size_t size)
{
	size_t up = 0, up_there = 0, down = 0, down_here = 0;

	while (up_there < size || down_here < size) {
		struct slice rest = { bulk + up, size - up };
		size_t put;
		int sent = 0;

		assert_true(
		    stream_write(&l->s, rest, false, &put) <= E_PARTIAL);
		up += put;
		up_there +=
		    peer_takes(l, at_peer + up_there, size - up_there + 1);
		ERR_clear_error();
		if (down < size)
			sent = SSL_write(
			    l->peer.ssl, bulk + down, (int)(size - down));
		down += sent > 0 ? (size_t)sent : 0;
		assert_int_equal(take_all(l, taken, size + 1, &down_here), OK);
	}
	assert_memory_equal(at_peer, bulk, size);
	assert_memory_equal(taken, bulk, size);
	assert_int_equal(l->s.stuck, 0);
}

static void
bytes_pass_both_ways_in_either_version(void **state)
{
	static const size_t sizes[] = { 1, 2, 100, 16383, 16384, 16385, 40000,
		BULK_BYTES };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct link l;

		link_open(&l, ctx, &leaf, versions[v]);
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			pass_both_ways(&l, sizes[i]);
		link_close(&l);
	}
}

/* The peer's records of three writes and its end, not sent yet. */
static size_t
hold_records(struct link *l, char *to, size_t room)
{
	BIO *memory = BIO_new(BIO_s_mem());
	long n;
	char *p;

	assert_non_null(memory);
	SSL_set0_wbio(l->peer.ssl, memory);
	peer_says(l, "a", 1);
	peer_says(l, "bcdefghijk", 10);
	peer_says(l, bulk, 300);
	assert_int_equal(SSL_shutdown(l->peer.ssl), 0);
	n = BIO_get_mem_data(memory, &p);
	assert_true(n > 0 && (size_t)n <= room);
	memcpy(to, p, (size_t)n);
	return (size_t)n;
}

/* In pieces of @step bytes; with what is read after each there is no more. */
static void
read_in_pieces(struct link *l, size_t step)
{
	char records[1024];
	size_t n_records = hold_records(l, records, sizeof records);
	size_t n = 0;

	for (size_t at = 0; at < n_records; at += step) {
		size_t piece = n_records - at < step ? n_records - at : step;
		size_t got = 1;

		assert_false(l->s.eof);
		assert_int_equal(write(l->peer.fd, records + at, piece), piece);
		assert_int_equal(take_all(l, taken, sizeof taken, &n), OK);
		assert_false(l->s.more);
		assert_int_equal(stream_read(&l->s, taken, 1, &got), OK);
		assert_int_equal(got, 0);
	}
	assert_int_equal(n, 311);
	assert_true(l->s.eof && l->s.clean);
	assert_memory_equal(taken + 11, bulk, 300);
}

static void
records_are_read_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t step = 1; step <= 430; step += step < 60 ? 1 : 37) {
		struct link l;

		link_open(&l, ctx, &leaf, TLS1_3_VERSION);
		memset(taken, 0, 400);
		read_in_pieces(&l, step);
		link_close(&l);
	}
}

static void
what_is_left_inside_is_said_to_be_there(void **state)
{
	size_t got, n = 0;
	struct link l;
	short events;
	bool again;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	peer_says(&l, bulk, 100);
	peer_says(&l, bulk + 100, 100);
	assert_int_equal(stream_read(&l.s, taken, 30, &got), OK);
	assert_int_equal(got, 30);
	stream_wants(&l.s, true, false, &events, &again);
	assert_int_equal(events, EV_READ);
	assert_true(again);
	n = got;
	assert_int_equal(take_all(&l, taken, 200, &n), OK);
	assert_int_equal(n, 200);
	assert_memory_equal(taken, bulk, 200);
	stream_wants(&l.s, true, false, &events, &again);
	assert_false(again);
	link_close(&l);
}

/* What of a record came is inside, and no read gets anything of it. */
static void
half_a_record_is_not_worth_another_read(void **state)
{
	char records[1024];
	struct link l;
	size_t got;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	(void)hold_records(&l, records, sizeof records);
	assert_int_equal(write(l.peer.fd, records, 100), 100);
	assert_int_equal(stream_read(&l.s, taken, 1000, &got), OK);
	assert_int_equal(got, 11);
	assert_false(l.s.more);
	link_close(&l);
}

static void
after_the_peers_end_we_may_go_on(void **state)
{
	struct link l;
	size_t got, put;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	peer_says(&l, "last", 4);
	assert_int_equal(SSL_shutdown(l.peer.ssl), 0);
	assert_int_equal(stream_read(&l.s, taken, 100, &got), OK);
	assert_int_equal(got, 4);
	assert_false(l.s.eof);
	assert_true(l.s.more);
	assert_int_equal(stream_read(&l.s, taken, 100, &got), OK);
	assert_int_equal(got, 0);
	assert_true(l.s.eof && l.s.clean);
	assert_int_equal(
	    stream_write(&l.s, SLICE("still here"), false, &put), OK);
	assert_int_equal(peer_takes(&l, taken, 100), 10);
	link_close(&l);
}

static void
after_our_end_the_peer_may_go_on(void **state)
{
	struct link l;
	size_t got, put;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	stream_end(&l.s);
	stream_end(&l.s);
	assert_int_equal(stream_write(&l.s, SLICE("no"), false, &put), E_IO);
	assert_int_equal(peer_takes(&l, taken, 100), 0);
	assert_int_equal(SSL_get_shutdown(l.peer.ssl), SSL_RECEIVED_SHUTDOWN);
	peer_says(&l, "answer", 6);
	assert_int_equal(stream_read(&l.s, taken, 100, &got), OK);
	assert_int_equal(got, 6);
	assert_memory_equal(taken, "answer", 6);
	link_close(&l);
}

static void
an_end_that_was_not_said_is_not_clean(void **state)
{
	struct link l;
	size_t got;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	peer_says(&l, "cut", 3);
	assert_int_equal(shutdown(l.peer.fd, SHUT_WR), 0);
	assert_int_equal(stream_read(&l.s, taken, 100, &got), OK);
	assert_int_equal(got, 3);
	assert_int_equal(stream_read(&l.s, taken, 100, &got), OK);
	assert_int_equal(got, 0);
	assert_true(l.s.eof);
	assert_false(l.s.clean);
	link_close(&l);
}

static void
what_was_changed_on_the_way_ends_the_stream(void **state)
{
	struct link l;
	char records[1024];
	size_t n, got;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	n = hold_records(&l, records, sizeof records);
	records[n - 100] ^= 1;
	assert_int_equal(write(l.peer.fd, records, n), n);
	assert_int_equal(stream_read(&l.s, taken, 1000, &got), OK);
	assert_int_equal(got, 11);
	assert_memory_equal(taken, "abcdefghijk", 11);
	assert_true(l.s.more);
	assert_int_equal(stream_read(&l.s, taken, 1000, &got), E_IO);
	assert_false(l.s.eof);
	assert_int_equal(stream_write(&l.s, SLICE("x"), false, &got), E_IO);
	link_close(&l);
}

static void
a_fatal_alert_ends_the_stream(void **state)
{
	struct link l;
	size_t got;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	assert_int_equal(write(l.s.fd, "no TLS at all", 13), 13);
	assert_int_equal(peer_takes(&l, taken, 100), 0);
	assert_int_equal(stream_read(&l.s, taken, 100, &got), E_IO);
	assert_int_equal(stream_write(&l.s, SLICE("x"), false, &got), E_IO);
	link_close(&l);
}

/* The peer changes its keys and has us change ours, @times. */
static enum status
change_keys(struct link *l, unsigned times)
{
	enum status st = OK;
	size_t got;

	for (unsigned i = 0; i < times && st == OK; i++) {
		assert_int_equal(
		    SSL_key_update(l->peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		peer_says(l, "x", 1);
		st = stream_read(&l->s, taken, 1, &got);
		if (st == OK)
			assert_int_equal(got, 1);
		(void)peer_takes(l, taken, 1);
	}
	return st;
}

static void
keys_may_change_but_not_for_ever(void **state)
{
	struct link l;
	size_t put;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	/* Tickets came before. */
	assert_int_equal(change_keys(&l, TLS_LATE_MESSAGES_MAX - 2), OK);
	assert_int_equal(stream_write(&l.s, SLICE("new"), false, &put), OK);
	assert_int_equal(peer_takes(&l, taken, 100), 3);
	assert_int_equal(change_keys(&l, 3), E_IO);
	assert_int_equal(stream_write(&l.s, SLICE("x"), false, &put), E_IO);
	link_close(&l);
}

static void
tickets_do_not_come_for_ever(void **state)
{
	enum status st = OK;
	struct link l;
	size_t got;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	for (unsigned i = 0; i < TLS_LATE_MESSAGES_MAX && st == OK; i++) {
		assert_int_equal(SSL_new_session_ticket(l.peer.ssl), 1);
		assert_int_equal(SSL_do_handshake(l.peer.ssl), 1);
		st = stream_read(&l.s, taken, 100, &got);
	}
	assert_int_equal(st, E_IO);
	link_close(&l);
}

/* Heard of and answered by OpenSSL, with a warning each time. */
static void
a_peer_does_not_ask_for_ever_to_negotiate_anew(void **state)
{
	enum status st = OK;
	struct link l;
	size_t got, n = 0;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_2_VERSION);
	for (; n <= TLS_LATE_MESSAGES_MAX && st == OK; n++) {
		(void)SSL_renegotiate(l.peer.ssl);
		(void)SSL_do_handshake(l.peer.ssl);
		ERR_clear_error();
		st = stream_read(&l.s, taken, 100, &got);
	}
	assert_int_equal(st, E_IO);
	link_close(&l);
}

static void
a_late_ticket_is_no_byte_and_no_end(void **state)
{
	struct link l;
	size_t got;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(SSL_new_session_ticket(l.peer.ssl), 1);
		assert_int_equal(SSL_do_handshake(l.peer.ssl), 1);
		assert_int_equal(stream_read(&l.s, taken, 100, &got), OK);
		assert_int_equal(got, 0);
		assert_false(l.s.eof || l.s.more);
	}
	pass_both_ways(&l, 100);
	link_close(&l);
}

static void
an_answer_is_read_although_the_peer_reads_no_more(void **state)
{
	struct link l;
	size_t got, put;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	peer_says(&l, "too large", 9);
	assert_int_equal(shutdown(l.peer.fd, SHUT_RD), 0);
	assert_int_equal(stream_write(&l.s, SLICE("body"), false, &put), E_IO);
	assert_int_equal(stream_read(&l.s, taken, 100, &got), OK);
	assert_int_equal(got, 9);
	assert_memory_equal(taken, "too large", 9);
	link_close(&l);
}

static void
what_is_aborted_says_nothing_more(void **state)
{
	struct link l;
	size_t put;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	stream_abort(&l.s);
	stream_end(&l.s);
	assert_int_equal(stream_write(&l.s, SLICE("x"), false, &put), E_IO);
	stream_close(&l.s);
	assert_int_equal(peer_takes(&l, taken, 100), 0);
	assert_int_equal(SSL_get_shutdown(l.peer.ssl), 0);
	link_close(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_both_ways_in_either_version),
		cmocka_unit_test(records_are_read_however_they_are_cut),
		cmocka_unit_test(what_is_left_inside_is_said_to_be_there),
		cmocka_unit_test(half_a_record_is_not_worth_another_read),
		cmocka_unit_test(after_the_peers_end_we_may_go_on),
		cmocka_unit_test(after_our_end_the_peer_may_go_on),
		cmocka_unit_test(an_end_that_was_not_said_is_not_clean),
		cmocka_unit_test(what_was_changed_on_the_way_ends_the_stream),
		cmocka_unit_test(a_fatal_alert_ends_the_stream),
		cmocka_unit_test(keys_may_change_but_not_for_ever),
		cmocka_unit_test(tickets_do_not_come_for_ever),
		cmocka_unit_test(
		    a_peer_does_not_ask_for_ever_to_negotiate_anew),
		cmocka_unit_test(a_late_ticket_is_no_byte_and_no_end),
		cmocka_unit_test(
		    an_answer_is_read_although_the_peer_reads_no_more),
		cmocka_unit_test(what_is_aborted_says_nothing_more),
	};

	return cmocka_run_group_tests(
	    tests, make_certificates, free_certificates);
}
