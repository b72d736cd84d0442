/* The relay alone: byte counts, splice, back-pressure, half-close. */
#include "tests/unit/test.h"

#include "proxy/relay.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* client[0] and upstream[0] are ours, the others the relay's. */
struct world {
	struct event_base *base;
	struct relay_pool pool;
	struct relay relay;
	int client[2], upstream[2];
	bool over;
	enum close_reason why;
	unsigned first_bytes;
};

static struct world world;

static void
on_ended(void *arg, enum close_reason why)
{
	struct world *w = arg;

	assert_false(w->over);
	w->over = true;
	w->why = why;
	relay_stop(&w->relay);
}

static void
on_first_byte(void *arg)
{
	((struct world *)arg)->first_bytes++;
}

static const struct relay_calls calls = { .ended = on_ended,
	.first_byte = on_first_byte };

static int
setup(void **state)
{
	struct world *w = &world;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	memset(w, 0, sizeof *w);
	w->base = event_base_new();
	relay_pool_init(&w->pool, w->base);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w->client), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w->upstream),
	    0);
	relay_init(&w->relay, &w->pool, w->client[1], w->upstream[1]);
	w->relay.calls = &calls;
	w->relay.arg = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = &world;

	(void)state;
	relay_stop(&w->relay);
	relay_pool_release(&w->pool);
	for (int i = 0; i < 2; i++) {
		(void)close(w->client[i]);
		(void)close(w->upstream[i]);
	}
	event_base_free(w->base);
	return 0;
}

static void
turn(void)
{
	(void)event_base_loop(world.base, EVLOOP_NONBLOCK);
}

static char
byte_of(size_t i)
{
	return (char)(i * 31 + i / 251);
}

/* Sends what fits of a stream of @total bytes; returns the new offset. */
static size_t
pour(int fd, size_t at, size_t total)
{
	char piece[65536];
	size_t n = total - at < sizeof piece ? total - at : sizeof piece;
	ssize_t sent;

	for (size_t i = 0; i < n; i++)
		piece[i] = byte_of(at + i);
	sent = n == 0 ? 0 : send(fd, piece, n, MSG_NOSIGNAL);
	return sent > 0 ? at + (size_t)sent : at;
}

/* Takes what is there and checks that it is the stream from @at on. */
static size_t
drink(int fd, size_t at, size_t most)
{
	char piece[65536];
	ssize_t n =
	    recv(fd, piece, most < sizeof piece ? most : sizeof piece, 0);

	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(piece[i], byte_of(at + (size_t)i));
	return n > 0 ? at + (size_t)n : at;
}

static void
carry(int from, int to, size_t total, size_t sip)
{
	size_t in = 0, out = 0;

	for (unsigned i = 0; i < 1000000 && out < total; i++) {
		in = pour(from, in, total);
		turn();
		out = drink(to, out, sip);
	}
	assert_int_equal(out, total);
}

static void
every_byte_arrives_in_order_both_ways(void **state)
{
	struct world *w = &world;

	(void)state;
	assert_int_equal(relay_start(&w->relay, SLICE("")), OK);
	carry(w->client[0], w->upstream[0], 3 << 20, 65536);
	carry(w->upstream[0], w->client[0], 5 << 20, 65536);
	assert_int_equal(w->relay.up.bytes, 3 << 20);
	assert_int_equal(w->relay.down.bytes, 5 << 20);
	assert_int_equal(w->first_bytes, 1);
	assert_true(w->relay.moved);
	/* It was bulk, so pipes were used, and they came back empty. */
	assert_true(w->pool.n_pipes > 0);
	assert_false(w->pool.no_splice);
}

static void
a_slow_reader_loses_nothing(void **state)
{
	struct world *w = &world;

	(void)state;
	assert_int_equal(relay_start(&w->relay, SLICE("")), OK);
	carry(w->client[0], w->upstream[0], 1 << 20, 777);
	assert_int_equal(w->relay.up.bytes, 1 << 20);
}

static void
without_splice_it_copies(void **state)
{
	struct world *w = &world;

	(void)state;
	w->pool.no_splice = true;
	assert_int_equal(relay_start(&w->relay, SLICE("")), OK);
	carry(w->client[0], w->upstream[0], 2 << 20, 5000);
	assert_int_equal(w->pool.n_pipes, 0);
}

static void
a_full_receiver_stops_the_reading(void **state)
{
	struct world *w = &world;
	size_t in = 0, before;

	(void)state;
	assert_int_equal(relay_start(&w->relay, SLICE("")), OK);
	for (int i = 0; i < 2000; i++) {
		in = pour(w->client[0], in, 64 << 20);
		turn();
	}
	before = in;
	for (int i = 0; i < 100; i++) {
		in = pour(w->client[0], in, 64 << 20);
		turn();
	}
	assert_int_equal(in, before);
	assert_true(in < 8 << 20);
}

