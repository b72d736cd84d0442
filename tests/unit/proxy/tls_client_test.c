/* Who may be the host, and who may not. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/tls_peer.h"

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "acct1.blob.example"
#define GOOD "DNS:" HOST

static struct pki_cert root, middle;
static struct tls_client_ctx *ctx;

static int
make_roots(void **state)
{
	(void)state;
	pki_make(&(struct pki_spec){ .name = "root", .is_ca = true }, &root);
	pki_make(
	    &(struct pki_spec){
	        .name = "middle", .is_ca = true, .issuer = &root },
	    &middle);
	ctx = peer_client_ctx(&root);
	return 0;
}

static int
free_roots(void **state)
{
	(void)state;
	tls_client_ctx_destroy(ctx);
	pki_free(&middle);
	pki_free(&root);
	return 0;
}

/* A handshake with whoever @p is, who should be @host. */
static enum status
meet(struct peer *p, const char *host, enum reason *why, char *problem,
    size_t problem_bytes)
{
	struct tls_client *h = NULL;
	enum status st;

	assert_int_equal(tls_client_start(ctx, p->ours, host, &h), OK);
	p->ours = -1;
	st = peer_shake(p, h, why);
	if (st == E_DENIED)
		(void)snprintf(
		    problem, problem_bytes, "%s", tls_client_problem(h));
	tls_client_cancel(h);
	return st;
}

/* One way in which a chain can be; all else is as it should be. */
struct row {
	const char *what;
	struct pki_spec leaf;
	struct pki_spec middle;
	bool has_middle, hides_middle;
	const char *problem; /* NULL: it is good */
};

#define DENIED_HOST "hostname mismatch"

/* clang-format off */
static const struct row rows[] = {
	{ "its name", { .san = GOOD }, .problem = NULL },
	{ "its name among others", { .san = "DNS:a.example," GOOD }, .problem = NULL },
	{ "its name in capitals", { .san = "DNS:ACCT1.Blob.Example" }, .problem = NULL },
	{ "a wildcard for the first label", { .san = "DNS:*.blob.example" }, .problem = NULL },
	{ "an intermediate", { .san = GOOD }, .has_middle = true, .problem = NULL },
	{ "RSA of 2048 bits", { .san = GOOD, .rsa_bits = 2048 }, .problem = NULL },
	{ "an intermediate for these names", { .san = GOOD },
		{ .constraints = "critical,permitted;DNS:blob.example" },
		.has_middle = true, .problem = NULL },
	{ "another name", { .san = "DNS:acct2.blob.example" }, .problem = DENIED_HOST },
	{ "a name above", { .san = "DNS:blob.example" }, .problem = DENIED_HOST },
	{ "a name below", { .san = "DNS:a." HOST }, .problem = DENIED_HOST },
	{ "its name with a dot before", { .san = "DNS:.blob.example" }, .problem = DENIED_HOST },
	{ "its name as common name only", { .name = HOST, .san = "" }, .problem = DENIED_HOST },
	{ "its name as common name beside another",
		{ .name = HOST, .san = "DNS:a.example" }, .problem = DENIED_HOST },
	{ "a partial wildcard", { .san = "DNS:acct*.blob.example" }, .problem = DENIED_HOST },
	{ "a wildcard within the label", { .san = "DNS:a*1.blob.example" }, .problem = DENIED_HOST },
	{ "a wildcard for two labels", { .san = "DNS:*.example" }, .problem = DENIED_HOST },
	{ "a wildcard for the second label", { .san = "DNS:acct1.*.example" }, .problem = DENIED_HOST },
	{ "two wildcards", { .san = "DNS:*.*.example" }, .problem = DENIED_HOST },
	{ "a wildcard alone", { .san = "DNS:*" }, .problem = DENIED_HOST },
	{ "an address", { .san = "IP:10.0.0.4" }, .problem = DENIED_HOST },
	{ "its name as mail address", { .san = "email:a@" HOST }, .problem = DENIED_HOST },
	{ "its name as URI", { .san = "URI:https://" HOST "/" }, .problem = DENIED_HOST },
	{ "the past", { .san = GOOD, .from_days = -30, .to_days = -1 }, .problem = "has expired" },
	{ "the future", { .san = GOOD, .from_days = 1, .to_days = 30 }, .problem = "not yet valid" },
	{ "an intermediate of the past", { .san = GOOD },
		{ .from_days = -30, .to_days = -1 }, .has_middle = true, .problem = "has expired" },
	{ "an intermediate that is not sent", { .san = GOOD }, .has_middle = true,
		.hides_middle = true, .problem = "unable to get local issuer" },
	{ "an intermediate that is no CA", { .san = GOOD },
		{ .basic = "critical,CA:FALSE", .usage = "" }, .has_middle = true,
		.problem = "invalid CA certificate" },
	{ "an intermediate without basic constraints", { .san = GOOD },
		{ .basic = "", .usage = "" }, .has_middle = true, .problem = "invalid CA certificate" },
	{ "an intermediate that may not sign", { .san = GOOD },
		{ .usage = "critical,digitalSignature" }, .has_middle = true,
		.problem = "invalid CA certificate" },
	{ "an intermediate for other names", { .san = GOOD },
		{ .constraints = "critical,permitted;DNS:other.example" },
		.has_middle = true, .problem = "permitted subtree violation" },
	{ "an intermediate but for these names", { .san = GOOD },
		{ .constraints = "critical,excluded;DNS:blob.example" },
		.has_middle = true, .problem = "excluded subtree violation" },
	{ "a wildcard by an intermediate but for the host", { .san = "DNS:*.blob.example" },
		{ .constraints = "critical,excluded;DNS:" HOST },
		.has_middle = true, .problem = "excluded subtree violation" },
	{ "a wildcard by an intermediate for another host", { .san = "DNS:*.blob.example" },
		{ .constraints = "critical,permitted;DNS:*.blob.example" },
		.has_middle = true, .problem = "permitted subtree violation" },
	{ "a wildcard by an intermediate but for a neighbour", { .san = "DNS:*.blob.example" },
		{ .constraints = "critical,excluded;DNS:acct2.blob.example" },
		.has_middle = true, .problem = NULL },
	{ "an intermediate for clients", { .san = GOOD }, { .eku = "clientAuth" },
		.has_middle = true, .problem = "unsuitable certificate purpose" },
	{ "the use of clients", { .san = GOOD, .eku = "clientAuth" },
		.problem = "unsuitable certificate purpose" },
	{ "the use of code", { .san = GOOD, .eku = "codeSigning" },
		.problem = "unsuitable certificate purpose" },
	{ "no key identifier", { .san = GOOD, .no_key_ids = true },
		.problem = "Authority Key Identifier" },
	{ "RSA of 1024 bits", { .san = GOOD, .rsa_bits = 1024 }, .problem = "key too weak" },
	{ "an intermediate of 1024 bits", { .san = GOOD }, { .rsa_bits = 1024 },
		.has_middle = true, .problem = "key too weak" },
};

