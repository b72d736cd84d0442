/* `tokens` and `token_revoke`: what is given out, and taken back. */
#ifndef AGENT_CONTROL_TOKEN_H
#define AGENT_CONTROL_TOKEN_H

#include "agent/control_who.h"
#include "base/jsonw.h"

/** What is cached, as far as it is @asker's business. */
void control_put_tokens(
    struct jsonw *w, struct daemon *d, const struct why_asker *asker);

struct token_revoke;

struct token_revoke_question {
	const struct why_asker *asker; /**< borrowed for the call */
	const json_t *request;         /**< likewise */
	/** From the loop; OK: it is on the disk. @detail lives for the call. */
	void (*done)(void *arg, enum status st, const char *detail);
	void *arg;
};

/**
 * Revokes what the request says (control_client.h), which is in force at
 * once. OK: done() will come. E_DENIED, E_INVALID, E_NOMEM: @detail says why,
 * and nothing was revoked.
 */
enum status token_revoke_start(struct daemon *d,
    const struct token_revoke_question *q, struct token_revoke **out,
    struct status_detail *detail) ATTR_MUST_USE;
/** done() does not come any more; what was revoked stays so. */
void token_revoke_cancel(struct token_revoke *t);

#endif
