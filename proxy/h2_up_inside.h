/* The inside of a connection to a destination, for h2_up*.c alone. */
#ifndef PROXY_H2_UP_INSIDE_H
#define PROXY_H2_UP_INSIDE_H

#include "proxy/forward_body.h"
#include "proxy/h2_ask.h"
#include "proxy/h2_up.h"

enum up_state {
	UP_HEAD, /* a request's head is awaited */
	UP_BODY,
	UP_SAID, /* all of it was taken */
};

struct h2_up {
	struct stream under;
	struct h2_session *session;
	const struct clock *clock;
	struct buf out; /* secret: frames */
	/* What is written. */
	enum up_state state;
	struct buf head; /* secret */
	struct http1_scan scan;
	struct forward_body body;
	struct buf up; /* body that is to be pulled */
	size_t pulled;
	int32_t id; /* of the last stream; 0: none yet */
	bool open;  /* the session knows it */
	bool to_head;
	/* What is read. */
	struct h2_told told;
	struct buf text;
	size_t text_read;
	struct buf data, trailers;
	bool answered, chunked, ended, end_told;
	bool broken;
	bool marred; /* some of what came is lost: no more of it is told */
};

extern const struct h2_events h2_up_events;

/** What the stream that ends had left of its body is nobody else's. */
void h2_up_drop_body(struct h2_up *u);

#endif
