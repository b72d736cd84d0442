/* Loads configuration and policy, at start and on SIGHUP. */
#include "agent/admin.h"
#include "agent/control.h"
#include "agent/daemon.h"
#include "agent/manager.h"
#include "agent/snapshot.h"
#include "base/jsonw.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ISSUES_MAX_BYTES = 131072, EXTRA_MAX_BYTES = 4096 };

/* One log line an issue; the first error is kept for status. */
static void
report(struct daemon *d, const char *file, const struct policy_issues *issues)
{
	for (size_t i = 0; i < issues->n; i++) {
		const struct policy_issue *p = &issues->at[i];

		const char *colon = p->pointer[0] != '\0' ? ": " : "";

		if (p->is_error)
			log_error("%s:%u:%u: %s%s%s", file, p->line, p->column,
			    p->pointer, colon, p->text);
		else
			log_warning("%s:%u:%u: warning: %s%s%s", file, p->line,
			    p->column, p->pointer, colon, p->text);
		if (p->is_error && d->reload.message[0] == '\0')
			(void)snprintf(d->reload.message,
			    sizeof d->reload.message, "%s:%u:%u: %s%s%s", file,
			    p->line, p->column, p->pointer, colon, p->text);
	}
}

/* What has no place in a file: memory that is short, a path too long. */
static void
report_status(struct daemon *d, const char *file, enum status st)
{
	if (st == OK || d->reload.message[0] != '\0')
		return;
	(void)snprintf(d->reload.message, sizeof d->reload.message, "%s: %s",
	    file, status_text(st));
	log_error("%s", d->reload.message);
}

enum status
daemon_load(struct daemon *d, struct config **config, struct policy **policy)
{
	struct policy_issues *issues = calloc(1, sizeof *issues);
	struct config *c = NULL;
	enum status st;

	d->reload.message[0] = '\0';
	if (issues == NULL) {
		report_status(d, d->config_path, E_NOMEM);
		return E_NOMEM;
	}
	st = config_load(d->config_path, &c, issues);
	report(d, d->config_path, issues);
	report_status(d, d->config_path, st);
	if (st == OK) {
		st = config_load_policy(c, policy, issues);
		report(d, c->policy_file, issues);
		report_status(d, c->policy_file, st);
	}
	free(issues);
	if (st != OK) {
		config_destroy(c);
		return st;
	}
	*config = c;
	return OK;
}

enum status
daemon_record(struct daemon *d, enum record_event event, struct slice extra)
{
	struct record rec;
	char id[RECORD_ID_BYTES];
	enum status st;

	record_init(&rec, event);
	record_new_id(id);
	rec.id = id;
	rec.extra = extra;
	if (d->snapshot != NULL) {
		rec.policy_generation = d->snapshot->generation;
		rec.policy_sha256 = policy_sha256(d->snapshot->policy);
		rec.mode = policy_mode(d->snapshot->policy) == POLICY_ENFORCE
		    ? "enforce"
		    : "report";
	}
	st = event == RECORD_START ? wiring_record_start(d->audit, &rec)
	                           : wiring_record(d->audit, &rec);
	if (st != OK)
		log_error("a record of our own could not be written%s",
		    event == RECORD_START ? " yet" : "");
	return st;
}

static void
record_reload(struct daemon *d)
{
	struct jsonw w;
	struct buf extra;

	buf_init(&extra, EXTRA_MAX_BYTES);
	jsonw_init(&w, &extra);
	jsonw_bool(&w, "ok", d->reload.ok);
	jsonw_str(&w, "message", d->reload.message);
	(void)daemon_record(d, RECORD_RELOAD,
	    buf_status(&extra) == OK ? buf_slice(&extra) : SLICE(""));
	buf_release(&extra);
}

static void
notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	manager_notify("RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)now.tv_sec * 1000000U +
	        (unsigned long long)now.tv_nsec / 1000U);
}

struct identity_limits
daemon_identity_limits(const struct config *c)
{
	return (struct identity_limits){
		.connections = c->limits.broker_connections,
		.connections_per_uid = c->limits.connections_per_uid,
		.head_ms = c->timeouts.request_head_ms,
		.idle_ms = c->timeouts.broker_idle_ms,
	};
}

/* A new generation, made ready beside the one in force. */
struct change {
	struct proxy_snapshot *snapshot;
	struct ca *ca;
	struct listeners_change *listeners; /* NULL: the same as before */
	struct peer_source *peers;          /* NULL: those there are will do */
	struct worker_change *workers[DAEMON_WORKERS_MAX];
};

