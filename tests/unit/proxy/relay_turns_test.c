/* Relays beside each other: turns of bulk, and what is small between them. */
#include "tests/unit/test.h"

#include "proxy/relay.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What every kernel lets anybody have of room in a socket. */
enum { RELAYS = 100, ROOM_BYTES = 212992 };

/* [0] are ours, the others the relay's. */
struct pair {
	struct relay relay;
	int client[2], upstream[2];
	bool is_bulk, over;
};

static struct {
	struct event_base *base;
	struct relay_pool pool;
	struct pair pairs[RELAYS];
	size_t n;
} world;

static void
on_ended(void *arg, enum close_reason why)
{
	struct pair *p = arg;

	(void)why;
	p->over = true;
	relay_stop(&p->relay);
}

static void
roomy_pair(int fds[2])
{
	const int much = ROOM_BYTES;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF,
		                     &much, sizeof much),
		    0);
}

static const struct relay_calls calls = { .ended = on_ended };

static struct pair *
pair_open(void)
{
	struct pair *p = &world.pairs[world.n++];

	memset(p, 0, sizeof *p);
	roomy_pair(p->client);
	roomy_pair(p->upstream);
	relay_init(&p->relay, &world.pool, p->client[1], p->upstream[1]);
	p->relay.calls = &calls;
	p->relay.arg = p;
	assert_int_equal(relay_start(&p->relay, SLICE("")), OK);
	return p;
}

/* More than a turn's worth comes, and what went through is taken. */
static void
feed(struct pair *p)
{
	static char piece[RELAY_READ_BYTES];

	while (recv(p->client[0], piece, sizeof piece, 0) > 0)
		;
	while (send(p->upstream[0], piece, sizeof piece, 0) > 0)
		;
}

/* One look at the sockets, and what it found. */
static void
turn(void)
{
	for (size_t i = 0; i < world.n; i++)
		if (world.pairs[i].is_bulk)
			feed(&world.pairs[i]);
	(void)event_base_loop(world.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static struct pair *
pair_open_bulk(void)
{
	struct pair *p = pair_open();

	p->is_bulk = true;
	turn();
	assert_true(p->relay.down.bytes > 0);
	return p;
}

static uint64_t
all_bytes_down(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < world.n; i++)
		sum += world.pairs[i].relay.down.bytes;
	return sum;
}

static bool no_memory;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *
__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static int
setup(void **state)
{
	(void)state;
	world.n = 0;
	world.base = event_base_new();
	assert_non_null(world.base);
	relay_pool_init(&world.pool, world.base);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < world.n; i++) {
		struct pair *p = &world.pairs[i];

		relay_stop(&p->relay);
		for (int j = 0; j < 2; j++) {
			(void)close(p->client[j]);
			(void)close(p->upstream[j]);
		}
	}
	relay_pool_release(&world.pool);
	event_base_free(world.base);
	return 0;
}

static void
what_is_small_waits_for_one_turn_of_bulk_at_most(void **state)
{
	struct pair *ping = pair_open();
	uint64_t before;
	char got[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		(void)pair_open_bulk();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(send(ping->client[0], "ping", 4, 0), 4);
		before = all_bytes_down();
		turn();
		assert_int_equal(
		    recv(ping->upstream[0], got, sizeof got, 0), 4);
		assert_in_range(all_bytes_down() - before, 1, RELAY_TURN_BYTES);
	}
}

/* Each of @n flows has @least to @most turns while the loop looks @looks
 * times. */
static void
assert_shares(size_t n, size_t looks, uint64_t least, uint64_t most)
{
	uint64_t before[RELAYS];

	for (size_t i = 0; i < n; i++)
		(void)pair_open_bulk();
	for (size_t i = 0; i < n; i++)
		before[i] = world.pairs[i].relay.down.bytes;
	for (size_t i = 0; i < looks; i++)
		turn();
	for (size_t i = 0; i < n; i++)
		assert_in_range(world.pairs[i].relay.down.bytes - before[i],
		    least * RELAY_TURN_BYTES, most * RELAY_TURN_BYTES);
}

static void
flows_in_bulk_take_turns(void **state)
{
	(void)state;
	assert_shares(3, 3 * 4, 3, 5);
}

/* A look takes longer where many wait, so it is taken for two turns. */
static void
many_flows_in_bulk_have_equal_shares(void **state)
{
	(void)state;
	assert_shares(RELAYS, RELAYS * 2, 3, 5);
}

static void
much_that_is_small_does_not_crowd_bulk_out(void **state)
{
	enum { SMALL = 8 * RELAY_TURNS_OTHERS };
	struct pair *bulk[4];
	uint64_t before;

	(void)state;
	for (int i = 0; i < SMALL; i++)
		(void)pair_open();
	for (size_t i = 0; i < 4; i++)
		bulk[i] = pair_open_bulk();
	turn();
	for (size_t i = 0; i < SMALL; i++)
		assert_int_equal(
		    send(world.pairs[i].client[0], "ping", 4, 0), 4);
	before = all_bytes_down();
	turn();
	assert_in_range(all_bytes_down() - before, 3 * RELAY_TURN_BYTES,
	    4 * RELAY_TURN_BYTES);
	assert_false(bulk[0]->over);
}

/* Then each has its turn when it is ready. */
static void
flows_in_bulk_go_on_without_memory_for_the_queue(void **state)
{
	(void)state;
	no_memory = true;
	assert_shares(3, 4, 3, 4);
	no_memory = false;
	assert_int_equal(world.pool.turns.n, 0);
}

static void
who_is_stopped_while_waiting_has_no_turn(void **state)
{
	struct pair *p[3];
	uint64_t bytes;

	(void)state;
	for (int i = 0; i < 3; i++)
		p[i] = pair_open_bulk();
	turn();
	assert_true(world.pool.turns.n > 0);
	for (int i = 0; i < 3; i++)
		relay_stop(&p[i]->relay);
	assert_int_equal(world.pool.turns.n, 0);
	bytes = all_bytes_down();
	turn();
	turn();
	assert_int_equal(all_bytes_down(), bytes);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_small_waits_for_one_turn_of_bulk_at_most),
		T(flows_in_bulk_take_turns),
		T(many_flows_in_bulk_have_equal_shares),
		T(flows_in_bulk_go_on_without_memory_for_the_queue),
		T(much_that_is_small_does_not_crowd_bulk_out),
		T(who_is_stopped_while_waiting_has_no_turn),
	};
	return cmocka_run_group_tests_name("relay turns", tests, NULL, NULL);
}
