/* A stream behind readiness events: what it leaves of the loop to others. */
#include "tests/unit/test.h"

#include "proxy/forward_side.h"
#include "tests/unit/proxy/tls_peer.h"

#include <sys/socket.h>
#include <unistd.h>

enum { PIECE_BYTES = 64, BYTES = 16000 };

static struct pki_cert root, leaf;
static struct tls_client_ctx *ctx;
static struct event_base *base;
static char bytes[BYTES];

/* Who reads a piece at a time, and how often in one turn of the loop. */
static struct reader {
	struct forward_side side;
	size_t total;
	unsigned calls;
} reader;

static int
make_all(void **state)
{
	(void)state;
	pki_make(&(struct pki_spec){ .name = "root", .is_ca = true }, &root);
	pki_make(
	    &(struct pki_spec){
	        .name = "a server", .san = "DNS:" LINK_HOST, .issuer = &root },
	    &leaf);
	ctx = peer_client_ctx(&root);
	base = event_base_new();
	assert_non_null(base);
	return 0;
}

static int
free_all(void **state)
{
	(void)state;
	event_base_free(base);
	tls_client_ctx_destroy(ctx);
	pki_free(&leaf);
	pki_free(&root);
	return 0;
}

static void
reader_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct reader *r = arg;
	char piece[PIECE_BYTES];
	const struct forward_scratch via = { piece, sizeof piece };
	size_t got = 0;

	(void)fd;
	r->calls++;
	if (stream_may_read(&r->side.s, what))
		assert_int_equal(forward_side_read(&r->side, &via, &got), OK);
	r->total += got;
	buf_consume(&r->side.in, got);
	assert_int_equal(forward_side_arm(&r->side, true), OK);
}

static void
reader_open(struct link *l)
{
	link_open(l, ctx, &leaf, TLS1_3_VERSION);
	reader = (struct reader){ .total = 0 };
	forward_side_init(&reader.side, PIECE_BYTES, PIECE_BYTES);
	forward_side_open(&reader.side, base, l->s, reader_on_event, &reader);
	l->s = stream_plain(-1);
	assert_int_equal(forward_side_arm(&reader.side, true), OK);
}

static void
what_is_left_inside_waits_for_the_next_turn(void **state)
{
	struct link l;
	unsigned turns = 0;

	(void)state;
	reader_open(&l);
	peer_says(&l, bytes, sizeof bytes);
	while (reader.total < sizeof bytes && turns++ < 1000) {
		reader.calls = 0;
		assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
		assert_true(reader.calls <= 2);
	}
	assert_int_equal(reader.total, sizeof bytes);
	forward_side_release(&reader.side);
	link_close(&l);
}

static void
what_waits_for_a_turn_does_not_outlive_the_side(void **state)
{
	struct link l;

	(void)state;
	reader_open(&l);
	peer_says(&l, bytes, sizeof bytes);
	assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
	assert_true(reader.side.s.more);
	reader.calls = 0;
	forward_side_release(&reader.side);
	assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
	assert_int_equal(reader.calls, 0);
	link_close(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_inside_waits_for_the_next_turn),
		cmocka_unit_test(
		    what_waits_for_a_turn_does_not_outlive_the_side),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
