/* What the two files of an answer share. */
#ifndef IDENTITY_ANSWER_INSIDE_H
#define IDENTITY_ANSWER_INSIDE_H

#include "identity/answer.h"

/** The record of @a as far as it is known: a `token` record. */
void answer_fill_record(const struct answer *a, struct record *r);

/**
 * Composes the refusal and submits its record. E_PARTIAL: it waits for the
 * record, and done() comes; OK: it may go out at once, for the record cannot
 * be kept, and a refusal stands without.
 */
enum status answer_refuse(struct answer *a, int status, enum reason code,
    const char *text) ATTR_MUST_USE;
/** The same for a request that names no endpoint, or none well. */
enum status answer_refuse_malformed(
    struct answer *a, const struct endpoint_error *error) ATTR_MUST_USE;
/** The same, and nobody waits for the record. */
void answer_refuse_now(
    struct answer *a, int status, enum reason code, const char *text);

/**
 * Where a phantom is granted, puts it in the place of the token, whose id is
 * @token_id. E_INVALID: the token is of no form that one can stand for;
 * E_DENIED: nothing says for whom it would be; E_LIMIT, E_NOMEM.
 */
enum status answer_make_phantom(
    struct answer *a, const char *token_id) ATTR_MUST_USE;

/** Remembers what a record may show of a request that is no good. */
void answer_note_head(struct answer *a, const struct http1_request *r);

#endif
