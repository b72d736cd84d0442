/* Decides. Facts in, verdict and reason out; no I/O, no clock, no threads.
 *
 * One request's story: the proxy has read a host and a port, and knows who
 * asks. policy_decide_name() says whether any rule names them. The resolver
 * then walks the DNS answer, and policy_decide_route() judges chain, zone and
 * every address. The tunnel's first flight is judged by policy_decide_hello().
 * Each step adds to the same struct policy_verdict; the first denial ends it.
 * The live paths call the steps, as they wait between them; `wayleave why`,
 * `policy test` and a reload have all facts at hand and call policy_judge(),
 * which is the same steps. A loaded policy is immutable, and may be read by
 * all threads. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#if defined(EVENT2_EVENT_H_INCLUDED_) || defined(CURLINC_CURL_H)
#	error "policy is pure: include no event loop and no I/O before it"
#endif

#include "base/buf.h"
#include "base/host.h"
#include "base/peer.h"
#include "base/reason.h"

struct policy;

enum policy_mode { POLICY_ENFORCE, POLICY_REPORT };

enum policy_route { ROUTE_PRIVATE, ROUTE_PRIVATE_ADDRESS, ROUTE_PUBLIC };

/** What the loader says of one problem; errors fail the load. */
struct policy_issue {
	bool is_error;
	unsigned line, column;
	char pointer[128];
	char text[512];
};

struct policy_issues {
	struct policy_issue at[64];
	size_t n;
	size_t n_errors;
};

/**
 * Parses and indexes policy.json text. OK: *out is owned with one reference.
 * E_SYNTAX/E_INVALID: @issues says what and where (also holds
 * warnings on OK). Bounded: 256 MiB of text, 2,000,000 rules.
 */
enum status policy_load(struct slice text, struct policy **out,
    struct policy_issues *issues) ATTR_MUST_USE;
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p);

enum policy_mode policy_mode(const struct policy *p);
/** Hex SHA-256 of the text and a NUL; borrowed from @p. */
const char *policy_sha256(const struct policy *p);
size_t policy_rule_count(const struct policy *p);
/** Names of users and groups that the policy mentions, for the user database. */
size_t policy_user_names(const struct policy *p, const char *const **names);
size_t policy_group_names(const struct policy *p, const char *const **names);
/** Names of identities that `tokens` mention, for the configuration's check. */
size_t policy_identity_names(const struct policy *p, const char *const **names);
/** Whether some workload has `exes`: then programs must be looked up. */
bool policy_uses_exes(const struct policy *p);
/** What requests to @host have to say of tenants, or NULL; @p may be. */
const struct policy_tenants *policy_tenants_of(
    const struct policy *p, const char *host);
/** Whether something asks for what only an inspected tunnel shows. */
bool policy_inspects(const struct policy *p);
/** The id of rule @index (in the file's order), or NULL past the end. */
const char *policy_rule_id(const struct policy *p, size_t index);

/**
 * Whether a rule, allow or deny, names a host that is @suffix (canonical) or
 * lies under it; a wildcard counts where some name of it does.
 */
bool policy_governs(const struct policy *p, const char *suffix);

/* policy/target.h: what of a request is in plain sight */
struct policy_target;
/* policy/tenants.h */
struct policy_tenants;

/** One of our own tokens, that a request brings; everything is borrowed. */
struct policy_bearer {
	bool sound; /**< made by us and not revoked; else no more is known */
	uint32_t uid;
	const char *unit, *audience, *identity, *grant;
	int64_t expires_unix_s;
};

/** One destination as asked for; everything is borrowed. */
struct policy_request {
	const struct host *host; /**< canonical */
	uint16_t port;
	bool plaintext;      /**< http://, forwarded without TLS */
	struct slice method; /**< empty where it cannot be seen (CONNECT) */
	struct slice path;   /**< empty likewise */
	/** What the rules judge of a request; NULL where it cannot be seen. */
	const struct policy_target *target;
	/** A tunnel could be looked into: its TLS would end here. */
	bool inspects;
	/** The phantom in it; NULL: it brings none, or cannot be seen. */
	const struct policy_bearer *bearer;
	bool bare; /**< it can be seen to bring no credential at all */
	const struct peer *peer;
	int64_t now_unix_s;
};

/**
 * The id of a rule for this host and port that is for clients in some unit or
 * cgroup, and would be for this one if it were in it; NULL: its unit makes no
 * difference.
 */
const char *policy_asks_unit(
    const struct policy *p, const struct policy_request *r);

/**
 * What a chain was found to show for @host, kept beside it so that it is
 * walked once: nothing but the host and the chain decides that. Zero at first;
 * written by whoever judges the chain, so it is for one thread.
 */
struct policy_chain {
	char host[HOST_BYTES]; /**< "": not judged yet */
	const char *zone;      /**< that proves it, within the chain; or NULL */
	int finding;           /**< private to policy/ */
};

/** What the resolver found; borrowed. */
struct policy_answer {
	enum reason failure; /**< a DNS_* code or CHAIN_BROKEN, else NONE */
	const char *const *chain; /**< CNAME targets in order, canonical */
	size_t n_chain;
	const struct addr *addresses;
	size_t n_addresses;
	const char
	    *negative_soa; /**< zone of the SOA of a negative answer or NULL */
	struct policy_chain *judged; /**< of this very chain; NULL: not kept */
};

struct policy_listener {
	struct addr addr;
	uint16_t port;
};

