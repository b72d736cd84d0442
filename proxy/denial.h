/* Renders a refusal so that a program can read it and a person act on it. */
#ifndef PROXY_DENIAL_H
#define PROXY_DENIAL_H

#include "policy/policy.h"

/** What the answer says; all borrowed. */
struct denial {
	enum reason code;
	int status;         /**< 0: the table's */
	const char *id;     /**< 10 base32 characters */
	const char *name;   /**< the deployment's, for Proxy-Status */
	const char *detail; /**< a clause that says more, or NULL */
	const char *host;   /**< canonical, or NULL when none was read */
	uint16_t port;
	const struct peer *peer;              /**< NULL: unknown */
	const struct policy_explanation *why; /**< or NULL */
	/** Of a 401: what a token is to be for; or NULL. */
	const char *challenge;
	bool no_body; /**< an answer to HEAD: the length without the bytes */
};

/**
 * The whole HTTP answer of contract section 5. Source: RFC 9457 (problem),
 * RFC 9209 (Proxy-Status), RFC 9110 9.3.6.
 */
void denial_render(const struct denial *d, struct buf *out);

/** What to do about @code when the policy has nothing better to say. */
const char *denial_fix(enum reason code);

#endif
