/* Reads a token source's answer: strict, bounded, wiped behind itself. */
#ifndef IDENTITY_TOKEN_JSON_H
#define IDENTITY_TOKEN_JSON_H

#include "base/secret.h"

enum {
	TOKEN_JSON_BYTES_MAX = 65536,
	TOKEN_JSON_DEPTH_MAX = 8,
	TOKEN_LIFE_MAX_S = 24 * 3600,     /**< longer lives are cut to this */
	TOKEN_LIFE_REFUSED_S = 48 * 3600, /**< longer ones are not believed */
};

/** What a good answer says. The owner unrefs the secret. */
struct token_json {
	struct secret *secret; /**< the access token */
	char client_id[64];    /**< "" when not given */
	int64_t expires_unix_s;
	int64_t not_before_unix_s; /**< 0 when not given */
	int64_t refresh_in_s;      /**< negative when not given */
};

/**
 * Reads a 200 answer, given what the source's clock shows. `expires_on` is
 * believed; `expires_in` only without it, as IMDS repeats the first one.
 * E_SYNTAX, E_TIMEOUT (expired already), E_INVALID (the detail names the member, never its value),
 * E_LIMIT, E_NOMEM. @body is not changed: the caller wipes it.
 */
enum status token_json_parse(struct slice body, int64_t now_unix_s,
    struct token_json *out, struct status_detail *detail) ATTR_MUST_USE;

/**
 * The `error` code of a bad answer when it is a short word, else "". Bodies
 * of unknown make are not repeated: they may hold anything.
 */
void token_json_error(struct slice body, char out[64]);

#endif
