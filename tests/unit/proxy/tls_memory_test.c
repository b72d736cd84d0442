/* What OpenSSL does with memory: what it keeps, and when there is none. */
#include "tests/unit/test.h"

#include "proxy/tls_accept.h"
#include "proxy/tls_mint.h"
#include "tests/unit/proxy/tls_peer.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct pki_cert root, leaf;
static struct tls_client_ctx *ctx;
static SSL_CTX *of_peer;
static char taken[100];

/* Allocations until one fails; 0: none does. */
static unsigned countdown;
static bool failed;

static bool
must_fail(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

/* Live blocks of OpenSSL's that could hold a record. */
static struct {
	void *p;
	size_t n;
} blocks[256];

static void
block_note(void *old, void *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		if (old != NULL && blocks[i].p == old)
			blocks[i].p = NULL;
	for (size_t i = 0; i < ARRAY_LEN(blocks) && n >= 4096; i++)
		if (blocks[i].p == NULL) {
			blocks[i].p = p;
			blocks[i].n = n;
			return;
		}
}

static void *
noted_malloc(size_t n, const char *file, int line)
{
	void *p = must_fail() ? NULL : malloc(n);

	(void)file;
	(void)line;
	block_note(NULL, p, n);
	return p;
}

static void *
noted_realloc(void *old, size_t n, const char *file, int line)
{
	void *p;

	(void)file;
	(void)line;
	if (must_fail())
		return NULL;
	block_note(old, NULL, 0);
	p = realloc(old, n);
	block_note(NULL, p, n);
	return p;
}

static void
noted_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	block_note(p, NULL, 0);
	free(p);
}

static int
make_certificates(void **state)
{
	(void)state;
	pki_make(&(struct pki_spec){ .name = "root", .is_ca = true }, &root);
	pki_make(
	    &(struct pki_spec){
	        .name = "a server", .san = "DNS:" LINK_HOST, .issuer = &root },
	    &leaf);
	ctx = peer_client_ctx(&root);
	of_peer = peer_ctx_new(&leaf, NULL);
	return 0;
}

static int
free_certificates(void **state)
{
	(void)state;
	SSL_CTX_free(of_peer);
	tls_client_ctx_destroy(ctx);
	pki_free(&leaf);
	pki_free(&root);
	return 0;
}

static size_t
blocks_with(const char *needle, size_t n)
{
	size_t hits = 0;

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		if (blocks[i].p != NULL &&
		    memmem(blocks[i].p, blocks[i].n, needle, n) != NULL)
			hits++;
	return hits;
}

static void
what_was_read_and_written_stays_in_no_buffer(void **state)
{
	static const char up[] = "a bearer that nobody else may see";
	static const char down[] = "an answer that nobody else may see";
	struct link l;
	size_t got, put;

	(void)state;
	link_open(&l, ctx, &leaf, TLS1_3_VERSION);
	peer_says(&l, down, sizeof down);
	assert_int_equal(stream_read(&l.s, taken, 5, &got), OK);
	assert_int_equal(blocks_with(down + 5, sizeof down - 5), 1);
	assert_int_equal(stream_read(&l.s, taken, 100, &got), OK);
	assert_int_equal(blocks_with(down + 5, sizeof down - 5), 0);
	assert_int_equal(
	    stream_write(&l.s, (struct slice){ up, sizeof up }, false, &put),
	    OK);
	assert_int_equal(blocks_with(up, sizeof up), 0);
	link_close(&l);
}

/* Both ends by turns. Memory fails on our side alone, the @n-th time after
 * @skipped turns. */
static enum status
shake(struct peer *p, struct tls_client *h, unsigned skipped, unsigned n)
{
	enum reason why = REASON_NONE;
	enum status st = E_PARTIAL;

	for (unsigned turn = 0; turn < 20 && st == E_PARTIAL; turn++) {
		short events = 0;

		countdown = turn < skipped ? 0 : n;
		st = tls_client_step(h, &events, &why);
		n = turn < skipped ? n : countdown;
		countdown = 0;
		ERR_clear_error();
		(void)SSL_do_handshake(p->ssl);
		ERR_clear_error();
	}
	if (st == E_DENIED)
		assert_non_null(tls_client_problem(h));
	return st;
}

static enum status
meet(struct tls_client_ctx *by, const char *host, unsigned skipped, unsigned n)
{
	struct tls_client *h = NULL;
	enum status st;
	struct peer p;

	peer_open(&p, of_peer);
	failed = false;
	countdown = skipped == 0 ? n : 0;
	st = tls_client_start(by, p.ours, host, &h);
	n = skipped == 0 ? countdown : n;
	countdown = 0;
	if (st == OK) {
		p.ours = -1;
		st = shake(&p, h, skipped, failed ? 0 : n);
		tls_client_cancel(h);
	}
	peer_release(&p);
	return st;
}

/* Each eleventh allocation: OpenSSL can do without some. */
static void
without_memory_a_handshake_fails(void **state)
{
	unsigned n = 0, refused = 0;

	(void)state;
	do {
		enum status st = meet(ctx, LINK_HOST, 0, n += 11);

		assert_true(st == OK || failed);
		refused += st != OK;
	} while (failed);
	assert_true(refused > 50);
}

/* Of one thread the thread sanitizer tells nothing, and takes a minute: all
 * other builds fail each allocation. */
