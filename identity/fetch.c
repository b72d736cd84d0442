/* curl multi on libevent. Works with libcurl 7.81 (Ubuntu 22.04). */
#include "identity/fetch.h"

#include "base/buf.h"
#include "base/wiping.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* The library brings thirty others along, whose linking would be most of the
 * time that a start takes: it is opened behind the start. */
static const char library[] = "libcurl.so.4";

/* Its calls being there does not say that it knows our options. */
#if LIBCURL_VERSION_NUM >= 0x075500
#	define LEAST_VERSION      0x075500
#	define LEAST_VERSION_TEXT "7.85.0"
#else
#	define LEAST_VERSION      0x075100
#	define LEAST_VERSION_TEXT "7.81.0"
#endif

/* clang-format off */
#define CURL_CALLS(X) \
	X(easy_cleanup) \
	X(easy_getinfo) \
	X(easy_init) \
	X(easy_setopt) \
	X(easy_strerror) \
	X(getdate) \
	X(global_cleanup) \
	X(global_init_mem) \
	X(multi_add_handle) \
	X(multi_assign) \
	X(multi_cleanup) \
	X(multi_info_read) \
	X(multi_init) \
	X(multi_remove_handle) \
	X(multi_setopt) \
	X(multi_socket_action) \
	X(slist_append) \
	X(slist_free_all) \
	X(version_info)

/* clang-format on */

struct curl_calls {
#define X(name) __typeof__(curl_##name) *name;
	CURL_CALLS(X)
#undef X
};

static const struct {
	const char *name;
	size_t offset;
} calls[] = {

#define X(name) { "curl_" #name, offsetof(struct curl_calls, name) },
	CURL_CALLS(X)
#undef X
};

static struct curl_calls curl;

struct fetch {
	struct fetch *next, **link;
	struct fetcher *owner;
	CURL *easy;
	struct buf body;
	size_t head_bytes;
	int64_t retry_after_ms;
	int64_t date_unix_s;
	enum status st; /**< why a callback stopped the transfer */
	void (*done)(void *arg, const struct fetch_answer *a);
	void *arg;
};

struct fetcher {
	struct event_base *base;
	bool ready; /**< all below is there */
	CURLM *multi;
	struct curl_slist *fields;
	struct event *timer;
	struct fetch *first;
};

static void
fetch_free(struct fetch *f)
{
	*f->link = f->next;
	if (f->next != NULL)
		f->next->link = f->link;
	if (f->easy != NULL) {
		curl.multi_remove_handle(f->owner->multi, f->easy);
		curl.easy_cleanup(f->easy);
	}
	buf_release(&f->body);
	free(f);
}

void
fetch_cancel(struct fetch *fetch)
{
	if (fetch != NULL)
		fetch_free(fetch);
}

static void
fetch_finish(struct fetch *f, CURLcode code)
{
	long status = 0;
	struct fetch_answer a = {
		.st = OK,
		.retry_after_ms = f->retry_after_ms,
		.date_unix_s = f->date_unix_s,
		.error = curl.easy_strerror(code),
	};

	if (curl.easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status) !=
	    CURLE_OK)
		status = 0;
	if (f->st != OK)
		a.st = f->st;
	else if (code == CURLE_OPERATION_TIMEDOUT)
		a.st = E_TIMEOUT;
	else if (code != CURLE_OK || status == 0)
		a.st = E_IO;
	if (f->st == E_LIMIT)
		a.error = "the answer is too long";
	if (a.st == OK) {
		a.http_status = (int)status;
		a.body = buf_slice(&f->body);
		a.error = "";
	}
	f->done(f->arg, &a);
	fetch_free(f);
}

static void
drain_messages(struct fetcher *f)
{
	CURLMsg *m;
	int left;

	while ((m = curl.multi_info_read(f->multi, &left)) != NULL) {
		char *priv = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		if (curl.easy_getinfo(
		        m->easy_handle, CURLINFO_PRIVATE, &priv) == CURLE_OK &&
		    priv != NULL) {
			void *mine = priv;
			fetch_finish(mine, m->data.result);
		}
	}
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct fetcher *f = arg;
	int running;
	int flags = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
	    ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

	if (curl.multi_socket_action(f->multi, fd, flags, &running) == CURLM_OK)
		drain_messages(f);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct fetcher *f = arg;
	int running;

	(void)fd;
	(void)what;
	if (curl.multi_socket_action(
	        f->multi, CURL_SOCKET_TIMEOUT, 0, &running) == CURLM_OK)
		drain_messages(f);
}

