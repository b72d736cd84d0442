/* What could not be written yet, and what may happen meanwhile. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/tls_peer.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

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

/* Until the sockets are full; returns the bytes that are gone. */
static size_t
write_until_stuck(struct link *l)
{
	size_t put, n = 0;
	enum status st;

	do {
		st = stream_write(&l->s,
		    (struct slice){ bulk + n, sizeof bulk - n }, false, &put);
		n += put;
	} while (st == OK && n < sizeof bulk);
	assert_int_equal(st, E_PARTIAL);
	assert_true(l->s.stuck > 0 && l->s.stuck <= sizeof bulk - n);
	return n;
}

/* From another place in memory, with more after it. */
static void
finish_writing(struct link *l, size_t n)
{
	size_t there = 0, put;
	char *moved = malloc(sizeof bulk);

	assert_non_null(moved);
	memcpy(moved, bulk, sizeof bulk);
	while (there < sizeof bulk) {
		there += peer_takes(l, at_peer + there, sizeof bulk - there);
		if (n == sizeof bulk)
			continue;
		assert_true(stream_write(&l->s,
		                (struct slice){ moved + n, sizeof bulk - n },
		                false, &put) <= E_PARTIAL);
		n += put;
	}
	free(moved);
	assert_int_equal(l->s.stuck, 0);
	assert_memory_equal(at_peer, bulk, sizeof bulk);
}

static void
keys_may_change_while_a_record_is_stuck(void **state)
{
	struct link l;
	size_t n, got;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	n = write_until_stuck(&l);
	assert_int_equal(
	    SSL_key_update(l.peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	peer_says(&l, "new", 3);
	assert_int_equal(stream_read(&l.s, taken, 100, &got), OK);
	assert_int_equal(got, 3);
	finish_writing(&l, n);
	link_close(&l);
}

static void
what_is_stuck_goes_on_when_there_is_room(void **state)
{
	struct link l;
	short events;
	bool again;
	size_t n;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	n = write_until_stuck(&l);
	assert_int_equal(n % 16384, 0);
	stream_wants(&l.s, true, true, &events, &again);
	assert_int_equal(events, EV_READ | EV_WRITE);
	finish_writing(&l, n);
	link_close(&l);
}

static void
with_a_record_stuck_no_end_is_said(void **state)
{
	struct link l;
	size_t n = 0;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	(void)write_until_stuck(&l);
	stream_end(&l.s);
	stream_close(&l.s);
	do
		n = peer_takes(&l, at_peer, sizeof bulk);
	while (n > 0);
	assert_int_equal(
	    SSL_get_shutdown(l.peer.ssl) & SSL_RECEIVED_SHUTDOWN, 0);
	link_close(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stuck_goes_on_when_there_is_room),
		cmocka_unit_test(keys_may_change_while_a_record_is_stuck),
		cmocka_unit_test(with_a_record_stuck_no_end_is_said),
	};

	return cmocka_run_group_tests(
	    tests, make_certificates, free_certificates);
}
