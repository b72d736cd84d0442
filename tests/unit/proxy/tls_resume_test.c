/* Who need not show a certificate again, and for how long. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/tls_peer.h"

#include "base/clock.h"

#include <string.h>

enum { MINUTE_MS = 60000, DAY_S = 86400 };

#define FULL    "TLSv1.3"
#define RESUMED "TLSv1.3 resumed"

static struct pki_cert root, leaf;
static struct tls_client_ctx *ours;
static SSL_CTX *theirs;
static int64_t later_ms, later_s;

int64_t __real_clock_boot_ms(const struct clock *c);
int64_t __wrap_clock_boot_ms(const struct clock *c);
int64_t __real_clock_unix_s(const struct clock *c);
int64_t __wrap_clock_unix_s(const struct clock *c);

int64_t
__wrap_clock_boot_ms(const struct clock *c)
{
	return __real_clock_boot_ms(c) + later_ms;
}

int64_t
__wrap_clock_unix_s(const struct clock *c)
{
	return __real_clock_unix_s(c) + later_s;
}

static int
set_up(void **state)
{
	(void)state;
	pki_make(&(struct pki_spec){ .name = "root", .is_ca = true }, &root);
	pki_make(&(struct pki_spec){ .name = "leaf",
	             .san = "DNS:a.example,DNS:b.example",
	             .issuer = &root },
	    &leaf);
	ours = peer_client_ctx(&root);
	theirs = peer_ctx_new(&leaf, NULL);
	later_ms = later_s = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	SSL_CTX_free(theirs);
	tls_client_ctx_destroy(ours);
	pki_free(&leaf);
	pki_free(&root);
	return 0;
}

/* A handshake; what came of it stays in @p and @s. */
static enum status
meet(struct peer *p, struct stream *s, const char *host, uint16_t port,
    const char **word)
{
	struct tls_client *h = NULL;
	enum reason why = REASON_NONE;
	enum status st;

	peer_open(p, theirs);
	assert_int_equal(tls_client_start(ours, p->ours, host, &h), OK);
	p->ours = -1;
	tls_client_resume(h, host, port);
	st = peer_shake(p, h, &why);
	if (st != OK) {
		tls_client_cancel(h);
		return st;
	}
	*word = tls_client_word(h);
	*s = tls_client_take(h);
	return OK;
}

/* What the peer said since is read: its tickets. */
static void
hear(struct stream *s)
{
	char c;
	size_t got;

	assert_true(stream_is_quiet(s));
	assert_int_equal(stream_read(s, &c, 1, &got), OK);
	assert_int_equal(got, 0);
}

static void
part(struct peer *p, struct stream *s)
{
	stream_end(s);
	stream_close(s);
	peer_release(p);
}

/* How one that comes and goes meets its peer. */
static const char *
meeting(const char *host, uint16_t port)
{
	const char *word = NULL;
	struct peer p;
	struct stream s;

	assert_int_equal(meet(&p, &s, host, port, &word), OK);
	hear(&s);
	part(&p, &s);
	return word;
}

static void
the_second_time_no_certificate_is_shown(void **state)
{
	(void)state;
	assert_string_equal(meeting("a.example", 443), FULL);
	for (unsigned i = 0; i < 5; i++)
		assert_string_equal(meeting("a.example", 443), RESUMED);
}

static void
tls_12_goes_on_too(void **state)
{
	(void)state;
	assert_int_equal(
	    SSL_CTX_set_max_proto_version(theirs, TLS1_2_VERSION), 1);
	assert_string_equal(meeting("a.example", 443), "TLSv1.2");
	assert_string_equal(meeting("a.example", 443), "TLSv1.2 resumed");
}

static void
another_host_or_port_has_to_prove_itself(void **state)
{
	(void)state;
	assert_string_equal(meeting("a.example", 443), FULL);
	assert_string_equal(meeting("b.example", 443), FULL);
	assert_string_equal(meeting("a.example", 444), FULL);
	assert_string_equal(meeting("a.example", 443), RESUMED);
}