/* clang-format on */

/* What the row leaves open is made good; SHA-1 is no static value. */
static void
make_chain(const struct row *row, const EVP_MD *md, struct pki_cert *m,
    struct pki_cert *leaf)
{
	struct pki_spec of_middle = row->middle, of_leaf = row->leaf;

	of_middle.name = "an intermediate";
	of_middle.is_ca = true;
	of_middle.issuer = &root;
	if (of_leaf.name == NULL)
		of_leaf.name = "a server";
	of_leaf.issuer = &root;
	of_leaf.md = md;
	if (row->has_middle) {
		pki_make(&of_middle, m);
		of_leaf.issuer = m;
	}
	pki_make(&of_leaf, leaf);
}

static void
judge_row(const struct row *row, const EVP_MD *md, int version)
{
	struct pki_cert m = { .x509 = NULL }, leaf;
	bool sent = row->has_middle && !row->hides_middle;
	enum reason why = REASON_NONE;
	char problem[256] = "";
	struct peer p;
	enum status st;

	make_chain(row, md, &m, &leaf);
	peer_init(&p, &leaf, sent ? &m : NULL);
	assert_int_equal(SSL_set_max_proto_version(p.ssl, version), 1);
	st = meet(&p, HOST, &why, problem, sizeof problem);
	peer_release(&p);
	pki_free(&leaf);
	pki_free(&m);
	if (row->problem == NULL && st == OK)
		return;
	if (row->problem == NULL || st != E_DENIED ||
	    why != REASON_TLS_CERTIFICATE ||
	    strstr(problem, row->problem) == NULL)
		fail_msg("%s: %s, reason %d, \"%s\"", row->what,
		    status_text(st), (int)why, problem);
}

static void
each_chain_is_judged_as_its_row_says_by_tls_13(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		judge_row(&rows[i], EVP_sha256(), TLS1_3_VERSION);
}

static void
each_chain_is_judged_as_its_row_says_by_tls_12(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		judge_row(&rows[i], EVP_sha256(), TLS1_2_VERSION);
}

static void
a_signature_by_sha1_proves_nothing(void **state)
{
	static const struct row row = { "SHA-1", { .san = GOOD },
		.problem = "digest algorithm too weak" };

	(void)state;
	judge_row(&row, EVP_sha1(), TLS1_3_VERSION);
}

