/* A request that nobody makes, put together from words or from JSON. */
#ifndef AGENT_WHY_REQUEST_H
#define AGENT_WHY_REQUEST_H

#include "base/uri.h"
#include "policy/policy.h"
#include "policy/target.h"

#include <jansson.h>

enum {
	WHY_GROUPS_MAX = 64,
	WHY_NAMES_MAX = 64,
	WHY_PATH_BYTES = 2048,
};

/** What would be in plain sight of it. */
struct why_plain {
	bool is_url; /**< there is a path */
	char method[32], path[WHY_PATH_BYTES], query[2 * WHY_PATH_BYTES];
	struct policy_target target;
	char text[2 * WHY_PATH_BYTES + 64];
};

/** Takes path and query. E_INVALID: they are too long. */
enum status why_plain_url(struct why_plain *w, const struct uri *u,
    struct status_detail *detail) ATTR_MUST_USE;
/**
 * All is said: gives @r, whose `plaintext` stands, what can be seen of it.
 * Over https that is nothing (CONNECT) unless a method was given: then it is
 * meant as a gateway sees it. Over http the method is GET by default.
 */
void why_plain_settle(struct why_plain *w, struct policy_request *r);

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
	char sni[HOST_BYTES];
	struct why_plain plain;
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
/** The shape of `tests[].request` (contract 9); its `plain` is settled. */
enum status why_request_json(struct why_request *w, const json_t *object,
    struct status_detail *detail) ATTR_MUST_USE;

#endif
