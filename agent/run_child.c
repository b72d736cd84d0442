/* wayleave run: the command as a child, and word of what it was denied. */
#include "agent/run_child.h"

#include "agent/cli.h"
#include "agent/control_client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

/* The terminal sends the first three to the whole group, child included. */
static const int passed_on[] = { SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGUSR1,
	SIGUSR2 };

int
run_exec(char **argv)
{
	int code;

	(void)execvp(argv[0], argv);
	code = errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
	return cli_fail(code, "%s: %s", argv[0], strerror(errno));
}

/** NULL where there is nothing to tell; owned. */
static json_t *
ask_denials(const char *socket, json_int_t after)
{
	json_t *request =
	    json_pack("{s:s, s:I}", "verb", "denials", "after", after);
	json_t *reply = NULL;

	if (request == NULL ||
	    control_call(
	        socket != NULL ? socket : CLI_CONTROL, request, &reply) != OK)
		reply = NULL;
	json_decref(request);
	return reply;
}

static json_int_t
denials_so_far(const char *socket)
{
	/* Nothing is newer than this: only the count is wanted. */
	json_t *reply = ask_denials(socket, INT64_MAX);
	json_t *last = json_object_get(reply, "last");
	json_int_t n = json_is_integer(last) ? json_integer_value(last) : -1;

	json_decref(reply);
	return n;
}

static void
tell_denials(const char *socket, json_int_t after)
{
	json_t *reply = after < 0 ? NULL : ask_denials(socket, after);
	json_t *list = json_object_get(reply, "denials");
	json_t *d;
	size_t i;

	json_array_foreach(list, i, d)
		(void)cli_fail(0, "denied %s id=%s: %s: %s",
		    cli_member(d, "code"), cli_member(d, "id"),
		    cli_member(d, "destination"), cli_member(d, "reason"));
	if (json_array_size(list) > 0)
		(void)cli_fail(0, "`wayleave why ID` says what would allow it");
	json_decref(reply);
}

/** As the shell would see it: the same status, or the same death. */
static int
end_as(int status)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t set;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)signal(WTERMSIG(status), SIG_DFL);
	(void)raise(WTERMSIG(status));
	(void)sigemptyset(&set);
	(void)sigaddset(&set, WTERMSIG(status));
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + WTERMSIG(status);
}

/** Passes signals on until the child is gone; its wait status. */
static int
wait_for(pid_t child, const sigset_t *set)
{
	siginfo_t info;
	int status = 0;

	for (;;) {
		int n = sigwaitinfo(set, &info);

		if (n == SIGCHLD) {
			if (waitpid(child, &status, WNOHANG) == child)
				return status;
		} else if (n > 0 && info.si_code != SI_KERNEL) {
			(void)kill(child, n);
		}
	}
}

int
run_child(char **argv, const char *socket)
{
	json_int_t before = denials_so_far(socket);
	/* Where it is ignored, which exec(2) keeps, none would come. */
	void (*sigchld)(int) = signal(SIGCHLD, SIG_DFL);
	pid_t parent = getpid(), child;
	sigset_t set, old;
	int status;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		(void)sigaddset(&set, passed_on[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	child = fork();
	if (child < 0)
		return cli_fail(EX_SOFTWARE, "fork: %s", strerror(errno));
	if (child == 0) {
		/* Who kills us -9 means the command. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EX_SOFTWARE);
		if (sigchld != SIG_ERR)
			(void)signal(SIGCHLD, sigchld);
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
		_exit(run_exec(argv));
	}
	status = wait_for(child, &set);
	/* From here on a signal means us. */
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	tell_denials(socket, before);
	return end_as(status);
}
