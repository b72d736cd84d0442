/* One token request, from its head to the bytes of its response.
 *
 * classify -> prove -> allow_token -> cache -> `token` record -> response.
 * The record is written before a byte of the token is composed, and before a
 * refusal goes out. */
#ifndef IDENTITY_ANSWER_H
#define IDENTITY_ANSWER_H

#include "identity/cache.h"
#include "identity/endpoint.h"

enum { ANSWER_RESPONSE_BYTES_MAX = 2 * TOKEN_JSON_BYTES_MAX };

/** Embedded by the asker, who keeps it until done() or answer_cancel(). */
struct answer {
	struct identity *id;
	const struct peer *peer; /**< borrowed */
	const char *listener;    /**< borrowed; for the record */
	struct buf *response;    /**< borrowed; secret */
	struct buf *spare;       /**< memory for an empty response, or NULL */
	void (*done)(struct answer *a);
	void *priv;
	bool keep_alive; /**< what the response says */
	/**
	 * In: the head is, byte for byte, that of this answer's last request,
	 * which ended with @repeatable.
	 */
	bool repeated;
	bool repeatable; /**< out: an equal head need not be read again */
	/* private */
	bool asked_keep_alive; /**< what a repeated head asks for */
	bool classified;       /**< the request's shape is known */
	bool unknown_path;
	bool waiting, auditing;
	bool refused;   /**< the response is a refusal, and complete */
	enum status st; /**< of the last refusal: OK or E_PARTIAL */
	char shown_method[32], shown_path[256]; /**< of a refused head */
	struct endpoint_request request;
	struct identity_token_answer grant;
	char record_id[RECORD_ID_BYTES];
	int64_t started_ms, given_ms;
	struct cache_wait wait;
	struct identity_wait audit_wait;
	struct cache_token token;
};

/**
 * OK: the response is complete. E_PARTIAL: done() comes with it. @head is
 * one whole head, borrowed for the call; the members above "private" are set.
 */
enum status answer_start(struct answer *a, struct slice head,
    const struct endpoint_listener *at) ATTR_MUST_USE;
/** A head that could not be read: as answer_start(). */
enum status answer_malformed(
    struct answer *a, const struct http1_error *error) ATTR_MUST_USE;
/** Whatever it waits for, the response is a 503 with @code now. */
void answer_give_up(struct answer *a, enum reason code);
/** No done() after this; wipes what it holds. */
void answer_cancel(struct answer *a);

#endif
