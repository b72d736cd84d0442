/* A request that nobody makes, put together from words or from JSON. */
#ifndef AGENT_WHY_REQUEST_H
#define AGENT_WHY_REQUEST_H

#include "policy/policy.h"

#include <jansson.h>

enum {
	WHY_GROUPS_MAX = 64,
	WHY_NAMES_MAX = 64,
};

/** Owns all that its request and answer point to. */
struct why_request {
	struct policy_request request;
	struct policy_answer answer;
	bool has_resolves;
	bool has_sni;
	struct host host;
	struct peer peer;
	struct peer_group groups[WHY_GROUPS_MAX];
	char group_names[WHY_GROUPS_MAX][64];
	char user[128], unit[128], cgroup[512], exe[512];
	char method[32], path[1024], sni[HOST_BYTES];
	const char *chain[WHY_NAMES_MAX];
	char chain_text[WHY_NAMES_MAX][HOST_BYTES];
	struct addr addresses[WHY_NAMES_MAX];
};

/** A known workload of no user, now. */
void why_request_init(struct why_request *w, int64_t now_unix_s);
/** "https://host/path", "http://...", HOST or HOST:PORT (443). */
enum status why_request_target(struct why_request *w, const char *text,
    struct status_detail *detail) ATTR_MUST_USE;
/** A name or a uid, with the groups that this machine knows of it. */
enum status why_request_user(struct why_request *w, const char *text,
    struct status_detail *detail) ATTR_MUST_USE;
/** Another group, by name or gid. */
enum status why_request_group(struct why_request *w, const char *text,
    struct status_detail *detail) ATTR_MUST_USE;
enum status why_request_at(struct why_request *w, const char *text,
    struct status_detail *detail) ATTR_MUST_USE;
/** One CNAME target or address; targets first. */
enum status why_request_resolves(struct why_request *w, struct slice text,
    struct status_detail *detail) ATTR_MUST_USE;
/** One of unit, cgroup, exe, method, sni. */
enum status why_request_text(struct why_request *w, const char *key,
    const char *text, struct status_detail *detail) ATTR_MUST_USE;
/** The shape of `tests[].request` (contract 9). */
enum status why_request_json(struct why_request *w, const json_t *object,
    struct status_detail *detail) ATTR_MUST_USE;

#endif
