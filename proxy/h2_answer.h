/* A response of HTTP/1.1, as forward*.c writes it, taken apart for HTTP/2.
 * Pure. */
#ifndef PROXY_H2_ANSWER_H
#define PROXY_H2_ANSWER_H

#include "base/http1.h"
#include "proxy/forward_body.h"
#include "proxy/h2_session.h"

enum h2_answer_state {
	H2_ANSWER_HEAD, /**< a head is awaited */
	H2_ANSWER_BODY,
	H2_ANSWER_DONE, /**< all of it was there */
	H2_ANSWER_BAD,  /**< it is none */
};

struct h2_answer {
	enum h2_answer_state state;
	bool is_head; /**< to a HEAD request */
	bool until_close;
	bool told; /**< `head` was given out */
	struct buf head;
	size_t scanned;
	struct forward_body body;
};

enum { H2_ANSWER_FIELDS_MAX = HTTP1_FIELDS_MAX + 1 };

/** A head as HTTP/2 has it. */
struct h2_answer_head {
	int status;
	char status_text[3];
	struct h2_field fields[H2_ANSWER_FIELDS_MAX];
	size_t n;
};

void h2_answer_init(struct h2_answer *a, bool is_head);
void h2_answer_release(struct h2_answer *a);

/**
 * While in HEAD: takes *@used bytes of @in. OK: @head is filled, borrows
 * from @a until the next call, and has its names in lower case; in
 * state HEAD still where it is a 1xx. E_PARTIAL, E_SYNTAX, E_NOMEM.
 */
enum status h2_answer_take_head(struct h2_answer *a, struct slice in,
    size_t *used, struct h2_answer_head *head) ATTR_MUST_USE;
/** While in BODY: takes *@used bytes of @in, decoded to @out. As above. */
enum status h2_answer_take_body(struct h2_answer *a, struct slice in,
    size_t *used, struct buf *out) ATTR_MUST_USE;
/** Nothing more comes: whether that ends it well. */
bool h2_answer_end(struct h2_answer *a);
/** What stood behind the last chunk; lower-cased, borrowed. */
size_t h2_answer_trailers(
    struct h2_answer *a, struct h2_field fields[H2_ANSWER_FIELDS_MAX]);

#endif