static void
the_first_bytes_go_up_first(void **state)
{
	struct world *w = &world;
	char got[16];

	(void)state;
	assert_int_equal(send(w->client[0], " you", 4, 0), 4);
	assert_int_equal(relay_start(&w->relay, SLICE("hello")), OK);
	turn();
	turn();
	assert_int_equal(recv(w->upstream[0], got, sizeof got, 0), 9);
	assert_memory_equal(got, "hello you", 9);
}

/* What the socket does not take of them is kept, and nothing overtakes it. */
static void
more_first_bytes_than_fit_arrive_in_order(void **state)
{
	enum { FIRST_BYTES = 4 << 20 };
	struct world *w = &world;
	char *first = malloc(FIRST_BYTES), *got = malloc(FIRST_BYTES + 4);
	size_t n = 0;

	(void)state;
	assert_non_null(first);
	assert_non_null(got);
	for (size_t i = 0; i < FIRST_BYTES; i++)
		first[i] = (char)(i * 7 + i / 251);
	assert_int_equal(send(w->client[0], "last", 4, 0), 4);
	assert_int_equal(
	    relay_start(&w->relay, (struct slice){ first, FIRST_BYTES }), OK);
	assert_true(w->relay.up.held != NULL);
	for (int i = 0; i < 5000 && n < FIRST_BYTES + 4; i++) {
		ssize_t k = recv(
		    w->upstream[0], got + n, FIRST_BYTES + 4 - n, MSG_DONTWAIT);

		if (k > 0)
			n += (size_t)k;
		turn();
	}
	assert_int_equal(n, FIRST_BYTES + 4);
	assert_memory_equal(got, first, FIRST_BYTES);
	assert_memory_equal(got + FIRST_BYTES, "last", 4);
	free(first);
	free(got);
}

static void
each_side_ends_on_its_own_and_the_first_is_named(void **state)
{
	struct world *w = &world;
	char got[16];

	(void)state;
	assert_int_equal(relay_start(&w->relay, SLICE("")), OK);
	assert_int_equal(send(w->upstream[0], "bye", 3, 0), 3);
	assert_int_equal(shutdown(w->upstream[0], SHUT_WR), 0);
	turn();
	turn();
	assert_int_equal(recv(w->client[0], got, sizeof got, 0), 3);
	assert_int_equal(recv(w->client[0], got, sizeof got, 0), 0);
	assert_false(w->over);
	assert_int_equal(send(w->client[0], "and you", 7, 0), 7);
	assert_int_equal(shutdown(w->client[0], SHUT_WR), 0);
	turn();
	turn();
	assert_int_equal(recv(w->upstream[0], got, sizeof got, 0), 7);
	assert_true(w->over);
	assert_int_equal(w->why, CLOSE_UPSTREAM);
	assert_int_equal(w->relay.up.bytes, 7);
}

static void
a_receiver_that_is_gone_ends_it(void **state)
{
	struct world *w = &world;

	(void)state;
	assert_int_equal(relay_start(&w->relay, SLICE("")), OK);
	(void)shutdown(w->client[0], SHUT_RD);
	assert_int_equal(send(w->upstream[0], "x", 1, 0), 1);
	turn();
	turn();
	assert_true(w->over);
	assert_int_equal(w->why, CLOSE_CLIENT);
}

static void
an_idle_relay_holds_nothing(void **state)
{
	struct world *w = &world;

	(void)state;
	assert_int_equal(relay_start(&w->relay, SLICE("")), OK);
	carry(w->client[0], w->upstream[0], 1 << 20, 3000);
	turn();
	assert_null(w->relay.up.held);
	assert_null(w->relay.up.pipe);
	assert_null(w->relay.down.pipe);
}

/* Takes all that comes within a few turns, whatever its pieces. */
static void
take_all(int fd, size_t *at, size_t until)
{
	for (int i = 0; i < 1000 && *at < until; i++) {
		turn();
		*at = drink(fd, *at, 65536);
	}
	assert_int_equal(*at, until);
}

/* No more than asked for must be there before the rest is passed on. */
static void
the_small_end_of_much_is_passed_on_at_once(void **state)
{
	enum { MUCH = 300000, MORE = 7 };
	struct world *w = &world;
	size_t in = 0, out = 0;
	char got[8];

	(void)state;
	assert_int_equal(relay_start(&w->relay, SLICE("")), OK);
	for (unsigned round = 1; round <= 3; round++) {
		while (in < round * (MUCH + MORE) - MORE) {
			in = pour(
			    w->upstream[0], in, round * (MUCH + MORE) - MORE);
			turn();
			out = drink(w->client[0], out, 65536);
		}
		take_all(w->client[0], &out, in);
		in = pour(w->upstream[0], in, in + MORE);
		turn();
		out = drink(w->client[0], out, sizeof got);
		assert_int_equal(out, in);
	}
	/* And so is its end. */
	assert_int_equal(shutdown(w->upstream[0], SHUT_WR), 0);
	turn();
	assert_int_equal(recv(w->client[0], got, sizeof got, 0), 0);
}

