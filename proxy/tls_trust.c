/* A counted X509_STORE. */
#include "proxy/tls_trust.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct tls_trust {
	_Atomic unsigned refs;
	X509_STORE *store;
	bool is_told; /* whether the digest tells all that is in it */
	unsigned char digest[SHA256_DIGEST_LENGTH];
};

/* While nobody looks anything up in it: that may turn its order round. */
static bool
store_digest(X509_STORE *store, unsigned char digest[SHA256_DIGEST_LENGTH])
{
	const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);
	unsigned char each[SHA256_DIGEST_LENGTH];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
	unsigned n = 0;

	for (int i = 0; ok && i < sk_X509_OBJECT_num(all); i++) {
		X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
		ok = x != NULL && X509_digest(x, EVP_sha256(), each, &n) == 1 &&
		    EVP_DigestUpdate(md, each, n) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(md, digest, &n) == 1;
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return ok;
}

struct tls_trust *
tls_trust_new(X509_STORE *store)
{
	struct tls_trust *t = calloc(1, sizeof *t);

	if (t == NULL) {
		X509_STORE_free(store);
		return NULL;
	}
	t->refs = 1;
	t->is_told = store_digest(store, t->digest);
	t->store = store;
	return t;
}

bool
tls_trust_is_same(const struct tls_trust *a, const struct tls_trust *b)
{
	return a == b ||
	    (a->is_told && b->is_told &&
	        memcmp(a->digest, b->digest, sizeof a->digest) == 0);
}

enum status
tls_trust_load(const char *path, struct tls_trust **out)
{
	X509_STORE *store = X509_STORE_new();
	struct tls_trust *made;
	int ok;

	if (store == NULL)
		return E_NOMEM;
	ok = X509_STORE_load_file(store, path);
	/* What it says of the file is nobody's next error. */
	ERR_clear_error();
	if (ok != 1) {
		X509_STORE_free(store);
		return E_INVALID;
	}
	made = tls_trust_new(store);
	if (made == NULL)
		return E_NOMEM;
	*out = made;
	return OK;
}

struct tls_trust *
tls_trust_ref(struct tls_trust *t)
{
	(void)atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
tls_trust_unref(struct tls_trust *t)
{
	if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	X509_STORE_free(t->store);
	free(t);
}

X509_STORE *
tls_trust_store(const struct tls_trust *t)
{
	return t->store;
}
