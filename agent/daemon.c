/* The daemon's life: load, make, serve, drain, unmake. */
#include "agent/daemon.h"

#include "agent/agent.h"
#include "agent/manager.h"
#include "base/jsonw.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	WORKER_STALL_MS = 10000,
	EXTRA_MAX_BYTES = 2048,
	SETTLE_MS = 30,
	CA_TICK_S = 600
};

size_t
daemon_reasons(const struct daemon *d, const char *reasons[DAEMON_REASONS_MAX])
{
	size_t n = 0;

	if (d->draining)
		reasons[n++] = "the agent is stopping";
	if (d->settling)
		reasons[n++] = "the agent is starting";
	if (!audit_log_healthy(d->audit))
		reasons[n++] = "the audit cannot be written";
	if (!identity_is_ready(d->identity))
		reasons[n++] = "an identity was asked for and not reached yet";
	if (d->ca_problem.text[0] != '\0')
		reasons[n++] = "the CA file cannot be used";
	if (daemon_ca_reason(d) != NULL)
		reasons[n++] = daemon_ca_reason(d);
	return n;
}

size_t
daemon_connections(const struct daemon *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_workers; i++)
		n += worker_connections(d->workers[i]);
	return n;
}

static void
stop_now(struct daemon *d)
{
	(void)event_base_loopbreak(d->base);
}

static void
on_drain_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	log_notice("drain time is over with %zu connections open",
	    daemon_connections(d));
	stop_now(d);
}

static void
on_worker_drained(void *arg)
{
	struct daemon *d = arg;

	if (--d->undrained == 0)
		stop_now(d);
}

static void
drain(struct daemon *d)
{
	const struct timeval wait = {
		.tv_sec = d->config->timeouts.drain_ms / 1000,
		.tv_usec = (long)(d->config->timeouts.drain_ms % 1000) * 1000,
	};

	d->draining = true;
	log_notice("stopping: %zu connections open", daemon_connections(d));
	manager_notify("STOPPING=1\nSTATUS=draining");
	identity_drain(d->identity);
	d->undrained = d->n_workers;
	for (size_t i = 0; i < d->n_workers; i++)
		if (worker_drain(
		        d->workers[i], d->mailbox, on_worker_drained, d) != OK)
			on_worker_drained(d);
	if (event_add(d->drain_timer, &wait) != 0)
		stop_now(d);
}

static void
on_stop_signal(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)sig;
	(void)what;
	if (d->draining)
		stop_now(d);
	else
		drain(d);
}

static void
on_hangup(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)sig;
	(void)what;
	if (!d->draining)
		(void)daemon_reload(d);
}

/* The manager hears of us only while every loop turns. */
static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	int64_t now = clock_boot_ms(d->clock);

	(void)fd;
	(void)what;
	for (size_t i = 0; i < d->n_workers; i++)
		if (now - worker_beat_ms(d->workers[i]) > WORKER_STALL_MS) {
			log_error("worker %zu has not turned for %lld ms", i,
			    (long long)(now - worker_beat_ms(d->workers[i])));
			return;
		}
	manager_notify("WATCHDOG=1");
}

/* The last of the start, for which the first clients need not wait, as they
 * would on a machine with one core. The filter lets libraries be mapped. */
static void
on_settle(evutil_socket_t fd, short what, void *arg)
{
	const char *reasons[DAEMON_REASONS_MAX];
	struct daemon *d = arg;
	size_t n;

	(void)fd;
	(void)what;
	if (d->draining)
		return;
	d->settled = identity_open_library(d->identity, &d->fault);
	if (d->settled != OK) {
		stop_now(d);
		return;
	}
	daemon_load_trust(d);
	daemon_write_ca(d);
	d->settling = false;
	n = daemon_reasons(d, reasons);
	manager_notify("READY=1\nSTATUS=%s%s",
	    n == 0 ? "serving" : "degraded: ", n == 0 ? "" : reasons[0]);
}

/* Seldom enough to cost nothing, and by the clock on the wall, which may be
 * set: a day is what a rotation waits. */
static void
on_ca_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	daemon_watch_ca(arg);
}

static bool
make_events(struct daemon *d)
{
	static const int stops[] = { SIGTERM, SIGINT };
	struct timeval soon = { .tv_usec = SETTLE_MS * 1000 };
	const struct timeval tick = { .tv_sec = CA_TICK_S };
	struct timeval often;
	uint64_t usec = manager_watchdog_us();
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(stops); i++)
		d->signals[i] =
		    evsignal_new(d->base, stops[i], on_stop_signal, d);
	d->signals[2] = evsignal_new(d->base, SIGHUP, on_hangup, d);
	for (size_t i = 0; i < ARRAY_LEN(d->signals); i++)
		ok = ok && d->signals[i] != NULL &&
		    event_add(d->signals[i], NULL) == 0;
	d->drain_timer = evtimer_new(d->base, on_drain_timeout, d);
	d->settle = evtimer_new(d->base, on_settle, d);
	d->settling = true;
	d->ca_tick = event_new(d->base, -1, EV_PERSIST, on_ca_tick, d);
	ok = ok && d->drain_timer != NULL && d->settle != NULL &&
	    d->ca_tick != NULL && event_add(d->settle, &soon) == 0 &&
	    event_add(d->ca_tick, &tick) == 0;
	if (usec > 0) {
		often.tv_sec = (time_t)(usec / 3 / 1000000);
		often.tv_usec = (suseconds_t)(usec / 3 % 1000000);
		d->watchdog =
		    event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
		ok = ok && d->watchdog != NULL &&
		    event_add(d->watchdog, &often) == 0;
	}
	return ok;
}

