/* Whom a `why` is about. Names are looked up on the user database's thread,
 * which may wait for a directory service; no loop does. */
#include "agent/control_who.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 65536 }; /* the names of a large group's members */

/* A question for the helper; lives until its mail is delivered. */
struct who_names {
	struct userdb_job job; /* first */
	struct who *who;       /* NULL: nobody waits any more; the loop's own */
	struct userdb *userdb;
	char user[128]; /* "": only groups are asked for */
	char groups[WHO_GROUPS_MAX][64];
	size_t n_groups;
	/* what the helper found */
	enum status st;
	uint32_t uid;
	uint32_t gids[WHO_GROUPS_MAX];
};

static bool
copy_text(const json_t *request, const char *key, char *out, size_t out_bytes)
{
	json_t *v = json_object_get(request, key);

	if (v == NULL)
		return true;
	return json_is_string(v) &&
	    slice_copy(slice_of(json_string_value(v)), out, out_bytes);
}

static bool
copy_groups(struct who *who, const json_t *request)
{
	const json_t *list = json_object_get(request, "groups");

	if (list != NULL &&
	    (!json_is_array(list) || json_array_size(list) > WHO_GROUPS_MAX))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (s == NULL ||
		    !slice_copy(slice_of(s), who->group_names[i],
		        sizeof who->group_names[i]))
			return false;
		who->n_group_names++;
	}
	return true;
}

static bool
names_others(const json_t *request)
{
	static const char *const keys[] = { "user", "groups", "unit", "cgroup",
		"exe" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(request, keys[i]) != NULL)
			return true;
	return false;
}

/* On the helper's thread, while the loop may ask getpwnam(3) too. */
static void
names_ask_in(struct who_names *n, char *text, size_t size)
{
	struct peer peer = { .known = true };
	struct passwd pw_room, *pw = NULL;
	struct group gr_room, *gr;
	uint64_t id = 0;

	for (size_t i = 0; i < n->n_groups; i++) {
		gr = NULL;
		(void)getgrnam_r(n->groups[i], &gr_room, text, size, &gr);
		if (gr != NULL)
			id = gr->gr_gid;
		else if (!slice_to_u64(
		             slice_of(n->groups[i]), UINT32_MAX - 1, &id))
			id = UINT32_MAX; /* a name that matches as a name */
		n->gids[i] = (uint32_t)id;
	}
	n->st = OK;
	if (n->user[0] == '\0')
		return;
	(void)getpwnam_r(n->user, &pw_room, text, size, &pw);
	id = pw != NULL ? pw->pw_uid : 0;
	if (pw == NULL &&
	    !slice_to_u64(slice_of(n->user), UINT32_MAX - 1, &id)) {
		n->st = E_NOTFOUND;
		return;
	}
	/* So that the look-up on the loop is answered at once. */
	n->uid = peer.uid = (uint32_t)id;
	n->st = userdb_lookup_now(n->userdb, &peer);
}

static void
names_ask(struct userdb_job *job)
{
	struct who_names *n = (struct who_names *)job;
	char *text = malloc(TEXT_BYTES);

	n->st = E_NOMEM;
	if (text != NULL)
		names_ask_in(n, text, TEXT_BYTES);
	free(text);
}

/* The user's own groups, and those that were named beside them. */
static enum status
add_groups(struct who *who, const struct who_names *n)
{
	size_t own = who->peer.n_groups;

	if (n->n_groups == 0)
		return OK;
	who->groups = calloc(own + n->n_groups, sizeof *who->groups);
	if (who->groups == NULL)
		return E_NOMEM;
	if (own > 0)
		memcpy(
		    who->groups, who->peer.groups, own * sizeof *who->groups);
	for (size_t i = 0; i < n->n_groups; i++)
		who->groups[own + i] =
		    (struct peer_group){ n->gids[i], who->group_names[i] };
	who->peer.groups = who->groups;
	who->peer.n_groups = own + n->n_groups;
	return OK;
}

static enum status
take_names(struct who *who, const struct who_names *n)
{
	enum status st = n->st;
	struct userdb_wait *wait = NULL;

	if (st == OK && n->user[0] != '\0') {
		who->peer.known = true;
		who->peer.uid = n->uid;
		st = userdb_lookup(
		    who->userdb, &who->peer, NULL, NULL, NULL, &wait);
	}
	return st == OK ? add_groups(who, n) : st;
}

static void
names_deliver(struct mail *m)
{
	struct who_names *n = (struct who_names *)m;
	struct who *who = n->who;
	enum status st;

	if (who != NULL) {
		who->names = NULL;
		st = take_names(who, n);
		who->done(who->arg, st);
	}
	free(n);
}

static enum status
ask_names(struct who *who, struct daemon *d)
{
	struct who_names *n = calloc(1, sizeof *n);

	if (n == NULL)
		return E_NOMEM;
	n->who = who;
	n->userdb = d->userdb;
	memcpy(n->user, who->user, sizeof n->user);
	memcpy(n->groups, who->group_names, sizeof n->groups);
	n->n_groups = who->n_group_names;
	n->job.mail.deliver = names_deliver;
	n->job.box = d->mailbox;
	n->job.run = names_ask;
	who->names = n;
	userdb_run_job(d->userdb, &n->job);
	return E_PARTIAL;
}

/* Somebody else's unit is the one that is given, or none: never the asker's.
 * Over TCP the asker's own program is not known. */
static void
place(struct who *who, const struct why_asker *asker, const json_t *request)
{
	who->is_named = json_object_get(request, "user") != NULL;
	who->has_place = who->unit[0] != '\0' || who->cgroup[0] != '\0';
	if (who->has_place || who->is_named) {
		who->peer.cgroup_unknown = false;
	} else {
		(void)snprintf(
		    who->unit, sizeof who->unit, "%s", asker->peer.unit);
		(void)snprintf(
		    who->cgroup, sizeof who->cgroup, "%s", asker->peer.cgroup);
		who->has_place = true;
	}
	who->peer.unit = who->unit;
	who->peer.cgroup = who->cgroup;
	who->peer.exe = who->exe;
	who->peer.exe_unknown = who->exe[0] == '\0';
}

enum status
who_read(struct who *who, struct daemon *d, const struct why_asker *asker,
    const json_t *request, struct status_detail *detail)
{
	enum status st = OK;

	who->peer = asker->peer;
	who->userdb = d->userdb;
	if (names_others(request) && !asker->is_operator)
		return status_set(detail, E_DENIED,
		    "only root and the daemon's own group may ask about "
		    "others; ask about yourself");
	if (!copy_text(request, "user", who->user, sizeof who->user) ||
	    !copy_text(request, "unit", who->unit, sizeof who->unit) ||
	    !copy_text(request, "cgroup", who->cgroup, sizeof who->cgroup) ||
	    !copy_text(request, "exe", who->exe, sizeof who->exe) ||
	    !copy_groups(who, request))
		return status_set(detail, E_INVALID,
		    "user, groups, unit, cgroup and exe must be short texts");
	place(who, asker, request);
	if (who->user[0] != '\0' || who->n_group_names > 0)
		st = ask_names(who, d);
	return st == E_NOMEM ? status_set(detail, st, "no memory") : st;
}

void
who_release(struct who *who)
{
	if (who->names != NULL)
		who->names->who = NULL;
	who->names = NULL;
	free(who->groups);
	who->groups = NULL;
}
