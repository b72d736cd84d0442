/* wayleaved: reads its arguments, hardens the process, runs the daemon. */
#include "agent/agent.h"
#include "agent/daemon.h"
#include "agent/harden.h"

#include <event2/event.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage_text[] =
    "Usage: wayleaved [-c FILE]\n"
    "Runs the private-link connectivity agent in the foreground.\n"
    "\n"
    "  -c, --config FILE  the configuration (default %s)\n"
    "      --version      print the version and exit\n"
    "  -h, --help         print this and exit\n"
    "\n"
    "SIGHUP reloads, SIGTERM drains and ends. See wayleaved(8).\n";

static const char default_config[] = "/etc/wayleave/wayleave.json";

/* Whether stderr is the very stream that journald gave us (systemd.exec(5)). */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(own, sizeof own, "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return slice_eq(slice_of(own), slice_of(stream));
}

static void
on_loop_log(int severity, const char *text)
{
	if (severity >= EVENT_LOG_ERR)
		log_error("event loop: %s", text);
	else if (severity == EVENT_LOG_WARN)
		log_warning("event loop: %s", text);
}

/* libevent would exit with 1, which says that a finding is negative. */
static void
on_loop_fatal(int error)
{
	(void)error;
	exit(EX_SOFTWARE);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *config = default_config;
	struct status_detail detail;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (opt == 'c') {
			config = optarg;
		} else if (opt == 'V') {
			printf("wayleaved %s\n", agent_version);
			return EX_OK;
		} else {
			(void)fprintf(opt == 'h' ? stdout : stderr, usage_text,
			    default_config);
			return opt == 'h' ? EX_OK : EX_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, usage_text, default_config);
		return EX_USAGE;
	}
	log_set_priorities(stderr_is_journal());
	event_set_log_callback(on_loop_log);
	event_set_fatal_callback(on_loop_fatal);
	if (harden_process(&detail) != OK) {
		log_error("%s", detail.text);
		return EX_SOFTWARE;
	}
	return daemon_run(config);
}
