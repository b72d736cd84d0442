/* One stream of HTTP/2 as a struct stream whose bytes are HTTP/1.1: what is
 * read of it is a request, what is written to it an answer. */
#ifndef PROXY_H2_STREAM_H
#define PROXY_H2_STREAM_H

#include "proxy/h2_answer.h"
#include "proxy/h2_request.h"
#include "proxy/h2_session.h"
#include "proxy/stream.h"

struct event;

/** For h2_*.c alone. */
struct h2_stream {
	struct h2_session *session; /**< borrowed */
	struct event *stirred;      /**< borrowed; there is something to send */
	int32_t id;
	int fd;                            /**< of the connection; borrowed */
	struct event *readable, *writable; /**< of whoever reads and writes */
	bool attached; /**< somebody has its struct stream */
	bool gone;     /**< the session knows it no more */
	bool broken;   /**< it was cut off, by one side or the other */
	/* What is read. */
	struct h2_request request;
	bool head_put, in_ended, in_told;
	struct buf text; /**< secret: HTTP/1.1 */
	size_t text_read;
	struct buf data;     /**< that is not in `text` yet */
	struct buf trailers; /**< likewise */
	/* What is written. */
	struct h2_answer answer;
	struct buf out; /**< body that is to be pulled */
	size_t pulled;
	bool out_ended;
};

/** What a stream is made of; all borrowed. */
struct h2_stream_params {
	struct h2_session *session;
	struct event *stirred;
	int fd;
	size_t head_bytes;
};

void h2_stream_init(
    struct h2_stream *st, const struct h2_stream_params *params, int32_t id);
/** Neither attached nor known to the session any more. */
void h2_stream_release(struct h2_stream *st);
/** Its struct stream, once. */
struct stream h2_stream_attach(struct h2_stream *st);
/** Gives it up. */
void h2_stream_reset(struct h2_stream *st, enum h2_error why);

/* What h2_session.h tells of it. */

void h2_stream_field(
    struct h2_stream *st, struct slice name, struct slice value);
/** A head, or trailers. E_SYNTAX: no request at all; E_NOMEM. */
enum status h2_stream_head(struct h2_stream *st, bool ends) ATTR_MUST_USE;
void h2_stream_data(struct h2_stream *st, struct slice bytes);
void h2_stream_end(struct h2_stream *st);
enum h2_more h2_stream_pull(
    struct h2_stream *st, char *to, size_t room, size_t *n);
/** It is gone. True: as it should be, all having been said. */
bool h2_stream_closed(struct h2_stream *st, uint32_t error);

#endif
