/* A counted X509_STORE. */
#include "proxy/tls_trust.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdatomic.h>
#include <stdlib.h>

struct tls_trust {
	_Atomic unsigned refs;
	X509_STORE *store;
};

struct tls_trust *
tls_trust_new(X509_STORE *store)
{
	struct tls_trust *t = calloc(1, sizeof *t);

	if (t == NULL) {
		X509_STORE_free(store);
		return NULL;
	}
	t->refs = 1;
	t->store = store;
	return t;
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