static enum status
prepare_workers(struct daemon *d, struct change *change)
{
	enum status st = OK;

	for (size_t i = 0; i < d->n_workers && st == OK; i++)
		st = worker_prepare(d->workers[i], d->snapshot,
		    change->snapshot, &change->workers[i]);
	return st;
}

/* Each worker gets its socket of each new gateway. */
static enum status
prepare_gateways(struct daemon *d, struct change *change)
{
	struct listeners *l = &change->listeners->next;
	enum status st = OK;

	for (size_t i = change->listeners->first_added; i < l->n; i++)
		for (unsigned k = 0; k < d->n_workers && st == OK; k++) {
			int fd = listener_take(&l->at[i], k);

			st = fd < 0 ? E_IO
			            : worker_change_listen(change->workers[k],
			                  fd, l->at[i].at.name);
		}
	return st;
}

static enum status
prepare(struct daemon *d, struct config *c, struct policy *p,
    struct change *change, struct status_detail *detail)
{
	enum status st = daemon_judge(d, c, p, detail);

	/* Bound before the snapshot, whose SELF knows them before they accept. */
	if (st == OK)
		st = listeners_prepare(&d->listeners, c, (unsigned)d->n_workers,
		    &change->listeners, detail);
	if (st == OK)
		st = daemon_open_ca(d, c, p, &change->ca, detail);
	if (st == OK)
		st = daemon_open_budgets(d, p, detail);
	if (st == OK)
		st = snapshot_build(c, p, &change->listeners->next,
		    d->generation + 1, change->ca, &change->snapshot);
	if (st == OK &&
	    policy_uses_exes(p) != policy_uses_exes(d->snapshot->policy))
		st = daemon_make_peers(c, p, &change->peers);
	if (st == OK)
		st = prepare_workers(d, change);
	if (st == OK)
		st = prepare_gateways(d, change);
	/* The last that can fail, and it takes effect whole or not at all. */
	if (st == OK)
		st = identity_set_configs(
		    d->identity, c->identities, c->n_identities);
	return st;
}

static void
abandon(struct change *change)
{
	for (size_t i = 0; i < DAEMON_WORKERS_MAX; i++)
		worker_abandon(change->workers[i]);
	listeners_abandon(change->listeners);
	peer_source_destroy(change->peers);
	proxy_snapshot_unref(change->snapshot);
	ca_unref(change->ca);
}

static void
say_listeners(const struct listeners *now, const struct listeners_change *c)
{
	const struct listeners *next = &c->next;

	for (size_t i = c->first_added; i < next->n; i++)
		log_info("listening: %s %s", listen_role_name(next->at[i].role),
		    next->at[i].at.name);
	if (now->n > c->first_added)
		log_info("%zu gateways are gone", now->n - c->first_added);
}

/* Nothing here can fail: from now on the new snapshot rules. */
static void
commit_snapshot(struct daemon *d, struct change *change)
{
	for (size_t i = 0; i < d->n_workers; i++)
		worker_commit(change->workers[i]);
	if (change->listeners != NULL) {
		say_listeners(&d->listeners, change->listeners);
		listeners_commit(&d->listeners, change->listeners);
	}
	proxy_snapshot_unref(d->snapshot);
	d->snapshot = change->snapshot;
	d->generation = change->snapshot->generation;
	if (change->peers != NULL) {
		peer_source_destroy(d->peers);
		d->peers = change->peers;
	}
	d->wiring_identity.snapshot = d->snapshot;
	d->wiring_identity.peers = d->peers;
}

/* Another's files are not there yet; those of one that goes may stay: who
 * reads them still believes whom he believed. */
static void
commit_ca(struct daemon *d, struct ca *ca)
{
	if (ca == NULL || d->ca == NULL || ca->signer != d->ca->signer)
		d->ca_ready = false;
	ca_unref(d->ca);
	d->ca = ca;
}

static void
commit(struct daemon *d, const struct config *c, struct change *change)
{
	const struct identity_limits limits = daemon_identity_limits(c);

	commit_snapshot(d, change);
	commit_ca(d, change->ca);
	identity_set_limits(d->identity, &limits);
	control_set_limits(d->control, c);
	admin_set_limits(d->admin, c);
}

