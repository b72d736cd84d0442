/* Tunnels inside which TLS is spoken with whoever answers there: a CONNECT, a
 * full handshake whose certificate is verified, one request, the end. */
#include "tests/bench/load.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096, THREADS_MAX = 64 };

struct run {
	const struct load *load;
	SSL_CTX *ctx;
	char request[512], name[256];
	atomic_long left;
};

static SSL *
tunnel_open(struct run *r)
{
	int fd = load_tunnel_now(r->load);
	SSL *ssl = SSL_new(r->ctx);

	if (fd < 0 || ssl == NULL)
		bench_die("no tunnel");
	if (SSL_set_fd(ssl, fd) != 1 ||
	    SSL_set_tlsext_host_name(ssl, r->name) != 1 ||
	    SSL_set1_host(ssl, r->name) != 1)
		bench_die("no memory");
	if (SSL_connect(ssl) != 1)
		bench_die("handshake: %s",
		    X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
	return ssl;
}

static void
tunnel_use(const struct run *r, SSL *ssl)
{
	char text[TEXT_BYTES];
	int n = (int)strlen(r->request);

	if (SSL_write(ssl, r->request, n) != n)
		bench_die("the request was not taken");
	n = SSL_read(ssl, text, sizeof text);
	if (n < 12 || memcmp(text + 8, " 200", 4) != 0)
		bench_die("refused: %.*s", n > 0 ? n : 0, text);
}

static void *
worker(void *arg)
{
	struct run *r = arg;

	while (atomic_fetch_sub(&r->left, 1) > 0) {
		SSL *ssl = tunnel_open(r);
		int fd = SSL_get_fd(ssl);

		tunnel_use(r, ssl);
		(void)SSL_shutdown(ssl);
		SSL_free(ssl);
		(void)close(fd);
	}
	return NULL;
}

static void
run_all(struct run *r, long at, long ops)
{
	pthread_t threads[THREADS_MAX];

	atomic_store(&r->left, ops);
	for (long i = 0; i < at; i++)
		if (pthread_create(&threads[i], NULL, worker, r) != 0)
			bench_die("no thread");
	for (long i = 0; i < at; i++)
		(void)pthread_join(threads[i], NULL);
}

static void
make_texts(struct run *r)
{
	const char *host = r->load->host;

	(void)snprintf(
	    r->name, sizeof r->name, "%.*s", (int)strcspn(host, ":"), host);
	(void)snprintf(r->request, sizeof r->request,
	    "GET /some/path HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n\r\n", host);
}

void
load_tls(const struct load *l)
{
	const char *ca = bench_option(l->argv, "ca", "");
	long at = bench_number(l->argv, "at", 16);
	long ops = bench_number(l->argv, "ops", -1);
	struct run r = { .load = l, .ctx = SSL_CTX_new(TLS_client_method()) };
	struct stretch s;
	int64_t end;

	if (r.ctx == NULL || at > THREADS_MAX ||
	    SSL_CTX_set_min_proto_version(r.ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_load_verify_file(r.ctx, ca) != 1)
		bench_die("ca=%s does not do", ca);
	SSL_CTX_set_verify(r.ctx, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_session_cache_mode(r.ctx, SSL_SESS_CACHE_OFF);
	make_texts(&r);
	run_all(&r, at, bench_number(l->argv, "warm", 0));
	s = stretch_begin(&l->meter);
	run_all(&r, at, ops);
	end = bench_now_ns();
	stretch_end(&s, end);
	(void)printf("{\"ops\": %ld, \"cpu_ns\": %lld, \"wall_ns\": %lld}\n",
	    ops, (long long)s.cpu_ns, (long long)s.wall_ns);
	SSL_CTX_free(r.ctx);
}
