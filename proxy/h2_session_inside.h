/* The inside of an HTTP/2 session, for h2_session*.c alone: where nghttp2 is
 * named. */
#ifndef PROXY_H2_SESSION_INSIDE_H
#define PROXY_H2_SESSION_INSIDE_H

#include "proxy/h2_session.h"

#include <nghttp2/nghttp2.h>

/* A bucket that fills with time: what a peer may do for next to nothing. */
struct budget {
	unsigned left, most, a_second;
	int64_t at_ms;
};

struct h2_session {
	nghttp2_session *ng;
	const struct h2_events *events;
	void *arg;
	size_t head_bytes_max;
	size_t list_bytes; /* of the head that is under way */
	size_t data_bytes; /* of the DATA frame that is under way */
	unsigned continuations;
	int64_t now_ms;
	struct budget resets;        /* RST_STREAM, and what earns one */
	struct budget chatter;       /* PING, SETTINGS, PRIORITY, empty DATA */
	struct budget windows;       /* WINDOW_UPDATE */
	int32_t last_id;             /* of a stream of the peer's */
	int32_t passed_from, passed; /* the last that it left out, or 0 */
	bool head_open;
	bool faulty; /* it broke a rule that nghttp2 does not hold it to */
	bool deaf;   /* nothing is read any more */
};

/** Has nghttp2 tell @c's session what happens. */
void h2_session_set_callbacks(nghttp2_session_callbacks *c);
/** It is full. */
struct budget budget_of(unsigned most, unsigned a_second, int64_t now_ms);
/** Fills what a stream sends. */
ssize_t h2_session_on_pull(nghttp2_session *ng, int32_t id, uint8_t *to,
    size_t room, uint32_t *flags, nghttp2_data_source *source, void *arg);
/** Heads carry credentials through its buffers: they are wiped. */
extern nghttp2_mem h2_session_mem;

#endif
