/* From exec to the first byte served. */
#include "tests/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 20000, RETRY_NS = 100000, IDLE_MS = 700 };

static void
become(const char *user)
{
	const struct passwd *pw = *user == '\0' ? NULL : getpwnam(user);

	if (*user == '\0')
		return;
	if (pw == NULL || initgroups(user, pw->pw_gid) != 0 ||
	    setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0)
		bench_die("user=%s: %s", user, strerror(errno));
}

static pid_t
spawn(const struct load *l, char *const *command)
{
	const char *log = bench_option(l->argv, "log", "/dev/null");
	long core = bench_number(l->argv, "core", 0);
	pid_t pid = fork();
	cpu_set_t set;
	int fd;

	if (pid != 0)
		return pid;
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		bench_die("%s: %s", log, strerror(errno));
	CPU_ZERO(&set);
	CPU_SET((size_t)core, &set);
	(void)sched_setaffinity(0, sizeof set, &set);
	become(bench_option(l->argv, "user", ""));
	(void)execvp(command[0], command);
	bench_die("%s: %s", command[0], strerror(errno));
}

/* One whole tunnel with its echo. */
static bool
is_served(const struct load *l)
{
	char echo[512];
	int fd = load_open_now(l);
	bool ok;

	if (fd < 0)
		return false;
	ok = recv(fd, echo, l->hello_n, MSG_WAITALL) == (ssize_t)l->hello_n;
	(void)close(fd);
	return ok;
}

void
load_start(const struct load *l)
{
	const struct timespec retry = { .tv_nsec = RETRY_NS };
	char *const *command = l->argv;
	struct meter m = { .n = 1 };
	int64_t from, took;
	long anon, rss;

	while (*command != NULL && strcmp(*command, "--") != 0)
		command++;
	if (*command == NULL || command[1] == NULL)
		bench_die("no command behind --");
	from = bench_now_ns();
	m.pids[0] = spawn(l, command + 1);
	while (!is_served(l)) {
		if (bench_now_ns() - from > INT64_C(1000000) * LIMIT_MS ||
		    waitpid(m.pids[0], NULL, WNOHANG) != 0)
			bench_die("it did not serve");
		(void)nanosleep(&retry, NULL);
	}
	took = bench_now_ns() - from;
	bench_sleep_ms(IDLE_MS);
	anon = meter_memory_kib(&m, "RssAnon");
	rss = meter_memory_kib(&m, "VmRSS");
	(void)kill(m.pids[0], SIGTERM);
	(void)waitpid(m.pids[0], NULL, 0);
	(void)printf("{\"start_ns\": %lld, \"anon_kib\": %ld, "
	             "\"rss_kib\": %ld}\n",
	    (long long)took, anon, rss);
}
