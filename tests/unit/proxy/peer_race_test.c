/* The client leaves while the kernel is asked who it is. */
#include "tests/unit/test.h"

#include "proxy/proxy.h"
#include "proxy/sock_diag.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

/* All on one loopback; asking: what happens just before the question. */
static struct {
	int listener, client, server;
	void (*asking)(void);
} world;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
enum status __real_sock_diag_lookup(struct sock_diag *s,
    const struct sock_diag_end *local, const struct sock_diag_end *remote,
    struct sock_diag_owner *out);
enum status __wrap_sock_diag_lookup(struct sock_diag *s,
    const struct sock_diag_end *local, const struct sock_diag_end *remote,
    struct sock_diag_owner *out);

enum status
__wrap_sock_diag_lookup(struct sock_diag *s, const struct sock_diag_end *local,
    const struct sock_diag_end *remote, struct sock_diag_owner *out)
{
	if (world.asking != NULL)
		world.asking();
	return __real_sock_diag_lookup(s, local, remote, out);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void
bind_to(int fd, in_port_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = port };

	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&sin, sizeof sin), 0);
}

static struct sockaddr_in
name_of(int fd)
{
	struct sockaddr_in sin;
	socklen_t n = sizeof sin;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &n), 0);
	return sin;
}

/* A client at @port of its own, 0: any. */
static void
come(in_port_t port)
{
	struct sockaddr_in to = name_of(world.listener);

	world.client = socket(AF_INET, SOCK_STREAM, 0);
	bind_to(world.client, port);
	assert_int_equal(
	    connect(world.client, (const struct sockaddr *)&to, sizeof to), 0);
}

static int
setup(void **state)
{
	(void)state;
	world.asking = NULL;
	world.listener = socket(AF_INET, SOCK_STREAM, 0);
	bind_to(world.listener, 0);
	assert_int_equal(listen(world.listener, 4), 0);
	come(0);
	world.server = accept(world.listener, NULL, NULL);
	assert_true(world.server >= 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)close(world.client);
	(void)close(world.server);
	(void)close(world.listener);
	return 0;
}

static bool
is_known(void)
{
	struct peer_source *s = NULL;
	struct peer_facts facts;

	assert_int_equal(peer_source_create("/nonexistent", false, &s), OK);
	peer_source_lookup(s, world.server, &facts);
	peer_source_destroy(s);
	return facts.peer.known;
}

/* The client resets, and somebody else gets its port, to the same listener. */
static void
port_changes_hands(void)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct sockaddr_in was = name_of(world.client);

	assert_int_equal(setsockopt(world.client, SOL_SOCKET, SO_LINGER, &reset,
	                     sizeof reset),
	    0);
	(void)close(world.client);
	come(was.sin_port);
}

static void
who_takes_over_the_port_is_not_taken_for_the_client(void **state)
{
	(void)state;
	assert_true(is_known());
	world.asking = port_changes_hands;
	assert_false(is_known());
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_takes_over_the_port_is_not_taken_for_the_client),
	};
	return cmocka_run_group_tests_name("peer races", tests, NULL, NULL);
}
