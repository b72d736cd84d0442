/* HTTP/2 frames by nghttp2, which is named in h2_session.c and nowhere else.
 *
 * Bytes go in by h2_session_feed() and come out by h2_session_pull(); whose
 * bytes they are, and what they go through, is the owner's. What a peer may
 * make us do for little is counted here (RFC 9113 10.5). */
#ifndef PROXY_H2_SESSION_H
#define PROXY_H2_SESSION_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>

/** RFC 9113 7. */
enum h2_error {
	H2_NO_ERROR = 0x0,
	H2_PROTOCOL_ERROR = 0x1,
	H2_INTERNAL_ERROR = 0x2,
	H2_REFUSED_STREAM = 0x7,
	H2_CANCEL = 0x8,
	H2_ENHANCE_YOUR_CALM = 0xb,
};

enum {
	H2_STREAM_WINDOW_BYTES = 65535,
	H2_CONNECTION_WINDOW_BYTES = 1048576,
};

struct h2_field {
	struct slice name;  /**< lower case */
	struct slice value; /**< without CR, LF and NUL */
	bool secret;        /**< kept out of the compression's memory */
};

/** What follows the bytes that were pulled. */
enum h2_more {
	H2_MORE_LATER,    /**< h2_session_resume() tells when */
	H2_MORE_NOTHING,  /**< the stream ends */
	H2_MORE_TRAILERS, /**< h2_session_trailers() was called just now */
};

/**
 * What happens to streams, told from within feed and pull; in there any call
 * but those two, and destroy, may be made. @stream is what open() gave.
 */
struct h2_events {
	/** A new one of the peer's, who asks. NULL: it is refused. */
	void *(*open)(void *arg, int32_t id);
	/** One field of a head, or of trailers. */
	void (*field)(void *stream, struct slice name, struct slice value);
	/** That head, or those trailers, are whole. @ends: nothing follows. */
	void (*head)(void *stream, bool ends);
	void (*data)(void *stream, struct slice bytes);
	void (*end)(void *stream);
	/** Bytes to send: *@n of them. */
	enum h2_more (*pull)(void *stream, char *to, size_t room, size_t *n);
	/** The last one. @error: 0, or as in enum h2_error and others. */
	void (*closed)(void *stream, uint32_t error);
	/** A stream of the peer's was malformed: it is being reset. */
	void (*malformed)(void *arg);
};

struct h2_session_params {
	const struct h2_events *events; /**< kept */
	void *arg;
	unsigned streams;      /**< at a time */
	size_t head_bytes_max; /**< of a head, decompressed */
	int64_t now_ms;
};

struct h2_session;

/** The accepting side. E_NOMEM. *@out is owned. */
enum status h2_session_accept(const struct h2_session_params *params,
    struct h2_session **out) ATTR_MUST_USE;
/** The asking side; of the events open() and malformed() never come. E_NOMEM. */
enum status h2_session_connect(const struct h2_session_params *params,
    struct h2_session **out) ATTR_MUST_USE;
/** NULL-safe. No event comes any more; streams are not closed one by one. */
void h2_session_destroy(struct h2_session *s);

/**
 * Takes all of @in. E_SYNTAX: no HTTP/2, or too much of it; what pull gives
 * then is all that there is to say. E_NOMEM.
 */
enum status h2_session_feed(
    struct h2_session *s, struct slice in, int64_t now_ms) ATTR_MUST_USE;
/** Appends what is to be sent until @out has @enough bytes. E_NOMEM. */
enum status h2_session_pull(
    struct h2_session *s, struct buf *out, size_t enough) ATTR_MUST_USE;
/** Nothing more is to be read or written. */
bool h2_session_is_over(const struct h2_session *s);
/** A head is under way: its sender is to be quick. */
bool h2_session_awaits(const struct h2_session *s);

/** A request; its events are told of @stream. E_NOMEM, E_INVALID. */
enum status h2_session_request(struct h2_session *s,
    const struct h2_field *fields, size_t n, enum h2_more more, void *stream,
    int32_t *id) ATTR_MUST_USE;
/** A head: @more: a body or another head follows. E_NOMEM, E_INVALID. */
enum status h2_session_answer(struct h2_session *s, int32_t id,
    const struct h2_field *fields, size_t n, enum h2_more more) ATTR_MUST_USE;
/** A head that is not the last: 1xx. */
enum status h2_session_inform(struct h2_session *s, int32_t id,
    const struct h2_field *fields, size_t n) ATTR_MUST_USE;
/** From within events.pull, which then says H2_MORE_TRAILERS. */
enum status h2_session_trailers(struct h2_session *s, int32_t id,
    const struct h2_field *fields, size_t n) ATTR_MUST_USE;
/** There is something to pull again. */
void h2_session_resume(struct h2_session *s, int32_t id);
/** @n bytes of data() are used up, also when the stream is closed by now: the
 * peer may send as many. */
void h2_session_consume(struct h2_session *s, int32_t id, size_t n);
void h2_session_reset(struct h2_session *s, int32_t id, enum h2_error why);
/** No event of it comes any more. */
void h2_session_forget(struct h2_session *s, int32_t id);
/** No new streams; those that are open go on. */
void h2_session_go_away(struct h2_session *s);
/** All ends at once, when what is to be said is said. */
void h2_session_terminate(struct h2_session *s, enum h2_error why);

#endif
