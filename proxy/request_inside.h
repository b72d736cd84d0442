/* The inside of a request, for request*.c alone. */
#ifndef PROXY_REQUEST_INSIDE_H
#define PROXY_REQUEST_INSIDE_H

#include "proxy/dialer.h"
#include "proxy/request.h"
#include "proxy/resolver.h"
#include "proxy/worker.h"

#include "proxy/turns.h"

#include <event2/event.h>
#include <event2/event_struct.h>

/** What only the asking needs; request_rest() frees it. */
struct request_asking {
	struct request *request;
	struct resolver_query *query; /**< running, or NULL */
	struct dial *dial;            /**< running, or NULL */
	struct proxy_wait audit_wait;
	int64_t audit_until_ms;
	struct event turn; /**< tells the outcome from the loop */
	int64_t dns_start_ms, connect_start_ms;
	const struct upstream_facts *reuse; /**< used if it is judged fit */
	bool fresh;                         /**< nor any of the pool */
	bool audit_waits;
	void (*done)(void *arg, enum request_outcome outcome);
	void *arg;
};

/** Of a request through TLS; for request_secure.c and request_credential.c. */
struct request_secure {
	struct request *request;
	const struct forward_bearer *bearer; /**< until all is asked */
	struct proxy_credential_ask ask;
	int64_t until_ms; /**< what is waited for is given up then */
	bool asks, waits_trust;
	bool confirms; /**< asks whether its token still is the one to use */
	void (*renewed)(void *arg, bool another); /**< asked for another one */
	void *renewed_arg;
	struct proxy_credential credential; /**< secret NULL: none, or gone */
	uint64_t credential_generation;     /**< of the policy that asked */
	char *audience; /**< of the credential; a reload may change the rule */
	struct tls_client *handshake;
	bool counted;    /**< as one of its uid's handshakes */
	bool waits_room; /**< until it can be */
	struct turn turn;
	bool h2; /**< the peer is asked for HTTP/2 */
	struct event io, deadline;
	struct stream stream;
	const char *word; /**< static, or NULL */
	uint64_t trust;   /**< what the stream's peer was held against */
	int64_t made_ms;  /**< and when */
	int64_t tls_start_ms, tls_ms;
};
/** Of a request that brings a phantom; for request_phantom.c alone. */
struct request_phantom;

/** What lasts as long as the tunnel: there are thousands, mostly idle. */
struct request {
	struct proxy_worker *worker;
	struct proxy_snapshot *snapshot; /**< one reference; the last judge */
	const struct peer *peer;
	const char *listener;
	struct request_asking *asking;   /**< NULL: all is asked */
	struct request_secure *secure;   /**< NULL: no TLS of ours */
	struct request_phantom *phantom; /**< NULL: it brings none */
	struct resolver_answer *answer;
	const struct policy_target *target; /**< NULL: it cannot be seen */
	struct policy_verdict verdict;
	struct request_budget *budget; /**< NULL: its uploads are free */
	int64_t start_ms, first_ms;    /**< first_ms < 0: no byte yet */
	int32_t dns_ms, connect_ms;    /**< < 0: did not happen */
	char *sni;                     /**< owned, unless it is the host */
	uint32_t method_at, path_at;   /**< in text */
	enum reason code; /**< why it failed, whoever said so; else NONE */
	int fd;
	uint16_t port;
	uint8_t protocol; /**< enum request_protocol */
	uint8_t outcome;  /**< enum request_outcome */
	uint8_t hello;    /**< enum policy_hello */
	uint8_t sni_n;
	uint8_t host_at; /**< in text */
	bool plaintext : 1;
	bool local : 1;  /**< the name is judged, and nothing is dialled */
	bool judged : 1; /**< all verdicts before the dial allow it */
	bool ready : 1;  /**< the owner was told so */
	bool opened : 1; /**< the `open` record was handed over */
	bool closed : 1; /**< the final record was handed over */
	bool noted : 1;  /**< the denial was shown to the denials port */
	bool reused : 1; /**< by a connection that was there */
	bool hello_seen : 1;
	bool sni_is_host : 1;
	bool inspected : 1;  /**< a tunnel that passed to be looked into */
	bool bare : 1;       /**< it was seen to bring no credential */
	bool is_literal : 1; /**< an address was asked for, not a name */
	struct addr address; /**< that was dialled */
	char id[RECORD_ID_BYTES];
	/** The literal's bytes; host, method and path, each with its NUL. */
	char text[];
};

static inline const char *
request_host(const struct request *r)
{
	return r->text + r->host_at;
}

static inline const char *
request_method(const struct request *r)
{
	return r->text + r->method_at;
}

static inline const char *
request_path(const struct request *r)
{
	return r->text + r->path_at;
}

/** The address that was asked for in place of a name, or NULL. */
static inline const struct addr *
request_literal(const struct request *r)
{
	const void *at = r->text;

	return r->is_literal ? at : NULL;
}

/** Whether method and path are those of the request itself. */
static inline bool
request_is_seen(const struct request *r)
{
	return r->protocol == REQUEST_FORWARD ||
	    r->protocol == REQUEST_GATEWAY || r->target != NULL;
}