/* Shows a good certificate of its own making, or one of another root. */
static void
refuses_untrusted(bool is_self_signed, const char *want)
{
	struct pki_cert other, leaf;
	enum reason why = REASON_NONE;
	char problem[256] = "";
	struct peer p;

	pki_make(&(struct pki_spec){ .name = "root", .is_ca = true }, &other);
	pki_make(&(struct pki_spec){ .name = "a server",
	             .san = GOOD,
	             .issuer = is_self_signed ? NULL : &other },
	    &leaf);
	peer_init(&p, &leaf, is_self_signed ? NULL : &other);
	assert_int_equal(
	    meet(&p, HOST, &why, problem, sizeof problem), E_DENIED);
	assert_int_equal(why, REASON_TLS_CERTIFICATE);
	assert_non_null(strstr(problem, want));
	peer_release(&p);
	pki_free(&leaf);
	pki_free(&other);
}

static void
a_certificate_that_signs_itself_is_refused(void **state)
{
	(void)state;
	refuses_untrusted(true, "self-signed certificate");
}

/* It has the name of one that is trusted, and another key. */
static void
a_root_that_is_not_in_the_file_is_refused(void **state)
{
	(void)state;
	refuses_untrusted(
	    false, "self-signed certificate in certificate chain");
}

static void
make_good(struct pki_cert *leaf)
{
	pki_make(
	    &(struct pki_spec){
	        .name = "a server", .san = GOOD, .issuer = &root },
	    leaf);
}

static void
a_peer_of_tls_11_or_10_is_refused(void **state)
{
	static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION };
	struct pki_cert leaf;

	(void)state;
	make_good(&leaf);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		enum reason why = REASON_NONE;
		char problem[256] = "";
		struct peer p;

		peer_init(&p, &leaf, NULL);
		assert_int_equal(
		    SSL_set_max_proto_version(p.ssl, versions[i]), 1);
		assert_int_equal(
		    meet(&p, HOST, &why, problem, sizeof problem), E_DENIED);
		assert_int_equal(why, REASON_TLS_FAILED);
		assert_non_null(strstr(problem, "protocol version"));
		peer_release(&p);
	}
	pki_free(&leaf);
}

static void
ciphers_without_secrecy_or_authentication_are_not_offered(void **state)
{
	static const char *const lists[] = { "AES128-GCM-SHA256", "AES256-SHA",
		"ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA",
		"DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM",
		"AECDH-AES128-SHA", "ECDHE-ECDSA-NULL-SHA" };
	struct pki_cert leaf;

	(void)state;
	make_good(&leaf);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		enum reason why = REASON_NONE;
		char problem[256] = "";
		struct peer p;

		peer_init(&p, &leaf, NULL);
		assert_int_equal(
		    SSL_set_max_proto_version(p.ssl, TLS1_2_VERSION), 1);
		assert_int_equal(SSL_set_cipher_list(p.ssl, lists[i]), 1);
		assert_int_equal(
		    meet(&p, HOST, &why, problem, sizeof problem), E_DENIED);
		assert_int_equal(why, REASON_TLS_FAILED);
		assert_non_null(strstr(problem, "handshake failure"));
		peer_release(&p);
	}
	pki_free(&leaf);
}

static void
what_is_no_tls_fails_the_handshake(void **state)
{
	static const char hello[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	enum reason why = REASON_NONE;
	struct tls_client *h = NULL;
	struct pki_cert leaf;
	struct peer p;
	short events;

	(void)state;
	make_good(&leaf);
	peer_init(&p, &leaf, NULL);
	assert_int_equal(tls_client_start(ctx, p.ours, HOST, &h), OK);
	p.ours = -1;
	assert_int_equal(tls_client_step(h, &events, &why), E_PARTIAL);
	assert_int_equal(events, EV_READ);
	assert_true(write(p.fd, hello, sizeof hello - 1) > 0);
	assert_int_equal(tls_client_step(h, &events, &why), E_DENIED);
	assert_int_equal(why, REASON_TLS_FAILED);
	tls_client_cancel(h);
	peer_release(&p);
	pki_free(&leaf);
}

static void
a_peer_that_leaves_fails_the_handshake(void **state)
{
	enum reason why = REASON_NONE;
	struct tls_client *h = NULL;
	struct pki_cert leaf;
	struct peer p;
	short events;

	(void)state;
	make_good(&leaf);
	peer_init(&p, &leaf, NULL);
	assert_int_equal(tls_client_start(ctx, p.ours, HOST, &h), OK);
	p.ours = -1;
	assert_int_equal(tls_client_step(h, &events, &why), E_PARTIAL);
	assert_non_null(strstr(tls_client_problem(h), "in time"));
	assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
	assert_int_equal(tls_client_step(h, &events, &why), E_DENIED);
	assert_int_equal(why, REASON_TLS_FAILED);
	assert_non_null(strstr(tls_client_problem(h), "eof"));
	tls_client_cancel(h);
	peer_release(&p);
	pki_free(&leaf);
}

/* How a server that knows several hosts chooses; and what it may choose. */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
    const unsigned char *in, unsigned in_bytes, void *arg)
{
	(void)ssl;
	assert_int_equal(in_bytes, 9);
	assert_memory_equal(in, "\x08http/1.1", 9);
	*out = arg;
	*out_bytes = (unsigned char)strlen(arg);
	return SSL_TLSEXT_ERR_OK;
}

