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

/*
 * A member's name with all that stands around it, and null behind it: most
 * members of most records are. The writers below are part of each caller, so
 * that such known text is moved in place and not by a call of memcpy.
 */
#define KEY(name)               KEY_AFTER(",", name)
#define KEY_FIRST(name)         KEY_AFTER("", name)
#define KEY_AFTER(before, name) SLICE(before "\"" name "\":null")

static inline ATTR_ALWAYS_INLINE void
put_null(struct buf *out, struct slice key)
{
	buf_put(out, key.p, key.n);
}

static inline ATTR_ALWAYS_INLINE void
put_key(struct buf *out, struct slice key)
{
	buf_put(out, key.p, key.n - (sizeof "null" - 1));
}

static inline ATTR_ALWAYS_INLINE void
put_slice(struct buf *out, struct slice key, struct slice s)
{
	if (s.n == 0) {
		put_null(out, key);
		return;
	}
	put_key(out, key);
	jsonw_string(out, s);
}

static inline ATTR_ALWAYS_INLINE void
put_text(struct buf *out, struct slice key, const char *s)
{
	put_slice(out, key, slice_of(s));
}

static inline ATTR_ALWAYS_INLINE void
put_u64(struct buf *out, struct slice key, uint64_t v)
{
	put_key(out, key);
	buf_put_u64(out, v);
}

/* What "did not happen" is below @least. */
static inline ATTR_ALWAYS_INLINE void
put_least(struct buf *out, struct slice key, int64_t v, int64_t least)
{
	if (v < least)
		put_null(out, key);
	else
		put_u64(out, key, (uint64_t)v);
}

static bool
event_has_workload(enum record_event event)
{
	return event == RECORD_REQUEST || event == RECORD_OPEN ||
	    event == RECORD_TOKEN;
}

/* A client that the kernel could not name has no uid, whatever else is set. */
static void
put_workload(struct buf *out, const struct record *r)
{
	static const struct peer unknown;
	const struct peer *peer = r->peer == NULL ? &unknown : r->peer;

	if (r->peer == NULL && !event_has_workload(r->event)) {
		put_null(out, KEY("workload"));
		return;
	}
	buf_puts(out, ",\"workload\":{\"names\":[");
	for (size_t i = 0; i < r->n_workload_names; i++) {
		if (i > 0)
			buf_putc(out, ',');
		jsonw_string(out, slice_of(r->workload_names[i]));
	}
	buf_putc(out, ']');
	if (peer->known)
		put_u64(out, KEY("uid"), peer->uid);
	else
		put_null(out, KEY("uid"));
	put_text(out, KEY("user"), peer->user);
	put_least(out, KEY("pid"), peer->pid, 1);
	put_text(out, KEY("exe"), peer->exe);
	put_text(out, KEY("unit"), peer->unit);
	put_text(out, KEY("cgroup"), peer->cgroup);
	buf_putc(out, '}');
}

static void
put_resolved(struct buf *out, const struct record *r)
{
	char text[ADDR_TEXT_BYTES];

	if (!r->has_resolved) {
		put_null(out, KEY("resolved"));
		return;
	}
	buf_puts(out, ",\"resolved\":{\"chain\":[");
	for (size_t i = 0; i < r->n_chain; i++) {
		if (i > 0)
			buf_putc(out, ',');
		jsonw_string(out, slice_of(r->chain[i]));
	}
	buf_puts(out, "],\"addresses\":[");
	for (size_t i = 0; i < r->n_addresses; i++) {
		if (i > 0)
			buf_putc(out, ',');
		jsonw_string(out, slice_of(addr_text(&r->addresses[i], text)));
	}
	buf_putc(out, ']');
	put_text(out, KEY("zone"), r->zone);
	buf_puts(out, ",\"ttl\":");
	buf_put_i64(out, r->ttl_s);
	buf_putc(out, '}');
}

static bool
is_empty(const char *s)
{
	return s == NULL || *s == '\0';
}

static void
put_injected(struct buf *out, const struct record *r)
{
	/* A refused one may have named no identity that we have. */
	if (is_empty(r->identity) && is_empty(r->audience)) {
		put_null(out, KEY("injected"));
		return;
	}
	buf_puts(out, ",\"injected\":{");
	put_text(out, KEY_FIRST("identity"), r->identity);
	put_text(out, KEY("audience"), r->audience);
	put_text(out, KEY("token_id"), r->token_id);
	buf_putc(out, '}');
}

static void
put_verdict(struct buf *out, const struct record *r)
{
	put_text(out, KEY_FIRST("id"), r->id);
	put_text(out, KEY("event"), event_names[r->event]);
	put_text(out, KEY("verdict"), verdict_names[r->verdict]);
	put_text(out, KEY("would"), r->would_deny ? "deny" : NULL);
	put_text(out, KEY("code"), reason_code(r->code));
	put_text(out, KEY("rule"), r->rule);
	put_text(out, KEY("mode"), r->mode);
}

static void
put_destination(struct buf *out, const struct record *r)
{
	char text[ADDR_TEXT_BYTES];

	put_text(out, KEY("listener"), r->listener);
	put_text(out, KEY("protocol"), r->protocol);
	put_slice(out, KEY("method"), r->method);
	put_text(out, KEY("host"), r->host);
	put_least(out, KEY("port"), r->port, 1);
	put_slice(out, KEY("path"), r->path);
	put_resolved(out, r);
	put_text(out, KEY("address"),
	    r->address == NULL ? NULL : addr_text(r->address, text));
	put_slice(out, KEY("sni"), r->sni);
	put_text(out, KEY("tls"), r->tls);
}

static void
put_outcome(struct buf *out, const struct record *r)
{
	put_least(out, KEY("status"), r->status, 1);
	put_u64(out, KEY("bytes_up"), r->bytes_up);
	put_u64(out, KEY("bytes_down"), r->bytes_down);
	put_least(out, KEY_AFTER(",\"ms\":{", "dns"), r->ms.dns, 0);
	put_least(out, KEY("connect"), r->ms.connect, 0);
	put_least(out, KEY("tls"), r->ms.tls, 0);
	put_least(out, KEY("first"), r->ms.first, 0);
	put_least(out, KEY("total"), r->ms.total, 0);
	buf_putc(out, '}');
	put_text(out, KEY("close"), r->close);
}

static void
put_policy(struct buf *out, const struct record *r)
{
	if (r->policy_generation == 0) {
		put_null(out, KEY("policy"));
		return;
	}
	put_u64(out, KEY_AFTER(",\"policy\":{", "generation"),
	    r->policy_generation);
	put_text(out, KEY("sha256"), r->policy_sha256);
	buf_putc(out, '}');
}

void
record_write(struct buf *out, const struct record *r)
{
	put_verdict(out, r);
	put_workload(out, r);
	put_destination(out, r);
	put_injected(out, r);
	put_outcome(out, r);
	put_policy(out, r);
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
