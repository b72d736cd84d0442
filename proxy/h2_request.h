/* A request of HTTP/2 as the HTTP/1.1 that it means (RFC 9113 8.3.1), so that
 * the one strict parser reads it, and nothing else has a say. Pure. */
#ifndef PROXY_H2_REQUEST_H
#define PROXY_H2_REQUEST_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

enum h2_pseudo {
	H2_METHOD,
	H2_SCHEME,
	H2_AUTHORITY,
	H2_PATH,
	H2_PSEUDO_COUNT,
};

struct h2_request {
	size_t head_bytes; /**< what a line, and the fields, may have */
	struct buf pseudo; /**< the values, one behind the other */

	struct {
		size_t at, n;
		bool given;
	} at[H2_PSEUDO_COUNT];
	struct buf fields; /**< secret: as HTTP/1.1 has them */
	struct buf cookie; /**< secret: its crumbs (RFC 9113 8.2.3) */
	bool has_length;
	bool has_host; /**< beside or in place of :authority */
	bool bad;      /**< cannot be said in HTTP/1.1 */
	/** Known after h2_request_put(). */
	bool is_head, chunked;
};

void h2_request_init(struct h2_request *r, size_t head_bytes);
void h2_request_release(struct h2_request *r);
/** One field, pseudo or not, in the order of their coming. */
void h2_request_field(
    struct h2_request *r, struct slice name, struct slice value);
/**
 * Writes the head. @ends: no body follows. E_SYNTAX: it cannot be written
 * down; E_NOMEM. What is too long becomes a head that the parser finds too
 * long; a scheme that is not https, one whose target it refuses.
 */
enum status h2_request_put(
    struct h2_request *r, bool ends, struct buf *out) ATTR_MUST_USE;

/** Appends "name: value" to @out, which h2_request_put_trailers() ends. */
void h2_trailer_put(struct buf *out, struct slice name, struct slice value);
/** Whether both can stand in a line of HTTP/1.1. */
bool h2_field_is_sound(struct slice name, struct slice value);

#endif