/** Our own sockets and interfaces, for SELF. Wildcards are expanded. */
struct policy_self {
	const struct policy_listener *listeners;
	size_t n_listeners;
	const struct addr *interfaces; /**< of interfaces other than lo */
	size_t n_interfaces;
};

enum policy_effect { POLICY_DENY, POLICY_ALLOW };

/** The credential that a rule puts into what it allows. */
struct policy_inject {
	const char *identity; /**< a configured one's name */
	const char *audience; /**< as the rule spells it */
	/** What a client may send after "Bearer " in its place. */
	const char *const *placeholders;
	size_t n_placeholders;
};

/** What each user may send up by a rule, for good. */
struct policy_budget {
	const char *rule; /**< its id: the count is kept under that */
	uint64_t bytes;
};

/** Whether some rule has a budget: then the counts have to be kept. */
bool policy_has_budgets(const struct policy *p);

/** What rule @index (in the file's order) puts in, or NULL. */
const struct policy_inject *policy_rule_inject(
    const struct policy *p, size_t index);

/** Built up over the phases. Strings are borrowed from the policy. */
struct policy_verdict {
	enum policy_effect effect;
	enum reason code; /**< the first denial, also when it only would */
	enum policy_route route;
	bool would_deny;  /**< report mode: passes, but `code` would deny */
	bool sni_any;     /**< the rule lets every protocol through */
	bool deny_sas;    /**< a rule that matches wants no signatures */
	bool inspect;     /**< a tunnel passes only to be looked into */
	const char *rule; /**< the rule that allows or denies, NULL if none */
	const char *zone; /**< the privatelink zone that proved the route;
			       borrowed from the answer's chain */
	int64_t expires_unix_s; /**< of the deciding rule; 0: never */
	/** What the deciding rule injects, borrowed from the policy; or NULL.
	 * Not into a tunnel: into the requests that are found in it. */
	const struct policy_inject *inject;
	/** Of the deciding rule; NULL: none, and for an inspected tunnel */
	const struct policy_budget *budget;
	/** With TOKEN_INVALID: the client only asks what it has to bring, and is
	 * to hear that it is a token for this audience; or NULL. */
	const char *challenge;
	uint32_t rule_index; /**< private to policy/ */
	uint32_t candidate;  /**< private to policy/ */
};

/** Host, port, workload, expiry, deny rules. Writes all of @out. */
void policy_decide_name(const struct policy *p, const struct policy_request *r,
    struct policy_verdict *out);
/** The judged set. Call only after an allowing name phase. */
void policy_decide_route(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct policy_self *self,
    struct policy_verdict *v);

/**
 * Phantoms, signatures, sources and credentials of a request that can be
 * seen. Call only after an allowing route phase; nothing where `target` is
 * NULL.
 */
void policy_decide_request(const struct policy *p,
    const struct policy_request *r, struct policy_verdict *v);

enum policy_hello {
	POLICY_HELLO_OK, /**< an SNI, possibly the right one */
	POLICY_HELLO_NO_SNI,
	POLICY_HELLO_NOT_TLS,
	POLICY_HELLO_ECH,
};

/** The first flight of a tunnel. @sni as sent (SNI_MISMATCH is exact). */
void policy_decide_hello(const struct policy *p, const struct policy_request *r,
    enum policy_hello hello, struct slice sni, struct policy_verdict *v);

/** A question with all that is known of it; everything is borrowed. */
struct policy_case {
	const struct policy_request *request;
	const struct policy_answer *answer; /**< NULL: no route is judged */
	const struct policy_self *self;     /**< NULL: nothing is SELF */
	bool has_hello; /**< hello and sni are there to be judged */
	enum policy_hello hello;
	struct slice sni;
	bool stop_at_would; /**< what only report mode lets pass ends it too */
};

/** Name, route and hello, as far as @c has facts. Writes all of @out. */
void policy_judge(const struct policy *p, const struct policy_case *c,
    struct policy_verdict *out);

/** Names of the workloads of the policy that @peer is; returns how many. */
size_t policy_workload_names(const struct policy *p, const struct peer *peer,
    const char **out, size_t max);

/** Why, for people. Text lives in the struct; no address ever stands in it. */
struct policy_explanation {
	char rule_near[128];
	char unmet[256];
	char
	    fix[1024]; /**< one sentence; the smallest rule as JSON within it */
	char fix_rule[768]; /**< that rule alone, JSON on one line, or "" */
};

void policy_explain(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct policy_verdict *v,
    struct policy_explanation *out);

/** A question of the broker: may this peer have this token? */
struct policy_token_request {
	const struct peer *peer;
	struct slice audience; /**< the client's bytes */
	const char
	    *identity; /**< configured name chosen by selector, or NULL */
};

struct policy_token_verdict {
	enum policy_effect effect;
	enum reason code;
	const char *grant;    /**< id of the grant */
	const char *identity; /**< NULL: the daemon's first configured one */
	bool phantom;         /**< one of ours is given in its place */
	char detail[256];     /**< names both sides of an ambiguity */
};

void policy_decide_token(const struct policy *p,
    const struct policy_token_request *r, struct policy_token_verdict *out);

/** One entry of `tests`, run; borrowed from @p. */
struct policy_test_result {
	const char *name; /**< the URL or authority asked for */
	bool passed;
	struct policy_verdict verdict;
	char why[256]; /**< what differed, "" when passed */
};

size_t policy_test_count(const struct policy *p);
void policy_test_run(const struct policy *p, size_t index, int64_t now_unix_s,
    struct policy_test_result *out);

#endif
