/* The service manager's protocols, spoken with a socket of our own. */
#include "tests/unit/test.h"

#include "agent/manager.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char path[] = "/tmp/manager-test-XXXXXX";

static int
listen_as(const char *name, size_t n)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(sun.sun_path, name, n);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&sun,
	        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
	    0);
	return fd;
}

static void
heard(int fd, const char *want)
{
	char text[4096];
	ssize_t n = recv(fd, text, sizeof text, 0);

	assert_true(n >= 0);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(text, want, strlen(want));
}

static void
what_is_said_comes_as_one_datagram(void **state)
{
	char name[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	(void)snprintf(name, sizeof name, "%s/s", path);
	fd = listen_as(name, strlen(name));
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	manager_notify("READY=1\nSTATUS=%s", "serving");
	heard(fd, "READY=1\nSTATUS=serving");
	close(fd);
	/* Nobody listens any more: nothing happens. */
	manager_notify("WATCHDOG=1");
	(void)unlink(name);
	(void)rmdir(path);
}

static void
a_socket_may_have_an_abstract_name(void **state)
{
	char name[64] = "";
	int fd;

	(void)state;
	(void)snprintf(
	    name + 1, sizeof name - 1, "manager-test-%d", (int)getpid());
	fd = listen_as(name, 1 + strlen(name + 1));
	name[0] = '@';
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	manager_notify("STOPPING=1");
	heard(fd, "STOPPING=1");
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	manager_notify("STOPPING=1");
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	manager_notify("STOPPING=1");
	assert_true(recv(fd, name, sizeof name, 0) < 0);
	close(fd);
}

static void
the_watchdog_is_the_process_it_names(void **state)
{
	char pid[16];

	(void)state;
	(void)snprintf(pid, sizeof pid, "%d", (int)getpid());
	(void)unsetenv("WATCHDOG_PID");
	(void)unsetenv("WATCHDOG_USEC");
	assert_int_equal(manager_watchdog_us(), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "15000000", 1), 0);
	assert_int_equal(manager_watchdog_us(), 15000000);
	assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
	assert_int_equal(manager_watchdog_us(), 15000000);
	assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
	assert_int_equal(manager_watchdog_us(), 0);
	assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "often", 1), 0);
	assert_int_equal(manager_watchdog_us(), 0);
}

static void
set_sockets(const char *pid, const char *n, const char *names)
{
	assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
	assert_int_equal(setenv("LISTEN_FDS", n, 1), 0);
	assert_int_equal(setenv("LISTEN_FDNAMES", names, 1), 0);
}

static void
sockets_are_taken_once_and_only_by_the_one_they_are_for(void **state)
{
	char *names = NULL, pid[16];
	size_t n = 9;

	(void)state;
	(void)snprintf(pid, sizeof pid, "%d", (int)getpid());
	assert_true(dup2(0, MANAGER_FDS_START) >= 0);
	assert_true(dup2(0, MANAGER_FDS_START + 1) >= 0);
	set_sockets("1", "2", "proxy:broker");
	assert_int_equal(manager_sockets(&n, &names), OK);
	assert_int_equal(n, 0);
	assert_null(names);
	assert_null(getenv("LISTEN_FDS"));
	set_sockets(pid, "2", "proxy:broker");
	assert_int_equal(manager_sockets(&n, &names), OK);
	assert_int_equal(n, 2);
	assert_string_equal(names, "proxy:broker");
	free(names);
	assert_int_equal(
	    fcntl(MANAGER_FDS_START + 1, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(manager_sockets(&n, &names), OK);
	assert_int_equal(n, 0);
	(void)close(MANAGER_FDS_START + 1);
	set_sockets(pid, "2", "proxy:broker");
	assert_int_equal(manager_sockets(&n, &names), E_INVALID);
	assert_null(getenv("LISTEN_PID"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_comes_as_one_datagram),
		cmocka_unit_test(a_socket_may_have_an_abstract_name),
		cmocka_unit_test(the_watchdog_is_the_process_it_names),
		cmocka_unit_test(
		    sockets_are_taken_once_and_only_by_the_one_they_are_for),
	};

	return cmocka_run_group_tests_name("manager", tests, NULL, NULL);
}
