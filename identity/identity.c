/* The room put together: cache, source, timer, doors. */
#include "identity/identity.h"

#include "base/log.h"
#include "identity/broker.h"
#include "identity/room.h"
#include "identity/source_imds.h"

#include <errno.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	URL_BYTES_MAX = 8192,
	ERROR_BYTES = 128,
	SKEW_S = 60,
};

static uint32_t
random32(void *ctx)
{
	uint32_t v = 0;

	(void)ctx;
	while (
	    getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v && errno == EINTR)
		continue;
	return v;
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct identity *id = arg;

	(void)fd;
	(void)what;
	cache_turn(id->cache);
}

static void
wake(void *ctx, int64_t boot_ms)
{
	struct identity *id = ctx;
	int64_t ms = boot_ms - clock_boot_ms(id->clock);
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = (ms % 1000) * 1000;
	if (event_add(id->timer, &tv) != 0)
		log_error("identity: the refresh timer could not be set");
}

/* What the source's clock shows: ours, unless the two are far apart. */
static int64_t
source_now_s(const struct identity *id, const struct fetch_answer *a)
{
	int64_t now_s = clock_unix_s(id->clock);
	int64_t apart = a->date_unix_s - now_s;

	if (a->date_unix_s < 0 || (apart <= SKEW_S && apart >= -SKEW_S))
		return now_s;
	log_warning("identity: this machine's clock is %lld s from the "
	            "metadata service's",
	    (long long)-apart);
	return a->date_unix_s;
}

/* Cut where it is too long: it is for people. */
static void
say(char out[ERROR_BYTES], const char *text)
{
	if (snprintf(out, ERROR_BYTES, "%s", text) < 0)
		out[0] = '\0';
}

static void
on_fetched(void *arg, const struct fetch_answer *a)
{
	struct cache_flight *flight = arg;
	struct identity *id = flight->owner;
	struct status_detail detail = { "" };
	struct token_json token;
	enum status st;
	char word[64] = "";
	char text[ERROR_BYTES];
	struct cache_landing l = {
		.http_status = a->http_status,
		.retry_after_ms = a->retry_after_ms,
		.now_unix_s = source_now_s(id, a),
		.error = text,
	};

	text[0] = '\0';
	if (a->st != OK) {
		say(text, a->error);
	} else if (a->http_status != 200) {
		token_json_error(a->body, word);
		(void)snprintf(
		    text, sizeof text, "HTTP %d %s", a->http_status, word);
	} else {
		st = token_json_parse(a->body, l.now_unix_s, &token, &detail);
		l.token = st == OK ? &token : NULL;
		/* A 200 that is no token: a fault of the way, not a refusal. */
		l.http_status = 0;
		l.stale = st == E_TIMEOUT;
		say(text, detail.text);
	}
	cache_landed(flight, &l);
}

static enum status
start_fetch(void *ctx, const struct identity_config *config,
    struct slice resource, bool bypass, struct cache_flight *flight)
{
	struct identity *id = ctx;
	struct fetch *fetch;
	struct buf url;
	enum status st;

	buf_init(&url, URL_BYTES_MAX);
	st = imds_url(config, resource, bypass, &url);
	flight->owner = id;
	if (st == OK)
		st =
		    fetch_start(id->fetcher, url.p, on_fetched, flight, &fetch);
	if (st == OK)
		flight->priv = fetch;
	buf_release(&url);
	return st;
}

static void
cancel_fetch(void *ctx, struct cache_flight *flight)
{
	(void)ctx;
	fetch_cancel(flight->priv);
	flight->priv = NULL;
}

static enum status
fill(struct identity *id)
{
	const struct cache_ports ports = {
		.fetch = start_fetch,
		.fetch_cancel = cancel_fetch,
		.wake = wake,
		.random = random32,
		.ctx = id,
	};
	enum status st = cache_create(id->clock, &ports, &id->cache);

	if (st == OK)
		st = fetcher_create(id->base, &id->fetcher);
	if (st == OK)
		st = broker_create(id, &id->broker);
	if (st != OK)
		return st;
	id->timer = evtimer_new(id->base, on_wake, id);
	return id->timer == NULL ? E_NOMEM : OK;
}