/* The policy is the same, and so is its generation. */
static bool
renew(struct daemon *d, bool only_self)
{
	struct change change = { .snapshot = NULL };
	enum status st = snapshot_build(d->config, d->snapshot->policy,
	    &d->listeners, d->generation, d->ca, &change.snapshot);

	if (st == OK && only_self &&
	    snapshot_self_eq(d->snapshot, change.snapshot)) {
		abandon(&change);
		return true;
	}
	if (st == OK)
		st = prepare_workers(d, &change);
	if (st != OK) {
		abandon(&change);
		return false;
	}
	if (!snapshot_self_eq(d->snapshot, change.snapshot))
		log_info("this machine's addresses changed");
	commit_snapshot(d, &change);
	return true;
}

bool
daemon_renew_self(struct daemon *d)
{
	return renew(d, true);
}

bool
daemon_renew_signer(struct daemon *d)
{
	return renew(d, false);
}

static enum status
apply(struct daemon *d, struct config *c, struct policy *p,
    struct tls_trust *trust)
{
	struct change change = { .snapshot = NULL };
	struct status_detail detail = { "" };
	enum status st = prepare(d, c, p, &change, &detail);

	if (st == OK) {
		/* Before: nothing of the new generation is proved by the old. */
		if (trust != NULL)
			daemon_set_trust(d, trust);
		commit(d, c, &change);
		return OK;
	}
	abandon(&change);
	(void)snprintf(d->reload.message, sizeof d->reload.message, "%.500s",
	    detail.text[0] != '\0' ? detail.text : status_text(st));
	log_error("%s", d->reload.message);
	return st;
}

/* What only a restart may change stays, and is named. */
static void
keep_fixed(struct daemon *d, struct config *c)
{
	char keys[256];

	config_restart_keys(d->config, c, keys, sizeof keys);
	config_keep_fixed(c, d->config);
	if (keys[0] == '\0')
		return;
	(void)snprintf(d->reload.message, sizeof d->reload.message,
	    "changed, but needs a restart: %s", keys);
	log_warning("%s: %s", d->config_path, d->reload.message);
}

/* What was read of the CA file to judge it is not read again. */
static void
take_config(struct daemon *d, struct config *c, struct tls_trust *trust)
{
	config_destroy(d->config);
	d->config = c;
	log_set_level(c->log_level);
	if (trust == NULL) {
		daemon_load_trust(d);
		return;
	}
	d->ca_problem.text[0] = '\0';
}

/* Reading it takes tens of ms on this loop: only where it may have changed
 * what the last reading said. *@out stays NULL where it was not read. */
static enum status
judge_ca(struct daemon *d, const struct config *c, struct tls_trust **out)
{
	struct status_detail detail = { "" };
	enum status st;

	if (d->ca_problem.text[0] == '\0' &&
	    strcmp(c->ca_file, d->config->ca_file) == 0)
		return OK;
	st = config_load_trust(c->ca_file, out, &detail);
	if (st == OK)
		return OK;
	log_error("%s: %s", d->config_path, detail.text);
	(void)snprintf(d->reload.message, sizeof d->reload.message,
	    "%s: %.400s", d->config_path, detail.text);
	return st;
}

enum status
daemon_reload(struct daemon *d)
{
	struct config *c = NULL;
	struct policy *p = NULL;
	struct tls_trust *trust = NULL;
	enum status st;

	notify_reloading();
	audit_log_reopen(d->audit);
	st = daemon_load(d, &c, &p);
	if (st == OK) {
		keep_fixed(d, c);
		st = judge_ca(d, c, &trust);
		if (st == OK)
			st = apply(d, c, p, trust);
		policy_unref(p);
		if (st == OK) {
			take_config(d, c, trust);
			daemon_write_ca(d);
			daemon_check_names(d);
		} else {
			config_destroy(c);
		}
		tls_trust_unref(trust);
	}
	d->reload.ok = st == OK;
	d->reload.unix_s = clock_unix_s(d->clock);
	metric_add(
	    st == OK ? METRIC_RELOADS_TOTAL : METRIC_RELOAD_ERRORS_TOTAL, 1);
	record_reload(d);
	if (st == OK)
		log_notice("generation %llu is in force",
		    (unsigned long long)d->generation);
	else
		log_error("reload failed; generation %llu stays in force",
		    (unsigned long long)d->generation);
	manager_notify("READY=1\nSTATUS=%s",
	    st == OK ? "serving" : "serving; the last reload failed");
	return st;
}
