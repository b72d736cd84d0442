/* `why`: the policy's word on a request that nobody makes. */
#ifndef AGENT_CONTROL_WHY_H
#define AGENT_CONTROL_WHY_H

#include "agent/control_who.h"

#include <jansson.h>

struct why;

struct why_question {
	const struct why_asker *asker; /**< borrowed */
	json_t *request;               /**< borrowed */
	/** From the loop; the callee owns @reply, which is NULL for no memory. */
	void (*reply)(void *arg, json_t *reply);
	void *arg;
};

/**
 * Judges as the request says (control_client.h). OK: either *now is the
 * owned reply, or *later is set and reply() will come. Else @detail says
 * what is wrong with the question: E_INVALID, E_DENIED, E_NOMEM.
 */
enum status why_start(struct daemon *d, const struct why_question *q,
    json_t **now, struct why **later,
    struct status_detail *detail) ATTR_MUST_USE;
void why_cancel(struct why *w);

/** A past denial; E_NOTFOUND also for those that are not the asker's. */
enum status why_past(struct daemon *d, const struct why_asker *asker,
    const char *id, json_t **reply) ATTR_MUST_USE;

#endif
