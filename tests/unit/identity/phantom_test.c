/* Phantoms: what a client reads from one, and what nobody can make of it. */
#include "tests/unit/test.h"

#include "base/jsonr.h"
#include "identity/base64url.h"
#include "identity/phantom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOW = 1800000000 };

static const uint8_t secret[PHANTOM_KEY_BYTES] =
    "0123456789abcdef0123456789abcde";
static uint8_t key[PHANTOM_KEY_BYTES];

static struct phantom
somebody(void)
{
	return (struct phantom){ .id = "0123456789abcdef0123456789abcdef",
		.uid = 1000,
		.unit = "job-1.service",
		.audience = "https://storage.azure.com/",
		.identity = "host",
		.grant = "jobs",
		.expires_unix_s = NOW + 3600,
		.issued_unix_s = NOW,
		.epoch = 7 };
}

/* A token as Entra's, with @claims. */
static struct slice
real_token(const char *claims)
{
	static char text[16384];
	struct buf b;

	buf_init(&b, sizeof text);
	buf_puts(&b, "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.");
	base64url_put(&b, claims, strlen(claims));
	buf_puts(&b, ".c2lnbmF0dXJl");
	assert_true(slice_copy(buf_slice(&b), text, sizeof text));
	buf_release(&b);
	return slice_of(text);
}

#define CLAIMS                                                          \
	"{\"aud\":\"https://storage.azure.com\",\"tid\":\"t-1\","       \
	"\"oid\":\"o-1\",\"appid\":\"a-1\",\"exp\":1800003600,\"nbf\":" \
	"1799999999,\"scp\":\"not copied\"}"

static enum status
make(const struct phantom *p, const char *claims, struct buf *out)
{
	buf_init_secret(out, 2 * (size_t)PHANTOM_TEXT_MAX);
	return phantom_make(key, p, "w1", real_token(claims), out);
}

static void
tells_apart_texts_of_base64url(void **state)
{
	static const char *const good[][2] = { { "", "" }, { "Zg", "f" },
		{ "Zm8", "fo" }, { "Zm9v", "foo" }, { "Zm9vYg", "foob" },
		{ "-_-_", "\xfb\xff\xbf" } };
	static const char *const bad[] = { "Z", "Zh", "Zm9", "Zg==", "Zm9v+A",
		"Zm9v/A", "Zm 9v", "Zm9vY", "\xc3\xa9" };
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		buf_clear(&b);
		assert_int_equal(base64url_read(slice_of(good[i][0]), &b), OK);
		assert_true(slice_is(buf_slice(&b), good[i][1]));
		buf_clear(&b);
		base64url_put(&b, good[i][1], strlen(good[i][1]));
		assert_true(slice_is(buf_slice(&b), good[i][0]));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_clear(&b);
		assert_int_equal(
		    base64url_read(slice_of(bad[i]), &b), E_SYNTAX);
	}
	buf_release(&b);
}

static void
is_read_back_as_it_was_bound(void **state)
{
	struct phantom p = somebody(), got;
	struct buf b;

	(void)state;
	assert_int_equal(make(&p, CLAIMS, &b), OK);
	assert_int_equal(phantom_read(key, buf_slice(&b), &got), OK);
	assert_string_equal(got.id, p.id);
	assert_int_equal(got.uid, 1000);
	assert_string_equal(got.unit, p.unit);
	assert_string_equal(got.audience, p.audience);
	assert_string_equal(got.identity, p.identity);
	assert_string_equal(got.grant, p.grant);
	assert_int_equal(got.expires_unix_s, p.expires_unix_s);
	assert_int_equal(got.epoch, 7);
	buf_release(&b);
}

static void
shows_clients_the_claims_of_the_real_one(void **state)
{
	struct phantom p = somebody();
	struct jsonr_error error;
	struct jsonr doc;
	struct slice text;
	struct buf b, claims;

	(void)state;
	assert_int_equal(make(&p, CLAIMS, &b), OK);
	text = buf_slice(&b);
	buf_init(&claims, 4096);
	assert_int_equal(
	    base64url_read(slice_head(text, slice_find(text, '.')), &claims),
	    OK);
	assert_true(slice_is(buf_slice(&claims),
	    "{\"alg\":\"HS256\",\"kid\":\"wayleave-phantom-1\","
	    "\"typ\":\"JWT\"}"));
	text = slice_from(text, slice_find(text, '.') + 1);
	buf_clear(&claims);
	assert_int_equal(
	    base64url_read(slice_head(text, slice_find(text, '.')), &claims),
	    OK);
	assert_int_equal(jsonr_read(buf_slice(&claims), &doc, &error), OK);
#define SHOWN(key) jsonr_text(jsonr_member(doc.values, key))
	assert_string_equal(SHOWN("iss"), "urn:wayleave:w1");
	assert_string_equal(SHOWN("aud"), "https://storage.azure.com");
	assert_string_equal(SHOWN("tid"), "t-1");
	assert_string_equal(SHOWN("oid"), "o-1");
	assert_string_equal(SHOWN("appid"), "a-1");
	assert_string_equal(SHOWN("jti"), p.id);
	assert_null(SHOWN("scp"));
#undef SHOWN
	assert_int_equal(
	    jsonr_integer(jsonr_member(doc.values, "exp")), 1800003600);
	jsonr_release(&doc);
	buf_release(&claims);
	buf_release(&b);
}

static void
ends_with_the_real_one_or_before(void **state)
{
	struct phantom p = somebody(), got;
	struct buf b;

	(void)state;
	assert_int_equal(make(&p, "{\"exp\":1800000060}", &b), OK);
	assert_int_equal(phantom_read(key, buf_slice(&b), &got), OK);
	assert_int_equal(got.expires_unix_s, NOW + 60);
	buf_release(&b);
	assert_int_equal(make(&p, "{\"exp\":1900000000}", &b), OK);
	assert_int_equal(phantom_read(key, buf_slice(&b), &got), OK);
	assert_int_equal(got.expires_unix_s, NOW + 3600);
	buf_release(&b);
}