static void
each_session_is_used_once(void **state)
{
	const char *word = NULL;
	struct peer p[4];
	struct stream s[4];

	(void)state;
	/* Of the first two tickets; those of the others are not read. */
	assert_string_equal(meeting("a.example", 443), FULL);
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		assert_int_equal(
		    meet(&p[i], &s[i], "a.example", 443, &word), OK);
		assert_string_equal(word, i < 2 ? RESUMED : FULL);
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		part(&p[i], &s[i]);
}

static void
after_an_hour_it_has_to_prove_itself(void **state)
{
	(void)state;
	assert_string_equal(meeting("a.example", 443), FULL);
	later_ms = 59 * MINUTE_MS;
	/* The tickets that this one brings last no longer than its own. */
	assert_string_equal(meeting("a.example", 443), RESUMED);
	later_ms = 60 * MINUTE_MS;
	assert_string_equal(meeting("a.example", 443), FULL);
	assert_string_equal(meeting("a.example", 443), RESUMED);
}

static void
no_session_outlives_its_certificates(void **state)
{
	(void)state;
	assert_string_equal(meeting("a.example", 443), FULL);
	later_s = 29 * DAY_S;
	assert_string_equal(meeting("a.example", 443), RESUMED);
	later_s = 30 * DAY_S;
	assert_string_equal(meeting("a.example", 443), FULL);
}

static void
what_is_forgotten_does_not_come_back(void **state)
{
	const char *word = NULL;
	struct peer p;
	struct stream s;

	(void)state;
	assert_int_equal(meet(&p, &s, "a.example", 443, &word), OK);
	tls_client_ctx_forget(ours);
	/* Its tickets come late. */
	hear(&s);
	part(&p, &s);
	assert_string_equal(meeting("a.example", 443), FULL);
	assert_string_equal(meeting("a.example", 443), RESUMED);
	tls_client_ctx_forget(ours);
	assert_string_equal(meeting("a.example", 443), FULL);
}

static void
who_is_not_the_host_leaves_nothing(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const char *word = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		assert_int_equal(
		    SSL_CTX_set_max_proto_version(theirs, versions[i]), 1);
		for (unsigned k = 0; k < 2; k++) {
			struct peer p;
			struct stream s;

			assert_int_equal(
			    meet(&p, &s, "c.example", 443, &word), E_DENIED);
			peer_release(&p);
		}
	}
}

static void
a_stream_may_outlive_what_it_came_from(void **state)
{
	const char *word = NULL;
	struct peer p;
	struct stream s;

	(void)state;
	assert_int_equal(meet(&p, &s, "a.example", 443, &word), OK);
	tls_client_ctx_destroy(ours);
	hear(&s);
	part(&p, &s);
	ours = peer_client_ctx(&root);
	assert_string_equal(meeting("a.example", 443), FULL);
}

static void
many_hosts_push_out_the_one_that_is_used_least(void **state)
{
	(void)state;
	assert_string_equal(meeting("a.example", 1), FULL);
	for (uint16_t port = 2; port <= 257; port++)
		assert_string_equal(meeting("a.example", port), FULL);
	assert_string_equal(meeting("a.example", 2), RESUMED);
	assert_string_equal(meeting("a.example", 1), FULL);
}

#define S(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		S(the_second_time_no_certificate_is_shown),
		S(tls_12_goes_on_too),
		S(another_host_or_port_has_to_prove_itself),
		S(each_session_is_used_once),
		S(after_an_hour_it_has_to_prove_itself),
		S(no_session_outlives_its_certificates),
		S(what_is_forgotten_does_not_come_back),
		S(who_is_not_the_host_leaves_nothing),
		S(a_stream_may_outlive_what_it_came_from),
		S(many_hosts_push_out_the_one_that_is_used_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