static void
free_events(struct daemon *d)
{
	struct event *all[] = { d->signals[0], d->signals[1], d->signals[2],
		d->watchdog, d->drain_timer, d->settle, d->ca_tick };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] != NULL)
			event_free(all[i]);
}

/* Only this thread takes signals; the others are made with all blocked. */
static void
signals_block(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(how, &set, NULL);
}

static enum status
record_start(struct daemon *d)
{
	char sha256[AUDIT_HASH_BYTES];
	uint64_t bytes;
	struct jsonw w;
	struct buf extra;
	enum status st;

	buf_init(&extra, EXTRA_MAX_BYTES);
	jsonw_init(&w, &extra);
	jsonw_str(&w, "version", agent_version);
	if (audit_log_torn(d->audit, &bytes, sha256)) {
		jsonw_object(&w, "torn");
		jsonw_u64(&w, "bytes", bytes);
		jsonw_str(&w, "sha256", sha256);
		jsonw_object_end(&w);
		log_warning("the audit had a torn tail of %llu bytes",
		    (unsigned long long)bytes);
	}
	st = daemon_record(d, RECORD_START, buf_slice(&extra));
	d->started = true;
	buf_release(&extra);
	/* What cannot be written yet is held by the log, which denies. */
	return st == E_IO ? OK : st;
}

static enum status
serve(struct daemon *d, struct status_detail *detail)
{
	signals_block(SIG_UNBLOCK);
	for (size_t i = 0; i < d->listeners.n; i++)
		log_info("listening: %s %s",
		    listen_role_name(d->listeners.at[i].role),
		    d->listeners.at[i].at.name);
	log_notice("wayleaved %s serves generation %llu", agent_version,
	    (unsigned long long)d->generation);
	(void)event_base_loop(d->base, EVLOOP_NO_EXIT_ON_EMPTY);
	if (d->settled == OK)
		log_notice("stopped");
	else
		*detail = d->fault;
	return d->settled;
}

static int
exit_code(enum status st)
{
	if (st == E_BUSY)
		return EX_UNAVAILABLE;
	if (st == E_DENIED)
		return EX_NOPERM;
	if (st == E_INVALID || st == E_UNSUPPORTED)
		return EX_CONFIG;
	if (st == E_IO || st == E_NOTFOUND)
		return EX_IOERR;
	return EX_SOFTWARE;
}

static int
run_loaded(struct daemon *d, struct policy *policy)
{
	struct status_detail detail = { "" };
	enum status st;

	log_set_level(d->config->log_level);
	signals_block(SIG_BLOCK);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* the audit gets EFBIG and heals */
	d->base = event_base_new();
	st = d->base == NULL ? E_NOMEM : daemon_make(d, policy, &detail);
	if (st == OK && !make_events(d))
		st = E_NOMEM;
	if (st == OK)
		st = record_start(d);
	if (st == OK)
		st = daemon_start(d, &detail);
	if (st == OK)
		st = serve(d, &detail);
	if (st != OK)
		log_error("start failed: %s",
		    detail.text[0] != '\0' ? detail.text : status_text(st));
	if (d->base != NULL) {
		daemon_unmake(d);
		free_events(d);
		event_base_free(d->base);
	}
	return st == OK ? EX_OK : exit_code(st);
}

int
daemon_run(const char *config_path)
{
	struct daemon *d = calloc(1, sizeof *d);
	struct policy *policy = NULL;
	enum status st;
	int code;

	if (d == NULL)
		return EX_SOFTWARE;
	d->listeners.lock_fd = -1;
	d->clock = &clock_system;
	d->config_path = config_path;
	d->start_boot_ms = clock_boot_ms(d->clock);
	st = daemon_load(d, &d->config, &policy);
	/* What is wrong with a file stays so; memory may be there again. */
	code = st == E_NOMEM ? exit_code(st) : EX_CONFIG;
	if (st == OK) {
		d->reload.ok = true;
		d->reload.unix_s = clock_unix_s(d->clock);
		code = run_loaded(d, policy);
		policy_unref(policy);
	}
	config_destroy(d->config);
	free(d);
	return code;
}
