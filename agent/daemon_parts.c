/* Makes the daemon's parts in the one order that works, and unmakes them in
 * the reverse one. */
#include "agent/admin.h"
#include "agent/control.h"
#include "agent/daemon.h"
#include "agent/harden.h"
#include "agent/interfaces.h"
#include "agent/phantom_desk.h"
#include "agent/snapshot.h"
#include "agent/trusted_file.h"
#include "base/secret.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CONTROL_MAILBOX_MAX = 16384, WORKERS_AUTO_MAX = 4 };

static unsigned
count_workers(const struct config *c)
{
	long cores;

	if (c->workers != CONFIG_WORKERS_AUTO)
		return c->workers == 0 ? 1 : (unsigned)c->workers;
	cores = sysconf(_SC_NPROCESSORS_ONLN);
	if (cores < 1)
		return 1;
	return cores > WORKERS_AUTO_MAX ? WORKERS_AUTO_MAX : (unsigned)cores;
}

/* The arena is a power of two, as OpenSSL's secure heap wants it. */
static enum status
make_secret_arena(struct daemon *d, struct status_detail *detail)
{
	size_t bytes = 65536;
	bool must = d->config->unlocked_memory == CONFIG_UNLOCKED_REFUSE;
	enum status st;

	while (bytes < d->config->limits.secret_bytes)
		bytes *= 2;
	st = secret_arena_init(bytes, must, &d->memory_locked);
	if (st != OK)
		return status_set(detail, st,
		    "%zu bytes of memory for tokens cannot be locked; raise "
		    "LimitMEMLOCK=, lower limits.secret_bytes, or set "
		    "\"unlocked_memory\": \"warn\"",
		    bytes);
	if (!d->memory_locked)
		log_warning("memory for tokens is not locked: it could be "
		            "swapped out; raise LimitMEMLOCK=");
	return OK;
}

static enum status
make_audit(struct daemon *d, struct status_detail *detail)
{
	const struct config_audit *a = &d->config->audit;
	struct audit_settings s = { .deny_on_failure = a->deny_on_failure,
		.rotate_bytes = a->rotate_bytes,
		.keep = a->keep,
		.clock = d->clock };

	(void)snprintf(s.file, sizeof s.file, "%s", a->file);
	(void)snprintf(
	    s.state_dir, sizeof s.state_dir, "%s", d->config->state_dir);
	return audit_log_open(&s, &d->audit, detail);
}

static enum status
make_broker_key(struct daemon *d, struct status_detail *detail)
{
	char path[CONFIG_PATH_BYTES + 16];

	(void)snprintf(
	    path, sizeof path, "%s/broker.key", d->config->state_dir);
	return key_file_open(path, d->broker_key, sizeof d->broker_key, detail);
}

static enum status
make_phantoms(struct daemon *d)
{
	char path[CONFIG_PATH_BYTES + 24];

	(void)snprintf(
	    path, sizeof path, "%s/phantom.revoked", d->config->state_dir);
	return phantom_desk_create(d->clock, d->broker_key, path, &d->phantoms);
}

static enum status
make_identity(struct daemon *d)
{
	struct identity_settings s = { .base = d->base,
		.clock = d->clock,
		.broker_key = d->broker_key,
		.name = d->config->name,
		.limits = daemon_identity_limits(d->config) };
	enum status st;

	d->wiring_identity.loop = &d->wiring;
	d->wiring_identity.peers = d->peers;
	d->wiring_identity.snapshot = d->snapshot;
	wiring_fill_identity(&d->wiring_identity, &s.ports);
	st = identity_create(&s, &d->identity);
	OPENSSL_cleanse(d->broker_key, sizeof d->broker_key);
	if (st == OK)
		st = identity_set_configs(d->identity, d->config->identities,
		    d->config->n_identities);
	broker_desk_set(d->desk, d->identity);
	credential_desk_set(d->credentials, d->identity);
	return st;
}

static enum status
make_worker(struct daemon *d, unsigned index)
{
	struct worker_settings s = {
		.base = d->config->workers == 0 ? d->base : NULL,
		.clock = d->clock,
		.wiring = &d->wiring,
		.snapshot = d->snapshot,
		.shared = d->shared,
	};
	struct worker *w;
	enum status st = worker_create(&s, &w);

	if (st != OK)
		return st;
	d->workers[d->n_workers++] = w;
	for (size_t i = 0; i < d->listeners.n && st == OK; i++) {
		struct listener *l = &d->listeners.at[i];
		int fd;

		if (l->role != LISTEN_PROXY && l->role != LISTEN_GATEWAY)
			continue;
		fd = listener_take(l, index);
		st = fd < 0 ? E_IO : worker_listen(w, fd, l->at.name);
	}
	return st;
}

