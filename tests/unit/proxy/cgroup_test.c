/* Cgroups of real sockets, in a cgroup2 mount of this test's own. Needs root
 * and cgroup2; is skipped without. */
#include "tests/unit/test.h"

#include "proxy/cgroup.h"
#include "proxy/proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	char root[64];
	char unit[128];  /* .../job-PID.service */
	char below[192]; /* .../job-PID.service/x.service */
	char name[64];   /* job-PID.service */
	bool mounted;
};

static bool
mount_own(const char *root)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", root, "cgroup2", 0, NULL) == 0;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	*state = f;
	memcpy(f->root, "/tmp/wayleave-cgroup-XXXXXX", 28);
	assert_non_null(mkdtemp(f->root));
	f->mounted = mount_own(f->root);
	(void)snprintf(
	    f->name, sizeof f->name, "job-%d.service", (int)getpid());
	(void)snprintf(f->unit, sizeof f->unit, "%s/%s", f->root, f->name);
	(void)snprintf(f->below, sizeof f->below, "%s/x.service", f->unit);
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	(void)rmdir(f->below);
	(void)rmdir(f->unit);
	if (f->mounted)
		(void)umount(f->root);
	(void)rmdir(f->root);
	free(f);
	return 0;
}

static void
need_cgroup2(const struct fixture *f)
{
	if (!f->mounted)
		skip();
}

static uint64_t
inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_ino;
}

static void
a_folder_that_is_no_cgroup2_is_not_live(void **state)
{
	struct cgroup_map *m = NULL;

	(void)state;
	assert_int_equal(cgroup_map_create("/proc", &m), OK);
	assert_false(cgroup_map_is_live(m));
	assert_null(cgroup_map_find(m, inode_of("/proc")));
	cgroup_map_destroy(m);
	cgroup_map_destroy(NULL);
}

static void
finds_what_was_made_after_the_first_walk(void **state)
{
	struct fixture *f = *state;
	struct cgroup_map *m = NULL;
	const char *path;
	char want[128];

	need_cgroup2(f);
	assert_int_equal(cgroup_map_create(f->root, &m), OK);
	assert_true(cgroup_map_is_live(m));
	path = cgroup_map_find(m, inode_of(f->root));
	assert_non_null(path);
	assert_string_equal(path, "/");
	assert_null(cgroup_map_find(m, UINT64_MAX - 1));
	assert_int_equal(mkdir(f->unit, 0755), 0);
	assert_int_equal(mkdir(f->below, 0755), 0);
	path = cgroup_map_find(m, inode_of(f->below));
	assert_non_null(path);
	(void)snprintf(want, sizeof want, "/%s/x.service", f->name);
	assert_string_equal(path, want);
	cgroup_map_destroy(m);
}

static void
enter(const char *cgroup)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(2);
	(void)close(fd);
}

/* The child connects from inside @cgroup, and lives until we have looked. */
static void
connect_from(const char *cgroup, uint16_t port, int ready, int release)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	char c = 'x';
	int fd;

	enter(cgroup);
	to.sin_port = htons(port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
	    write(ready, &c, 1) != 1 || read(release, &c, 1) < 0)
		_exit(3);
	_exit(0);
}

static int
listen_anywhere(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void
a_loopback_client_is_its_outermost_unit(void **state)
{
	struct fixture *f = *state;
	struct peer_source *s = NULL;
	struct peer_facts facts;
	int ready[2], release[2], listener, server, how;
	uint16_t port;
	char c;
	pid_t pid;

	need_cgroup2(f);
	assert_int_equal(peer_source_create(f->root, false, &s), OK);
	assert_int_equal(mkdir(f->unit, 0755), 0);
	assert_int_equal(mkdir(f->below, 0755), 0);
	listener = listen_anywhere(&port);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(release), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		connect_from(f->below, port, ready[1], release[0]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	peer_source_lookup(s, server, &facts);
	assert_int_equal(write(release[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
	assert_true(facts.peer.known);
	assert_string_equal(facts.peer.unit, f->name);
	assert_false(facts.peer.cgroup_unknown);
	assert_non_null(strstr(facts.peer.cgroup, "/x.service"));
	(void)close(ready[0]);
	(void)close(release[0]);
	(void)close(release[1]);
	(void)close(server);
	(void)close(listener);
	peer_source_destroy(s);
}

/* The socket stays what it was when its process moves on; once its cgroup is
 * gone nobody can say whose unit that was. */
static void
a_client_whose_cgroup_is_gone_is_unknown(void **state)
{
	struct fixture *f = *state;
	struct peer_source *s = NULL;
	struct peer_facts facts;
	struct sockaddr_in to = { .sin_family = AF_INET };
	int listener, server, fd;
	uint16_t port;

	need_cgroup2(f);
	assert_int_equal(mkdir(f->unit, 0755), 0);
	listener = listen_anywhere(&port);
	to.sin_port = htons(port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	enter(f->unit);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	enter(f->root);
	assert_int_equal(rmdir(f->unit), 0);
	assert_int_equal(peer_source_create(f->root, false, &s), OK);
	server = accept(listener, NULL, NULL);
	peer_source_lookup(s, server, &facts);
	assert_false(facts.peer.known);
	(void)close(fd);
	(void)close(server);
	(void)close(listener);
	peer_source_destroy(s);
}

#define CGROUP_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CGROUP_TEST(a_folder_that_is_no_cgroup2_is_not_live),
		CGROUP_TEST(finds_what_was_made_after_the_first_walk),
		CGROUP_TEST(a_loopback_client_is_its_outermost_unit),
		CGROUP_TEST(a_client_whose_cgroup_is_gone_is_unknown),
	};
	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
