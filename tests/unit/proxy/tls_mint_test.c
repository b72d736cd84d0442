/* The leaves that stand for inspected hosts. */
#include "tests/unit/test.h"

#include "proxy/tls_mint.h"
#include "tests/unit/proxy/tls_peer.h"

#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400 };

static struct pki_cert root;
static struct tls_ca *ca;

static int
make_ca(void **state)
{
	(void)state;
	pki_make(&(struct pki_spec){ .name = "inspection",
	             .basic = "critical,CA:TRUE,pathlen:0",
	             .usage = "critical,keyCertSign",
	             .is_ca = true },
	    &root);
	assert_int_equal(tls_ca_new(root.x509, root.key, &ca), OK);
	return 0;
}

static int
free_ca(void **state)
{
	(void)state;
	tls_ca_unref(ca);
	pki_free(&root);
	return 0;
}

/* Whether our own strict client takes @leaf for @host. */
static enum status
meet(X509 *leaf, const char *host)
{
	struct pki_cert shown = { leaf, tls_ca_leaf_key(ca) };
	struct tls_client_ctx *ctx = peer_client_ctx(&root);
	enum reason why = REASON_NONE;
	struct tls_client *h = NULL;
	struct peer p;
	enum status st;

	peer_init(&p, &shown, NULL);
	assert_int_equal(tls_client_start(ctx, p.ours, host, &h), OK);
	p.ours = -1;
	st = peer_shake(&p, h, &why);
	tls_client_cancel(h);
	peer_release(&p);
	tls_client_ctx_destroy(ctx);
	return st;
}

static void
a_leaf_passes_the_strictest_client_as_its_host_alone(void **state)
{
	X509 *leaf = NULL;

	(void)state;
	assert_int_equal(
	    tls_ca_mint(ca, "acct1.blob.example", time(NULL), &leaf), OK);
	assert_int_equal(meet(leaf, "acct1.blob.example"), OK);
	assert_int_equal(meet(leaf, "acct2.blob.example"), E_DENIED);
	assert_int_equal(meet(leaf, "a.acct1.blob.example"), E_DENIED);
	X509_free(leaf);
}

static void
a_name_too_long_for_a_subject_has_a_leaf_too(void **state)
{
	char host[254];
	X509 *leaf = NULL;

	(void)state;
	memset(host, 'a', sizeof host);
	for (size_t i = 50; i < 250; i += 50)
		host[i] = '.';
	host[sizeof host - 1] = '\0';
	assert_int_equal(tls_ca_mint(ca, host, time(NULL), &leaf), OK);
	assert_int_equal(meet(leaf, host), OK);
	X509_free(leaf);
}

static void
what_is_no_canonical_name_has_none(void **state)
{
	static const char *const hosts[] = { "", "*.blob.example", "10.0.0.1",
		"[::1]", "A.example", "a.example.", ".example", "a b.example",
		"a.example,DNS:b.example" };
	X509 *leaf = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		assert_int_equal(
		    tls_ca_mint(ca, hosts[i], time(NULL), &leaf), E_INVALID);
	assert_null(leaf);
}

static void
a_leaf_is_back_dated_by_an_hour_and_lasts_a_week(void **state)
{
	time_t now = time(NULL);
	X509 *leaf = NULL;

	(void)state;
	assert_int_equal(tls_ca_mint(ca, "a.example", now, &leaf), OK);
	assert_int_equal(
	    ASN1_TIME_cmp_time_t(X509_get0_notBefore(leaf), now - 3600), 0);
	assert_int_equal(
	    ASN1_TIME_cmp_time_t(X509_get0_notAfter(leaf), now + 7 * DAY_S), 0);
	X509_free(leaf);
}

static void
a_leaf_does_not_outlive_its_issuer(void **state)
{
	struct pki_cert old;
	struct tls_ca *dying = NULL;
	X509 *leaf = NULL;

	(void)state;
	pki_make(
	    &(struct pki_spec){
	        .name = "old", .is_ca = true, .from_days = -9, .to_days = 2 },
	    &old);
	assert_int_equal(tls_ca_new(old.x509, old.key, &dying), OK);
	assert_int_equal(
	    tls_ca_mint(dying, "a.example", time(NULL), &leaf), OK);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(leaf),
	                     X509_get0_notAfter(old.x509)),
	    0);
	X509_free(leaf);
	tls_ca_unref(dying);
	pki_free(&old);
}

static void
two_leaves_have_two_serials(void **state)
{
	X509 *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(tls_ca_mint(ca, "a.example", time(NULL), &a), OK);
	assert_int_equal(tls_ca_mint(ca, "a.example", time(NULL), &b), OK);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a),
	                         X509_get0_serialNumber(b)),
	    0);
	X509_free(a);
	X509_free(b);
}

static void
who_may_not_sign_is_no_ca(void **state)
{
	static const struct pki_spec specs[] = {
		{ .name = "no CA" },
		{ .name = "signs no certificates",
		    .usage = "critical,cRLSign",
		    .is_ca = true },
		{ .name = "no key id", .is_ca = true, .no_key_ids = true },
	};
	struct tls_ca *none = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct pki_cert c;
		pki_make(&specs[i], &c);
		assert_int_equal(tls_ca_new(c.x509, c.key, &none), E_INVALID);
		assert_int_equal(
		    tls_ca_new(root.x509, c.key, &none), E_INVALID);
		pki_free(&c);
	}
	assert_null(none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_leaf_passes_the_strictest_client_as_its_host_alone),
		cmocka_unit_test(a_name_too_long_for_a_subject_has_a_leaf_too),
		cmocka_unit_test(what_is_no_canonical_name_has_none),
		cmocka_unit_test(
		    a_leaf_is_back_dated_by_an_hour_and_lasts_a_week),
		cmocka_unit_test(a_leaf_does_not_outlive_its_issuer),
		cmocka_unit_test(two_leaves_have_two_serials),
		cmocka_unit_test(who_may_not_sign_is_no_ca),
	};

	return cmocka_run_group_tests(tests, make_ca, free_ca);
}
