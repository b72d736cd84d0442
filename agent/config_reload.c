/* What of a configuration may change without a restart, and what may not. */
#include "agent/config.h"

#include <stdio.h>
#include <string.h>

static bool
listeners_eq(const struct config_listeners *a, const struct config_listeners *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->at[i].name, b->at[i].name) != 0)
			return false;
	return true;
}

static void
add_name(char *out, size_t out_bytes, bool changed, const char *name)
{
	size_t n = strlen(out);

	if (changed)
		(void)snprintf(
		    out + n, out_bytes - n, "%s%s", n > 0 ? ", " : "", name);
}

void
config_restart_keys(const struct config *old, const struct config *new,
    char *out, size_t out_bytes)
{
	*out = '\0';
	add_name(out, out_bytes,
	    !listeners_eq(&old->proxy, &new->proxy) ||
	        !listeners_eq(&old->broker, &new->broker) ||
	        !listeners_eq(&old->admin, &new->admin) ||
	        !listeners_eq(&old->control, &new->control),
	    "listen");
	add_name(out, out_bytes, old->workers != new->workers, "workers");
	add_name(out, out_bytes, strcmp(old->audit.file, new->audit.file) != 0,
	    "audit.file");
	add_name(out, out_bytes,
	    old->audit.deny_on_failure != new->audit.deny_on_failure,
	    "audit.on_failure");
	add_name(out, out_bytes,
	    old->audit.rotate_bytes != new->audit.rotate_bytes,
	    "audit.rotate_bytes");
	add_name(
	    out, out_bytes, old->audit.keep != new->audit.keep, "audit.keep");
	add_name(out, out_bytes, strcmp(old->state_dir, new->state_dir) != 0,
	    "state_dir");
	add_name(out, out_bytes,
	    strcmp(old->runtime_dir, new->runtime_dir) != 0, "runtime_dir");
	add_name(out, out_bytes,
	    strcmp(old->cgroup_root, new->cgroup_root) != 0, "cgroup_root");
	add_name(out, out_bytes,
	    old->limits.secret_bytes != new->limits.secret_bytes,
	    "limits.secret_bytes");
}

void
config_keep_fixed(struct config *new, const struct config *old)
{
	new->proxy = old->proxy;
	new->broker = old->broker;
	new->admin = old->admin;
	new->control = old->control;
	new->workers = old->workers;
	new->audit = old->audit;
	new->limits.secret_bytes = old->limits.secret_bytes;
	memcpy(new->state_dir, old->state_dir, sizeof new->state_dir);
	memcpy(new->runtime_dir, old->runtime_dir, sizeof new->runtime_dir);
	memcpy(new->cgroup_root, old->cgroup_root, sizeof new->cgroup_root);
}
