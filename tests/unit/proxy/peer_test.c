/* Real sockets: the kernel is asked who this test is. */
#include "tests/unit/test.h"

#include "proxy/cgroup.h"
#include "proxy/proxy.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct pair {
	int listener, client, server;
};

static struct peer_source *
make_source(bool exe_lookup)
{
	struct peer_source *s = NULL;

	assert_int_equal(
	    peer_source_create("/nonexistent", exe_lookup, &s), OK);
	return s;
}

static void
copy_sockaddr(struct sockaddr_storage *ss, const void *sa, size_t n)
{
	memset(ss, 0, sizeof *ss);
	memcpy(ss, sa, n);
}

static struct sockaddr_storage
loopback(int family, bool mapped)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_storage ss;

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v6.sin6_addr = in6addr_loopback;
	if (mapped)
		assert_int_equal(
		    inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr), 1);
	if (family == AF_INET)
		copy_sockaddr(&ss, &v4, sizeof v4);
	else
		copy_sockaddr(&ss, &v6, sizeof v6);
	return ss;
}

/* @client_mapped: an IPv6 socket that reaches an IPv4 listener. */
static bool
connect_pair(int family, bool client_mapped, struct pair *p)
{
	struct sockaddr_storage ss = loopback(family, false);
	socklen_t n = sizeof ss;
	int client_family = client_mapped ? AF_INET6 : family;

	p->listener = socket(family, SOCK_STREAM, 0);
	if (p->listener < 0 ||
	    bind(p->listener, (struct sockaddr *)&ss, n) != 0)
		return false;
	assert_int_equal(listen(p->listener, 4), 0);
	assert_int_equal(
	    getsockname(p->listener, (struct sockaddr *)&ss, &n), 0);
	if (client_mapped) {
		struct sockaddr_in6 to;
		struct sockaddr_storage mapped = loopback(AF_INET6, true);

		memcpy(&to, &mapped, sizeof to);
		to.sin6_port = ((struct sockaddr_in *)&ss)->sin_port;
		copy_sockaddr(&ss, &to, sizeof to);
		n = sizeof to;
	}
	p->client = socket(client_family, SOCK_STREAM, 0);
	assert_true(p->client >= 0);
	assert_int_equal(connect(p->client, (struct sockaddr *)&ss, n), 0);
	p->server = accept(p->listener, NULL, NULL);
	assert_true(p->server >= 0);
	return true;
}

static void
close_pair(struct pair *p)
{
	(void)close(p->client);
	(void)close(p->server);
	(void)close(p->listener);
}

static void
assert_self(const struct peer_facts *facts)
{
	assert_true(facts->peer.known);
	assert_int_equal(facts->peer.uid, getuid());
	assert_int_equal(facts->peer.pid, 0);
	assert_string_equal(facts->peer.user, "");
	assert_string_equal(facts->peer.exe, "");
	/* The source's folder is no cgroup2, and sock_diag names no program. */
	assert_true(facts->peer.cgroup_unknown);
	assert_true(facts->peer.exe_unknown);
}

static void
names_the_owner_of_a_loopback_connection(void **state)
{
	struct peer_source *s = make_source(true);
	struct peer_facts facts;
	struct pair p;

	(void)state;
	assert_true(connect_pair(AF_INET, false, &p));
	peer_source_lookup(s, p.server, &facts);
	assert_self(&facts);
	assert_true(peer_still_connected(p.server));
	close_pair(&p);
	if (connect_pair(AF_INET6, false, &p)) {
		peer_source_lookup(s, p.server, &facts);
		assert_self(&facts);
		close_pair(&p);
		assert_true(connect_pair(AF_INET, true, &p));
		peer_source_lookup(s, p.server, &facts);
		assert_self(&facts);
		close_pair(&p);
	}
	peer_source_destroy(s);
}

static void
a_client_that_has_closed_is_unknown(void **state)
{
	struct peer_source *s = make_source(false);
	struct peer_facts facts;
	struct pair p;

	(void)state;
	assert_true(connect_pair(AF_INET, false, &p));
	(void)close(p.client);
	peer_source_lookup(s, p.server, &facts);
	assert_false(facts.peer.known);
	assert_int_equal(facts.peer.uid, 0);
	p.client = -1;
	close_pair(&p);
	peer_source_lookup(s, -1, &facts);
	assert_false(facts.peer.known);
	peer_source_destroy(s);
}

