/* Authorities and absolute http URIs (RFC 3986, RFC 9110 4.2), strictly. */
#ifndef BASE_URI_H
#define BASE_URI_H

#include "base/host.h"

struct authority {
	struct host host;
	uint16_t port; /**< 0 when absent */
	bool has_port;
};

/**
 * "host", "host:port", "[v6]:port". The port has no sign, no leading zero
 * and lies in 1..65535. E_SYNTAX for userinfo, an empty port and any byte
 * that is not allowed; E_INVALID when the host is malformed (BAD_HOST).
 */
enum status authority_parse(
    struct slice text, struct authority *out) ATTR_MUST_USE;

enum uri_scheme { URI_HTTP, URI_HTTPS };

struct uri {
	enum uri_scheme scheme;
	struct authority authority; /**< port filled in: 80 or 443 by default */
	struct slice authority_text; /**< as it was sent */
	struct slice path;  /**< borrowed; empty when the URI has none */
	struct slice query; /**< without '?'; .p == NULL when there is none */
	struct slice path_query; /**< path, '?' and query, as sent */
};

/**
 * "http://host[:port][/path][?query]", scheme in any case; a fragment,
 * userinfo, space, control or non-ASCII byte is E_SYNTAX. Nothing is
 * decoded. E_UNSUPPORTED for other schemes, E_INVALID for a bad host.
 */
enum status uri_parse(struct slice text, struct uri *out) ATTR_MUST_USE;

/**
 * The first value of @key in a query string, percent-decoded ('+' is kept)
 * into @out. E_NOTFOUND; E_LIMIT when it does not fit; E_SYNTAX for a broken
 * escape or NUL; E_INVALID when the key stands twice.
 */
enum status query_get(struct slice query, const char *key, char *out,
    size_t out_bytes) ATTR_MUST_USE;

/** One of several keys of a query; @st and @value are query_find()'s. */
struct query_want {
	struct slice key;   /**< decoded, at most 64 bytes */
	struct slice value; /**< as sent; borrowed from the query */
	enum status st;     /**< OK, E_NOTFOUND or E_INVALID */
};

/** Looks for @n keys in one pass. E_SYNTAX: a broken key stands in it. */
enum status query_find(
    struct slice query, struct query_want *wants, size_t n) ATTR_MUST_USE;
/** What query_get() would say of it. */
enum status query_value(
    const struct query_want *want, char *out, size_t out_bytes) ATTR_MUST_USE;

#endif