/* curl tells which sockets to watch; the event lives as long as the socket. */
static int
watch_socket(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct fetcher *f = arg;
	struct event *ev = socket_arg;
	short flags = EV_PERSIST;

	(void)easy;
	if (ev != NULL) {
		event_free(ev);
		curl.multi_assign(f->multi, fd, NULL);
	}
	if (what == CURL_POLL_REMOVE)
		return 0;
	if ((what & CURL_POLL_IN) != 0)
		flags |= EV_READ;
	if ((what & CURL_POLL_OUT) != 0)
		flags |= EV_WRITE;
	ev = event_new(f->base, fd, flags, on_socket, f);
	if (ev == NULL || event_add(ev, NULL) != 0) {
		if (ev != NULL)
			event_free(ev);
		return -1;
	}
	curl.multi_assign(f->multi, fd, ev);
	return 0;
}

static int
watch_time(CURLM *multi, long ms, void *arg)
{
	struct fetcher *f = arg;
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (ms % 1000) * 1000 };

	(void)multi;
	if (ms < 0)
		return event_del(f->timer);
	return event_add(f->timer, &tv);
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;

	if (size * n > FETCH_BODY_BYTES_MAX - f->body.n) {
		f->st = E_LIMIT;
		return 0;
	}
	buf_put(&f->body, p, size * n);
	if (buf_status(&f->body) == OK)
		return size * n;
	f->st = buf_status(&f->body);
	return 0;
}

static bool
take_field(struct slice line, const char *name, struct slice *value)
{
	size_t colon = slice_find(line, ':');

	if (colon == line.n || !slice_is_nocase(slice_head(line, colon), name))
		return false;
	*value = slice_from(line, colon + 1);
	while (value->n > 0 &&
	    (value->p[value->n - 1] == '\n' || value->p[value->n - 1] == '\r'))
		value->n--;
	*value = slice_trim_ows(*value);
	return true;
}

/* RFC 9110 10.2.3: seconds or a date; a date is as good as none to us. */
static size_t
on_field(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	struct slice line = { .p = p, .n = size * n };
	struct slice value;
	uint64_t seconds;
	char text[64];

	f->head_bytes += line.n;
	if (f->head_bytes > FETCH_HEAD_BYTES_MAX) {
		f->st = E_LIMIT;
		return 0;
	}
	if (take_field(line, "Retry-After", &value) &&
	    slice_to_u64(value, 86400, &seconds))
		f->retry_after_ms = (int64_t)seconds * 1000;
	if (take_field(line, "Date", &value) &&
	    slice_copy(value, text, sizeof text))
		f->date_unix_s = (int64_t)curl.getdate(text, NULL);
	return line.n;
}

/* Only what the caller named is reached: no proxy, redirect, netrc, cookie. */
static const struct {
	CURLoption option;
	long value;
} numbers[] = {
#if LIBCURL_VERSION_NUM < 0x075500
	{ CURLOPT_PROTOCOLS, CURLPROTO_HTTP },
#endif
	{ CURLOPT_FOLLOWLOCATION, 0 },
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_HTTP09_ALLOWED, 0 },
	{ CURLOPT_CONNECTTIMEOUT_MS, FETCH_CONNECT_MS },
	{ CURLOPT_TIMEOUT_MS, FETCH_TOTAL_MS },
	{ CURLOPT_MAXFILESIZE, FETCH_BODY_BYTES_MAX },
	/* A request on a kept connection that breaks is sent again unasked:
	 * that would break the budget, so none is kept. */
	{ CURLOPT_FRESH_CONNECT, 1 },
	{ CURLOPT_FORBID_REUSE, 1 },
};

static bool
set_texts(CURL *e, const char *url)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	if (curl.easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http") != CURLE_OK)
		return false;
#endif
	return curl.easy_setopt(e, CURLOPT_URL, url) == CURLE_OK &&
	    curl.easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
	    curl.easy_setopt(e, CURLOPT_NOPROXY, "*") == CURLE_OK &&
	    curl.easy_setopt(e, CURLOPT_USERAGENT, "wayleave") == CURLE_OK;
}

static bool
set_options(struct fetch *f, const char *url)
{
	CURL *e = f->easy;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (curl.easy_setopt(e, numbers[i].option, numbers[i].value) !=
		    CURLE_OK)
			return false;
	return set_texts(e, url) &&
	    curl.easy_setopt(e, CURLOPT_HTTPHEADER, f->owner->fields) ==
	    CURLE_OK &&
	    curl.easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	    curl.easy_setopt(e, CURLOPT_WRITEDATA, f) == CURLE_OK &&
	    curl.easy_setopt(e, CURLOPT_HEADERFUNCTION, on_field) == CURLE_OK &&
	    curl.easy_setopt(e, CURLOPT_HEADERDATA, f) == CURLE_OK &&
	    curl.easy_setopt(e, CURLOPT_PRIVATE, f) == CURLE_OK;
}

