/* What a browser or a relay would add first, then the path, then the query. */
#include "identity/endpoint.h"

#include "base/uri.h"

#include <string.h>

enum { PATH_BYTES = 256, CAPABILITY_DIGITS = 64 };

static enum status
refuse(struct endpoint_error *error, int status, const char *description)
{
	*error = (struct endpoint_error){
		.status = status,
		.error = status == 404 ? "not_found" : "invalid_request",
		.description = description,
		.code = REASON_BAD_REQUEST,
	};
	return E_INVALID;
}

struct slice
endpoint_path(struct slice target)
{
	return slice_head(target, slice_find(target, '?'));
}

/*
 * Java makes double slashes of a prefix, JS a trailing one, and real IMDS
 * takes "metadata" in any case: all of that is folded here.
 */
static bool
fold_path(struct slice raw, char out[PATH_BYTES])
{
	static const char metadata[] = "/metadata/";
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '/' && n > 0 && out[n - 1] == '/')
			continue;
		if (n + 1 >= PATH_BYTES)
			return false;
		out[n++] = raw.p[i];
	}
	if (n > 1 && out[n - 1] == '/')
		n--;
	out[n] = '\0';
	for (size_t at = 0; at + sizeof metadata - 1 <= n; at++) {
		struct slice part = { .p = out + at, .n = sizeof metadata - 1 };
		if (slice_is_nocase(part, metadata)) {
			memcpy(out + at, metadata, sizeof metadata - 1);
			break;
		}
	}
	return true;
}

/* Takes "/w/CAPABILITY" off the front of the folded path. */
static struct slice
take_capability(
    struct slice path, struct slice target, struct endpoint_request *out)
{
	static const struct slice prefix = { .p = "/w/", .n = 3 };
	struct slice cap = slice_head(slice_from(path, 3), CAPABILITY_DIGITS);
	size_t at = 0;

	if (!slice_starts(path, prefix) || cap.n != CAPABILITY_DIGITS)
		return path;
	for (size_t i = 0; i < cap.n; i++)
		if (!ascii_is_hex(cap.p[i]) ||
		    ascii_lower(cap.p[i]) != cap.p[i])
			return path;
	/* The folded copy goes away: point into the head itself. */
	while (
	    at + cap.n <= target.n && memcmp(target.p + at, cap.p, cap.n) != 0)
		at++;
	out->proof = ENDPOINT_PROOF_CAPABILITY;
	out->proof_value = slice_head(slice_from(target, at), cap.n);
	return slice_from(path, 3 + CAPABILITY_DIGITS);
}

static enum status
find_shape(const struct http1_request *r, const struct endpoint_listener *at,
    struct endpoint_request *out, struct endpoint_error *error)
{
	struct slice raw = endpoint_path(r->target);
	struct slice path;
	char folded[PATH_BYTES];
	bool known = true;

	if (raw.n == 0 || raw.p[0] != '/' || !fold_path(raw, folded))
		return refuse(error, 404, "there is nothing at this path");
	path = take_capability(slice_of(folded), raw, out);
	if (slice_is(path, "/metadata/identity/oauth2/token"))
		out->shape = ENDPOINT_IMDS;
	else if (slice_is(path, "/msi/token"))
		out->shape = ENDPOINT_APP_SERVICE;
	else if (slice_is(path, "/databricks/token"))
		out->shape = ENDPOINT_DATABRICKS;
	else
		known = false;
	/* A capability and the proxy's port lead to the IMDS path only. */
	if (out->shape != ENDPOINT_IMDS &&
	    (out->proof != ENDPOINT_PROOF_NONE || at->imds_only))
		known = false;
	if (!known)
		return refuse(error, 404, "there is nothing at this path");
	if (!slice_is(r->method, "GET"))
		return refuse(error, 405, "tokens are asked for with GET");
	return OK;
}

/* What only a relay or a browser adds (threats: SSRF, CSRF, rebinding). */
static enum status
check_fields(const struct http1_request *r, struct endpoint_error *error)
{
	static const char *const forbidden[] = { "X-Forwarded-For", "Forwarded",
		"Via", "Origin", "Referer", "Sec-Fetch-Site" };

	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		if (http1_field_find(&r->fields, forbidden[i], 0) < r->fields.n)
			return refuse(error, 400,
			    "requests of browsers and relays are refused");
	return OK;
}

