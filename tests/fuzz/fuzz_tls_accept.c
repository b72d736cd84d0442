/* What a client of an inspected tunnel may send in place of a handshake: none
 * comes about, whether the bytes were read before or come by the socket. */
#include "proxy/tls_accept.h"

#include "base/compiler.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STEPS_MAX = 64, INPUT_MAX = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	check(e != NULL && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static struct tls_accept_ctx *
make_ctx(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	struct tls_accept_ctx *ctx;
	struct tls_ca *ca = NULL;

	check(key != NULL && x != NULL && X509_set_version(x, 2) == 1);
	check(X509_set_pubkey(x, key) == 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), -86400);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), 86400L * 30);
	add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(x, NID_key_usage, "critical,keyCertSign");
	add_extension(x, NID_subject_key_identifier, "hash");
	check(X509_sign(x, key, EVP_sha256()) > 0);
	check(tls_ca_new(x, key, &ca) == OK);
	X509_free(x);
	EVP_PKEY_free(key);
	ctx = tls_accept_ctx_new(ca);
	tls_ca_unref(ca);
	check(ctx != NULL);
	return ctx;
}

/* The first @early bytes were read before; then the client hangs up. */
static enum status
try(struct tls_accept_ctx *ctx, struct slice in, size_t early)
{
	struct tls_accept_params params = { .ctx = ctx,
		.host = "a.example",
		.now_unix_s = time(NULL),
		.early = slice_head(in, early),
		.h2 = true };
	struct slice rest = slice_from(in, early);
	struct tls_accept *h = NULL;
	enum status st = E_PARTIAL;
	char sink[4096];
	int fds[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	params.fd = fds[0];
	check(tls_accept_start(&params, &h) == OK);
	for (unsigned i = 0; i < STEPS_MAX && st == E_PARTIAL; i++) {
		short events = 0;

		if (rest.n > 0) {
			ssize_t n = send(fds[1], rest.p, rest.n, MSG_NOSIGNAL);
			rest = slice_from(rest, n > 0 ? (size_t)n : 0);
		} else {
			(void)shutdown(fds[1], SHUT_WR);
		}
		st = tls_accept_step(h, &events);
		check(st != E_PARTIAL || events != 0);
		while (recv(fds[1], sink, sizeof sink, 0) > 0)
			;
	}
	check(st == E_CLOSED && tls_accept_problem(h) != NULL);
	tls_accept_cancel(h);
	(void)close(fds[1]);
	return st;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_accept_ctx *ctx;
	struct slice in = { (const char *)data, size };

	if (size > INPUT_MAX)
		return 0;
	if (ctx == NULL)
		ctx = make_ctx();
	check(try(ctx, in, size) == try(ctx, in, size / 2));
	return 0;
}
