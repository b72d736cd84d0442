/* A destination that speaks HTTP/2 by nghttp2, and a stream towards it. */
#ifndef TESTS_UNIT_PROXY_H2_ORIGIN_H
#define TESTS_UNIT_PROXY_H2_ORIGIN_H

#include "tests/unit/test.h"

#include "proxy/stream.h"

#include <nghttp2/nghttp2.h>

#define HEAD(method, more) \
	method " /p?q=1 HTTP/1.1\r\nHost: up.example\r\n" more "\r\n"

enum { UP_GOT_BYTES = 1 << 20 };

/** The destination: it notes what it is asked, and answers as it is told. */
struct h2_origin {
	nghttp2_session *ng;
	int fd;
	char fields[2048];
	char body[4096];
	size_t n;
	bool ended, was_reset;
	int32_t id;
	unsigned no_index;
	size_t answer_left;
	bool trailers, large;
	bool holds; /* the windows of its streams stay shut */
	size_t wrong;
};

extern struct h2_origin origin;
extern struct stream up;
extern char up_got[UP_GOT_BYTES];

int origin_set_up(void **state);
int origin_tear_down(void **state);
/** It reads all that is there, and says what it has to. */
void origin_turn(void);
/** @n: bytes of the body; < 0: none at all. */
void origin_answers(
    const char *status, const char *name, const char *value, long n);
/** Large fields, and then grpc-status: a head, or trailers. */
void origin_submit_large(int32_t id, bool trailers);
/** What stands at @at of a long body. */
char origin_letter(size_t at);
/** What has come by now, as text; borrowed. */
const char *up_heard(void);
void up_say(const char *text);
/** Of a long body from @at on, as much as is taken now: its end. */
size_t up_offer(size_t at, size_t end);

#endif