static bool
host_fits(struct slice host, const struct endpoint_listener *at)
{
	struct authority a;
	bool literal;

	if (authority_parse(host, &a) != OK)
		return false;
	/* A client leaves the port out where it is http's own. */
	if (!a.has_port)
		a.port = 80;
	literal = a.host.kind == HOST_IP;
	if (literal && strcmp(a.host.name, "169.254.169.254") == 0)
		return a.port == 80 || (!at->imds_only && a.port == at->port);
	if (at->imds_only || a.port != at->port)
		return false;
	if (literal)
		return addr_eq(&a.host.addr, &at->addr);
	return strcmp(a.host.name, "localhost") == 0;
}

static enum status
check_host(const struct http1_request *r, const struct endpoint_listener *at,
    struct endpoint_error *error)
{
	struct slice host;
	enum status st = http1_field_only(&r->fields, "Host", &host);

	if (st == OK && (at->any_host || host_fits(host, at)))
		return OK;
	refuse(error, 400, "the Host field does not name this broker");
	error->code = REASON_BAD_HOST;
	return E_INVALID;
}

static enum status
check_proof(const struct http1_request *r, bool ml,
    struct endpoint_request *out, struct endpoint_error *error)
{
	const char *name = ml ? "secret" : "X-IDENTITY-HEADER";
	struct slice value;

	if (http1_field_only(&r->fields, name, &value) != OK)
		return refuse(error, 400,
		    ml ? "the secret field is missing"
		       : "the X-IDENTITY-HEADER field is missing");
	out->proof = ENDPOINT_PROOF_HEADER;
	out->proof_value = value;
	return OK;
}

static struct slice
query_of(struct slice target)
{
	return slice_from(target, slice_find(target, '?') + 1);
}

/* Dates that the metadata service and its siblings have published. */
static bool
is_api_version(const char *v)
{
	if (strlen(v) != 10 || v[4] != '-' || v[7] != '-')
		return false;
	for (size_t i = 0; i < 10; i++)
		if (i != 4 && i != 7 && !ascii_is_digit(v[i]))
			return false;
	return strcmp(v, "2017-03-01") >= 0 && strcmp(v, "2025-12-31") <= 0;
}

static bool
is_plain(const char *s)
{
	if (s[0] == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (*s <= 0x20 || *s >= 0x7f)
			return false;
	return true;
}

static const struct {
	struct slice name;
	enum identity_selector selector;
} selectors[] = {
	{ SLICE_INIT("client_id"), IDENTITY_CLIENT_ID },
	{ SLICE_INIT("clientid"), IDENTITY_CLIENT_ID },
	{ SLICE_INIT("object_id"), IDENTITY_OBJECT_ID },
	{ SLICE_INIT("principal_id"), IDENTITY_OBJECT_ID },
	{ SLICE_INIT("mi_res_id"), IDENTITY_MI_RES_ID },
	{ SLICE_INIT("msi_res_id"), IDENTITY_MI_RES_ID },
};

/* Every key that is read from the query of a token request. */
enum {
	WANT_VERSION,
	WANT_RESOURCE,
	WANT_REVOKED,
	WANT_SELECTORS,
	WANT_COUNT = WANT_SELECTORS + ARRAY_LEN(selectors),
};

static enum status
read_selector(const struct query_want *wants, struct endpoint_request *out,
    struct endpoint_error *error)
{
	out->selector = IDENTITY_SELECTOR_NONE;
	for (size_t i = WANT_SELECTORS; i < WANT_COUNT; i++) {
		const struct query_want *w = &wants[i];
		/* Go's Azure ML client sends clientid= with nothing in it. */
		if (w->st == E_NOTFOUND ||
		    (w->st == OK && w->value.n == 0 &&
		        slice_is(w->key, "clientid")))
			continue;
		if (query_value(w, out->selector_value,
		        sizeof out->selector_value) != OK ||
		    !is_plain(out->selector_value))
			return refuse(
			    error, 400, "the identity selector is malformed");
		if (out->selector != IDENTITY_SELECTOR_NONE)
			return refuse(
			    error, 400, "more than one identity selector");
		out->selector = selectors[i - WANT_SELECTORS].selector;
	}
	return OK;
}

static bool
is_sha256(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!ascii_is_hex(s[i]))
			return false;
	return n == 64;
}

