/* Writes audit records: members in the order of the schema, null if unknown. */
#include "base/record.h"

#include "base/jsonw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char *const event_names[] = {
	[RECORD_REQUEST] = "request",
	[RECORD_OPEN] = "open",
	[RECORD_TOKEN] = "token",
	[RECORD_RELOAD] = "reload",
	[RECORD_START] = "start",
	[RECORD_STOP] = "stop",
	[RECORD_CHECKPOINT] = "checkpoint",
};

static const char *const verdict_names[] = {
	[RECORD_VERDICT_NONE] = NULL,
	[RECORD_ALLOW] = "allow",
	[RECORD_DENY] = "deny",
};

void
record_init(struct record *r, enum record_event event)
{
	*r = (struct record){ .event = event, .ms = { -1, -1, -1, -1, -1 } };
}

static void
put_text(struct jsonw *w, const char *key, const char *s)
{
	jsonw_str(w, key, s == NULL || *s == '\0' ? NULL : s);
}

static void
put_slice(struct jsonw *w, const char *key, struct slice s)
{
	if (s.n == 0)
		jsonw_null(w, key);
	else
		jsonw_slice(w, key, s);
}

static void
put_positive(struct jsonw *w, const char *key, int64_t v)
{
	if (v <= 0)
		jsonw_null(w, key);
	else
		jsonw_i64(w, key, v);
}

static void
put_ms(struct jsonw *w, const char *key, int64_t v)
{
	if (v < 0)
		jsonw_null(w, key);
	else
		jsonw_i64(w, key, v);
}

static bool
event_has_workload(enum record_event event)
{
	return event == RECORD_REQUEST || event == RECORD_OPEN ||
	    event == RECORD_TOKEN;
}

/* A client that the kernel could not name has no uid, whatever else is set. */
static void
put_workload(struct jsonw *w, const struct record *r)
{
	static const struct peer unknown;
	const struct peer *peer = r->peer == NULL ? &unknown : r->peer;

	if (r->peer == NULL && !event_has_workload(r->event)) {
		jsonw_null(w, "workload");
		return;
	}
	jsonw_object(w, "workload");
	jsonw_array(w, "names");
	for (size_t i = 0; i < r->n_workload_names; i++)
		jsonw_str(w, NULL, r->workload_names[i]);
	jsonw_array_end(w);
	if (peer->known)
		jsonw_u64(w, "uid", peer->uid);
	else
		jsonw_null(w, "uid");
	put_text(w, "user", peer->user);
	put_positive(w, "pid", peer->pid);
	put_text(w, "exe", peer->exe);
	put_text(w, "unit", peer->unit);
	put_text(w, "cgroup", peer->cgroup);
	jsonw_object_end(w);
}

static void
put_resolved(struct jsonw *w, const struct record *r)
{
	char text[ADDR_TEXT_BYTES];

	if (!r->has_resolved) {
		jsonw_null(w, "resolved");
		return;
	}
	jsonw_object(w, "resolved");
	jsonw_array(w, "chain");
	for (size_t i = 0; i < r->n_chain; i++)
		jsonw_str(w, NULL, r->chain[i]);
	jsonw_array_end(w);
	jsonw_array(w, "addresses");
	for (size_t i = 0; i < r->n_addresses; i++)
		jsonw_str(w, NULL, addr_text(&r->addresses[i], text));
	jsonw_array_end(w);
	put_text(w, "zone", r->zone);
	jsonw_i64(w, "ttl", r->ttl_s);
	jsonw_object_end(w);
}

static bool
is_empty(const char *s)
{
	return s == NULL || *s == '\0';
}

static void
put_injected(struct jsonw *w, const struct record *r)
{
	/* A refused one may have named no identity that we have. */
	if (is_empty(r->identity) && is_empty(r->audience)) {
		jsonw_null(w, "injected");
		return;
	}
	jsonw_object(w, "injected");
	put_text(w, "identity", r->identity);
	put_text(w, "audience", r->audience);
	put_text(w, "token_id", r->token_id);
	jsonw_object_end(w);
}

static void
put_verdict(struct jsonw *w, const struct record *r)
{
	put_text(w, "id", r->id);
	jsonw_str(w, "event", event_names[r->event]);
	jsonw_str(w, "verdict", verdict_names[r->verdict]);
	jsonw_str(w, "would", r->would_deny ? "deny" : NULL);
	put_text(w, "code", reason_code(r->code));
	put_text(w, "rule", r->rule);
	put_text(w, "mode", r->mode);
}

static void
put_destination(struct jsonw *w, const struct record *r)
{
	char text[ADDR_TEXT_BYTES];

	put_text(w, "listener", r->listener);
	put_text(w, "protocol", r->protocol);
	put_slice(w, "method", r->method);
	put_text(w, "host", r->host);
	put_positive(w, "port", r->port);
	put_slice(w, "path", r->path);
	put_resolved(w, r);
	jsonw_str(w, "address",
	    r->address == NULL ? NULL : addr_text(r->address, text));
	put_slice(w, "sni", r->sni);
	put_text(w, "tls", r->tls);
}

static void
put_outcome(struct jsonw *w, const struct record *r)
{
	put_positive(w, "status", r->status);
	jsonw_u64(w, "bytes_up", r->bytes_up);
	jsonw_u64(w, "bytes_down", r->bytes_down);
	jsonw_object(w, "ms");
	put_ms(w, "dns", r->ms.dns);
	put_ms(w, "connect", r->ms.connect);
	put_ms(w, "tls", r->ms.tls);
	put_ms(w, "first", r->ms.first);
	put_ms(w, "total", r->ms.total);
	jsonw_object_end(w);
	put_text(w, "close", r->close);
}

static void
put_policy(struct jsonw *w, const struct record *r)
{
	if (r->policy_generation == 0) {
		jsonw_null(w, "policy");
		return;
	}
	jsonw_object(w, "policy");
	jsonw_u64(w, "generation", r->policy_generation);
	put_text(w, "sha256", r->policy_sha256);
	jsonw_object_end(w);
}

void
record_write(struct buf *out, const struct record *r)
{
	struct jsonw w;

	jsonw_init(&w, out);
	put_verdict(&w, r);
	put_workload(&w, r);
	put_destination(&w, r);
	put_injected(&w, r);
	put_outcome(&w, r);
	put_policy(&w, r);
	if (r->extra.n > 0) {
		buf_putc(out, ',');
		buf_put_slice(out, r->extra);
	}
}

/* The kernel's randomness, fetched for many ids at once. */
static void
random_bytes(unsigned char *out, size_t n)
{
	/* Reads of up to 256 bytes are never cut (getrandom(2)). */
	static _Thread_local unsigned char stock[250];
	static _Thread_local size_t left;
	ssize_t got = sizeof stock;

	if (left < n) {
		do
			got = getrandom(stock, sizeof stock, 0);
		while (got < 0 && errno == EINTR);
		left = sizeof stock;
	}
	/* Without randomness there is no id. */
	if (got != (ssize_t)sizeof stock)
		abort();
	left -= n;
	memcpy(out, stock + left, n);
}

void
record_new_id(char out[RECORD_ID_BYTES])
{
	static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned char bytes[RECORD_ID_BYTES - 1];

	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		out[i] = base32[bytes[i] & 31];
	out[sizeof bytes] = '\0';
}
