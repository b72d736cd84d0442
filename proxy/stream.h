/* What bytes go through: a socket, with or without a layer on it. */
#ifndef PROXY_STREAM_H
#define PROXY_STREAM_H

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>

struct event;
struct stream;

/** One layer's ways. Each is called with an open stream only. */
struct stream_ops {
	/**
	 * One of several on a socket, which is not ours to wait for, to reset or to
	 * close. Its events are activated by the layer, which is told them by
	 * watch(); they are gone when it is told NULL.
	 */
	bool shares;
	void (*watch)(
	    struct stream *s, struct event *readable, struct event *writable);
	/** Whether reading is worth it though no event says so. */
	bool (*ready)(const struct stream *s);
	/** Whether it has bytes of its own to write, which reading does. */
	bool (*owes)(const struct stream *s);
	enum status (*read)(
	    struct stream *s, char *to, size_t room, size_t *got);
	enum status (*write)(
	    struct stream *s, struct slice b, bool more_follows, size_t *put);
	/** Says our end, once, if the layer has a word for it and is sound. */
	void (*end)(struct stream *s);
	/** Forgets what was not sent: what follows is a reset. */
	void (*abort)(struct stream *s);
	/** Frees `priv`; the socket is closed by stream_close(). */
	void (*release)(struct stream *s);
};

/** A value: it is moved, never copied while both are used. */
struct stream {
	int fd; /**< the socket under it, owned unless shared; -1: none */
	const struct stream_ops *ops;
	void *priv; /**< the layer's own */
	bool eof;   /**< nothing more comes */
	bool clean; /**< the end was said, by a FIN or the layer's own word;
		         without it bytes may have been cut off */
	bool more;  /**< the last read may have left bytes inside, for which no
		         event will come */
	bool read_waits_write, write_waits_read;
	/** Bytes of the last write that must be offered again, the same: until
	 * it is 0 what is to be written may grow and not change. */
	size_t stuck;
};

/** Takes @fd (-1: none): bytes as they are. */
struct stream stream_plain(int fd);
/** Whether there is a socket. */
bool stream_is_open(const struct stream *s);

/** OK: *@got bytes came (0: none now, or `eof` was set). E_IO: broken. */
enum status stream_read(
    struct stream *s, char *to, size_t room, size_t *got) ATTR_MUST_USE;
/**
 * *@put bytes are gone. OK: all of them; E_PARTIAL: no room now; E_IO: broken.
 * With @more_follows they may wait for those of the next call.
 */
enum status stream_write(struct stream *s, struct slice b, bool more_follows,
    size_t *put) ATTR_MUST_USE;
/** Whether it has bytes of its own to write, beside its user's. */
bool stream_owes(const struct stream *s);
/**
 * The readiness to watch for (EV_READ, EV_WRITE) by who wants to @read and
 * @write. *@again: reading is worth it now, whatever the socket says.
 */
void stream_wants(
    const struct stream *s, bool read, bool write, short *events, bool *again);
/** Whether to read upon the events @what. */
bool stream_may_read(const struct stream *s, short what);
/** Whether it has said nothing, and no end: nobody waits for any bytes. */
bool stream_is_quiet(struct stream *s);
/** Who is told of readiness from now on; NULL, NULL: nobody. */
void stream_watch(
    struct stream *s, struct event *readable, struct event *writable);
/** The socket whose readiness is to be watched; -1: the layer tells. */
int stream_event_fd(const struct stream *s);
/** Says our end; never waited for. */
void stream_end(struct stream *s);
/** The close that follows resets. */
void stream_abort(struct stream *s);
/** Closes the socket. Says nothing. */
void stream_close(struct stream *s);

#endif
