#include "tests/unit/test.h"

#include "tests/unit/agent/daemon_fixture.h"

#include "agent/control_client.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char config_text[] =
    "{\"version\": 1, \"workers\": %d, \"listen\": {\"proxy\": "
    "[\"unix:proxy.sock\"], \"admin\": [\"unix:admin.sock\"], \"broker\": "
    "[\"unix:broker.sock\"], \"control\": \"control.sock\"}, "
    "\"state_dir\": \".\", \"runtime_dir\": \".\", \"unsafe_same_user\": "
    "%s, \"dns\": {\"servers\": [\"127.0.0.1:%d\"], \"timeout_ms\": %d, "
    "\"attempts\": 1}, \"audit\": {\"file\": \"audit.jsonl\"}}";

const char lab_policy_text[] =
    "{\"version\": 1, \"mode\": \"enforce\", \"endpoints\": "
    "[\"10.20.0.0/16\"], \"rules\": [{\"id\": \"lake\", \"effect\": "
    "\"allow\", \"hosts\": [\"acct1.blob.core.windows.net\"]}]}";

void
lab_put_file(const struct lab *l, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", l->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void
put_config(const struct lab *l, int workers, bool same_user, int dns_port)
{
	char text[1024];

	/* Port 9 refuses at once; a test's own server may stay silent. */
	(void)snprintf(text, sizeof text, config_text, workers,
	    same_user ? "true" : "false", dns_port,
	    dns_port == 9 ? 100 : 20000);
	lab_put_file(l, "wayleave.json", text);
}

void
lab_put_config(const struct lab *l, int workers, bool same_user)
{
	put_config(l, workers, same_user, 9);
}

void
lab_put_silent_dns(const struct lab *l, int port)
{
	put_config(l, 2, true, port);
}

void
lab_exec(const struct lab *l)
{
	char path[256], config[128], log[128];
	const char *build = getenv("BUILDDIR");
	int fd;

	(void)snprintf(
	    path, sizeof path, "%s/wayleaved", build != NULL ? build : ".");
	(void)snprintf(config, sizeof config, "%s/wayleave.json", l->dir);
	(void)snprintf(log, sizeof log, "%s/log", l->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	/* A test that dies must leave nobody who holds its output open. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	(void)execl(path, path, "-c", config, (char *)NULL);
	_exit(127);
}

pid_t
lab_spawn(const struct lab *l)
{
	pid_t pid = fork();

	if (pid == 0)
		lab_exec(l);
	return pid;
}

int
lab_wait_exit(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < 1000; i++) {
		const struct timespec tick = { .tv_nsec = 10000000 };

		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
		nanosleep(&tick, NULL);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return -3;
}

json_t *
lab_ask(const struct lab *l, json_t *request)
{
	json_t *reply = NULL;
	enum status st = E_NOTFOUND;

	for (int i = 0; i < 500 && st == E_NOTFOUND; i++) {
		const struct timespec tick = { .tv_nsec = 10000000 };

		st = control_call(l->control, request, &reply);
		if (st == E_NOTFOUND)
			nanosleep(&tick, NULL);
	}
	json_decref(request);
	assert_int_equal(st, OK);
	return reply;
}

void
lab_start(struct lab *l)
{
	const struct timespec tick = { .tv_nsec = 10000000 };

	l->pid = lab_spawn(l);
	for (int i = 0; i < 500; i++) {
		json_t *r = lab_ask(l, json_pack("{s:s}", "verb", "wait"));
		bool ready = json_is_true(json_object_get(r, "ready"));

		json_decref(r);
		if (ready)
			return;
		nanosleep(&tick, NULL);
	}
	fail_msg("not ready");
}

int
lab_setup(void **state)
{
	struct lab *l = calloc(1, sizeof *l);

	(void)snprintf(l->dir, sizeof l->dir, "/tmp/wayleaved-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	(void)snprintf(
	    l->control, sizeof l->control, "%s/control.sock", l->dir);
	lab_put_config(l, 2, true);
	lab_put_file(l, "policy.json", lab_policy_text);
	*state = l;
	return 0;
}

int
lab_teardown(void **state)
{
	struct lab *l = *state;
	char command[128];

	if (l->pid > 0) {
		(void)kill(l->pid, SIGKILL);
		(void)waitpid(l->pid, NULL, 0);
	}
	(void)snprintf(command, sizeof command, "rm -rf '%s'", l->dir);
	assert_int_equal(system(command), 0);
	free(l);
	return 0;
}

void
lab_stop(struct lab *l)
{
	assert_int_equal(kill(l->pid, SIGTERM), 0);
	assert_int_equal(lab_wait_exit(l->pid), 0);
	l->pid = 0;
}
