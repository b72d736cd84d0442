/* What a tunnel keeps while it is idle, in bytes that were asked for. */
#include "tests/unit/proxy/connect_steps.h"

#include <stdlib.h>

enum {
	BLOCKS_MAX = 4096,
	/* docs/performance.md has a bar for all of it: blocks, their heads,
	 * and what libevent adds. */
	IDLE_BYTES_MAX = 768,
};

/* Every block of the proxy's that lives. */
static struct {
	void *p;
	size_t n;
} blocks[BLOCKS_MAX];

static size_t n_blocks, live_bytes;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __real_free(void *p);
void __wrap_free(void *p);

static void *
note(void *p, size_t n)
{
	if (p == NULL)
		return NULL;
	assert_true(n_blocks < BLOCKS_MAX);
	blocks[n_blocks].p = p;
	blocks[n_blocks++].n = n;
	live_bytes += n;
	return p;
}

/* Also of blocks that others made: those were never counted. */
static void
forget(void *p)
{
	for (size_t i = n_blocks; p != NULL && i > 0; i--) {
		if (blocks[i - 1].p != p)
			continue;
		live_bytes -= blocks[i - 1].n;
		blocks[i - 1] = blocks[--n_blocks];
		return;
	}
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return note(__real_calloc(n, size), n * size);
}

void *
__wrap_malloc(size_t size)
{
	return note(__real_malloc(size), size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	forget(p);
	return note(__real_realloc(p, size), size);
}

void
__wrap_free(void *p)
{
	forget(p);
	__real_free(p);
}

/* One is open already, so that only what each one costs is counted. */
static void
assert_idle_tunnel_is_small(int (*open_one)(void))
{
	int first = open_one(), first_upstream = fake.upstream, second;
	size_t before = live_bytes, blocks_before = n_blocks;

	second = open_one();
	assert_true(n_blocks > blocks_before);
	assert_in_range(live_bytes - before, 1, IDLE_BYTES_MAX);
	(void)close(first);
	(void)close(first_upstream);
	(void)close(second);
}

static void
an_idle_tunnel_keeps_only_what_its_end_needs(void **state)
{
	(void)state;
	assert_idle_tunnel_is_small(open_tunnel);
}

static int
open_socks(void)
{
	char got[4096];
	int fd = fake_client();

	fake_say(fd, "\5\1\0\5\1\0\3\6a.test\1\xbb", 16);
	say_hello(fd, SLICE("a.test"));
	assert_true(fake_hear(fake.upstream, got, sizeof got) > 40);
	return fd;
}

static void
so_does_one_that_came_by_socks(void **state)
{
	(void)state;
	assert_idle_tunnel_is_small(open_socks);
}

static int
open_any(void)
{
	int fd = fake_client();

	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	return fd;
}

static void
so_does_one_that_shows_no_hello(void **state)
{
	(void)state;
	fake.sni_any = true;
	assert_idle_tunnel_is_small(open_any);
}

static int
open_busy(void)
{
	static char bulk[1 << 20];
	char got[65536];
	int fd = open_tunnel();

	assert_true(send(fd, bulk, sizeof bulk, MSG_DONTWAIT) > 0);
	for (int i = 0; i < 20; i++) {
		fake_run();
		while (recv(fake.upstream, got, sizeof got, MSG_DONTWAIT) > 0)
			continue;
	}
	return fd;
}

static void
so_does_one_that_was_busy(void **state)
{
	(void)state;
	assert_idle_tunnel_is_small(open_busy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_idle_tunnel_keeps_only_what_its_end_needs),
		T(so_does_one_that_came_by_socks),
		T(so_does_one_that_shows_no_hello),
		T(so_does_one_that_was_busy),
	};
	return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