static void
stands_for_no_token_without_claims(void **state)
{
	static const char *const bad[] = { "TOKEN", "a.b", "a.b.c", ".e30.x",
		"a.e30.", "a.e30.x.y", "a..x", "a.WzFd.x", "a.e30=.x", "dapi0",
		"a.eyJhIjoxfQx.x" };
	const struct phantom p = somebody();
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_init_secret(&b, 8192);
		assert_int_equal(
		    phantom_make(key, &p, "w1", slice_of(bad[i]), &b),
		    E_INVALID);
		assert_int_equal(b.n, 0);
		buf_release(&b);
	}
}

static void
is_refused_when_it_would_be_too_long(void **state)
{
	struct phantom p = somebody();
	char claims[8192];
	struct buf b;

	(void)state;
	(void)snprintf(claims, sizeof claims, "{\"aud\":\"%04000d\"}", 1);
	assert_int_equal(make(&p, claims, &b), E_LIMIT);
	assert_int_equal(b.n, 0);
	buf_release(&b);
}

static void
is_read_back_at_any_length_that_it_is_made_of(void **state)
{
	const struct phantom p = somebody();
	enum status st = OK;
	struct buf b;

	(void)state;
	for (int n = 2300; n < 3100; n++) {
		struct phantom got;
		char claims[8192];

		(void)snprintf(
		    claims, sizeof claims, "{\"aud\":\"%0*d\"}", n, 1);
		st = make(&p, claims, &b);
		if (st == OK)
			assert_int_equal(
			    phantom_read(key, buf_slice(&b), &got), OK);
		buf_release(&b);
	}
	assert_int_equal(st, E_LIMIT);
}

static void
is_not_ours_in_any_other_form(void **state)
{
	static const char *const texts[] = { "", "placeholder", "a.b.c",
		"eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30.c2ln" };
	struct phantom got;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_int_equal(
		    phantom_read(key, slice_of(texts[i]), &got), E_NOTFOUND);
}

static void
is_denied_when_one_byte_of_it_is_another(void **state)
{
	struct phantom p = somebody(), got;
	struct buf b;
	size_t head;

	(void)state;
	assert_int_equal(make(&p, CLAIMS, &b), OK);
	head = slice_find(buf_slice(&b), '.') + 1;
	for (size_t i = 0; i < b.n; i++) {
		char was = b.p[i];

		b.p[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(phantom_read(key, buf_slice(&b), &got),
		    i < head ? E_NOTFOUND : E_DENIED);
		b.p[i] = was;
	}
	for (size_t n = head; n < b.n; n++)
		assert_int_equal(
		    phantom_read(key, slice_head(buf_slice(&b), n), &got),
		    E_DENIED);
	buf_putc(&b, 'A');
	assert_int_equal(phantom_read(key, buf_slice(&b), &got), E_DENIED);
	b.p[b.n - 1] = '=';
	assert_int_equal(phantom_read(key, buf_slice(&b), &got), E_DENIED);
	buf_release(&b);
}

static void
is_denied_under_another_key(void **state)
{
	struct phantom p = somebody(), got;
	uint8_t other[PHANTOM_KEY_BYTES];
	struct buf b;

	(void)state;
	memcpy(other, key, sizeof other);
	other[31] ^= 1;
	assert_int_equal(make(&p, CLAIMS, &b), OK);
	assert_int_equal(phantom_read(other, buf_slice(&b), &got), E_DENIED);
	/* The secret that the key is made of signs none itself. */
	assert_int_equal(phantom_read(secret, buf_slice(&b), &got), E_DENIED);
	buf_release(&b);
}

static void
keeps_what_it_is_bound_to_apart_from_copied_claims(void **state)
{
	struct phantom p = somebody(), got;
	struct buf b;

	(void)state;
	/* What the real one says never stands for what we say. */
	assert_int_equal(make(&p,
	                     "{\"aud\":\"x\\\",\\\"wl\\\":{\",\"wl\":{\"u\":0},"
	                     "\"jti\":\"evil\",\"iss\":\"evil\"}",
	                     &b),
	    OK);
	assert_int_equal(phantom_read(key, buf_slice(&b), &got), OK);
	assert_int_equal(got.uid, 1000);
	assert_string_equal(got.id, p.id);
	buf_release(&b);
	(void)snprintf(p.unit, sizeof p.unit, "job-\\x2d\"}.service");
	assert_int_equal(make(&p, CLAIMS, &b), OK);
	assert_int_equal(phantom_read(key, buf_slice(&b), &got), OK);
	assert_string_equal(got.unit, p.unit);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_apart_texts_of_base64url),
		cmocka_unit_test(is_read_back_as_it_was_bound),
		cmocka_unit_test(shows_clients_the_claims_of_the_real_one),
		cmocka_unit_test(ends_with_the_real_one_or_before),
		cmocka_unit_test(stands_for_no_token_without_claims),
		cmocka_unit_test(is_refused_when_it_would_be_too_long),
		cmocka_unit_test(is_read_back_at_any_length_that_it_is_made_of),
		cmocka_unit_test(is_not_ours_in_any_other_form),
		cmocka_unit_test(is_denied_when_one_byte_of_it_is_another),
		cmocka_unit_test(is_denied_under_another_key),
		cmocka_unit_test(
		    keeps_what_it_is_bound_to_apart_from_copied_claims),
	};

	if (!phantom_key(secret, key))
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
