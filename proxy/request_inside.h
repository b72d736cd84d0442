/* The inside of a request, for request.c and request_record.c alone. */
#ifndef PROXY_REQUEST_INSIDE_H
#define PROXY_REQUEST_INSIDE_H

#include "proxy/dialer.h"
#include "proxy/request.h"
#include "proxy/resolver.h"
#include "proxy/worker.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct request {
	struct proxy_worker *worker;
	struct proxy_snapshot *snapshot; /**< one reference; the last judge */
	enum request_protocol protocol;
	const struct peer *peer;
	const char *listener;
	struct host host;
	uint16_t port;
	bool plaintext;
	bool local;          /**< the name is judged, and nothing is dialled */
	char *method, *path; /**< owned */

	struct resolver_query *query; /**< running, or NULL */
	struct resolver_answer *answer;
	struct dial *dial; /**< running, or NULL */
	struct proxy_wait audit_wait;
	bool audit_waits;
	int64_t audit_until_ms;
	struct event turn; /**< tells the outcome from the loop */

	struct policy_verdict verdict;
	enum reason code; /**< why it failed, whoever said so; else NONE */
	enum request_outcome outcome;
	bool judged; /**< all verdicts before the dial allow it */
	bool ready;  /**< the owner was told so */
	bool opened; /**< the `open` record was handed over */
	bool closed; /**< the final record was handed over */
	bool noted;  /**< the denial was shown to the denials port */
	bool hello_seen;
	enum policy_hello hello;
	char *sni; /**< owned, sni_n bytes */
	size_t sni_n;

	char id[RECORD_ID_BYTES];
	int fd;
	struct addr address;
	bool reuse; /**< the idle upstream may be used if it is judged fit */
	uint64_t reuse_generation;

	int64_t start_ms, dns_start_ms, connect_start_ms;
	struct record_ms ms;
	void (*done)(void *arg, enum request_outcome outcome);
	void *arg;
};

/** What the policy is asked; borrows from @r. */
struct policy_request request_question(const struct request *r);
/** The facts of the opening: the resolver's, or the literal address. */
struct policy_answer request_facts(const struct request *r);
/** NUL-terminated, owned by the caller; NULL: no memory. */
char *request_copy_text(struct slice s);
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
