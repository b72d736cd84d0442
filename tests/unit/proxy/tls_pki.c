/* Certificates of tests, made in memory. */
#include "tests/unit/proxy/tls_pki.h"

#include "tests/unit/test.h"

#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <string.h>

enum { DAY_S = 86400 };

static void
add(X509 *x509, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *e;

	if (value == NULL || value[0] == '\0')
		return;
	e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x509, e, -1), 1);
	X509_EXTENSION_free(e);
}

static const char *
or_else(const char *given, const char *otherwise)
{
	return given == NULL ? otherwise : given;
}

static void
add_extensions(const struct pki_spec *spec, X509 *x509, X509 *issuer)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	add(x509, &ctx, NID_basic_constraints,
	    or_else(spec->basic, spec->is_ca ? "critical,CA:TRUE" : NULL));
	add(x509, &ctx, NID_key_usage,
	    or_else(spec->usage,
	        spec->is_ca ? "critical,keyCertSign,cRLSign"
	                    : "critical,digitalSignature"));
	add(x509, &ctx, NID_ext_key_usage,
	    or_else(spec->eku, spec->is_ca ? NULL : "serverAuth"));
	add(x509, &ctx, NID_subject_alt_name, spec->san);
	add(x509, &ctx, NID_name_constraints, spec->constraints);
	if (spec->no_key_ids)
		return;
	add(x509, &ctx, NID_subject_key_identifier, "hash");
	if (issuer != x509)
		add(x509, &ctx, NID_authority_key_identifier, "keyid:always");
}

static void
add_name(X509_NAME *name, const char *text)
{
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	                     (const unsigned char *)text, -1, -1, 0),
	    1);
}

void
pki_make(const struct pki_spec *spec, struct pki_cert *out)
{
	static _Atomic long serial = 1;
	const struct pki_cert *issuer = spec->issuer;
	bool default_time = spec->from_days == 0 && spec->to_days == 0;
	X509 *x = X509_new();

	out->key = spec->rsa_bits != 0 ? EVP_RSA_gen(spec->rsa_bits)
	                               : EVP_EC_gen("P-256");
	assert_non_null(out->key);
	assert_non_null(x);
	out->x509 = x;
	if (issuer == NULL)
		issuer = out;
	assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
	assert_int_equal(
	    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++), 1);
	add_name(X509_get_subject_name(x), spec->name);
	assert_int_equal(
	    X509_set_issuer_name(x, X509_get_subject_name(issuer->x509)), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(x),
	    (default_time ? -1L : spec->from_days) * DAY_S);
	(void)X509_gmtime_adj(X509_getm_notAfter(x),
	    (default_time ? 30L : spec->to_days) * DAY_S);
	assert_int_equal(X509_set_pubkey(x, out->key), 1);
	add_extensions(spec, x, issuer->x509);
	assert_true(X509_sign(x, issuer->key,
	                spec->md == NULL ? EVP_sha256() : spec->md) > 0);
}

void
pki_free(struct pki_cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	*c = (struct pki_cert){ .x509 = NULL };
}
