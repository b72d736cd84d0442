/* Judges a why_request offline and puts the verdict into words or JSON. */
#ifndef AGENT_WHY_JUDGE_H
#define AGENT_WHY_JUDGE_H

#include "agent/why_request.h"

struct why_judgement {
	struct policy_verdict verdict; /**< as in enforce mode */
	struct policy_explanation explanation;
	bool whole; /**< false: the name phase only, nothing resolved */
};

/** The enforce verdict in either mode; the zone is borrowed from @w. */
void why_judge(
    const struct policy *p, struct why_request *w, struct why_judgement *out);
/** Members as the daemon's `why` gives them. Owned; NULL without memory. */
json_t *why_json(const struct policy *p, const struct why_request *w,
    const struct why_judgement *j);
/**
 * Adds "note" to @reply where the client was judged as one in no unit and a
 * rule asks for one.
 */
void why_note_unit(
    json_t *reply, const struct policy *p, const struct policy_request *r);
/** Adds "inspect", and "inject" where what is allowed gets a credential. */
void why_put_inside(json_t *reply, const struct policy_verdict *v);
/** `resolved`: chain and addresses, for operators. Owned. */
json_t *why_resolved_json(const struct policy_answer *a);
/** For a person, several lines. Members as in why_json(). */
void why_print(const json_t *reply);

#endif
