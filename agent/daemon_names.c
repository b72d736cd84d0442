/* Names of the policy that nobody has here. The system is asked off the loop,
 * by the thread that identifies clients, for one at a time: clients go first,
 * and one that is not known yet waits for one name at most. Where that one
 * hangs the same database would keep the client's own name waiting. */
#include "agent/daemon.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 65536 }; /* the names of a large group's members */

/* Users, then groups; NULL past the end. */
static const char *
name_at(const struct policy *p, size_t at, bool *is_group)
{
	const char *const *names = NULL;
	size_t n = policy_user_names(p, &names);

	*is_group = at >= n;
	if (at < n)
		return names[at];
	at -= n;
	n = policy_group_names(p, &names);
	return at < n ? names[at] : NULL;
}

static bool
is_number(const char *s)
{
	uint64_t v;

	return slice_to_u64(slice_of(s), UINT32_MAX, &v);
}

/* A database that is out of order is no word that nobody is there. */
static void
name_ask(struct userdb_job *job)
{
	struct name_check *c = (struct name_check *)job;
	char *text = malloc(TEXT_BYTES);
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;

	c->ran = true;
	c->missing = false;
	if (text != NULL && c->is_group)
		c->missing =
		    getgrnam_r(c->name, &gr, text, TEXT_BYTES, &group) == 0 &&
		    group == NULL;
	else if (text != NULL)
		c->missing =
		    getpwnam_r(c->name, &pw, text, TEXT_BYTES, &user) == 0 &&
		    user == NULL;
	free(text);
}

/* The next that is a name; false when there is none. */
static bool
name_take(struct name_check *c)
{
	const struct policy *p = c->daemon->snapshot->policy;
	const char *name;

	while ((name = name_at(p, c->next, &c->is_group)) != NULL) {
		c->next++;
		if (!is_number(name) &&
		    slice_copy(slice_of(name), c->name, sizeof c->name))
			return true;
	}
	return false;
}

static void
name_post(struct name_check *c)
{
	c->ran = false;
	c->busy = c->daemon->userdb != NULL && name_take(c);
	if (c->busy)
		userdb_run_job(c->daemon->userdb, &c->job);
}

/* Unknown names match nobody; somebody may have misspelt them. */
static void
name_deliver(struct mail *m)
{
	struct name_check *c = (struct name_check *)m;

	if (c->ran && c->missing)
		log_warning("%s: no %s is called \"%s\" here: the name matches "
		            "nobody",
		    c->daemon->config->policy_file,
		    c->is_group ? "group" : "user", c->name);
	c->busy = false;
	if (c->ran)
		name_post(c);
}

void
daemon_check_names(struct daemon *d)
{
	struct name_check *c = &d->names;

	/* One under way goes on with the names of this policy. */
	c->next = 0;
	if (c->busy)
		return;
	c->daemon = d;
	c->job.mail.deliver = name_deliver;
	c->job.box = d->mailbox;
	c->job.run = name_ask;
	name_post(c);
}