#if defined(__SANITIZE_THREAD__)
#	define HAVE_TSAN 1
#elif defined(__has_feature)
#	if __has_feature(thread_sanitizer)
#		define HAVE_TSAN 1
#	endif
#endif
#ifdef HAVE_TSAN
enum { STEP = 7 };
#else
enum { STEP = 1 };
#endif

/* Each allocation once the certificate is there. */
static void
never_pass(struct tls_client_ctx *by, const char *host)
{
	unsigned n = 0;

	do
		assert_int_not_equal(meet(by, host, 1, n += STEP), OK);
	while (failed);
	assert_true(n > 100);
}

static void
without_memory_nobody_else_is_the_host(void **state)
{
	(void)state;
	never_pass(ctx, "acct2.blob.example");
}

static void
without_memory_nobody_else_is_trusted(void **state)
{
	struct pki_cert namesake;
	struct tls_client_ctx *other;

	(void)state;
	pki_make(
	    &(struct pki_spec){ .name = "root", .is_ca = true }, &namesake);
	other = peer_client_ctx(&namesake);
	never_pass(other, LINK_HOST);
	tls_client_ctx_destroy(other);
	pki_free(&namesake);
}

static void
without_memory_a_leaf_is_whole_or_none(void **state)
{
	struct tls_ca *ca = NULL;
	unsigned n = 0, refused = 0;

	(void)state;
	assert_int_equal(tls_ca_new(root.x509, root.key, &ca), OK);
	do {
		X509 *made = NULL;
		enum status st;

		failed = false;
		countdown = ++n;
		st = tls_ca_mint(ca, LINK_HOST, time(NULL), &made);
		countdown = 0;
		assert_true(st == OK || (st == E_NOMEM && failed));
		refused += st != OK;
		if (st == OK) {
			assert_int_equal(X509_get_ext_count(made), 5);
			assert_int_equal(
			    X509_check_host(made, LINK_HOST, 0, 0, NULL), 1);
			assert_int_equal(X509_verify(made, root.key), 1);
		}
		X509_free(made);
	} while (failed);
	assert_true(refused > 50);
	tls_ca_unref(ca);
}

/* Both ends by turns; memory fails on our side alone, once. */
static enum status
accept_shake(struct tls_accept *h, SSL *client)
{
	enum status st = E_PARTIAL;
	unsigned n = countdown;

	for (unsigned turn = 0; turn < 20 && st == E_PARTIAL; turn++) {
		short events = 0;

		countdown = 0;
		ERR_clear_error();
		(void)SSL_do_handshake(client);
		ERR_clear_error();
		countdown = failed ? 0 : n;
		st = tls_accept_step(h, &events);
		n = countdown;
	}
	countdown = 0;
	return st;
}

static enum status
accept_once(struct tls_accept_ctx *by, SSL_CTX *clients, unsigned n)
{
	struct tls_accept_params params = {
		.ctx = by, .host = LINK_HOST, .now_unix_s = time(NULL)
	};
	SSL *client = SSL_new(clients);
	struct tls_accept *h = NULL;
	enum status st;
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	params.fd = fds[0];
	assert_int_equal(SSL_set_fd(client, fds[1]), 1);
	assert_int_equal(SSL_set1_host(client, LINK_HOST), 1);
	SSL_set_connect_state(client);
	failed = false;
	countdown = n;
	st = tls_accept_start(&params, &h);
	if (st == OK)
		st = accept_shake(h, client);
	else
		(void)close(fds[0]);
	countdown = 0;
	/* What is done is done with the right certificate. */
	if (st == OK)
		assert_int_equal(SSL_get_verify_result(client), X509_V_OK);
	tls_accept_cancel(h);
	SSL_free(client);
	(void)close(fds[1]);
	return st;
}

/* Each seventh allocation: OpenSSL can do without some. */
static void
without_memory_a_client_is_not_accepted(void **state)
{
	SSL_CTX *clients = SSL_CTX_new(TLS_client_method());
	unsigned n = 0, refused = 0;
	struct tls_accept_ctx *by;
	struct tls_ca *ca = NULL;

	(void)state;
	assert_int_equal(tls_ca_new(root.x509, root.key, &ca), OK);
	by = tls_accept_ctx_new(ca);
	assert_non_null(by);
	assert_int_equal(
	    X509_STORE_add_cert(SSL_CTX_get_cert_store(clients), root.x509), 1);
	SSL_CTX_set_verify(clients, SSL_VERIFY_PEER, NULL);
	do {
		enum status st = accept_once(by, clients, n += 7);

		assert_true(st == OK || failed);
		refused += st != OK;
	} while (failed);
	assert_true(refused > 20);
	tls_accept_ctx_destroy(by);
	tls_ca_unref(ca);
	SSL_CTX_free(clients);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_memory_a_leaf_is_whole_or_none),
		cmocka_unit_test(what_was_read_and_written_stays_in_no_buffer),
		cmocka_unit_test(without_memory_a_client_is_not_accepted),
		cmocka_unit_test(without_memory_a_handshake_fails),
		cmocka_unit_test(without_memory_nobody_else_is_the_host),
		cmocka_unit_test(without_memory_nobody_else_is_trusted),
	};

	/* Before OpenSSL has taken any memory. */
	if (CRYPTO_set_mem_functions(noted_malloc, noted_realloc, noted_free) !=
	    1)
		return 1;
	return cmocka_run_group_tests(
	    tests, make_certificates, free_certificates);
}
