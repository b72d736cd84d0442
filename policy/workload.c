/* Which workloads of the policy a local client is. */
#include "policy/glob.h"
#include "policy/model.h"

#include <string.h>

/* The overflow uid: what the kernel shows for owners it cannot map. */
enum { UID_OVERFLOW = 65534 };

bool
peer_is_known(const struct peer *peer)
{
	return peer != NULL && peer->known && peer->uid != UID_OVERFLOW;
}

static bool
list_has(const struct id_list *list, const char *name, uint32_t number)
{
	for (size_t i = 0; i < list->n_numbers; i++)
		if (list->numbers[i] == number)
			return true;
	if (name == NULL || *name == '\0')
		return false;
	for (size_t i = 0; i < list->n_names; i++)
		if (strcmp(list->names[i], name) == 0)
			return true;
	return false;
}

static bool
list_is_empty(const struct id_list *list)
{
	return list->n_names == 0 && list->n_numbers == 0;
}

static bool
groups_match(const struct id_list *list, const struct peer *peer)
{
	if (list_is_empty(list))
		return true;
	for (size_t i = 0; i < peer->n_groups; i++)
		if (list_has(list, peer->groups[i].name, peer->groups[i].gid))
			return true;
	return false;
}

static bool
globs_match(const struct text_list *globs, const char *text)
{
	if (globs->n == 0)
		return true;
	if (text == NULL || *text == '\0')
		return false;
	for (size_t i = 0; i < globs->n; i++)
		if (glob_match(globs->at[i], text))
			return true;
	return false;
}

/* @lenient: what could not be found out is taken for the worse. */
static bool
matches(const struct workload *w, const struct peer *peer, bool lenient)
{
	bool any_cgroup, any_exe;

	if (!peer_is_known(peer))
		return false;
	any_cgroup = lenient && peer->cgroup_unknown;
	any_exe = lenient && peer->exe_unknown;
	if (!list_is_empty(&w->users) &&
	    !list_has(&w->users, peer->user, peer->uid))
		return false;
	return groups_match(&w->groups, peer) &&
	    (any_cgroup ||
	        (globs_match(&w->units, peer->unit) &&
	            globs_match(&w->cgroups, peer->cgroup))) &&
	    (any_exe || globs_match(&w->exes, peer->exe));
}

bool
workload_matches(const struct workload *w, const struct peer *peer)
{
	return matches(w, peer, false);
}

bool
workloads_may_match(const struct policy *p, const uint32_t *at, size_t n,
    const struct peer *peer)
{
	if (n == 0)
		return peer_is_known(peer);
	for (size_t i = 0; i < n; i++)
		if (matches(&p->workloads[at[i]], peer, true))
			return true;
	return false;
}

bool
workloads_match(const struct policy *p, const uint32_t *at, size_t n,
    const struct peer *peer)
{
	if (n == 0)
		return peer_is_known(peer);
	for (size_t i = 0; i < n; i++)
		if (workload_matches(&p->workloads[at[i]], peer))
			return true;
	return false;
}

size_t
policy_workload_names(const struct policy *p, const struct peer *peer,
    const char **out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_workloads && n < max; i++)
		if (workload_matches(&p->workloads[i], peer))
			out[n++] = p->workloads[i].name;
	return n;
}