static void
a_reset_connection_is_not_connected(void **state)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct pair p;

	(void)state;
	assert_true(connect_pair(AF_INET, false, &p));
	assert_int_equal(
	    setsockopt(p.client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset),
	    0);
	(void)close(p.client);
	assert_false(peer_still_connected(p.server));
	p.client = -1;
	close_pair(&p);
}

/* A child of another uid connects and waits for us to look. */
static void
hold_connection(
    const struct sockaddr_storage *ss, uid_t uid, int ready, int release)
{
	char c = 'x';
	int fd;

	if (setresuid(uid, uid, uid) != 0)
		_exit(2);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)ss,
	        sizeof(struct sockaddr_in)) != 0 ||
	    write(ready, &c, 1) != 1 || read(release, &c, 1) < 0)
		_exit(3);
	_exit(0);
}

static bool
look_at_uid(struct peer_source *s, uid_t uid, struct peer_facts *facts)
{
	struct sockaddr_storage ss = loopback(AF_INET, false);
	socklen_t n = sizeof(struct sockaddr_in);
	int ready[2], release[2], listener, server, how;
	char c;
	pid_t pid;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&ss, n), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&ss, &n), 0);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(release), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		hold_connection(&ss, uid, ready[1], release[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	server = accept(listener, NULL, NULL);
	peer_source_lookup(s, server, facts);
	assert_int_equal(write(release[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	(void)close(server);
	(void)close(listener);
	for (int i = 0; i < 2; i++) {
		(void)close(ready[i]);
		(void)close(release[i]);
	}
	return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

static void
another_uid_is_told_apart_and_nobody_is_unknown(void **state)
{
	struct peer_source *s;
	struct peer_facts facts;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become somebody else */
	s = make_source(false);
	assert_true(look_at_uid(s, 12345, &facts));
	assert_true(facts.peer.known);
	assert_int_equal(facts.peer.uid, 12345);
	assert_true(look_at_uid(s, 65534, &facts));
	assert_false(facts.peer.known);
	peer_source_destroy(s);
}

enum { RACES = 1000, STRANGER_UID = 12345 };

static void
connect_and_close(const struct sockaddr_storage *ss)
{
	if (setresuid(STRANGER_UID, STRANGER_UID, STRANGER_UID) != 0)
		_exit(2);
	for (int i = 0; i < RACES; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0 ||
		    connect(fd, (const struct sockaddr *)ss,
		        sizeof(struct sockaddr_in)) != 0)
			_exit(3);
		(void)close(fd);
	}
	_exit(0);
}

/* What has closed is nobody's, and the kernel says uid 0 of it. */
static void
a_client_that_closes_at_once_is_never_taken_for_root(void **state)
{
	struct sockaddr_storage ss = loopback(AF_INET, false);
	socklen_t n = sizeof(struct sockaddr_in);
	struct peer_source *s;
	struct peer_facts facts;
	int listener, how;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become somebody else */
	s = make_source(false);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&ss, n), 0);
	assert_int_equal(listen(listener, RACES), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&ss, &n), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		connect_and_close(&ss);
	for (int i = 0; i < RACES; i++) {
		int server = accept(listener, NULL, NULL);

		assert_true(server >= 0);
		peer_source_lookup(s, server, &facts);
		assert_true(
		    !facts.peer.known || facts.peer.uid == STRANGER_UID);
		(void)close(server);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
	(void)close(listener);
	peer_source_destroy(s);
}

/* shutdown(2) sends the same FIN as close(2): only the kernel can tell. */
static void
a_client_that_left_is_told_from_one_that_waits(void **state)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct peer_source *s = make_source(false);
	struct pair p;

	(void)state;
	for (int how = 0; how < 3; how++) {
		assert_true(connect_pair(AF_INET, how == 2, &p));
		assert_false(peer_has_left(s, p.server));
		assert_int_equal(send(p.client, "x", 1, 0), 1);
		assert_int_equal(shutdown(p.client, SHUT_WR), 0);
		assert_false(peer_has_left(s, p.server));
		if (how == 1)
			assert_int_equal(setsockopt(p.client, SOL_SOCKET,
			                     SO_LINGER, &reset, sizeof reset),
			    0);
		(void)close(p.client);
		assert_true(peer_has_left(s, p.server));
		p.client = -1;
		close_pair(&p);
	}
	peer_source_destroy(s);
}

static void
a_unix_client_that_left_is_told_from_one_that_waits(void **state)
{
	struct peer_source *s = make_source(false);
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_false(peer_has_left(s, fds[0]));
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	assert_false(peer_has_left(s, fds[0]));
	(void)close(fds[1]);
	assert_true(peer_has_left(s, fds[0]));
	(void)close(fds[0]);
	peer_source_destroy(s);
}

static void
a_unix_peer_has_uid_and_pid(void **state)
{
	struct peer_source *s = make_source(true);
	struct peer_facts facts;
	char self[512];
	ssize_t n;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	peer_source_lookup(s, fds[0], &facts);
	assert_true(facts.peer.known);
	assert_int_equal(facts.peer.uid, getuid());
	assert_int_equal(facts.peer.pid, getpid());
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	assert_true(n > 0);
	self[n] = '\0';
	assert_string_equal(facts.peer.exe, self);
	(void)close(fds[0]);
	(void)close(fds[1]);
	peer_source_destroy(s);
}

/* The child made the pair, so it is what SO_PEERCRED names; it ends. */
static void
a_unix_peer_that_has_ended_is_unknown(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct peer_source *s = make_source(false);
	struct peer_facts facts;
	int listener, server, how;
	socklen_t n = sizeof(sa_family_t);
	pid_t pid;

	(void)state;
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sun, n), 0);
	n = sizeof sun;
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sun, &n), 0);
	assert_int_equal(listen(listener, 4), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		_exit(connect(fd, (struct sockaddr *)&sun, n) != 0);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	peer_source_lookup(s, server, &facts);
	assert_false(facts.peer.known);
	(void)close(server);
	(void)close(listener);
	peer_source_destroy(s);
}

