/* Which of the contract's requests a head is, and whether it is well formed. */
#ifndef IDENTITY_ENDPOINT_H
#define IDENTITY_ENDPOINT_H

#include "base/addr.h"
#include "base/host.h"
#include "base/http1.h"
#include "base/reason.h"
#include "identity/identity.h"

enum endpoint_shape {
	ENDPOINT_IMDS,
	ENDPOINT_APP_SERVICE, /**< X-IDENTITY-HEADER, or `secret` of 2017-09-01 */
	ENDPOINT_DATABRICKS,
};

enum endpoint_proof {
	ENDPOINT_PROOF_NONE, /**< the kernel's word is all there is */
	ENDPOINT_PROOF_HEADER,
	ENDPOINT_PROOF_CAPABILITY,
};

/** Where the request came in: decides which Host it may carry. */
struct endpoint_listener {
	bool any_host;    /**< a Unix socket */
	bool imds_only;   /**< the proxy's port: 169.254.169.254, IMDS paths */
	struct addr addr; /**< for the others */
	uint16_t port;
};

struct endpoint_request {
	enum endpoint_shape shape;
	enum endpoint_proof proof;
	struct slice proof_value; /**< borrowed from the head */
	char resource[1024];      /**< decoded, else the client's own bytes */
	enum identity_selector selector;
	char selector_value[512];
	char revoked[65];       /**< token_sha256_to_refresh, or "" */
	struct host databricks; /**< the workspace, for ENDPOINT_DATABRICKS */
};

struct endpoint_error {
	int status;
	const char *error; /**< "invalid_request", "not_found" */
	const char *description;
	enum reason code; /**< for the record */
};

/** The audience of every Databricks workspace, in all clouds. */
#define ENDPOINT_DATABRICKS_AUDIENCE "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"

/**
 * Pure. OK; or E_INVALID with *error filled, in the order forbidden fields,
 * Host, 404/405, Metadata, the rest. Source: reference of the metadata service
 * (learn.microsoft.com, Azure Instance Metadata Service).
 */
enum status endpoint_classify(const struct http1_request *r,
    const struct endpoint_listener *at, struct endpoint_request *out,
    struct endpoint_error *error) ATTR_MUST_USE;
/** The path without its query: what a record may show. */
struct slice endpoint_path(struct slice target);

#endif
