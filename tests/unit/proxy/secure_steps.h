/* Stand-ins for TLS and for the credential port, and one request that asks
 * them. */
#ifndef TESTS_UNIT_PROXY_SECURE_STEPS_H
#define TESTS_UNIT_PROXY_SECURE_STEPS_H

#include "tests/unit/proxy/connect_steps.h"

#include "proxy/request.h"
#include "proxy/tls_client.h"

struct tls_trust {
	int refs;
};

struct tls {
	struct tls_trust trust;
	enum status step; /**< what a handshake comes to */
	enum reason why;
	bool full; /**< there is no room for one more */
	unsigned started, cancelled, resumes, forgets, offers_h2;
};

extern struct tls tls;

struct port {
	enum status answer;
	struct slice token;
	int64_t until_ms;
	unsigned asked, cancelled;
	struct proxy_credential_ask *ask;
	char identity[64], audience[64], spent_id[SECRET_ID_BYTES];
};

extern struct port port;
/** The token into an ask that was left waiting. */
enum status port_fill(struct proxy_credential_ask *ask);

/** "host" for "https://aud/", with two placeholders. */
extern const struct policy_inject inject;

extern enum request_outcome outcome;
extern unsigned told;
extern struct request *the_request;
/** What the client brings. */
extern struct forward_bearer bearer;

struct request_params params_of(enum request_protocol protocol);
void start(const struct request_params *params);
/** Of a gateway. */
void ask(void);
void finish(void);
/** It was, by its only record. */
void refused(enum reason code);
void ready(void);
void tick(int64_t ms);
int secure_setup(void **state);
int secure_teardown(void **state);
int secure_group_setup(void **state);

#endif
