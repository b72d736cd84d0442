/* The loaded policy's inside, for the files of policy/ alone. */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include "policy/index.h"
#include "policy/policy.h"
#include "policy/pool.h"
#include "policy/target.h"
#include "policy/tenants.h"

#include <stdatomic.h>

#define RULE_NONE UINT32_MAX

/** Users or groups, by name and by number; either may match. */
struct id_list {
	const char *const *names;
	const uint32_t *numbers;
	size_t n_names;
	size_t n_numbers;
};

struct text_list {
	const char *const *at;
	size_t n;
};

/** All conditions that are given (n > 0) must hold. */
struct workload {
	const char *name;
	struct id_list users, groups;
	struct text_list units, cgroups, exes; /**< globs */
};

/** What a rule asks of a request that is in plain sight, and adds to it. */
struct rule_request {
	struct text_list methods; /**< none: any */
	struct text_list paths;   /**< globs on the normal form; none: any */
	const struct policy_inject *inject; /**< or NULL */
	const struct policy_budget *budget; /**< or NULL */
	bool deny_sas;
	bool inspect; /**< tunnels are looked into for the records' sake */
};

struct rule {
	const char *id;
	int64_t expires_unix_s; /**< 0: never */
	const uint16_t *ports;
	const uint32_t *workloads; /**< indices; none: every known workload */
	uint32_t n_ports;
	uint32_t n_workloads;
	uint32_t
	    request;   /**< place in the policy's `requests`, from 1; 0: none */
	uint8_t route; /**< enum policy_route */
	bool deny;
	bool sni_any;
};

/** Who may have tokens for what, as whom. */
struct grant {
	const char *id;
	const uint32_t *workloads;
	size_t n_workloads;
	struct text_list audiences;  /**< normalised */
	struct text_list identities; /**< none: all configured */
	bool phantom;
};

/** One entry of `tests`, ready to run. */
struct test_case {
	const char *name;
	struct host host;
	uint16_t port;
	bool plaintext;
	bool is_url;
	struct slice method, path, query;
	const struct policy_target *target; /**< NULL: a tunnel */
	struct peer peer;
	bool has_at, has_sni, has_resolves;
	int64_t at_unix_s;
	struct slice sni;
	struct policy_answer answer;
	enum policy_effect expect;
	const char *rule; /**< NULL: not asked */
	enum reason code; /**< NONE: not asked */
};

struct policy {
	_Atomic unsigned refs;
	enum policy_mode mode;
	bool uses_exes;
	char sha256[65];
	struct pool pool; /**< owns all text and arrays below */
	struct index index;
	struct cidr *endpoints;
	struct workload *workloads;
	struct rule *rules;
	struct rule_request *requests;
	struct grant *grants;
	struct test_case *tests;
	const struct policy_tenants *tenants; /**< NULL: no restrictions */
	const char **user_names, **group_names, **identity_names;
	size_t n_endpoints, n_workloads, n_rules, n_grants, n_tests;
	size_t n_user_names, n_group_names, n_identity_names;
	size_t n_requests;
};

/** Whether the kernel's facts about @peer can be trusted at all. */
bool peer_is_known(const struct peer *peer);
bool workload_matches(const struct workload *w, const struct peer *peer);
/** For deny rules: where a fact could not be found out it counts as met. */
bool workloads_may_match(const struct policy *p, const uint32_t *at, size_t n,
    const struct peer *peer);
/** Whether @peer is one of the @n workloads; none given is all the known. */
bool workloads_match(const struct policy *p, const uint32_t *at, size_t n,
    const struct peer *peer);
/** Whether a grant of that id gives @r what it asks for. */
bool grant_holds(const struct policy *p, const char *id,
    const struct policy_token_request *r);
/** What is wrong with the phantom that @r brings, or NONE. */
enum reason phantom_fault(const struct policy *p,
    const struct policy_request *r, const struct policy_inject *inject);
/** The audience for which @r's client is to bring a phantom first: its kind
 * sends a request without anything to learn that; or NULL. */
const char *phantom_challenge(const struct policy *p,
    const struct policy_request *r, const struct policy_inject *inject);
/** Whether some grant gives @r's peer a phantom for the audience. */
bool phantom_is_granted(
    const struct policy *p, const struct policy_token_request *r);
bool rule_has_port(const struct rule *r, uint16_t port);
bool rule_has_expired(const struct rule *r, int64_t now_unix_s);

/** What it asks of plain requests, or NULL. */
static inline const struct rule_request *
rule_request(const struct policy *p, const struct rule *r)
{
	return r->request == 0 ? NULL : &p->requests[r->request - 1];
}

/** Whether a request that the rule's host, port and workload fit has to be
 * seen: it is judged otherwise than another, or is to be recorded. */
bool rule_looks_inside(const struct rule_request *q);
/** Allow rules: all that @t may be taken for is named. */
bool rule_names_method(
    const struct rule_request *q, const struct policy_target *t);
bool rule_covers_path(
    const struct rule_request *q, const struct policy_target *t);
/** Deny rules: something that @t may be taken for is meant. */
bool rule_means_target(
    const struct rule_request *q, const struct policy_target *t);

#endif
