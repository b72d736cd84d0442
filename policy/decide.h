/* The steps of a decision that explanations and tests share. */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "policy/model.h"

/** How far a request came with the best of the allow rules. */
enum match_stage {
	STAGE_NONE, /**< no rule names the host */
	STAGE_HOST,
	STAGE_PLAIN, /**< port named, but not for plain HTTP */
	STAGE_PORT,
	STAGE_WORKLOAD,
	STAGE_LIVE,   /**< it has not expired, but names other methods */
	STAGE_METHOD, /**< the method is named, but only for other paths */
	STAGE_MATCH,
};

struct match {
	enum match_stage stage;
	uint32_t rule;  /**< best at that stage; RULE_NONE */
	uint32_t fixed; /**< labels that are fixed, UINT32_MAX if exact */
	uint32_t denied_by;
	uint32_t inside;  /**< a rule that looks into requests; RULE_NONE */
	bool inside_hard; /**< and report mode does not do without that */
	bool deny_sas;    /**< some rule that matches says so */
	enum policy_route route; /**< strictest of host, port and workload */
};

/** Every rule that names the host, weighed. Pure, no order of rules. */
void match_rules(
    const struct policy *p, const struct policy_request *r, struct match *out);

/** What the addresses of an answer are, against the policy's endpoints. */
struct address_census {
	size_t n_endpoint; /**< within `endpoints` */
	size_t n_private;  /**< private, but in none of them */
	size_t n_public;   /**< and in none of them */
	size_t n_global;   /**< public, in them or not */
	bool never;
	bool self;
};

void address_census(const struct policy *p, const struct policy_request *r,
    const struct policy_answer *a, const struct policy_self *self,
    struct address_census *out);

/** What the chain shows of private zones. */
enum chain_finding {
	CHAIN_PROVES,  /**< passes a zone of the host's own service */
	CHAIN_FOREIGN, /**< passes a private zone, but of another service */
	CHAIN_NONE,
};

enum chain_finding chain_judge(
    const char *host, const struct policy_answer *a, char zone[HOST_BYTES]);
/** Whether report mode lets @code pass. */
bool reason_is_reportable(enum reason code);

#endif
