/* Tunnels that are looked into: what the client meets, and how they end. */
#include "tests/unit/proxy/connect_steps.h"

#include "base/metrics.h"
#include "proxy/tls_mint.h"
#include "proxy/worker.h"
#include "tests/unit/proxy/tls_pki.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { FAKE_UID = 1000 };

static struct pki_cert root;
static struct tls_ca *ca;
static SSL_CTX *ctx;

static int
make_all(void **state)
{
	(void)state;
	pki_make(
	    &(struct pki_spec){ .name = "inspection", .is_ca = true }, &root);
	assert_int_equal(tls_ca_new(root.x509, root.key, &ca), OK);
	ctx = SSL_CTX_new(TLS_client_method());
	assert_non_null(ctx);
	assert_int_equal(
	    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root.x509), 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return 0;
}

static int
free_all(void **state)
{
	(void)state;
	SSL_CTX_free(ctx);
	tls_ca_unref(ca);
	pki_free(&root);
	return 0;
}

static int
inside_setup(void **state)
{
	(void)setup(state);
	fake.now_unix_s = time(NULL);
	fake.looks_inside = true;
	fake.snapshot->inspection_ca = ca;
	return 0;
}

/* A CONNECT that was answered. */
static int
connected(void)
{
	int fd = fake_client();

	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	return fd;
}

static SSL *
client_new(int fd, const char *sni, const char *alpn)
{
	SSL *ssl = SSL_new(ctx);
	char name[64];

	assert_non_null(ssl);
	assert_true(slice_copy(slice_of(sni), name, sizeof name));
	assert_int_equal(SSL_set_tlsext_host_name(ssl, name), 1);
	assert_int_equal(SSL_set1_host(ssl, name), 1);
	if (alpn != NULL)
		assert_int_equal(
		    SSL_set_alpn_protos(ssl, (const unsigned char *)alpn,
		        (unsigned)strlen(alpn)),
		    0);
	assert_int_equal(SSL_set_fd(ssl, fd), 1);
	assert_int_equal(evutil_make_socket_nonblocking(fd), 0);
	SSL_set_connect_state(ssl);
	return ssl;
}

/* 1 when it is done, else OpenSSL's word for why not. */
static int
shake(SSL *ssl)
{
	int done = 0, error = SSL_ERROR_WANT_READ;

	for (unsigned i = 0; i < 20 && error == SSL_ERROR_WANT_READ; i++) {
		ERR_clear_error();
		done = SSL_do_handshake(ssl);
		error = SSL_get_error(ssl, done);
		fake_run();
	}
	return done == 1 ? 1 : error;
}

static void
its_client_meets_the_host_and_no_socket_is_dialled(void **state)
{
	int fd = connected();
	SSL *ssl = client_new(fd, "a.test", "\x03xyz\x08http/1.1");
	const unsigned char *chosen = NULL;
	unsigned n = 0;

	(void)state;
	assert_int_equal(shake(ssl), 1);
	assert_int_equal(SSL_get_verify_result(ssl), X509_V_OK);
	SSL_get0_alpn_selected(ssl, &chosen, &n);
	assert_int_equal(n, 8);
	assert_memory_equal(chosen, "http/1.1", 8);
	assert_int_equal(fake.forwards, 1);
	assert_string_equal(fake.forward_host, "a.test");
	assert_int_equal(fake.forward_port, 443);
	assert_int_equal(fake.dials, 0);
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(last_record()->event, RECORD_OPEN);
	fake_end_forward(CLOSE_IDLE);
	fake_run();
	assert_int_equal(fake.n_records, 2);
	assert_string_equal(last_record()->close, "idle");
	assert_string_equal(last_record()->sni, "a.test");
	assert_int_equal(last_record()->up, 11);
	assert_int_equal(last_record()->down, 22);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
	SSL_free(ssl);
	(void)close(fd);
}

