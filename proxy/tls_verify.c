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
