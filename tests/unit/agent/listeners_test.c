#include "tests/unit/test.h"

#include "agent/listeners.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3 };

struct fixture {
	char dir[2][64]; /* two runtime folders, as of two daemons */
	struct config *config[2];
	uint16_t port;
};

/* A socket on a free port, closed by the caller. */
static int
bind_free(uint16_t *port, bool reuse_port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (reuse_port)
		assert_int_equal(
		    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one),
		    0);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

static struct config *
config_of(const char *dir, uint16_t port)
{
	static struct policy_issues issues;
	struct config *c = NULL;
	char text[512];

	(void)snprintf(text, sizeof text,
	    "{\"version\": 1, \"runtime_dir\": \"%s\", \"listen\": "
	    "{\"proxy\": [\"127.0.0.1:%u\"]}}",
	    dir, (unsigned)port);
	assert_int_equal(
	    config_parse(slice_of(text), "/etc/w/w.json", &c, &issues), OK);
	return c;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	close(bind_free(&f->port, false));
	for (int i = 0; i < 2; i++) {
		(void)snprintf(
		    f->dir[i], sizeof f->dir[i], "/tmp/wayleave-l-XXXXXX");
		assert_non_null(mkdtemp(f->dir[i]));
		f->config[i] = config_of(f->dir[i], f->port);
	}
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char path[128];

	for (int i = 0; i < 2; i++) {
		(void)snprintf(
		    path, sizeof path, "%s/wayleaved.lock", f->dir[i]);
		(void)unlink(path);
		assert_int_equal(rmdir(f->dir[i]), 0);
		config_destroy(f->config[i]);
	}
	free(f);
	return 0;
}

static void
each_worker_gets_its_own_socket_of_one_port(void **state)
{
	struct fixture *f = *state;
	struct listeners l;
	struct status_detail detail;

	assert_int_equal(
	    listeners_open(f->config[0], WORKERS, &l, &detail), OK);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.at[0].n_fds, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++) {
		int fd = listener_take(&l.at[0], i);
		int listening = 0;
		socklen_t len = sizeof listening;

		assert_true(fd >= 0);
		assert_int_equal(
		    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len),
		    0);
		assert_int_equal(listening, 1);
		close(fd);
	}
	listeners_close(&l);
}

static void
a_taken_port_fails_although_its_owner_would_share_it(void **state)
{
	struct fixture *f = *state;
	struct listeners l;
	struct status_detail detail;
	struct config *c;
	uint16_t port;
	int other = bind_free(&port, true);

	assert_int_equal(listen(other, 1), 0);
	c = config_of(f->dir[0], port);
	assert_int_equal(listeners_open(c, WORKERS, &l, &detail), E_BUSY);
	assert_non_null(strstr(detail.text, "another program has it"));
	close(other);
	assert_int_equal(listeners_open(c, WORKERS, &l, &detail), OK);
	listeners_close(&l);
	config_destroy(c);
}

static void
a_second_daemon_gets_neither_the_lock_nor_the_port(void **state)
{
	struct fixture *f = *state;
	struct listeners first, second;
	struct status_detail detail;

	assert_int_equal(
	    listeners_open(f->config[0], WORKERS, &first, &detail), OK);
	assert_int_equal(
	    listeners_open(f->config[0], WORKERS, &second, &detail), E_BUSY);
	assert_non_null(strstr(detail.text, "wayleaved.lock"));
	assert_int_equal(
	    listeners_open(f->config[1], WORKERS, &second, &detail), E_BUSY);
	assert_non_null(strstr(detail.text, "listen.proxy"));
	listeners_close(&first);
	assert_int_equal(
	    listeners_open(f->config[0], WORKERS, &second, &detail), OK);
	listeners_close(&second);
}

static struct config *
config_of_socket(const char *dir)
{
	static struct policy_issues issues;
	struct config *c = NULL;
	char text[512];

	(void)snprintf(text, sizeof text,
	    "{\"version\": 1, \"runtime_dir\": \"%s\", \"listen\": "
	    "{\"proxy\": [\"unix:/tmp/wayleave-l-%d.sock\"]}}",
	    dir, (int)getpid());
	assert_int_equal(
	    config_parse(slice_of(text), "/etc/w/w.json", &c, &issues), OK);
	return c;
}

static void
a_second_daemon_leaves_the_socket_of_the_first_alone(void **state)
{
	struct fixture *f = *state;
	struct config *c[2] = { config_of_socket(f->dir[0]),
		config_of_socket(f->dir[1]) };
	struct listeners first, second;
	struct status_detail detail;

	assert_int_equal(listeners_open(c[0], WORKERS, &first, &detail), OK);
	assert_int_equal(
	    listeners_open(c[1], WORKERS, &second, &detail), E_BUSY);
	assert_int_equal(access(c[0]->proxy.at[0].path, F_OK), 0);
	listeners_close(&first);
	assert_int_not_equal(access(c[0]->proxy.at[0].path, F_OK), 0);
	config_destroy(c[0]);
	config_destroy(c[1]);
}

