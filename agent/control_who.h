/* Whom a `why` is about: the asker, or somebody whom an operator names. */
#ifndef AGENT_CONTROL_WHO_H
#define AGENT_CONTROL_WHO_H

#include "agent/daemon.h"

#include <jansson.h>

enum { WHO_GROUPS_MAX = 64 };

/** Who asks, and whether others are their business. */
struct why_asker {
	struct peer peer; /**< with user and groups */
	bool is_operator;
};

struct who_names;

/** Owns what its peer points to; zeroed by the caller, then who_release(). */
struct who {
	struct peer peer;
	bool is_named;  /**< somebody else than the asker */
	bool has_place; /**< a unit or a cgroup: the asker's, or a given one */
	char user[128], unit[128], cgroup[512], exe[512];
	char group_names[WHO_GROUPS_MAX][64];
	size_t n_group_names;
	struct peer_group *groups; /**< NULL: the peer's are borrowed */
	struct userdb *userdb;
	struct who_names *names; /**< under way, or NULL */
	void (*done)(void *arg, enum status st);
	void *arg;
};

/**
 * Reads user, groups, unit, cgroup and exe of @request. OK: who->peer is
 * whole. E_PARTIAL: the user database's thread is asked, and done() comes on
 * the control loop: with E_NOTFOUND where there is no such user. E_DENIED,
 * E_INVALID, E_NOMEM: @detail says why.
 */
enum status who_read(struct who *who, struct daemon *d,
    const struct why_asker *asker, const json_t *request,
    struct status_detail *detail) ATTR_MUST_USE;
/** done() does not come any more. */
void who_release(struct who *who);

#endif
