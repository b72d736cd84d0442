/* What `wayleave status` and /status show. */
#include "agent/status_json.h"

#include "agent/agent.h"
#include "base/secret.h"

#include <stdio.h>
#include <unistd.h>

void
status_put_ready(struct jsonw *w, const struct daemon *d)
{
	const char *reasons[DAEMON_REASONS_MAX];
	size_t n = daemon_reasons(d, reasons);

	jsonw_bool(w, "ready", n == 0);
	jsonw_array(w, "reasons");
	for (size_t i = 0; i < n; i++)
		jsonw_str(w, NULL, reasons[i]);
	jsonw_array_end(w);
}

void
status_put_listeners(struct jsonw *w, const char *key, const struct daemon *d,
    enum listen_role role)
{
	jsonw_array(w, key);
	for (size_t i = 0; i < d->listeners.n; i++)
		if (d->listeners.at[i].role == role)
			jsonw_str(w, NULL, d->listeners.at[i].at.name);
	jsonw_array_end(w);
}

void
status_put_gateways(struct jsonw *w, const struct daemon *d)
{
	char upstream[HOST_BYTES + 300];

	jsonw_array(w, "gateways");
	for (size_t i = 0; i < d->config->n_gateways; i++) {
		const struct config_gateway *g = &d->config->gateways[i];
		int n =
		    snprintf(upstream, sizeof upstream, "https://%s", g->host);

		if (g->port != 443)
			n += snprintf(upstream + n, sizeof upstream - (size_t)n,
			    ":%u", g->port);
		(void)snprintf(
		    upstream + n, sizeof upstream - (size_t)n, "%s", g->prefix);
		jsonw_object(w, NULL);
		jsonw_str(w, "name", g->name);
		jsonw_str(w, "listen", g->listen.name);
		jsonw_str(w, "upstream", upstream);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void
put_policy(struct jsonw *w, const struct daemon *d)
{
	const struct policy *p = d->snapshot->policy;

	jsonw_object(w, "policy");
	jsonw_u64(w, "generation", d->snapshot->generation);
	jsonw_str(w, "sha256", policy_sha256(p));
	jsonw_str(
	    w, "mode", policy_mode(p) == POLICY_ENFORCE ? "enforce" : "report");
	jsonw_u64(w, "rules", policy_rule_count(p));
	jsonw_str(w, "file", d->config->policy_file);
	jsonw_object_end(w);
	jsonw_object(w, "reload");
	jsonw_bool(w, "ok", d->reload.ok);
	jsonw_i64(w, "time", d->reload.unix_s);
	jsonw_str(w, "message", d->reload.message);
	jsonw_object_end(w);
}

static void
put_audit(struct jsonw *w, const struct daemon *d)
{
	struct audit_status s;

	audit_log_status(d->audit, &s);
	jsonw_object(w, "audit");
	jsonw_bool(w, "healthy", s.healthy);
	jsonw_str(w, "file", d->config->audit.file);
	jsonw_u64(w, "seq", s.seq);
	jsonw_str(w, "head", s.head);
	jsonw_u64(w, "records", s.records);
	jsonw_u64(w, "errors", s.errors);
	jsonw_u64(w, "lost", s.lost);
	jsonw_u64(w, "queued", s.queued);
	jsonw_u64(w, "checkpoint_seq", s.checkpoint_seq);
	jsonw_str(w, "key_id", s.key_id);
	jsonw_str(w, "last_error", s.last_error);
	jsonw_object_end(w);
}

static void
put_memory(struct jsonw *w, const struct daemon *d)
{
	size_t used = 0, total = 0;

	secret_arena_usage(&used, &total);
	jsonw_object(w, "memory");
	jsonw_bool(w, "locked", d->memory_locked);
	jsonw_u64(w, "used_bytes", used);
	jsonw_u64(w, "total_bytes", total);
	jsonw_object_end(w);
}

void
status_put_all(struct jsonw *w, const struct daemon *d)
{
	jsonw_str(w, "name", d->config->name);
	jsonw_str(w, "version", agent_version);
	jsonw_i64(w, "pid", getpid());
	jsonw_i64(
	    w, "uptime_s", (clock_boot_ms(d->clock) - d->start_boot_ms) / 1000);
	jsonw_str(w, "state", d->draining ? "draining" : "serving");
	status_put_ready(w, d);
	put_policy(w, d);
	jsonw_u64(w, "workers", d->n_workers);
	jsonw_u64(w, "connections", daemon_connections(d));
	jsonw_object(w, "listeners");
	for (int r = 0; r < LISTEN_ROLES; r++)
		status_put_listeners(w, listen_role_name((enum listen_role)r),
		    d, (enum listen_role)r);
	jsonw_object_end(w);
	status_put_gateways(w, d);
	jsonw_object(w, "inspection");
	jsonw_str(w, "mode", config_inspection_name(d->config->inspection));
	jsonw_bool(w, "on", d->ca != NULL);
	jsonw_object_end(w);
	jsonw_array(w, "identities");
	for (size_t i = 0; i < d->config->n_identities; i++)
		jsonw_str(w, NULL, d->config->identities[i].name);
	jsonw_array_end(w);
	put_audit(w, d);
	put_memory(w, d);
}
