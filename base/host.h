/* The one canonicaliser of host names: loader, matcher, resolver, SNI check. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include "base/addr.h"

/** 253 characters and a NUL (RFC 1035 2.3.4 without the final dot). */
enum { HOST_BYTES = 254 };

enum host_kind { HOST_NAME, HOST_IP };

struct host {
	enum host_kind kind;
	char name
	    [HOST_BYTES]; /**< lower case, no trailing dot; RFC 5952 for IP */
	struct addr addr; /**< for HOST_IP */
};

/**
 * Reads a host as it stands in an authority. LDH labels of 1..63 bytes
 * (underscore inside tolerated), no leading or trailing hyphen, lower-cased,
 * one trailing dot dropped. An IPv6 literal needs brackets, IPv4 is an exact
 * dotted quad; a name whose last label is all digits or starts with "0x" is
 * refused, as are percent signs, zone ids and all that is not ASCII.
 * E_SYNTAX otherwise. Source: RFC 3986 3.2.2, RFC 1123 2.1.
 */
enum status host_parse(struct slice text, struct host *out) ATTR_MUST_USE;
/** As host_parse(), but names only, and IP literals are E_INVALID. */
enum status host_parse_name(
    struct slice text, char out[HOST_BYTES]) ATTR_MUST_USE;
/** Whether @name (canonical) is @suffix or ends in "." @suffix. */
bool host_in_suffix(struct slice name, struct slice suffix);
/** Number of labels of a canonical name. */
size_t host_label_count(struct slice name);
/** Whether one of the labels is exactly @label. */
bool host_has_label(struct slice name, struct slice label);

#endif
