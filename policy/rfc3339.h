/* Points in time as text (RFC 3339), without a clock. */
#ifndef POLICY_RFC3339_H
#define POLICY_RFC3339_H

#include "base/slice.h"
#include "base/status.h"

/**
 * "2026-11-23T01:02:03Z", fraction and offset allowed, leap second 60 read
 * as the next second; years 1970..9999. E_SYNTAX, E_INVALID out of range.
 * Source: RFC 3339 5.6.
 */
enum status rfc3339_parse(struct slice text, int64_t *unix_s) ATTR_MUST_USE;

enum { RFC3339_BYTES = 21 };

/** "2026-11-23T01:02:03Z" and a NUL; clamped to years 1970..9999. */
void rfc3339_text(int64_t unix_s, char out[RFC3339_BYTES]);

#endif