static void
http2_is_spoken_with_who_offers_it(void **state)
{
	static const char bytes[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	                            "\0\0\0\4\0\0\0\0\0"
	                            "\0\0\13\1\5\0\0\0\1"
	                            "\x82\x87\x84\x41\6a.test";
	int fd = connected();
	SSL *ssl = client_new(fd, "a.test", "\x08http/1.1\x02h2");
	const unsigned char *chosen = NULL;
	char settings[9];
	unsigned n = 0;

	(void)state;
	assert_int_equal(shake(ssl), 1);
	SSL_get0_alpn_selected(ssl, &chosen, &n);
	assert_int_equal(n, 2);
	assert_memory_equal(chosen, "h2", 2);
	assert_int_equal(fake.forwards, 0);
	assert_int_equal(
	    SSL_write(ssl, bytes, sizeof bytes - 1), sizeof bytes - 1);
	fake_run();
	assert_int_equal(fake.forwards, 1);
	assert_string_equal(fake.forward_host, "a.test");
	assert_int_equal(SSL_read(ssl, settings, sizeof settings), 9);
	assert_int_equal(settings[3], 4);
	fake_end_forward(CLOSE_DONE);
	SSL_free(ssl);
	(void)close(fd);
	fake_run();
	assert_int_equal(fake.n_records, 2);
	assert_string_equal(last_record()->close, "client");
	assert_int_equal(last_record()->up, 11);
	assert_int_equal(last_record()->down, 22);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
}

static void
no_protocol_that_we_speak_is_no_fault(void **state)
{
	int fd = connected();
	SSL *ssl = client_new(fd, "a.test", "\x03xyz");
	const unsigned char *chosen = NULL;
	unsigned n = 0;

	(void)state;
	assert_int_equal(shake(ssl), 1);
	SSL_get0_alpn_selected(ssl, &chosen, &n);
	assert_int_equal(n, 0);
	assert_int_equal(fake.forwards, 1);
	SSL_free(ssl);
	(void)close(fd);
}

static void
what_lets_every_protocol_through_is_looked_into_all_the_same(void **state)
{
	int fd;

	(void)state;
	fake.sni_any = true;
	fd = connected();
	assert_int_equal(fake.dials, 0);
	say(fd, "no TLS");
	fake_run();
	assert_int_equal(fake.forwards, 0);
	(void)close(fd);
}

static void
without_a_ca_nothing_is_looked_into(void **state)
{
	int fd;

	(void)state;
	fake.snapshot->inspection_ca = NULL;
	fd = open_tunnel();
	assert_int_equal(fake.dials, 1);
	(void)close(fd);
}

static void
who_does_not_believe_us_ends_the_tunnel(void **state)
{
	int fd = connected();
	SSL *ssl = client_new(fd, "a.test", NULL);
	int64_t bad = metric_get(METRIC_CLIENT_TLS_ERRORS_TOTAL);

	(void)state;
	assert_int_equal(SSL_set1_host(ssl, "b.test"), 1);
	assert_int_equal(shake(ssl), SSL_ERROR_SSL);
	fake_run();
	assert_int_equal(fake.forwards, 0);
	assert_int_equal(fake.n_records, 2);
	assert_string_equal(last_record()->close, "client");
	assert_int_equal(last_record()->verdict, RECORD_ALLOW);
	assert_int_equal(last_record()->code, REASON_TLS_FAILED);
	assert_int_equal(metric_get(METRIC_CLIENT_TLS_ERRORS_TOTAL), bad + 1);
	SSL_free(ssl);
	(void)close(fd);
}

static void
another_name_gets_an_alert_and_no_leaf(void **state)
{
	int fd = connected();
	SSL *ssl = client_new(fd, "b.test", NULL);

	(void)state;
	assert_int_equal(shake(ssl), SSL_ERROR_SSL);
	assert_null(SSL_get0_peer_certificate(ssl));
	assert_int_equal(last_record()->code, REASON_SNI_MISMATCH);
	assert_int_equal(fake.forwards, 0);
	SSL_free(ssl);
	(void)close(fd);
}

/* A hello that is whole, and then nothing. */
static int
half_a_handshake(void)
{
	int fd = connected();
	SSL *ssl = client_new(fd, "a.test", NULL);

	ERR_clear_error();
	assert_true(SSL_do_handshake(ssl) < 0);
	fake_run();
	SSL_free(ssl);
	return fd;
}

static void
who_just_hangs_up_said_nothing_against_us(void **state)
{
	int fd = half_a_handshake();

	(void)state;
	(void)shutdown(fd, SHUT_WR);
	fake_run();
	assert_int_equal(fake.n_records, 2);
	assert_string_equal(last_record()->close, "client");
	assert_int_equal(last_record()->code, REASON_NONE);
	(void)close(fd);
}

static void
a_handshake_has_the_hellos_deadline(void **state)
{
	int fd = half_a_handshake();

	(void)state;
	fake_pass_ms(9000);
	assert_int_equal(fake.n_records, 1);
	fake_pass_ms(2000);
	assert_int_equal(fake.n_records, 2);
	assert_string_equal(last_record()->close, "hello");
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
	(void)close(fd);
}

static void
one_uid_has_no_more_handshakes_than_its_share(void **state)
{
	unsigned n = 0;
	int fd;

	(void)state;
	while (shared_enter_handshake(fake.shared, FAKE_UID) == OK)
		n++;
	assert_int_equal(n, SHARED_HANDSHAKES_PER_UID);
	fd = half_a_handshake();
	fake_pass_ms(9000);
	assert_int_equal(last_record()->event, RECORD_OPEN);
	fake_pass_ms(2000);
	assert_int_equal(last_record()->code, REASON_LIMIT_REACHED);
	assert_int_equal(last_record()->verdict, RECORD_DENY);
	assert_string_equal(last_record()->close, "limit");
	(void)close(fd);
	assert_int_equal(shared_enter_handshake(fake.shared, 1), OK);
	shared_leave_handshake(fake.shared, 1);
	shared_leave_handshake(fake.shared, FAKE_UID);
	fd = half_a_handshake();
	assert_int_equal(last_record()->event, RECORD_OPEN);
	(void)close(fd);
	fake_pass_ms(11000);
	assert_int_equal(shared_enter_handshake(fake.shared, FAKE_UID), OK);
	while (n-- > 0)
		shared_leave_handshake(fake.shared, FAKE_UID);
}

static void
who_finds_no_room_goes_on_when_there_is_some(void **state)
{
	unsigned n = 0;
	SSL *ssl;
	int fd;

	(void)state;
	while (shared_enter_handshake(fake.shared, FAKE_UID) == OK)
		n++;
	fd = connected();
	ssl = client_new(fd, "a.test", NULL);
	assert_int_equal(shake(ssl), SSL_ERROR_WANT_READ);
	while (n-- > 0)
		shared_leave_handshake(fake.shared, FAKE_UID);
	(void)usleep(25000);
	fake_run();
	assert_int_equal(shake(ssl), 1);
	assert_int_equal(fake.forwards, 1);
	SSL_free(ssl);
	(void)close(fd);
}

static void
reload(struct tls_ca *with)
{
	struct proxy_snapshot *s = fake_snapshot(2);

	s->inspection_ca = with;
	assert_int_equal(proxy_worker_set_snapshot(fake.worker, s), OK);
	proxy_snapshot_unref(s);
	fake_run();
}

static void
on_free_cert(
    void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	if (ptr != NULL)
		*(bool *)ptr = true;
}

/* Its key may have been stolen: no worker keeps it for later. */
static void
a_ca_that_is_gone_is_let_go(void **state)
{
	static int index = -1;
	static bool freed;
	X509 *cert = X509_dup(root.x509);
	struct tls_ca *other;
	SSL *ssl;
	int fd;

	(void)state;
	if (index < 0)
		index =
		    X509_get_ex_new_index(0, NULL, NULL, NULL, on_free_cert);
	assert_int_equal(X509_set_ex_data(cert, index, &freed), 1);
	assert_int_equal(tls_ca_new(cert, root.key, &other), OK);
	X509_free(cert);
	fake.snapshot->inspection_ca = other;
	fd = connected();
	ssl = client_new(fd, "a.test", NULL);
	assert_int_equal(shake(ssl), 1);
	fake_end_forward(CLOSE_DONE);
	fake_run();
	reload(ca);
	tls_ca_unref(other);
	assert_true(freed);
	SSL_free(ssl);
	(void)close(fd);
}

static void
a_reload_is_heard_of_inside(void **state)
{
	int fd = connected();
	SSL *ssl = client_new(fd, "a.test", NULL);

	(void)state;
	assert_int_equal(shake(ssl), 1);
	reload(ca);
	assert_int_equal(fake.rejudged, 1);
	fake.name_code = REASON_HOST_NOT_ALLOWED;
	reload(ca);
	assert_int_equal(fake.forward_why, CLOSE_POLICY);
	assert_string_equal(last_record()->close, "policy");
	SSL_free(ssl);
	(void)close(fd);
}

static void
an_open_tunnel_that_has_to_be_looked_into_ends(void **state)
{
	int fd;

	(void)state;
	fake.looks_inside = false;
	fd = open_tunnel();
	fake.looks_inside = true;
	reload(ca);
	assert_int_equal(proxy_worker_connections(fake.worker), 0);
	assert_string_equal(last_record()->close, "policy");
	assert_int_equal(last_record()->code, REASON_METHOD_NOT_ALLOWED);
	(void)close(fd);
}

static void
one_that_need_not_be_looked_into_any_more_goes_on(void **state)
{
	int fd = connected();
	SSL *ssl = client_new(fd, "a.test", NULL);

	(void)state;
	assert_int_equal(shake(ssl), 1);
	fake.looks_inside = false;
	reload(NULL);
	assert_int_equal(proxy_worker_connections(fake.worker), 1);
	SSL_free(ssl);
	(void)close(fd);
}

#define I(name) cmocka_unit_test_setup_teardown(name, inside_setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		I(http2_is_spoken_with_who_offers_it),
		I(its_client_meets_the_host_and_no_socket_is_dialled),
		I(no_protocol_that_we_speak_is_no_fault),
		I(what_lets_every_protocol_through_is_looked_into_all_the_same),
		I(without_a_ca_nothing_is_looked_into),
		I(who_does_not_believe_us_ends_the_tunnel),
		I(another_name_gets_an_alert_and_no_leaf),
		I(who_just_hangs_up_said_nothing_against_us),
		I(a_ca_that_is_gone_is_let_go),
		I(a_handshake_has_the_hellos_deadline),
		I(one_uid_has_no_more_handshakes_than_its_share),
		I(who_finds_no_room_goes_on_when_there_is_some),
		I(a_reload_is_heard_of_inside),
		I(an_open_tunnel_that_has_to_be_looked_into_ends),
		I(one_that_need_not_be_looked_into_any_more_goes_on),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
