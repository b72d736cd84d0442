/* One message body on its way through: framing is read and written anew. */
#ifndef PROXY_FORWARD_BODY_H
#define PROXY_FORWARD_BODY_H

#include "base/http1.h"
#include "proxy/guard.h"

/** For forward*.c alone. */
struct forward_body {
	enum http1_body kind;
	bool chunk;          /**< write chunks */
	bool no_bearer;      /**< Authorization in the trailers is E_DENIED */
	struct guard *guard; /**< what must not be in it is E_DENIED; or NULL */
	bool done;
	uint64_t left;
	struct http1_chunked chunked;
	struct buf trailers;
};

/** What feeding writes at most beside what it took. */
enum { FORWARD_BODY_OVERHEAD = 9216 };

/** @chunk: write it in chunks (only for a body that came in chunks). */
void forward_body_init(
    struct forward_body *b, const struct http1_framing *framing, bool chunk);
void forward_body_release(struct forward_body *b);

/**
 * Takes *@used bytes off @in and writes what they become to @out. OK when
 * the body has ended, E_PARTIAL when it goes on, E_SYNTAX or E_LIMIT when its
 * framing is broken, E_DENIED by `no_bearer` and `guard`, or what ails @out.
 */
enum status forward_body_feed(struct forward_body *b, struct slice in,
    size_t *used, struct buf *out) ATTR_MUST_USE;
/**
 * The sender has closed: OK when that ends the body, else E_CLOSED. What was
 * held back goes to @out; E_DENIED by `guard`.
 */
enum status forward_body_eof(
    struct forward_body *b, struct buf *out) ATTR_MUST_USE;

#endif
