/* When two sets of trust anchors are the same one. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/tls_pki.h"

#include "proxy/tls_trust.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct pki_cert roots[2];

static int
make_roots(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		pki_make(&(struct pki_spec){ .name = "root", .is_ca = true },
		    &roots[i]);
	return 0;
}

static int
free_roots(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		pki_free(&roots[i]);
	return 0;
}

/* A file of @n of the roots, from @first on. */
static struct tls_trust *
trust_of(size_t first, size_t n)
{
	char path[] = "/tmp/trust-XXXXXX";
	struct tls_trust *trust;
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    PEM_write_X509(
		        f, roots[(first + i) % ARRAY_LEN(roots)].x509),
		    1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(tls_trust_load(path, &trust), OK);
	assert_int_equal(unlink(path), 0);
	return trust;
}

static void
assert_same(struct tls_trust *a, struct tls_trust *b, bool same)
{
	assert_true(tls_trust_is_same(a, b) == same);
	assert_true(tls_trust_is_same(b, a) == same);
	assert_true(tls_trust_is_same(a, a));
	tls_trust_unref(a);
	tls_trust_unref(b);
}

static void
a_file_that_is_read_again_is_the_same_trust(void **state)
{
	(void)state;
	assert_same(trust_of(0, 1), trust_of(0, 1), true);
	assert_same(trust_of(0, 2), trust_of(0, 2), true);
}

static void
another_anchor_is_another_trust(void **state)
{
	(void)state;
	assert_same(trust_of(0, 1), trust_of(1, 1), false);
	assert_same(trust_of(0, 1), trust_of(0, 2), false);
}

/* What cannot be told is another one. */
static void
with_a_revocation_list_no_two_are_the_same(void **state)
{
	struct tls_trust *made[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		X509_STORE *store = X509_STORE_new();
		X509_CRL *crl = X509_CRL_new();

		assert_int_equal(X509_STORE_add_cert(store, roots[0].x509), 1);
		assert_int_equal(X509_STORE_add_crl(store, crl), 1);
		X509_CRL_free(crl);
		made[i] = tls_trust_new(store);
		assert_non_null(made[i]);
	}
	assert_same(made[0], made[1], false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_read_again_is_the_same_trust),
		cmocka_unit_test(another_anchor_is_another_trust),
		cmocka_unit_test(with_a_revocation_list_no_two_are_the_same),
	};

	return cmocka_run_group_tests(tests, make_roots, free_roots);
}