static enum status
listen_broker(struct daemon *d)
{
	enum status st = OK;

	for (size_t i = 0; i < d->listeners.n && st == OK; i++) {
		struct listener *l = &d->listeners.at[i];
		int fd;

		if (l->role != LISTEN_BROKER)
			continue;
		fd = listener_take(l, 0);
		st = fd < 0 ? E_IO
		            : identity_listen(d->identity, fd, l->at.name);
	}
	return st;
}

static enum status
make_loop_parts(struct daemon *d, const struct policy *policy)
{
	enum status st =
	    mailbox_create(d->base, CONTROL_MAILBOX_MAX, &d->mailbox);

	if (st == OK)
		st = denials_create(&d->denials);
	if (st == OK)
		st = broker_desk_create(d->mailbox, &d->desk);
	if (st == OK)
		st = credential_desk_create(
		    d->mailbox, d->clock, &d->credentials);
	if (st == OK)
		st = make_phantoms(d);
	if (st == OK)
		st = daemon_make_peers(d->config, policy, &d->peers);
	d->shared = proxy_shared_create();
	if (st == OK && d->shared == NULL)
		st = E_NOMEM;
	d->wiring = (struct wiring){ .audit = d->audit,
		.userdb = d->userdb,
		.denials = d->denials,
		.mailbox = d->mailbox,
		.desk = d->desk,
		.credentials = d->credentials,
		.phantoms = d->phantoms };
	wiring_open(&d->wiring, d->base);
	return st;
}

static bool
on_addresses(void *arg)
{
	return daemon_renew_self(arg);
}

static enum status
make_servers(struct daemon *d)
{
	unsigned n = count_workers(d->config);
	enum status st = make_identity(d);

	for (unsigned i = 0; i < n && st == OK; i++)
		st = make_worker(d, i);
	if (st == OK)
		st = listen_broker(d);
	if (st == OK)
		st = control_create(d, &d->control);
	if (st == OK)
		st = admin_create(d, &d->admin);
	if (st == OK)
		st = interfaces_watch(d->base, on_addresses, d, &d->interfaces);
	return st;
}

enum status
daemon_make(
    struct daemon *d, struct policy *policy, struct status_detail *detail)
{
	enum status st = make_secret_arena(d, detail);

	if (st == OK)
		st = listeners_open(
		    d->config, count_workers(d->config), &d->listeners, detail);
	/* Capabilities are a thread's own: before there are others. */
	if (st == OK)
		st = harden_capabilities(policy_uses_exes(policy), detail);
	if (st == OK)
		st = make_broker_key(d, detail);
	if (st == OK)
		st = userdb_create(&d->userdb);
	if (st == OK)
		st = daemon_judge(d, d->config, policy, detail);
	if (st == OK)
		st = daemon_open_ca(d, d->config, policy, &d->ca, detail);
	if (st == OK)
		st = make_audit(d, detail);
	if (st == OK)
		st = make_loop_parts(d, policy);
	if (st == OK)
		st = daemon_open_budgets(d, policy, detail);
	if (st == OK)
		st = snapshot_build(d->config, policy, &d->listeners,
		    ++d->generation, d->ca, &d->snapshot);
	if (st == OK)
		st = make_servers(d);
	if (st == OK)
		daemon_check_names(d);
	return st;
}

enum status
daemon_start(struct daemon *d, struct status_detail *detail)
{
	enum status st = OK;

	for (size_t i = 0; i < d->n_workers && st == OK; i++)
		st = worker_start(d->workers[i]);
	if (st == OK)
		st = harden_syscalls(detail);
	return st;
}

void
daemon_unmake(struct daemon *d)
{
	interfaces_destroy(d->interfaces);
	control_destroy(d->control);
	admin_destroy(d->admin);
	/* Workers first: what they asked of identity is cancelled by them. */
	for (size_t i = 0; i < d->n_workers; i++)
		worker_stop(d->workers[i]);
	broker_desk_close(d->desk);
	credential_desk_close(d->credentials);
	identity_destroy(d->identity);
	if (d->started)
		(void)daemon_record(d, RECORD_STOP, SLICE(""));
	audit_log_close(d->audit);
	daemon_end_trust(d);
	daemon_end_ca(d);
	/* Questions under way are answered before their asker's mailbox goes,
	 * then nobody posts any more and late answers are freed. */
	mailbox_flush(d->mailbox);
	userdb_destroy(d->userdb);
	d->userdb = NULL;
	for (size_t i = 0; i < d->n_workers; i++)
		worker_destroy(d->workers[i]);
	mailbox_destroy(d->mailbox);
	wiring_close(&d->wiring);
	broker_desk_destroy(d->desk);
	credential_desk_destroy(d->credentials);
	phantom_desk_destroy(d->phantoms);
	denials_destroy(d->denials);
	peer_source_destroy(d->peers);
	if (d->shared != NULL)
		proxy_shared_destroy(d->shared);
	budget_file_close(d->budgets);
	if (d->snapshot != NULL)
		proxy_snapshot_unref(d->snapshot);
	ca_unref(d->ca);
	listeners_close(&d->listeners);
}
