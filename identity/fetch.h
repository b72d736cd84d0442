/* One small HTTP GET at a time to a metadata service: libcurl's only home. */
#ifndef IDENTITY_FETCH_H
#define IDENTITY_FETCH_H

#include "base/slice.h"
#include "base/status.h"

struct event_base;
struct fetcher;
struct fetch;

enum {
	FETCH_BODY_BYTES_MAX = 65536,
	FETCH_HEAD_BYTES_MAX = 16384,
	FETCH_CONNECT_MS = 2000,
	FETCH_TOTAL_MS = 10000,
};

struct fetch_answer {
	enum status st; /**< OK: an HTTP answer came; E_TIMEOUT E_LIMIT E_IO */
	int http_status;
	struct slice body;      /**< borrowed for the call; wiped after it */
	int64_t retry_after_ms; /**< negative: not given */
	int64_t date_unix_s;    /**< the Date field; negative: not given */
	const char *error;      /**< what went wrong, borrowed; never a body */
};

/** E_NOMEM. @base is kept. */
enum status fetcher_create(
    struct event_base *base, struct fetcher **out) ATTR_MUST_USE;
/**
 * Opens libcurl, which reads thirty libraries: before a loop runs, or the
 * first fetch does it. E_UNSUPPORTED: it is not there or too old,
 * which @detail (may be NULL) says; E_INTERNAL, E_NOMEM: it cannot be set up.
 */
enum status fetcher_open(
    struct fetcher *f, struct status_detail *detail) ATTR_MUST_USE;
/** Cancels what runs; NULL-safe. */
void fetcher_destroy(struct fetcher *f);

/**
 * GETs @url (http, host an IP literal: nothing is resolved) with the field
 * "Metadata: true". No proxy, no redirect, no decompression. @done is called
 * once, never from inside this call; *out is gone then.
 */
enum status fetch_start(struct fetcher *f, const char *url,
    void (*done)(void *arg, const struct fetch_answer *a), void *arg,
    struct fetch **out) ATTR_MUST_USE;
/** No @done comes after this. NULL-safe. */
void fetch_cancel(struct fetch *fetch);

#endif
