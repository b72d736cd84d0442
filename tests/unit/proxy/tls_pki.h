/* Certificates of tests, made in memory. */
#ifndef TESTS_UNIT_PROXY_TLS_PKI_H
#define TESTS_UNIT_PROXY_TLS_PKI_H

#include <openssl/x509.h>
#include <stdbool.h>

struct pki_cert {
	X509 *x509;
	EVP_PKEY *key;
};

/** What one is made of; NULL and 0 stand for what a good one has. */
struct pki_spec {
	const char *name; /**< common name */
	/* Extensions as openssl.cnf(5) writes them; "" leaves one out. */
	const char *san, *basic, *usage, *eku, *constraints;
	bool is_ca;
	bool no_key_ids;
	int from_days, to_days;        /**< from now; 0, 0: -1 to 30 */
	unsigned rsa_bits;             /**< 0: P-256 */
	const EVP_MD *md;              /**< NULL: SHA-256 */
	const struct pki_cert *issuer; /**< NULL: itself */
};

void pki_make(const struct pki_spec *spec, struct pki_cert *out);
void pki_free(struct pki_cert *c);

#endif