enum status
identity_create(const struct identity_settings *settings, struct identity **out)
{
	struct identity *id = calloc(1, sizeof *id);
	enum status st;

	if (id == NULL)
		return E_NOMEM;
	id->base = settings->base;
	id->clock = settings->clock;
	id->ports = settings->ports;
	memcpy(id->key, settings->broker_key, sizeof id->key);
	id->limits = settings->limits;
	if (settings->name != NULL &&
	    !slice_copy(slice_of(settings->name), id->name, sizeof id->name))
		st = E_INVALID;
	else if (!phantom_key(id->key, id->phantom_key))
		st = E_NOMEM;
	else
		st = fill(id);
	if (st != OK) {
		identity_destroy(id);
		return st;
	}
	*out = id;
	return OK;
}

enum status
identity_set_configs(
    struct identity *id, const struct identity_config *configs, size_t n)
{
	enum status st = OK;

	for (size_t i = 0; i < n && st == OK; i++) {
		struct buf url;
		buf_init(&url, URL_BYTES_MAX);
		st = imds_url(&configs[i], SLICE("probe"), false, &url);
		buf_release(&url);
	}
	if (st == OK)
		st = cache_set_configs(id->cache, configs, n);
	return st;
}

void
identity_set_limits(struct identity *id, const struct identity_limits *limits)
{
	id->limits = *limits;
}

enum status
identity_listen(struct identity *id, int fd, const char *name)
{
	return broker_listen(id->broker, fd, name);
}

/* One request of the proxy's port. */
struct door_ask {
	struct door_ask *next, **link;
	struct identity_ask *ask;
	struct answer answer;
};

static void
door_free(struct door_ask *d)
{
	*d->link = d->next;
	if (d->next != NULL)
		d->next->link = d->link;
	d->ask->priv = NULL;
	free(d);
}

static void
on_door_answered(struct answer *a)
{
	struct door_ask *d = a->priv;
	struct identity_ask *ask = d->ask;

	door_free(d);
	ask->wait.done(&ask->wait, OK);
}

enum status
identity_ask(struct identity *id, struct identity_ask *ask)
{
	static const struct endpoint_listener rules = { .imds_only = true };
	struct door_ask *d = calloc(1, sizeof *d);
	enum status st;

	if (d == NULL)
		return E_NOMEM;
	d->ask = ask;
	d->answer = (struct answer){
		.id = id,
		.peer = ask->peer,
		.listener = ask->listener,
		.response = ask->response,
		.done = on_door_answered,
		.priv = d,
	};
	ask->priv = d;
	d->link = &id->asks;
	d->next = id->asks;
	if (d->next != NULL)
		d->next->link = &d->next;
	id->asks = d;
	st = answer_start(&d->answer, ask->head, &rules);
	if (st == OK)
		door_free(d);
	return st;
}

void
identity_ask_cancel(struct identity *id, struct identity_ask *ask)
{
	struct door_ask *d = ask->priv;

	(void)id;
	if (d == NULL)
		return;
	answer_cancel(&d->answer);
	door_free(d);
}

void
identity_drain(struct identity *id)
{
	id->draining = true;
	broker_drain(id->broker);
	while (id->asks != NULL) {
		answer_give_up(&id->asks->answer, REASON_NOT_READY);
		on_door_answered(&id->asks->answer);
	}
}

void
identity_destroy(struct identity *id)
{
	if (id == NULL)
		return;
	for (struct door_ask *d = id->asks; d != NULL; d = id->asks) {
		id->asks = d->next;
		identity_ask_cancel(id, d->ask);
	}
	broker_destroy(id->broker);
	cache_destroy(id->cache);
	fetcher_destroy(id->fetcher);
	if (id->timer != NULL)
		event_free(id->timer);
	OPENSSL_cleanse(id->key, sizeof id->key);
	OPENSSL_cleanse(id->phantom_key, sizeof id->phantom_key);
	free(id);
}

enum status
identity_open_library(struct identity *id, struct status_detail *detail)
{
	return fetcher_open(id->fetcher, detail);
}

void
identity_header_for(
    const struct identity *id, uint32_t uid, char out[IDENTITY_HEADER_BYTES])
{
	header_value(id->key, HEADER_PURPOSE_HEADER, uid, out);
}

void
identity_capability_for(
    const struct identity *id, uint32_t uid, char out[IDENTITY_HEADER_BYTES])
{
	header_value(id->key, HEADER_PURPOSE_CAPABILITY, uid, out);
}

void
identity_list(const struct identity *id,
    void (*each)(void *arg, const struct identity_listing *l), void *arg)
{
	cache_list(id->cache, each, arg);
}

bool
identity_is_ready(const struct identity *id)
{
	return cache_is_ready(id->cache);
}
