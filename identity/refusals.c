/* A digest of all that a person would call the same refusal. */
#include "identity/refusals.h"

#include <openssl/sha.h>
#include <string.h>

enum { SHARED_MS = 10 * 1000, KEY_TEXT_BYTES = 65536 };

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

static bool
digest(const struct record *rec, uint8_t out[32])
{
	bool known = rec->peer != NULL && rec->peer->known;
	struct buf b;
	bool ok;

	buf_init(&b, KEY_TEXT_BYTES);
	buf_printf(&b, "%d %u %s %d %s\n%s\n%s\n%s\n%s\n", (int)known,
	    known ? (unsigned)rec->peer->uid : 0, reason_code(rec->code),
	    rec->status, known ? text(rec->peer->cgroup) : "",
	    text(rec->listener), text(rec->audience), text(rec->identity),
	    text(rec->host));
	buf_put_slice(&b, rec->method);
	buf_putc(&b, '\n');
	buf_put_slice(&b, rec->path);
	ok = buf_status(&b) == OK &&
	    SHA256((const unsigned char *)b.p, b.n, out) != NULL;
	buf_release(&b);
	return ok;
}

void
refusals_id(struct refusals *r, const struct record *rec, int64_t now_ms,
    char id[RECORD_ID_BYTES])
{
	uint8_t key[32];
	struct refusal_kept *k;

	if (!digest(rec, key)) {
		record_new_id(id);
		return;
	}
	k = &r->at[key[0] % REFUSALS_KEPT];
	if (now_ms >= k->until_ms || memcmp(k->key, key, sizeof key) != 0) {
		memcpy(k->key, key, sizeof key);
		k->until_ms = now_ms + SHARED_MS;
		record_new_id(k->id);
	}
	memcpy(id, k->id, sizeof k->id);
}
