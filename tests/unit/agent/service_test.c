/* What a service manager sees: readiness, activation, signals. */
#include "tests/unit/test.h"

#include "tests/unit/agent/daemon_fixture.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int
listen_unix(const struct lab *l, const char *name, int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	assert_true(fd >= 0);
	(void)snprintf(
	    sun.sun_path, sizeof sun.sun_path, "%s/%s", l->dir, name);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&sun, sizeof sun), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static int
connect_unix(const struct lab *l, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience),
	    0);
	(void)snprintf(
	    sun.sun_path, sizeof sun.sun_path, "%s/%s", l->dir, name);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&sun, sizeof sun), 0);
	return fd;
}

static void
send_text(int fd, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

/* Reads notifications until one holds @word. */
static bool
notified(int fd, const char *word)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[1024];

	while (poll(&p, 1, 5000) == 1) {
		ssize_t n = recv(fd, text, sizeof text - 1, 0);

		if (n < 0)
			return false;
		text[n] = '\0';
		if (strstr(text, word) != NULL)
			return true;
	}
	return false;
}

static void
tells_the_manager_when_it_is_ready_reloads_stops_and_lives(void **state)
{
	struct lab *l = *state;
	char path[128];
	int fd = listen_unix(l, "notify.sock", SOCK_DGRAM);

	(void)snprintf(path, sizeof path, "%s/notify.sock", l->dir);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "300000", 1), 0);
	l->pid = lab_spawn(l);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
	assert_true(notified(fd, "READY=1"));
	assert_true(notified(fd, "WATCHDOG=1"));
	assert_int_equal(kill(l->pid, SIGHUP), 0);
	assert_true(notified(fd, "RELOADING=1\nMONOTONIC_USEC="));
	assert_true(notified(fd, "READY=1"));
	assert_int_equal(kill(l->pid, SIGTERM), 0);
	assert_true(notified(fd, "STOPPING=1"));
	assert_int_equal(lab_wait_exit(l->pid), 0);
	l->pid = 0;
	close(fd);
}

/* As systemd does it: descriptor 3 and its name, for one process. */
static pid_t
spawn_with_socket(const struct lab *l, int fd, const char *name)
{
	pid_t pid = fork();

	if (pid == 0) {
		char own[32];
		struct lab copy = *l;

		(void)snprintf(own, sizeof own, "%d", (int)getpid());
		if (dup2(fd, 3) != 3 || setenv("LISTEN_PID", own, 1) != 0 ||
		    setenv("LISTEN_FDS", "1", 1) != 0 ||
		    setenv("LISTEN_FDNAMES", name, 1) != 0)
			_exit(126);
		lab_exec(&copy);
	}
	return pid;
}

static void
takes_its_sockets_from_the_manager_and_leaves_them(void **state)
{
	struct lab *l = *state;
	int fd = listen_unix(l, "given.sock", SOCK_STREAM);
	int client;
	char path[128], in[512] = "";
	json_t *r;

	l->pid = spawn_with_socket(l, fd, "proxy");
	r = lab_ask(l, json_pack("{s:s}", "verb", "status"));
	assert_non_null(strstr(
	    json_string_value(json_array_get(
	        json_object_get(json_object_get(r, "listeners"), "proxy"), 0)),
	    "given.sock"));
	assert_int_equal(json_array_size(json_object_get(
	                     json_object_get(r, "listeners"), "proxy")),
	    1);
	json_decref(r);
	client = connect_unix(l, "given.sock");
	send_text(client,
	    "CONNECT evil.example:443 HTTP/1.1\r\nHost: "
	    "evil.example:443\r\n\r\n");
	assert_true(recv(client, in, sizeof in - 1, 0) > 0);
	assert_non_null(strstr(in, "Denied HOST_NOT_ALLOWED"));
	close(client);
	lab_stop(l);
	(void)snprintf(path, sizeof path, "%s/given.sock", l->dir);
	assert_int_equal(access(path, F_OK), 0);
	(void)snprintf(path, sizeof path, "%s/control.sock", l->dir);
	assert_int_equal(access(path, F_OK), -1);
	l->pid = spawn_with_socket(l, fd, "surprise");
	assert_int_equal(lab_wait_exit(l->pid), 78);
	l->pid = 0;
	close(fd);
}

static void
ask_connect(int client)
{
	send_text(client,
	    "CONNECT evil.example:443 HTTP/1.1\r\nHost: "
	    "evil.example:443\r\n\r\n");
}