/* Exits with what a daemon makes of one inherited socket on @address. */
static void
open_inherited(const char *dir, uint32_t address, bool unsafe)
{
	static struct policy_issues issues;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct status_detail detail = { "" };
	struct listeners l;
	struct config *c = NULL;
	char text[256], pid[24];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(address);
	(void)snprintf(text, sizeof text,
	    "{\"version\": 1, \"runtime_dir\": \"%s\", \"unsafe_listen\": "
	    "%s}",
	    dir, unsafe ? "true" : "false");
	(void)snprintf(pid, sizeof pid, "%d", (int)getpid());
	if (bind(fd, (const struct sockaddr *)&sin, sizeof sin) != 0 ||
	    listen(fd, 1) != 0 || dup2(fd, 3) != 3 ||
	    setenv("LISTEN_PID", pid, 1) != 0 ||
	    setenv("LISTEN_FDS", "1", 1) != 0 ||
	    setenv("LISTEN_FDNAMES", "proxy", 1) != 0 ||
	    config_parse(slice_of(text), "/etc/w/w.json", &c, &issues) != OK)
		_exit(100);
	_exit((int)listeners_open(c, WORKERS, &l, &detail));
}

static int
inherited(const char *dir, uint32_t address, bool unsafe)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		open_inherited(dir, address, unsafe);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
an_inherited_socket_for_other_machines_is_as_unsafe_as_ours(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(inherited(f->dir[0], INADDR_LOOPBACK, false), OK);
	assert_int_equal(inherited(f->dir[0], INADDR_ANY, false), E_INVALID);
	assert_int_equal(inherited(f->dir[0], INADDR_ANY, true), OK);
}

static void
set_gateway(struct config *c, size_t i, uint16_t port)
{
	struct config_listen *l = &c->gateways[i].listen;

	(void)snprintf(l->name, sizeof l->name, "127.0.0.1:%u", port);
	assert_int_equal(
	    addr_port_parse(slice_of(l->name), &l->addr, &l->port), OK);
}

static void
set_unix_gateway(struct config *c, size_t i, const char *dir)
{
	struct config_listen *l = &c->gateways[i].listen;

	(void)snprintf(l->path, sizeof l->path, "%s/g.sock", dir);
	(void)snprintf(l->name, sizeof l->name, "unix:%s", l->path);
}

/* Whether somebody listens on @port now. */
static bool
is_open(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool open;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	open = connect(fd, (const struct sockaddr *)&sin, sizeof sin) == 0;
	close(fd);
	return open;
}

static void
gateways_are_bound_beside_the_rest_and_let_go(void **state)
{
	struct fixture *f = *state;
	struct config *c = f->config[0];
	struct listeners_change *change = NULL;
	struct listeners l;
	struct status_detail detail;
	uint16_t port;

	close(bind_free(&port, false));
	c->n_gateways = 1;
	set_gateway(c, 0, port);
	assert_int_equal(listeners_open(c, WORKERS, &l, &detail), OK);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.at[1].role, LISTEN_GATEWAY);
	assert_int_equal(l.at[1].n_fds, WORKERS);
	/* One more: there before it is taken up, and gone when it is not. */
	c->n_gateways = 2;
	set_unix_gateway(c, 1, f->dir[0]);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    listeners_prepare(&l, c, WORKERS, &change, &detail), OK);
		assert_int_equal(change->first_added, 2);
		assert_int_equal(change->next.n, 3);
		assert_int_equal(access(c->gateways[1].listen.path, F_OK), 0);
		if (i == 0) {
			listeners_abandon(change);
			assert_int_equal(l.n, 2);
			assert_int_equal(
			    access(c->gateways[1].listen.path, F_OK), -1);
		}
	}
	listeners_commit(&l, change);
	assert_int_equal(l.n, 3);
	/* Without the first: its port is free, the others are untouched. */
	c->gateways[0] = c->gateways[1];
	c->n_gateways = 1;
	assert_true(is_open(port));
	assert_int_equal(
	    listeners_prepare(&l, c, WORKERS, &change, &detail), OK);
	assert_true(is_open(port));
	listeners_commit(&l, change);
	assert_false(is_open(port));
	assert_true(is_open(f->port));
	assert_int_equal(l.n, 2);
	assert_int_equal(access(c->gateways[0].listen.path, F_OK), 0);
	listeners_close(&l);
	assert_int_equal(access(c->gateways[0].listen.path, F_OK), -1);
}

static void
a_gateway_that_cannot_be_bound_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct config *c = f->config[0];
	struct listeners_change *change = NULL;
	struct listeners l;
	struct status_detail detail;
	uint16_t port;
	int fd = bind_free(&port, true);

	assert_int_equal(listeners_open(c, WORKERS, &l, &detail), OK);
	c->n_gateways = 2;
	set_unix_gateway(c, 0, f->dir[0]);
	set_gateway(c, 1, port);
	assert_int_equal(
	    listeners_prepare(&l, c, WORKERS, &change, &detail), E_BUSY);
	assert_non_null(strstr(detail.text, "; another program has it"));
	assert_int_equal(access(c->gateways[0].listen.path, F_OK), -1);
	close(fd);
	/* Our own proxy's, which a new `listen` does not free. */
	set_gateway(c, 1, f->port);
	assert_int_equal(
	    listeners_prepare(&l, c, WORKERS, &change, &detail), E_BUSY);
	assert_non_null(strstr(detail.text, "the proxy listener has this"));
	assert_null(change);
	assert_int_equal(l.n, 1);
	assert_true(is_open(f->port));
	listeners_close(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    gateways_are_bound_beside_the_rest_and_let_go, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_gateway_that_cannot_be_bound_changes_nothing, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    each_worker_gets_its_own_socket_of_one_port, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_taken_port_fails_although_its_owner_would_share_it, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_second_daemon_gets_neither_the_lock_nor_the_port, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_second_daemon_leaves_the_socket_of_the_first_alone, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    an_inherited_socket_for_other_machines_is_as_unsafe_as_ours,
		    setup, teardown),
	};
	return cmocka_run_group_tests_name("listeners", tests, NULL, NULL);
}