static enum status
find_calls(void *handle, struct curl_calls *out, struct status_detail *detail)
{
	struct curl_calls found;
	const curl_version_info_data *v;

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		void *at = dlsym(handle, calls[i].name);

		if (at == NULL)
			return status_set(detail, E_UNSUPPORTED,
			    "%s has no %s(): install libcurl %s or newer",
			    library, calls[i].name, LEAST_VERSION_TEXT);
		memcpy((char *)&found + calls[i].offset, &at, sizeof at);
	}
	v = found.version_info(CURLVERSION_NOW);
	if (v->version_num < LEAST_VERSION)
		return status_set(detail, E_UNSUPPORTED,
		    "%s is libcurl %s, but this program was built for %s or "
		    "newer: install that, or build it again here",
		    library, v->version, LEAST_VERSION_TEXT);
	*out = found;
	return OK;
}

/* Once a process, and never closed: what it registered would be gone. */
static enum status
open_library(struct status_detail *detail)
{
	static void *handle;
	enum status st;

	if (handle != NULL)
		return OK;
	handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL)
		return status_set(detail, E_UNSUPPORTED,
		    "tokens are fetched with libcurl, which cannot be opened: "
		    "%s; install it (on Debian the package libcurl4)",
		    dlerror());
	st = find_calls(handle, &curl, detail);
	if (st != OK) {
		(void)dlclose(handle);
		handle = NULL;
	}
	return st;
}

enum status
fetch_start(struct fetcher *f, const char *url,
    void (*done)(void *arg, const struct fetch_answer *a), void *arg,
    struct fetch **out)
{
	enum status st = fetcher_open(f, NULL);
	struct fetch *n = st == OK ? calloc(1, sizeof *n) : NULL;

	if (n == NULL)
		return st == OK ? E_NOMEM : st;
	n->owner = f;
	n->done = done;
	n->arg = arg;
	n->retry_after_ms = -1;
	n->date_unix_s = -1;
	buf_init_secret(&n->body, FETCH_BODY_BYTES_MAX);
	n->link = &f->first;
	n->next = f->first;
	if (n->next != NULL)
		n->next->link = &n->next;
	f->first = n;
	n->easy = curl.easy_init();
	if (n->easy == NULL || !set_options(n, url) ||
	    curl.multi_add_handle(f->multi, n->easy) != CURLM_OK) {
		fetch_free(n);
		return E_NOMEM;
	}
	*out = n;
	return OK;
}

enum status
fetcher_create(struct event_base *base, struct fetcher **out)
{
	struct fetcher *f = calloc(1, sizeof *f);

	if (f == NULL)
		return E_NOMEM;
	f->base = base;
	f->timer = evtimer_new(base, on_timer, f);
	if (f->timer == NULL) {
		free(f);
		return E_NOMEM;
	}
	*out = f;
	return OK;
}

static void
tear_down(struct fetcher *f)
{
	if (f->multi != NULL)
		curl.multi_cleanup(f->multi);
	curl.slist_free_all(f->fields);
	curl.global_cleanup();
}

static enum status
set_up(struct fetcher *f)
{
	/* Counted by libcurl; the wiping allocator holds what it buffers. */
	if (curl.global_init_mem(CURL_GLOBAL_NOTHING, wiping_malloc,
	        wiping_free, wiping_realloc, wiping_strdup,
	        wiping_calloc) != CURLE_OK)
		return E_INTERNAL;
	f->multi = curl.multi_init();
	f->fields = curl.slist_append(NULL, "Metadata: true");
	if (f->multi == NULL || f->fields == NULL) {
		tear_down(f);
		return E_NOMEM;
	}
	curl.multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl.multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl.multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, watch_time);
	curl.multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	f->ready = true;
	return OK;
}

enum status
fetcher_open(struct fetcher *f, struct status_detail *detail)
{
	enum status st = f->ready ? OK : open_library(detail);

	return st == OK && !f->ready ? set_up(f) : st;
}

void
fetcher_destroy(struct fetcher *f)
{
	if (f == NULL)
		return;
	for (struct fetch *n = f->first; n != NULL; n = f->first) {
		f->first = n->next;
		fetch_free(n);
	}
	if (f->ready)
		tear_down(f);
	event_free(f->timer);
	free(f);
}
