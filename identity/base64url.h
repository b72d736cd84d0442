/* The alphabet of JSON Web Tokens, without padding. Source: RFC 4648 5. */
#ifndef IDENTITY_BASE64URL_H
#define IDENTITY_BASE64URL_H

#include "base/buf.h"

void base64url_put(struct buf *out, const void *p, size_t n);
/**
 * E_SYNTAX for padding, bytes of no alphabet, a length that nothing has, and
 * bits left over that are not zero: one text is one reading. Else as
 * buf_status().
 */
enum status base64url_read(struct slice text, struct buf *out) ATTR_MUST_USE;

#endif
