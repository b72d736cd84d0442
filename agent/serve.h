/* A small one-shot server: one question a connection, on the control loop. */
#ifndef AGENT_SERVE_H
#define AGENT_SERVE_H

#include "base/buf.h"

struct event_base;
struct serve;

/** One connection; freed by the server. */
struct serve_conn {
	int fd;
	struct buf in;
	struct buf out;
	void *priv; /**< the owner's, while it works on an answer */
};

struct serve_limits {
	unsigned connections;         /**< in total */
	unsigned connections_per_uid; /**< all unknown ones are as one uid */
};

struct serve_settings {
	struct event_base *base; /**< kept */
	unsigned request_ms;     /**< from accept to the request's last byte */
	unsigned timeout_ms;     /**< from then to the answer's last byte */
	struct serve_limits limits;
	size_t in_max_bytes, out_max_bytes;
	/** Whose connection it is; UINT32_MAX where that is not known. */
	uint32_t (*uid_of)(void *ctx, int fd);
	/**
	 * Looks at conn->in. E_PARTIAL: more is needed. OK: conn->out holds
	 * the answer. E_BUSY: serve_reply() will be called. Else it is closed.
	 */
	enum status (*answer)(void *ctx, struct serve_conn *conn);
	/** The connection went while an answer was being worked on. */
	void (*gone)(void *ctx, struct serve_conn *conn);
	void *ctx;
};

enum status serve_create(
    const struct serve_settings *settings, struct serve **out) ATTR_MUST_USE;
/** Closes listeners and connections; NULL-safe. */
void serve_destroy(struct serve *s);
/** Takes the listening socket @fd, also on failure. @name is for the log. */
enum status serve_listen(
    struct serve *s, int fd, const char *name) ATTR_MUST_USE;
/** For connections from now on. */
void serve_set_limits(struct serve *s, const struct serve_limits *limits);
/** The same of the time for a request (serve_settings). */
void serve_set_request_ms(struct serve *s, unsigned request_ms);
/** Sends conn->out and closes. */
void serve_reply(struct serve *s, struct serve_conn *conn);

#endif
