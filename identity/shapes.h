/* The bytes of an answer: one order and type of members for every client. */
#ifndef IDENTITY_SHAPES_H
#define IDENTITY_SHAPES_H

#include "base/buf.h"

/** What an answer with a token says. */
struct shape_token {
	struct slice token;
	const char *client_id;
	const char *resource; /**< the client's own bytes */
	int64_t expires_unix_s;
	int64_t left_s; /**< remaining now, at least 1 */
	int64_t not_before_unix_s;
};

/** What an answer without one says. */
struct shape_error {
	int status;              /**< HTTP status, 4xx or 5xx */
	const char *error;       /**< "invalid_request" */
	const char *description; /**< one sentence; never a token */
	const char *code;        /**< "TOKEN_NOT_ALLOWED" or "" */
	const char *id;          /**< of the record, or "" */
	/** Adds App Service's own statusCode and message: its clients show only
	 * those. */
	bool app_service;
};

/**
 * Appends a whole 200 response. IMDS, App Service and Azure ML clients are
 * all served by one body: eight members in alphabetical order, all strings,
 * expires_in before expires_on (some keep the last of the two).
 */
void shape_put_token(
    struct buf *out, const struct shape_token *t, bool keep_alive);
/** The Databricks metadata service: three members, expires_on a number. */
void shape_put_databricks(
    struct buf *out, const struct shape_token *t, bool keep_alive);
/** 503 brings Retry-After: 2, 405 brings Allow: GET. */
void shape_put_error(
    struct buf *out, const struct shape_error *e, bool keep_alive);

#endif