static enum status
read_query(const struct http1_request *r, char version[16],
    struct endpoint_request *out, struct endpoint_error *error)
{
	struct query_want wants[WANT_COUNT] = {
		[WANT_VERSION] = { .key = SLICE_INIT("api-version") },
		[WANT_RESOURCE] = { .key = SLICE_INIT("resource") },
		[WANT_REVOKED] = { .key =
		                       SLICE_INIT("token_sha256_to_refresh") },
	};
	enum status st;

	for (size_t i = 0; i < ARRAY_LEN(selectors); i++)
		wants[WANT_SELECTORS + i].key = selectors[i].name;
	if (query_find(query_of(r->target), wants, WANT_COUNT) != OK ||
	    query_value(&wants[WANT_VERSION], version, 16) != OK ||
	    !is_api_version(version))
		return refuse(error, 400, "api-version is missing or unknown");
	st = query_value(
	    &wants[WANT_RESOURCE], out->resource, sizeof out->resource);
	if (st != OK || !is_plain(out->resource))
		return refuse(error, 400, "resource is missing or malformed");
	st = query_value(
	    &wants[WANT_REVOKED], out->revoked, sizeof out->revoked);
	if (st != E_NOTFOUND && (st != OK || !is_sha256(out->revoked)))
		return refuse(
		    error, 400, "token_sha256_to_refresh is malformed");
	return read_selector(wants, out, error);
}

static enum status
read_databricks(const struct http1_request *r, struct endpoint_request *out,
    struct endpoint_error *error)
{
	struct slice version, host;
	struct uri uri;

	if (http1_field_only(
	        &r->fields, "X-Databricks-Metadata-Version", &version) != OK ||
	    !slice_is(version, "1"))
		return refuse(error, 400,
		    "X-Databricks-Metadata-Version is missing or not 1");
	if (http1_field_only(&r->fields, "X-Databricks-Host", &host) != OK ||
	    uri_parse(host, &uri) != OK || uri.scheme != URI_HTTPS ||
	    uri.authority.host.kind != HOST_NAME || uri.authority.port != 443 ||
	    uri.query.p != NULL ||
	    (uri.path.n != 0 && !slice_is(uri.path, "/")))
		return refuse(error, 400,
		    "X-Databricks-Host is missing or no https host");
	out->databricks = uri.authority.host;
	out->selector = IDENTITY_SELECTOR_NONE;
	memcpy(out->resource, ENDPOINT_DATABRICKS_AUDIENCE,
	    sizeof ENDPOINT_DATABRICKS_AUDIENCE);
	return OK;
}

static enum status
check_metadata(const struct http1_request *r, struct endpoint_error *error)
{
	struct slice value;

	if (http1_field_only(&r->fields, "Metadata", &value) == OK &&
	    slice_is_nocase(value, "true"))
		return OK;
	return refuse(error, 400, "the Metadata: true field is missing");
}

enum status
endpoint_classify(const struct http1_request *r,
    const struct endpoint_listener *at, struct endpoint_request *out,
    struct endpoint_error *error)
{
	char version[16] = "";
	enum status st;

	*out = (struct endpoint_request){ .proof = ENDPOINT_PROOF_NONE };
	st = check_fields(r, error);
	if (st == OK)
		st = check_host(r, at, error);
	if (st == OK)
		st = find_shape(r, at, out, error);
	if (st == OK && out->shape == ENDPOINT_IMDS)
		st = check_metadata(r, error);
	if (st == OK && out->shape == ENDPOINT_DATABRICKS)
		return read_databricks(r, out, error);
	if (st == OK)
		st = read_query(r, version, out, error);
	if (st == OK && out->shape == ENDPOINT_APP_SERVICE)
		st = check_proof(
		    r, strcmp(version, "2017-09-01") == 0, out, error);
	return st;
}
