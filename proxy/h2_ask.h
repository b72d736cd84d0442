/* A request of HTTP/1.1, as forward*.c writes it, taken apart for HTTP/2, and
 * the answer's fields written down as a head. Pure. */
#ifndef PROXY_H2_ASK_H
#define PROXY_H2_ASK_H

#include "base/http1.h"
#include "proxy/h2_session.h"

enum { H2_ASK_FIELDS_MAX = HTTP1_FIELDS_MAX + 5 };

/** A head as HTTP/2 has it. */
struct h2_ask {
	struct h2_field fields[H2_ASK_FIELDS_MAX];
	size_t n;
	struct http1_framing framing;
	bool is_head;
};

/** Reads @head, whose names it makes lower-case and which @ask borrows. E_SYNTAX. */
enum status h2_ask_read(struct buf *head, struct h2_ask *ask) ATTR_MUST_USE;

/** An answer's head that gathers field by field. */
struct h2_told {
	struct buf fields;
	char status[4]; /**< "": none yet */
	bool has_length;
	bool bad;
};

void h2_told_init(struct h2_told *t);
void h2_told_release(struct h2_told *t);
void h2_told_field(struct h2_told *t, struct slice name, struct slice value);
/**
 * Writes it as a head; @ends: without a body. *@chunked: one follows, in
 * chunks; *@interim: another head does. E_SYNTAX, E_LIMIT, E_NOMEM.
 */
enum status h2_told_put(struct h2_told *t, bool ends, bool to_head,
    struct buf *out, bool *chunked, bool *interim) ATTR_MUST_USE;

#endif
