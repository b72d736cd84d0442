/* The inspection CA's key and certificate, as objects and as PEM text. */
#include "agent/ca_make.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	SERIAL_BYTES = 16, /* RFC 5280 4.1.2.2: at most 20 */
	DAY_S = 86400,
	STRENGTH_BITS = 112, /* NIST SP 800-57: RSA of 2048 bits */
};

enum status
ca_make_key(EVP_PKEY **out)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	ERR_clear_error();
	if (key == NULL)
		return E_INTERNAL;
	*out = key;
	return OK;
}

/* RFC 5280 4.1.2.2: positive, and never 0. */
static bool
put_serial(X509 *x)
{
	uint8_t bytes[SERIAL_BYTES];
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
	n = BN_bin2bn(bytes, sizeof bytes, NULL);
	ok = n != NULL &&
	    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return ok;
}

static bool
put_times(X509 *x, int64_t now_unix_s)
{
	time_t from = (time_t)(now_unix_s - CA_BACK_S);
	time_t to = (time_t)(now_unix_s + (int64_t)CA_DAYS * DAY_S);

	return ASN1_TIME_set(X509_getm_notBefore(x), from) != NULL &&
	    ASN1_TIME_set(X509_getm_notAfter(x), to) != NULL;
}

/* Two of one deployment have two names, so that a client with both in its
 * bundle tries the right one. */
static bool
put_name(X509 *x, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char text[48];

	if (X509_pubkey_digest(x, EVP_sha256(), hash, &n) != 1 || n < 4)
		return false;
	(void)snprintf(text, sizeof text,
	    "wayleave inspection CA %02x%02x%02x%02x", hash[0], hash[1],
	    hash[2], hash[3]);
	return X509_NAME_add_entry_by_NID(subject, NID_organizationName,
	           MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1 &&
	    X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
	        (const unsigned char *)text, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, subject) == 1;
}

static bool
put_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

/* RFC 5280 4.2.1.9: no CA below it. What it may sign for is the policy's. */
static bool
put_extensions(X509 *x)
{
	return put_extension(
	           x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    put_extension(x, NID_key_usage, "critical,keyCertSign") &&
	    put_extension(x, NID_subject_key_identifier, "hash");
}

enum status
ca_make_cert(const char *name, EVP_PKEY *key, int64_t now_unix_s, X509 **out)
{
	X509 *x = X509_new();
	bool ok = x != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
	    X509_set_pubkey(x, key) == 1 && put_serial(x) &&
	    put_times(x, now_unix_s) && put_name(x, name) &&
	    put_extensions(x) && X509_sign(x, key, EVP_sha256()) > 0;

	ERR_clear_error();
	if (!ok) {
		X509_free(x);
		return E_INTERNAL;
	}
	*out = x;
	return OK;
}

static enum status
put_bio(struct buf *out, BIO *bio, bool ok)
{
	char *p;
	long n = ok ? BIO_get_mem_data(bio, &p) : 0;

	if (n > 0)
		buf_put(out, p, (size_t)n);
	BIO_free(bio);
	ERR_clear_error();
	return n > 0 ? buf_status(out) : E_INTERNAL;
}

enum status
ca_put_key(struct buf *out, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());

	return put_bio(out, bio,
	    bio != NULL &&
	        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) ==
	            1);
}

enum status
ca_put_cert(struct buf *out, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return put_bio(
	    out, bio, bio != NULL && PEM_write_bio_X509(bio, cert) == 1);
}

/* Nobody is there to be asked for one. */
static int
no_password(char *to, int room, int writing, void *ctx)
{
	(void)to;
	(void)room;
	(void)writing;
	(void)ctx;
	return -1;
}

static BIO *
open_pem(struct slice pem)
{
	return pem.n > INT_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
}

static bool
is_strong(const EVP_PKEY *key)
{
	int kind = EVP_PKEY_get_base_id(key);

	return (kind == EVP_PKEY_EC || kind == EVP_PKEY_RSA) &&
	    EVP_PKEY_get_security_bits(key) >= STRENGTH_BITS;
}

enum status
ca_read_key(struct slice pem, EVP_PKEY **out)
{
	BIO *bio = open_pem(pem);
	EVP_PKEY *key = bio == NULL
	    ? NULL
	    : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);

	BIO_free(bio);
	ERR_clear_error();
	if (key == NULL || !is_strong(key)) {
		EVP_PKEY_free(key);
		return E_INVALID;
	}
	*out = key;
	return OK;
}

enum status
ca_read_cert(struct slice pem, X509 **out)
{
	BIO *bio = open_pem(pem);
	X509 *x = bio == NULL ? NULL
	                      : PEM_read_bio_X509(bio, NULL, no_password, NULL);

	BIO_free(bio);
	ERR_clear_error();
	if (x == NULL)
		return E_INVALID;
	*out = x;
	return OK;
}

static int64_t
unix_s(const ASN1_TIME *t)
{
	struct tm tm;

	memset(&tm, 0, sizeof tm);
	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int64_t
ca_made_unix_s(const X509 *cert)
{
	return unix_s(X509_get0_notBefore(cert)) + CA_BACK_S;
}

int64_t
ca_ends_unix_s(const X509 *cert)
{
	return unix_s(X509_get0_notAfter(cert));
}