static void
a_turn_ends_though_more_is_there(void **state)
{
	const int much = 212992; /* every kernel grants it */
	struct world *w = &world;
	size_t in = 0, out = 0, before;

	(void)state;
	assert_int_equal(setsockopt(w->upstream[0], SOL_SOCKET, SO_SNDBUF,
	                     &much, sizeof much),
	    0);
	assert_int_equal(
	    setsockopt(w->client[1], SOL_SOCKET, SO_SNDBUF, &much, sizeof much),
	    0);
	assert_int_equal(relay_start(&w->relay, SLICE("")), OK);
	for (int i = 0; i < 5; i++) {
		while (out < w->relay.down.bytes)
			out = drink(w->client[0], out, in - out);
		while ((before = in) < out + 4 * RELAY_TURN_BYTES &&
		    (in = pour(w->upstream[0], in, SIZE_MAX)) > before)
			;
		assert_true(in > out + RELAY_TURN_BYTES);
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
		assert_in_range(
		    w->relay.down.bytes, out + 1, out + RELAY_TURN_BYTES);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static size_t left;

static size_t
on_room(void *arg, size_t want)
{
	(void)arg;
	return left < want ? left : want;
}

static void
on_spent(void *arg, size_t n)
{
	(void)arg;
	assert_true(n <= left);
	left -= n;
}

static const struct relay_calls metered = {
	.ended = on_ended, .room = on_room, .spent = on_spent
};

/* By copy and by splice: as many bytes as there is room for, and the other
 * way is not counted. */
static void
what_goes_up_ends_with_its_budget_to_the_byte(void **state)
{
	static const size_t budgets[] = { 1, 5, 16384, 16385, 300001, 1000000 };
	const size_t total = 2000000;

	for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
		size_t sent = 0, got = 0, down = 0, answered = 0;

		left = budgets[i];
		world.relay.calls = &metered;
		assert_int_equal(relay_start(&world.relay, SLICE("")), OK);
		for (int n = 0; n < 4000 && !world.over; n++) {
			sent = pour(world.client[0], sent, total);
			down = pour(world.upstream[0], down, 3000);
			turn();
			got = drink(world.upstream[0], got, total);
			answered = drink(world.client[0], answered, total);
		}
		for (int n = 0; n < 100; n++)
			got = drink(world.upstream[0], got, total);
		assert_true(world.over);
		assert_int_equal(world.why, CLOSE_BUDGET);
		assert_int_equal(got, budgets[i]);
		assert_int_equal(world.relay.up.bytes, budgets[i]);
		assert_int_equal(left, 0);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

/* Who sends no more may still read; a clean end is one. */
static void
a_spent_budget_hinders_no_download(void **state)
{
	size_t down = 0, answered = 0;

	(void)state;
	left = 3;
	world.relay.calls = &metered;
	assert_int_equal(relay_start(&world.relay, SLICE("abcd")), E_LIMIT);
	assert_int_equal(relay_start(&world.relay, SLICE("abc")), OK);
	assert_int_equal(left, 0);
	for (int n = 0; n < 4000 && answered < 200000; n++) {
		down = pour(world.upstream[0], down, 200000);
		turn();
		answered = drink(world.client[0], answered, 200000);
	}
	assert_int_equal(answered, 200000);
	assert_false(world.over);
	assert_int_equal(shutdown(world.client[0], SHUT_WR), 0);
	assert_int_equal(shutdown(world.upstream[0], SHUT_WR), 0);
	for (int n = 0; n < 100 && !world.over; n++)
		turn();
	assert_true(world.over);
	assert_int_not_equal(world.why, CLOSE_BUDGET);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_byte_arrives_in_order_both_ways),
		T(a_slow_reader_loses_nothing),
		T(without_splice_it_copies),
		T(a_full_receiver_stops_the_reading),
		T(the_first_bytes_go_up_first),
		T(more_first_bytes_than_fit_arrive_in_order),
		T(each_side_ends_on_its_own_and_the_first_is_named),
		T(a_receiver_that_is_gone_ends_it),
		T(an_idle_relay_holds_nothing),
		T(the_small_end_of_much_is_passed_on_at_once),
		T(a_turn_ends_though_more_is_there),
		T(what_goes_up_ends_with_its_budget_to_the_byte),
		T(a_spent_budget_hinders_no_download),
	};
	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
