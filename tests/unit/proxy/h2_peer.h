/* A client that speaks HTTP/2 by nghttp2, and shows what it was told. */
#ifndef TESTS_UNIT_PROXY_H2_PEER_H
#define TESTS_UNIT_PROXY_H2_PEER_H

#include "tests/unit/proxy/forward_fake.h"

#include "proxy/h2_down.h"

#include <nghttp2/nghttp2.h>

enum { H2_PEER_STREAMS = 16, H2_PEER_BODY = 1 << 21 };

/** What came on one stream. */
struct h2_answered {
	int32_t id;
	char status[4];
	char interim[64]; /**< the 1xx, one behind the other */
	char head[4096];  /**< "name: value\n" of each field */
	char trailers[1024];
	char *body;
	size_t n;
	bool ended, closed;
	uint32_t error;
};

struct h2_peer {
	nghttp2_session *ng;
	struct h2_down *down;
	struct h2_answered streams[H2_PEER_STREAMS];
	size_t n_streams;
	bool gone_away, at_end, done;
	uint32_t why;
	unsigned settings_streams;
	/* What is noted without an answer. */
	unsigned noted;
	enum reason noted_code;
	/* Counts of all workers. */
	unsigned entered, entered_uid, uid_share;
	size_t upload_left;
	bool no_window; /**< nothing is consumed */
};

extern struct h2_peer h2_peer;

/** A connection to a gateway; the preface and settings are said. */
void h2_peer_start(void);
void h2_peer_stop(void);
/** Everything moves until nothing does. */
void h2_peer_turn(void);
/** @more: "name: value\n" of each field beside the four. NULL body: none. */
int32_t h2_peer_asks(
    const char *method, const char *path, const char *more, const char *body);
/** The same with all fields said. */
int32_t h2_peer_asks_plainly(const char *fields, const char *body);
/** A body that goes on until @n bytes were said; trailers "x: y" if asked. */
int32_t h2_peer_uploads(const char *more, size_t n, bool trailers);
const struct h2_answered *h2_peer_answer(int32_t id);
/** Bytes past nghttp2. */
void h2_peer_says(const void *p, size_t n);
/** A frame with @n bytes of @p. */
void h2_peer_frame(
    uint8_t type, uint8_t flags, int32_t id, const void *p, size_t n);

#endif
