/* One stream with what was read from it and what is to be written. */
#ifndef PROXY_FORWARD_SIDE_H
#define PROXY_FORWARD_SIDE_H

#include "base/buf.h"
#include "proxy/stream.h"

#include <event2/event.h>
#include <event2/event_struct.h>

/** For forward*.c alone. */
struct forward_side {
	struct stream s;
	struct event readable, writable;
	struct event again; /**< for what is left inside the stream */
	bool reads, writes; /**< which of the first two is added */
	struct buf in, out;
	size_t sent; /**< bytes of `out` that are gone */
};

void forward_side_init(
    struct forward_side *s, size_t in_bytes_max, size_t out_bytes_max);
/** Takes @stream. The callback serves both directions. */
void forward_side_open(struct forward_side *s, struct event_base *base,
    struct stream stream, event_callback_fn on_event, void *arg);
bool forward_side_is_open(const struct forward_side *s);
/** Closes the socket and forgets what was buffered; keeps the memory. */
void forward_side_close(struct forward_side *s);
void forward_side_release(struct forward_side *s);
/** Gives the stream away; nothing waits for it any more. */
struct stream forward_side_take(struct forward_side *s);

/** Watches for bytes if @read and there is room; for room if it is owed. */
enum status forward_side_arm(struct forward_side *s, bool read) ATTR_MUST_USE;

/** What all connections of a worker read small messages through. */
struct forward_scratch {
	char *p;
	size_t n;
};

/** OK: *@got bytes came (0: none now, or s.eof was set). E_IO: broken. */
enum status forward_side_read(struct forward_side *s,
    const struct forward_scratch *via, size_t *got) ATTR_MUST_USE;
/**
 * At most @most bytes. OK: all is out, or as much. E_PARTIAL: the socket is
 * full. E_IO: broken.
 */
enum status forward_side_flush(
    struct forward_side *s, size_t most, size_t *put) ATTR_MUST_USE;
/** Whether nothing waits to be written. */
bool forward_side_is_flushed(const struct forward_side *s);

#endif
