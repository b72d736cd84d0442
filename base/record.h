/* One audit record as a value: who asked, what for, what was answered.
 * Field names and order are those of the audit schema. */
#ifndef BASE_RECORD_H
#define BASE_RECORD_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/peer.h"
#include "base/reason.h"

enum record_event {
	RECORD_REQUEST,
	RECORD_OPEN,
	RECORD_TOKEN,
	RECORD_RELOAD,
	RECORD_START,
	RECORD_STOP,
	RECORD_CHECKPOINT,
};

enum record_verdict { RECORD_VERDICT_NONE, RECORD_ALLOW, RECORD_DENY };

/** 10 upper-case base32 characters and a NUL. */
enum { RECORD_ID_BYTES = 11 };

/** Times in milliseconds; negative is "did not happen" and written as null. */
struct record_ms {
	int64_t dns, connect, tls, first, total;
};

/** All pointers are borrowed; NULL and empty are written as null. */
struct record {
	enum record_event event;
	enum record_verdict verdict;
	bool would_deny; /**< report mode let it pass */
	enum reason code;
	const char *id;
	const char *rule;
	const char *mode; /**< "enforce" or "report" */

	const struct peer *peer;
	const char *const *workload_names;
	size_t n_workload_names;

	const char *listener; /**< "127.0.0.1:3180", "unix:/run/..." */
	const char *protocol; /**< connect forward socks5 broker ... */
	struct slice method;
	const char *host;
	uint16_t port;
	struct slice path; /**< never with a query */

	bool has_resolved;
	const char *const *chain;
	size_t n_chain;
	const struct addr *addresses;
	size_t n_addresses;
	const char *zone;
	int64_t ttl_s;

	const struct addr *address; /**< the one that was dialled */
	struct slice sni;
	const char *tls;

	const char *identity; /**< `injected` is null without it */
	const char *audience;
	const char *token_id;

	int status; /**< HTTP status sent; 0 is null */
	uint64_t bytes_up, bytes_down;
	struct record_ms ms;
	const char *close;

	uint64_t policy_generation; /**< 0: `policy` is null */
	const char *policy_sha256;
	struct slice extra; /**< further members as JSON text, or empty */
};

/** Everything empty, all times "did not happen". */
void record_init(struct record *r, enum record_event event);
/**
 * Appends the members from "id" on as JSON text without the outer braces:
 * the audit log puts time, seq and prev before it. Errors stick in @out.
 */
void record_write(struct buf *out, const struct record *r);
/** A fresh random id. Uses the kernel's randomness; thread-safe. */
void record_new_id(char out[RECORD_ID_BYTES]);

#endif