static void
the_host_is_asked_for_by_name_and_for_http_11_alone(void **state)
{
	static char wanted[] = "http/1.1", unwanted[] = "h2";
	char *const choices[] = { wanted, unwanted };
	struct pki_cert leaf;

	(void)state;
	make_good(&leaf);
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		enum reason why = REASON_NONE;
		char problem[256] = "";
		struct peer p;

		peer_init(&p, &leaf, NULL);
		SSL_CTX_set_alpn_select_cb(p.ctx, choose_protocol, choices[i]);
		assert_int_equal(meet(&p, HOST, &why, problem, sizeof problem),
		    i == 0 ? OK : E_DENIED);
		assert_string_equal(
		    SSL_get_servername(p.ssl, TLSEXT_NAMETYPE_host_name), HOST);
		peer_release(&p);
	}
	pki_free(&leaf);
}

static void
only_canonical_names_are_hosts(void **state)
{
	static const char *const not_names[] = { "", ".", ".blob.example",
		HOST ".", "Acct1.blob.example", "10.0.0.4", "::1", "[::1]",
		"*.blob.example", "a b", "a\nb" };
	struct tls_client *h = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(not_names); i++)
		assert_int_equal(
		    tls_client_start(ctx, -1, not_names[i], &h), E_INVALID);
	assert_null(h);
}

static void
the_record_has_a_word_for_the_version(void **state)
{
	static const struct {
		int version;
		const char *word;
	} versions[] = { { TLS1_2_VERSION, "TLSv1.2" },
		{ TLS1_3_VERSION, "TLSv1.3" } };
	struct pki_cert leaf;

	(void)state;
	make_good(&leaf);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		enum reason why = REASON_NONE;
		struct tls_client *h = NULL;
		struct stream s;
		struct peer p;

		peer_init(&p, &leaf, NULL);
		assert_int_equal(
		    SSL_set_max_proto_version(p.ssl, versions[i].version), 1);
		assert_int_equal(tls_client_start(ctx, p.ours, HOST, &h), OK);
		p.ours = -1;
		assert_int_equal(peer_shake(&p, h, &why), OK);
		assert_string_equal(tls_client_word(h), versions[i].word);
		s = tls_client_take(h);
		assert_true(stream_is_open(&s));
		stream_close(&s);
		peer_release(&p);
	}
	pki_free(&leaf);
}

static void
more_handshakes_than_memory_is_kept_for_are_refused(void **state)
{
	static struct tls_client *all[TLS_CLIENT_HANDSHAKES_MAX];
	struct tls_client *h = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_int_equal(tls_client_start(ctx, -1, HOST, &all[i]), OK);
	assert_int_equal(tls_client_start(ctx, -1, HOST, &h), E_LIMIT);
	tls_client_cancel(all[0]);
	assert_int_equal(tls_client_start(ctx, -1, HOST, &all[0]), OK);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tls_client_cancel(all[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_chain_is_judged_as_its_row_says_by_tls_13),
		cmocka_unit_test(
		    each_chain_is_judged_as_its_row_says_by_tls_12),
		cmocka_unit_test(a_signature_by_sha1_proves_nothing),
		cmocka_unit_test(a_certificate_that_signs_itself_is_refused),
		cmocka_unit_test(a_root_that_is_not_in_the_file_is_refused),
		cmocka_unit_test(a_peer_of_tls_11_or_10_is_refused),
		cmocka_unit_test(
		    ciphers_without_secrecy_or_authentication_are_not_offered),
		cmocka_unit_test(what_is_no_tls_fails_the_handshake),
		cmocka_unit_test(a_peer_that_leaves_fails_the_handshake),
		cmocka_unit_test(
		    the_host_is_asked_for_by_name_and_for_http_11_alone),
		cmocka_unit_test(only_canonical_names_are_hosts),
		cmocka_unit_test(the_record_has_a_word_for_the_version),
		cmocka_unit_test(
		    more_handshakes_than_memory_is_kept_for_are_refused),
	};

	return cmocka_run_group_tests(tests, make_roots, free_roots);
}
