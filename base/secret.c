/* Counted secrets in OpenSSL's secure heap: guarded, locked, out of dumps. */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARENA_BYTES_MIN = 64 * 1024,
	ARENA_BLOCK_BYTES = 64,
	SECRET_ID_DIGITS = SECRET_ID_BYTES - 1,
};

struct secret {
	atomic_uint refs;
	size_t n;
	char *p; /**< in the secure heap */
	char id[SECRET_ID_BYTES];
};

static size_t arena_bytes;

/*
 * CRYPTO_secure_malloc_init() answers 2 when the arena is there, but a guard
 * page, mlock or MADV_DONTDUMP failed: to us all of these are "not locked".
 */
enum status
secret_arena_init(size_t bytes, bool must_lock, bool *locked)
{
	int rc;

	if (bytes < ARENA_BYTES_MIN || (bytes & (bytes - 1)) != 0)
		return E_INVALID;
	if (CRYPTO_secure_malloc_initialized())
		return E_BUSY;
	rc = CRYPTO_secure_malloc_init(bytes, ARENA_BLOCK_BYTES);
	if (rc == 0)
		return E_NOMEM;
	if (rc != 1 && must_lock) {
		(void)CRYPTO_secure_malloc_done();
		return E_DENIED;
	}
	arena_bytes = bytes;
	*locked = rc == 1;
	return OK;
}

void
secret_arena_usage(size_t *used_bytes, size_t *total_bytes)
{
	*used_bytes = CRYPTO_secure_used();
	*total_bytes = arena_bytes;
}

static bool
id_make(struct slice s, char out[SECRET_ID_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };

	if (EVP_Digest(s.p, s.n, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	for (size_t i = 0; i < SECRET_ID_DIGITS; i++)
		out[i] = hex[digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	out[SECRET_ID_DIGITS] = '\0';
	return true;
}

enum status
secret_create(struct slice s, struct secret **out)
{
	struct secret *made;

	/* Without the arena OpenSSL would quietly use the common heap. */
	if (!CRYPTO_secure_malloc_initialized())
		return E_INTERNAL;
	made = malloc(sizeof *made);
	if (made == NULL)
		return E_NOMEM;
	/* Once for all the records that will name it. */
	if (!id_make(s, made->id)) {
		free(made);
		return E_NOMEM;
	}
	made->n = s.n;
	made->p = OPENSSL_secure_malloc(s.n + 1);
	if (made->p == NULL) {
		free(made);
		return E_LIMIT;
	}
	if (s.n > 0)
		memcpy(made->p, s.p, s.n);
	made->p[s.n] = '\0';
	atomic_init(&made->refs, 1);
	*out = made;
	return OK;
}

struct secret *
secret_ref(struct secret *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
secret_unref(struct secret *s)
{
	if (s == NULL ||
	    atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	OPENSSL_secure_clear_free(s->p, s->n + 1);
	free(s);
}

struct slice
secret_bytes(const struct secret *s)
{
	return (struct slice){ .p = s->p, .n = s->n };
}

void
secret_id(const struct secret *s, char out[SECRET_ID_BYTES])
{
	memcpy(out, s->id, SECRET_ID_BYTES);
}
