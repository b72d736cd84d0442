/* The one place that says what a certificate must be. */
#include "proxy/tls_verify.h"

#include "base/host.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

enum { CHAIN_DEPTH = 8, SECURITY_LEVEL = 2 };

/* OpenSSL takes ".a.example" for all below, and an address in a dNSName. */
static bool
is_name(const char *host)
{
	char name[HOST_BYTES];

	return host_parse_name(slice_of(host), name) == OK &&
	    slice_is(slice_of(name), host);
}

enum status
tls_verify_host(X509_VERIFY_PARAM *param, const char *host)
{
	if (!is_name(host))
		return E_INVALID;
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
	        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT) != 1 ||
	    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) !=
	        1 ||
	    X509_VERIFY_PARAM_set1_host(param, host, 0) != 1)
		return E_NOMEM;
	return OK;
}

/* A certificate for nothing but @host. */
static X509 *
probe_new(const char *host)
{
	X509 *x = X509_new();

	if (x != NULL &&
	    X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName,
	        V_ASN1_UTF8STRING, (const unsigned char *)host, -1, -1,
	        0) != 1) {
		X509_free(x);
		x = NULL;
	}
	return x;
}

static int
judge_issuer(X509 *issuer, const char *host)
{
	int found = 0, verdict = X509_V_ERR_OUT_OF_MEM;
	NAME_CONSTRAINTS *nc =
	    X509_get_ext_d2i(issuer, NID_name_constraints, &found, NULL);
	X509 *probe;

	if (nc == NULL)
		return found == -1 ? X509_V_OK : X509_V_ERR_INVALID_EXTENSION;
	probe = probe_new(host);
	if (probe != NULL)
		verdict = NAME_CONSTRAINTS_check_CN(probe, nc);
	X509_free(probe);
	NAME_CONSTRAINTS_free(nc);
	return verdict;
}

int
tls_verify_step(int ok, X509_STORE_CTX *ctx)
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	const char *host =
	    X509_VERIFY_PARAM_get0_host(X509_STORE_CTX_get0_param(ctx), 0);
	int verdict = X509_V_OK;

	if (ok != 1 || X509_STORE_CTX_get_error_depth(ctx) != 0)
		return ok;
	if (host == NULL)
		verdict = X509_V_ERR_OUT_OF_MEM;
	for (int i = 1; i < sk_X509_num(chain) && verdict == X509_V_OK; i++)
		verdict = judge_issuer(sk_X509_value(chain, i), host);
	if (verdict == X509_V_OK)
		return 1;
	X509_STORE_CTX_set_error(ctx, verdict);
	return 0;
}
