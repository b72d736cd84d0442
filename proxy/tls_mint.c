/* A certificate for one name, signed by the inspection CA. */
#include "proxy/tls_mint.h"

#include "base/host.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	DAY_S = 86400,
	SERIAL_BYTES = 16,      /* RFC 5280 4.1.2.2: at most 20 */
	COMMON_NAME_BYTES = 64, /* RFC 5280 A.1, ub-common-name */
};

struct tls_ca {
	_Atomic unsigned refs;
	X509 *cert;
	EVP_PKEY *key, *leaf_key;
	uint8_t leaf_key_id[SHA_DIGEST_LENGTH]; /* RFC 5280 4.2.1.2 (1) */
};

static bool
is_issuer(X509 *cert, EVP_PKEY *key)
{
	return X509_check_private_key(cert, key) == 1 &&
	    X509_check_ca(cert) == 1 &&
	    (X509_get_key_usage(cert) & KU_KEY_CERT_SIGN) != 0 &&
	    X509_get0_subject_key_id(cert) != NULL;
}

/* The key has to be in some certificate for its id to be computed. */
static bool
find_key_id(EVP_PKEY *key, uint8_t id[SHA_DIGEST_LENGTH])
{
	X509 *x = X509_new();
	unsigned n = 0;
	bool ok;

	ok = x != NULL && X509_set_pubkey(x, key) == 1 &&
	    X509_pubkey_digest(x, EVP_sha1(), id, &n) == 1 &&
	    n == SHA_DIGEST_LENGTH;
	X509_free(x);
	return ok;
}

enum status
tls_ca_new(X509 *cert, EVP_PKEY *key, struct tls_ca **out)
{
	struct tls_ca *ca;
	bool ok = is_issuer(cert, key);

	ERR_clear_error();
	if (!ok)
		return E_INVALID;
	ca = calloc(1, sizeof *ca);
	if (ca == NULL)
		return E_NOMEM;
	ca->refs = 1;
	ca->leaf_key = EVP_EC_gen("P-256");
	ok = ca->leaf_key != NULL && find_key_id(ca->leaf_key, ca->leaf_key_id);
	if (ok && X509_up_ref(cert) == 1)
		ca->cert = cert;
	if (ok && EVP_PKEY_up_ref(key) == 1)
		ca->key = key;
	ERR_clear_error();
	if (ca->cert == NULL || ca->key == NULL) {
		tls_ca_unref(ca);
		return E_NOMEM;
	}
	*out = ca;
	return OK;
}

struct tls_ca *
tls_ca_ref(struct tls_ca *ca)
{
	(void)atomic_fetch_add_explicit(&ca->refs, 1, memory_order_relaxed);
	return ca;
}

void
tls_ca_unref(struct tls_ca *ca)
{
	if (ca == NULL || atomic_fetch_sub(&ca->refs, 1) != 1)
		return;
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
	EVP_PKEY_free(ca->leaf_key);
	free(ca);
}

X509 *
tls_ca_cert(const struct tls_ca *ca)
{
	return ca->cert;
}

EVP_PKEY *
tls_ca_leaf_key(const struct tls_ca *ca)
{
	return ca->leaf_key;
}

static bool
put_serial(X509 *x)
{
	uint8_t bytes[SERIAL_BYTES];
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	/* RFC 5280 4.1.2.2: positive, and never 0. */
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
	n = BN_bin2bn(bytes, sizeof bytes, NULL);
	ok = n != NULL &&
	    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return ok;
}

/* It does not outlive its issuer. */
static bool
put_times(X509 *x, const X509 *issuer, int64_t now_unix_s)
{
	const ASN1_TIME *last = X509_get0_notAfter(issuer);
	time_t from = (time_t)(now_unix_s - TLS_LEAF_BACK_S);
	time_t to = (time_t)(now_unix_s + (int64_t)TLS_LEAF_DAYS * DAY_S);

	if (ASN1_TIME_set(X509_getm_notBefore(x), from) == NULL)
		return false;
	if (ASN1_TIME_cmp_time_t(last, to) < 0)
		return X509_set1_notAfter(x, last) == 1;
	return ASN1_TIME_set(X509_getm_notAfter(x), to) != NULL;
}