/** With its asking, whose `turn` the caller assigns. NULL: no memory. */
struct request *request_create(const struct request_params *params);
/** Stops what runs; closes and records nothing. */
void request_free(struct request *r);
/** As sent; empty where there was none. */
struct slice request_sni(const struct request *r);
int64_t request_now(const struct request *r);
/** What the policy is asked; borrows from @r and @host, which is filled. */
struct policy_request request_question(
    const struct request *r, struct host *host);
/** The facts of the opening: the resolver's, or the literal address. */
struct policy_answer request_facts(const struct request *r);
/** Whether @code is the policy's refusal, not a fault after its verdict. */
bool request_is_refused(const struct request *r);
/** Writes the record of @event; @wait as in proxy_audit_port.submit. */
enum status request_record(struct request *r, enum record_event event,
    const struct request_end *end, struct proxy_wait *wait) ATTR_MUST_USE;
/** Gives the refusal the id of an equal one within 10 s. */
void request_name_refusal(struct request *r);
/** Counts the refusal. */
void request_count_refusal(const struct request *r);
/** Shows the denial to the port, once. */
void request_note_denial(struct request *r);

/* request.c, for request_secure.c */

void request_fail(struct request *r, enum reason code);
/** To one of the judged addresses, or nowhere if the idle upstream fits. */
void request_dial(struct request *r);
/** Connected: hands over the `open` record. */
void request_open(struct request *r);
/** Tells the owner, after a last look at what may have changed. */
void request_say(struct request *r);

/* request_secure.c */

enum status request_secure_init(
    struct request *r, const struct request_params *params) ATTR_MUST_USE;
/** Stops what runs, and closes what nobody took. */
void request_secure_rest(struct request *r);
void request_secure_free(struct request *r);
/** Allowed: asks for the credential; request_dial() or a failure follows. */
void request_secure_start(struct request *r);
void request_secure_tick(struct request *r, int64_t now_ms);
/** Whether @u, judged fit, is so by its TLS and its tokens; then it is used. */
bool request_secure_reuses(struct request *r, const struct upstream_facts *u);
/** Whether the pool has one to a judged address; then it is used. */
bool request_secure_takes_pooled(struct request *r);
/** A handshake will be needed. E_PARTIAL: there is no room yet, and
 * request_dial() or a failure follows. E_NOMEM. */
enum status request_secure_reserve(struct request *r) ATTR_MUST_USE;
/** Dialled: request_open() or a failure follows. */
void request_handshake(struct request *r);
/** Whether the destination has proved itself to those whom we believe now. */
bool request_trust_holds(const struct request *r);

/* request_credential.c */

/** Who asks has what it needs: asks for the credential, or goes on. */
void request_credential_start(struct request *r);
/** Whether what is injected, if anything is, may still be. */
bool request_credential_is_fresh(const struct request *r);
/** What was asked for does not come. */
void request_credential_give_up(struct request *r);
/**
 * Whether a reload since has changed nothing about the token. False: it asks,
 * and request_say() or a failure follows.
 */
bool request_credential_holds(struct request *r);
/** What is wrong with going on if the rule now injects @inject; or NONE. */
enum reason request_injection_fault(
    const struct request *r, const struct policy_inject *inject);
void request_secure_record(struct record *rec, const struct request *r);

/* request_phantom.c */

/** Looks for a phantom in place of the client's own credential. E_NOMEM. */
enum status request_phantom_init(
    struct request *r, const struct request_params *params) ATTR_MUST_USE;
void request_phantom_free(struct request *r);
/** What the policy is to judge of it; NULL: there is none. */
const struct policy_bearer *request_phantom_bearer(const struct request *r);
/** Names it in the record of its refusal. */
void request_phantom_record(struct record *rec, const struct request *r);

/* request_budget.c */

/** Counts by the verdict's budget from now on. LIMIT_REACHED: nobody can. */
enum reason request_budget_join(struct request *r);
bool request_budget_is_spent(const struct request *r);
/** What was not sent is given back. */
void request_budget_rest(struct request *r);

/* request_record.c, for refusal.c too. */

enum {
	RECORD_WORKLOADS_MAX = 16,
	RECORD_WAIT_MS = 5000, /* longer than that an audit has failed */
};

/** What makes two refusals equal, in front of the 10 s memory of ids. */
struct refusal_key {
	enum request_protocol protocol;
	const struct peer *peer;
	enum reason code;
	struct slice method, path;
	const char *host;
	uint16_t port;
};

extern const char *const request_protocols[];
void refusal_id(struct proxy_worker *w, const struct refusal_key *k,
    char id[RECORD_ID_BYTES]);
void refusal_count(enum reason code);
void record_put_policy(struct record *rec, const struct proxy_snapshot *s);
/** Fills @names, and returns how many of them. */
size_t record_workload_names(const struct proxy_snapshot *s,
    const struct peer *peer, const char *names[RECORD_WORKLOADS_MAX]);

#endif
