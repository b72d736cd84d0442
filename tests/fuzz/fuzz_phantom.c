/* Phantoms: whatever a client brings, or a token source gives, nothing that
 * we did not sign is read, and what we sign is read as it was meant. */
#include "identity/base64url.h"
#include "identity/phantom.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[PHANTOM_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const struct phantom somebody = {
	.id = "0123456789abcdef0123456789abcdef",
	.uid = 1000,
	.unit = "job-1.service",
	.audience = "https://storage.azure.com/",
	.identity = "host",
	.grant = "jobs",
	.expires_unix_s = 1800000000,
	.issued_unix_s = 1799990000,
	.epoch = 7,
};

static bool
same(const struct phantom *a, const struct phantom *b)
{
	return strcmp(a->id, b->id) == 0 && a->uid == b->uid &&
	    strcmp(a->unit, b->unit) == 0 &&
	    strcmp(a->audience, b->audience) == 0 &&
	    strcmp(a->identity, b->identity) == 0 &&
	    strcmp(a->grant, b->grant) == 0 &&
	    a->expires_unix_s <= b->expires_unix_s && a->epoch == b->epoch;
}

/* As claims of a real token, none of which may stand for ours. */
static void
stand_for(struct slice claims)
{
	struct buf real, made;
	struct phantom got;

	buf_init(&real, 1 << 20);
	buf_init(&made, 2 * (size_t)PHANTOM_TEXT_MAX);
	buf_puts(&real, "a.");
	base64url_put(&real, claims.p, claims.n);
	buf_puts(&real, ".b");
	if (phantom_make(key, &somebody, "w1", buf_slice(&real), &made) == OK &&
	    (phantom_read(key, buf_slice(&made), &got) != OK ||
	        !same(&got, &somebody)))
		abort();
	buf_release(&real);
	buf_release(&made);
}

/* As claims that somebody signed who has the key. */
static void
sign(struct slice claims)
{
	static const char head[] =
	    "eyJhbGciOiJIUzI1NiIsImtpZCI6IndheWxlYXZlLXBoYW50b20tMSIsInR5cCI6"
	    "IkpXVCJ9.";
	unsigned char mac[EVP_MAX_MD_SIZE];
	struct phantom got;
	struct buf text;
	unsigned n = 0;

	buf_init(&text, 1 << 20);
	buf_puts(&text, head);
	base64url_put(&text, claims.p, claims.n);
	if (buf_status(&text) == OK &&
	    HMAC(EVP_sha256(), key, sizeof key, (unsigned char *)text.p, text.n,
	        mac, &n) != NULL) {
		buf_putc(&text, '.');
		base64url_put(&text, mac, n);
		if (phantom_read(key, buf_slice(&text), &got) == OK &&
		    strlen(got.id) != PHANTOM_ID_BYTES - 1)
			abort();
	}
	buf_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const void *p = data;
	struct slice text = { .p = p, .n = size };
	struct phantom got;
	struct buf b;

	if (phantom_read(key, text, &got) == OK)
		abort();
	buf_init(&b, 1 << 20);
	if (base64url_read(text, &b) == OK && b.n != text.n * 3 / 4)
		abort();
	buf_release(&b);
	stand_for(text);
	sign(text);
	return 0;
}
