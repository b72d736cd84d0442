/* Between the two halves of an explanation: sentences and rules. */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "policy/decide.h"

struct suggestion {
	const struct policy_request *request;
	const char *id; /**< NULL: one is made of host, port and workload */
	const char *workload; /**< NULL: every known one */
	enum policy_route route;
	const char *reason;     /**< for route public */
	int64_t expires_unix_s; /**< 0: never */
	bool inside;            /**< for its method and path alone */
	bool deny_sas;
	bool injects; /**< the rule beside it does, and this one cannot */
};

/**
 * The smallest rule for exactly this request, as JSON; "" where no rule can
 * say that, and without memory.
 */
void suggest_rule(const struct suggestion *s, char *out, size_t out_bytes);
/** The route that fits a host as far as is known; @a may be NULL. */
enum policy_route suggest_route(const struct policy *p,
    const struct policy_request *r, const struct policy_answer *a);
/** Which zone or record is missing, as far as the chain shows it. */
void explain_route(const struct policy_request *r,
    const struct policy_answer *a, const struct policy_verdict *v,
    struct policy_explanation *out);
/** What of a request that is seen was refused; @rule is the nearest or NULL. */
void explain_request(const struct policy *p, const struct policy_request *r,
    const struct policy_verdict *v, const struct rule *rule,
    struct policy_explanation *out);
/** A rule beside @near for exactly this request, method and path too. */
void explain_addition(const struct policy *p, const struct policy_request *r,
    const struct rule *near, struct policy_explanation *out);
/** As snprintf(), cut off where it does not fit. */
void explain_say(char *out, size_t out_bytes, const char *fmt, ...)
    ATTR_PRINTF(3, 4);

#endif