static void
the_outermost_unit_counts(void **state)
{
	static const char *const table[][2] = {
		{ "/system.slice/job-1.service", "job-1.service" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/"
		  "job-1.service",
		    "user@1000.service" },
		{ "/user.slice/user-1000.slice/session-3.scope",
		    "session-3.scope" },
		{ "/system.slice/job-1.service/job-2.service",
		    "job-1.service" },
		{ "/system.slice/docker-0a.scope/x", "docker-0a.scope" },
		{ "/", "" },
		{ "", "" },
		{ "/system.slice", "" },
		{ "/.service/.scope", "" },
		{ "/a.service.d/b.services", "" },
	};
	char unit[64], small[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_int_equal(
		    cgroup_unit(table[i][0], unit, sizeof unit), OK);
		assert_string_equal(unit, table[i][1]);
	}
	assert_int_equal(
	    cgroup_unit("/a/job-1.service", small, sizeof small), E_LIMIT);
}

static void
reads_the_v2_line_of_proc_alone(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(
	    cgroup_of_proc(SLICE("4:memory:/a.service\n0::/b.service\n"), path,
	        sizeof path),
	    OK);
	assert_string_equal(path, "/b.service");
	assert_int_equal(cgroup_of_proc(SLICE("0::/x/b.service (deleted)\n"),
	                     path, sizeof path),
	    OK);
	assert_string_equal(path, "/x/b.service");
	assert_int_equal(
	    cgroup_of_proc(SLICE("4:memory:/a.service\n"), path, sizeof path),
	    E_NOTFOUND);
	assert_int_equal(
	    cgroup_of_proc(SLICE("0::/../b.service\n"), path, sizeof path),
	    E_INVALID);
	assert_int_equal(
	    cgroup_of_proc(SLICE("0::/b.service\n"), path, 4), E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_owner_of_a_loopback_connection),
		cmocka_unit_test(a_client_that_has_closed_is_unknown),
		cmocka_unit_test(a_reset_connection_is_not_connected),
		cmocka_unit_test(
		    another_uid_is_told_apart_and_nobody_is_unknown),
		cmocka_unit_test(
		    a_client_that_closes_at_once_is_never_taken_for_root),
		cmocka_unit_test(
		    a_client_that_left_is_told_from_one_that_waits),
		cmocka_unit_test(
		    a_unix_client_that_left_is_told_from_one_that_waits),
		cmocka_unit_test(a_unix_peer_has_uid_and_pid),
		cmocka_unit_test(a_unix_peer_that_has_ended_is_unknown),
		cmocka_unit_test(the_outermost_unit_counts),
		cmocka_unit_test(reads_the_v2_line_of_proc_alone),
	};
	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
