/* The other end behind a gateway: HTTP inside TLS, and every request must
 * bring one credential.
 *
 *     GET /bytes/N   N bytes         PUT /...   takes the body
 *     anything else  128 bytes, as origin.c
 *
 * A thread serves a connection: its time is nobody's that is measured. */
#include "tests/bench/bench.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_BYTES = 8192, PIECE_BYTES = 16384, STACK_BYTES = 262144 };

struct peer {
	SSL *ssl;
	size_t got; /* bytes of the head and of what came with it */
	char head[HEAD_BYTES];
};

static char piece[PIECE_BYTES];

static const char small[] =
    "HTTP/1.1 200 OK\r\n"
    "Date: Mon, 23 Nov 2026 00:00:00 GMT\r\n"
    "Content-Type: application/octet-stream\r\n"
    "Content-Length: 128\r\n"
    "\r\n"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static bool
peer_send(struct peer *p, const char *bytes, size_t n)
{
	return SSL_write(p->ssl, bytes, (int)n) == (int)n;
}

/* The bytes of the head, once it is whole; 0 at the end. */
static size_t
peer_read_head(struct peer *p)
{
	for (;;) {
		const char *end = memmem(p->head, p->got, "\r\n\r\n", 4);
		int n;

		if (end != NULL)
			return (size_t)(end - p->head) + 4;
		if (p->got == sizeof p->head - 1)
			bench_die("a head is too long");
		n = SSL_read(p->ssl, p->head + p->got,
		    (int)(sizeof p->head - 1 - p->got));
		if (n <= 0)
			return 0;
		p->got += (size_t)n;
		p->head[p->got] = '\0';
	}
}

/* The value of a field, within the head's bytes; NULL without one. */
static const char *
head_field(const char *head, size_t n, const char *name)
{
	size_t m = strlen(name);

	for (size_t i = 0; i + m < n; i++)
		if (head[i] == '\n' && strncasecmp(head + i + 1, name, m) == 0)
			return head + i + 1 + m;
	return NULL;
}

static bool
peer_give(struct peer *p, size_t n)
{
	char top[128];
	int m = snprintf(top, sizeof top,
	    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);

	if (!peer_send(p, top, (size_t)m))
		return false;
	while (n > 0) {
		size_t k = n < sizeof piece ? n : sizeof piece;

		if (!peer_send(p, piece, k))
			return false;
		n -= k;
	}
	return true;
}

static bool
peer_take(struct peer *p, size_t n)
{
	char taken[PIECE_BYTES];

	while (n > 0) {
		size_t k = n < sizeof taken ? n : sizeof taken;
		int m = SSL_read(p->ssl, taken, (int)k);

		if (m <= 0)
			return false;
		n -= (size_t)m;
	}
	return true;
}

static bool
peer_answer(struct peer *p, size_t head_n)
{
	static const char get[] = "GET /bytes/", bearer[] = "authorization:";
	const char *proof = head_field(p->head, head_n, bearer);
	const char *length = head_field(p->head, head_n, "content-length:");
	size_t body = length == NULL ? 0 : strtoul(length, NULL, 10);
	size_t beyond = p->got - head_n;

	if (proof == NULL || strncmp(proof, " Bearer ", 8) != 0)
		bench_die("no credential: %.*s", (int)head_n, p->head);
	p->got = 0;
	if (beyond > body)
		bench_die("more than one request");
	if (!peer_take(p, body - beyond))
		return false;
	if (strncmp(p->head, get, sizeof get - 1) == 0)
		return peer_give(
		    p, strtoul(p->head + sizeof get - 1, NULL, 10));
	return peer_send(p, small, sizeof small - 1);
}

static void *
peer_serve(void *arg)
{
	struct peer *p = arg;
	size_t n;

	while ((n = peer_read_head(p)) > 0)
		if (!peer_answer(p, n))
			break;
	(void)SSL_shutdown(p->ssl);
	(void)close(SSL_get_fd(p->ssl));
	SSL_free(p->ssl);
	free(p);
	return NULL;
}

static SSL_CTX *
make_context(char *const argv[])
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *cert = bench_option(argv, "cert", "");
	const char *key = bench_option(argv, "key", "");

	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		bench_die("cert=%s key=%s do not serve", cert, key);
	(void)SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
	return ctx;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in at = bench_address(argv, "listen");
	SSL_CTX *ctx = make_context(argv);
	int listener = bench_listen_now(&at);
	pthread_attr_t small_stack;

	(void)argc;
	bench_many_files();
	if (pthread_attr_init(&small_stack) != 0 ||
	    pthread_attr_setstacksize(&small_stack, STACK_BYTES) != 0 ||
	    pthread_attr_setdetachstate(
	        &small_stack, PTHREAD_CREATE_DETACHED) != 0)
		bench_die("no threads");
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		struct peer *p = calloc(1, sizeof *p);
		pthread_t thread;

		if (fd < 0 || p == NULL)
			bench_die("accept");
		bench_nodelay(fd);
		p->ssl = SSL_new(ctx);
		if (p->ssl == NULL || SSL_set_fd(p->ssl, fd) != 1)
			bench_die("no memory");
		SSL_set_accept_state(p->ssl);
		if (pthread_create(&thread, &small_stack, peer_serve, p) != 0)
			bench_die("no thread");
	}
}