/* Whom it is for stands in its subjectAltName; what stands here is read by
 * people alone (RFC 6125 6.4.4). */
static bool
put_subject(X509 *x, struct slice host)
{
	X509_NAME *name = X509_get_subject_name(x);
	bool fits = host.n <= COMMON_NAME_BYTES;
	const char *text = fits ? host.p : "wayleave";
	int nid = fits ? NID_commonName : NID_organizationName;

	return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_ASC,
	           (const unsigned char *)text, fits ? (int)host.n : -1, -1,
	           0) == 1;
}

static bool
put_san(X509 *x, struct slice host)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	bool ok = false;

	if (names == NULL || name == NULL || text == NULL ||
	    ASN1_STRING_set(text, host.p, (int)host.n) != 1)
		goto out;
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	text = NULL;
	if (sk_GENERAL_NAME_push(names, name) <= 0)
		goto out;
	name = NULL;
	ok = X509_add1_ext_i2d(
	         x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
out:
	ASN1_IA5STRING_free(text);
	GENERAL_NAME_free(name);
	GENERAL_NAMES_free(names);
	return ok;
}

static bool
put_key_ids(X509 *x, const struct tls_ca *ca)
{
	const ASN1_OCTET_STRING *issuer = X509_get0_subject_key_id(ca->cert);
	ASN1_OCTET_STRING *own = ASN1_OCTET_STRING_new();
	AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
	bool ok = own != NULL && authority != NULL;

	ok = ok &&
	    ASN1_OCTET_STRING_set(
	        own, ca->leaf_key_id, sizeof ca->leaf_key_id) == 1 &&
	    X509_add1_ext_i2d(
	        x, NID_subject_key_identifier, own, 0, X509V3_ADD_DEFAULT) == 1;
	if (ok)
		authority->keyid = ASN1_OCTET_STRING_dup(issuer);
	ok = ok && authority->keyid != NULL &&
	    X509_add1_ext_i2d(x, NID_authority_key_identifier, authority, 0,
	        X509V3_ADD_DEFAULT) == 1;
	ASN1_OCTET_STRING_free(own);
	AUTHORITY_KEYID_free(authority);
	return ok;
}

/* RFC 5280 4.2.1.3: keyUsage as a bit string, the first bit alone. */
static bool
put_usage(X509 *x)
{
	ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
	EXTENDED_KEY_USAGE *extended = EXTENDED_KEY_USAGE_new();
	ASN1_OBJECT *server = OBJ_nid2obj(NID_server_auth);
	bool ok = usage != NULL && extended != NULL && server != NULL;

	ok = ok && ASN1_BIT_STRING_set_bit(usage, 0, 1) == 1 &&
	    X509_add1_ext_i2d(x, NID_key_usage, usage, 1, X509V3_ADD_DEFAULT) ==
	        1 &&
	    sk_ASN1_OBJECT_push(extended, server) > 0 &&
	    X509_add1_ext_i2d(
	        x, NID_ext_key_usage, extended, 0, X509V3_ADD_DEFAULT) == 1;
	ASN1_BIT_STRING_free(usage);
	EXTENDED_KEY_USAGE_free(extended);
	return ok;
}

enum status
tls_ca_mint(
    const struct tls_ca *ca, const char *host, int64_t now_unix_s, X509 **out)
{
	struct slice name = slice_of(host);
	char canonical[HOST_BYTES];
	X509 *x;
	bool ok;

	if (host_parse_name(name, canonical) != OK ||
	    !slice_is(name, canonical))
		return E_INVALID;
	x = X509_new();
	ok = x != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
	    put_serial(x) &&
	    X509_set_issuer_name(x, X509_get_subject_name(ca->cert)) == 1 &&
	    put_times(x, ca->cert, now_unix_s) && put_subject(x, name) &&
	    X509_set_pubkey(x, ca->leaf_key) == 1 && put_usage(x) &&
	    put_san(x, name) && put_key_ids(x, ca) &&
	    X509_sign(x, ca->key, EVP_sha256()) > 0;
	ERR_clear_error();
	if (!ok) {
		X509_free(x);
		return E_NOMEM;
	}
	*out = x;
	return OK;
}