static void
assert_first_record_is_the_start(const struct lab *l)
{
	char path[128], line[4096] = "";
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/audit.jsonl", l->dir);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof line, f));
	assert_int_equal(fclose(f), 0);
	assert_non_null(strstr(line, "\"event\":\"start\""));
}

/* Those who wait in the backlog are the first that a worker could serve. */
static void
serves_nobody_before_its_start_is_recorded(void **state)
{
	enum { CLIENTS = 8 };

	struct lab *l = *state;
	int fd = listen_unix(l, "given.sock", SOCK_STREAM);
	int clients[CLIENTS];
	char in[512];

	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i] = connect_unix(l, "given.sock");
		ask_connect(clients[i]);
	}
	l->pid = spawn_with_socket(l, fd, "proxy");
	for (size_t i = 0; i < CLIENTS; i++)
		assert_true(recv(clients[i], in, sizeof in - 1, 0) > 0);
	assert_first_record_is_the_start(l);
	for (size_t i = 0; i < CLIENTS; i++)
		(void)close(clients[i]);
	lab_stop(l);
	(void)close(fd);
}

static bool
is_answered_with(const struct lab *l, const char *code)
{
	int client = connect_unix(l, "given.sock");
	char in[512];
	ssize_t n;

	ask_connect(client);
	n = recv(client, in, sizeof in - 1, 0);
	(void)close(client);
	assert_true(n > 0);
	in[n] = '\0';
	return strstr(in, code) != NULL;
}

/* The first start made the keys; the second has no room for its record. */
static void
denies_until_its_start_can_be_recorded(void **state)
{
	struct lab *l = *state;
	int fd = listen_unix(l, "given.sock", SOCK_STREAM);
	struct rlimit old, few;
	char path[128];
	bool healed = false;

	l->pid = spawn_with_socket(l, fd, "proxy");
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	lab_stop(l);
	(void)snprintf(path, sizeof path, "%s/audit.jsonl", l->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	few = old;
	few.rlim_cur = 200;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	l->pid = spawn_with_socket(l, fd, "proxy");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(is_answered_with(l, "Denied AUDIT_UNAVAILABLE"));
	assert_int_equal(prlimit(l->pid, RLIMIT_FSIZE, &old, NULL), 0);
	for (int i = 0; i < 100 && !healed; i++) {
		(void)usleep(50000);
		healed = is_answered_with(l, "Denied HOST_NOT_ALLOWED");
	}
	assert_true(healed);
	lab_stop(l);
	(void)close(fd);
}

static void
an_open_request_is_waited_for_and_a_second_signal_ends_at_once(void **state)
{
	struct lab *l = *state;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	int client, dns = socket(AF_INET, SOCK_DGRAM, 0);
	struct timespec tick = { .tv_nsec = 300000000 };

	/* A name server that never answers keeps the request open. */
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
	    bind(dns, (const struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(getsockname(dns, (struct sockaddr *)&sin, &len), 0);
	lab_put_silent_dns(l, ntohs(sin.sin_port));
	l->pid = lab_spawn(l);
	json_decref(lab_ask(l, json_pack("{s:s}", "verb", "status")));
	client = connect_unix(l, "proxy.sock");
	send_text(client,
	    "CONNECT acct1.blob.core.windows.net:443 "
	    "HTTP/1.1\r\nHost: "
	    "acct1.blob.core.windows.net:443\r\n\r\n");
	(void)nanosleep(&tick, NULL);
	assert_int_equal(kill(l->pid, SIGTERM), 0);
	(void)nanosleep(&tick, NULL);
	assert_int_equal(waitpid(l->pid, NULL, WNOHANG), 0);
	assert_int_equal(kill(l->pid, SIGTERM), 0);
	assert_int_equal(lab_wait_exit(l->pid), 0);
	l->pid = 0;
	close(client);
	close(dns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    tells_the_manager_when_it_is_ready_reloads_stops_and_lives,
		    lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(
		    takes_its_sockets_from_the_manager_and_leaves_them,
		    lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(
		    serves_nobody_before_its_start_is_recorded, lab_setup,
		    lab_teardown),
		cmocka_unit_test_setup_teardown(
		    denies_until_its_start_can_be_recorded, lab_setup,
		    lab_teardown),
		cmocka_unit_test_setup_teardown(
		    an_open_request_is_waited_for_and_a_second_signal_ends_at_once,
		    lab_setup, lab_teardown),
	};
	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
