/* JWS compact form (RFC 7515 3.1) with HMAC-SHA256, of our own alone. */
#include "identity/phantom.h"

#include "base/jsonr.h"
#include "base/jsonw.h"
#include "identity/base64url.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum {
	MAC_BYTES = 32,
	MAC_TEXT_BYTES = 43, /* of base64url */
	CLAIMS_MAX = 3072,
	SIGNED_MAX = PHANTOM_TEXT_MAX - MAC_TEXT_BYTES - 1,
	REAL_CLAIMS_MAX = 65536,
};

/* RFC 7515 4.1: {"alg":"HS256","kid":"wayleave-phantom-1","typ":"JWT"}, fixed
 * to the byte, which is how we know our own. */
#define HEAD                                   \
	"eyJhbGciOiJIUzI1NiIsImtpZCI6IndheWxl" \
	"YXZlLXBoYW50b20tMSIsInR5cCI6IkpXVCJ9."

bool
phantom_key(
    const uint8_t secret[PHANTOM_KEY_BYTES], uint8_t out[PHANTOM_KEY_BYTES])
{
	static const char purpose[] = "phantom v1";
	unsigned n = 0;

	return HMAC(EVP_sha256(), secret, PHANTOM_KEY_BYTES,
	           (const unsigned char *)purpose, sizeof purpose - 1, out,
	           &n) != NULL &&
	    n == PHANTOM_KEY_BYTES;
}

/* The signature of @signed_part as it is written. */
static enum status
put_mac(const uint8_t *key, struct slice signed_part, struct buf *out)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (HMAC(EVP_sha256(), key, PHANTOM_KEY_BYTES,
	        (const unsigned char *)signed_part.p, signed_part.n, mac,
	        &n) == NULL ||
	    n != MAC_BYTES)
		return E_NOMEM;
	base64url_put(out, mac, n);
	OPENSSL_cleanse(mac, sizeof mac);
	return buf_status(out);
}

/* The middle one of the three parts; E_INVALID where there are not three. */
static enum status
middle(struct slice text, struct slice *out)
{
	size_t first = slice_find(text, '.');
	struct slice rest = slice_from(text, first + 1);
	size_t second = slice_find(rest, '.');
	struct slice last = slice_from(rest, second + 1);

	if (first == 0 || first == text.n || second == rest.n || last.n == 0 ||
	    slice_find(last, '.') < last.n)
		return E_INVALID;
	*out = slice_head(rest, second);
	return OK;
}

/* The claims of a token whose signature only its destination can check. */
static enum status
read_claims(struct slice real, struct buf *text, struct jsonr *out)
{
	struct jsonr_error error;
	struct slice part;
	enum status st = middle(real, &part);

	if (st == OK)
		st = base64url_read(part, text);
	if (st == OK)
		st = jsonr_read(buf_slice(text), out, &error);
	if (st == OK && !jsonr_is(out->values, JSONR_OBJECT)) {
		jsonr_release(out);
		st = E_INVALID;
	}
	return st == E_NOMEM ? E_NOMEM : st != OK ? E_INVALID : OK;
}

static void
copy_claims(struct jsonw *w, const struct jsonr_value *from)
{
	/* Entra's names of who it is, that clients show or send on. */
	static const char *const keys[] = { "aud", "tid", "oid", "sub", "appid",
		"azp", "idtyp", "ver", "xms_mirid" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const char *text = jsonr_text(jsonr_member(from, keys[i]));

		if (text != NULL)
			jsonw_str(w, keys[i], text);
	}
}

/* RFC 7519 4.1.4: it ends with what it stands for, or before. */
static int64_t
end_of(const struct phantom *p, const struct jsonr_value *from)
{
	int64_t exp = jsonr_integer(jsonr_member(from, "exp"));

	return exp > 0 && exp < p->expires_unix_s ? exp : p->expires_unix_s;
}

static void
put_claims(const struct phantom *p, const char *name,
    const struct jsonr_value *from, struct buf *out)
{
	struct jsonw w;
	struct buf issuer;

	buf_init(&issuer, 256);
	buf_puts(&issuer, "urn:wayleave:");
	buf_puts(&issuer, name);
	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_slice(&w, "iss", buf_slice(&issuer));
	if (buf_status(&issuer) != OK)
		out->st = buf_status(&issuer);
	copy_claims(&w, from);
	jsonw_i64(&w, "iat", p->issued_unix_s);
	jsonw_i64(&w, "nbf", p->issued_unix_s);
	jsonw_i64(&w, "exp", end_of(p, from));
	jsonw_str(&w, "jti", p->id);
	jsonw_object(&w, "wl");
	jsonw_u64(&w, "u", p->uid);
	jsonw_str(&w, "n", p->unit);
	jsonw_str(&w, "a", p->audience);
	jsonw_str(&w, "i", p->identity);
	jsonw_str(&w, "g", p->grant);
	jsonw_i64(&w, "e", p->epoch);
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	buf_release(&issuer);
}

enum status
phantom_make(const uint8_t key[PHANTOM_KEY_BYTES], const struct phantom *p,
    const char *name, struct slice real, struct buf *out)
{
	struct jsonr claims = { .values = NULL };
	struct buf given, text, sealed;
	enum status st;

	buf_init_secret(&given, REAL_CLAIMS_MAX);
	buf_init_secret(&text, CLAIMS_MAX);
	buf_init_secret(&sealed, SIGNED_MAX);
	st = read_claims(real, &given, &claims);
	if (st == OK) {
		put_claims(p, name, claims.values, &text);
		OPENSSL_cleanse(claims.text, given.n);
		jsonr_release(&claims);
		st = buf_status(&text);
	}
	if (st == OK) {
		buf_puts(&sealed, HEAD);
		base64url_put(&sealed, text.p, text.n);
		st = buf_status(&sealed);
	}
	if (st == OK) {
		buf_put_slice(out, buf_slice(&sealed));
		buf_putc(out, '.');
		st = put_mac(key, buf_slice(&sealed), out);
	}
	buf_release(&given);
	buf_release(&text);
	buf_release(&sealed);
	return st;
}

static bool
take_text(
    const struct jsonr_value *from, const char *key, char *out, size_t bytes)
{
	const char *text = jsonr_text(jsonr_member(from, key));

	return text != NULL && slice_copy(slice_of(text), out, bytes);
}

static bool
take_number(
    const struct jsonr_value *from, const char *key, int64_t max, int64_t *out)
{
	const struct jsonr_value *v = jsonr_member(from, key);

	*out = jsonr_integer(v);
	return jsonr_is(v, JSONR_INTEGER) && *out >= 0 && *out <= max;
}

static bool
take_all(const struct jsonr_value *claims, struct phantom *out)
{
	const struct jsonr_value *wl = jsonr_member(claims, "wl");
	int64_t uid = 0;
	bool good;

	*out = (struct phantom){ .uid = 0 };
	good = take_number(wl, "u", UINT32_MAX, &uid) &&
	    take_text(wl, "n", out->unit, sizeof out->unit) &&
	    take_text(wl, "a", out->audience, sizeof out->audience) &&
	    take_text(wl, "i", out->identity, sizeof out->identity) &&
	    take_text(wl, "g", out->grant, sizeof out->grant) &&
	    take_number(wl, "e", INT64_MAX, &out->epoch) &&
	    take_number(claims, "exp", INT64_MAX, &out->expires_unix_s) &&
	    take_text(claims, "jti", out->id, sizeof out->id);
	out->uid = (uint32_t)uid;
	return good && strlen(out->id) == PHANTOM_ID_BYTES - 1;
}

/* What is in it, once it is known to be ours. */
static enum status
open_claims(struct slice part, struct phantom *out)
{
	struct jsonr claims = { .values = NULL };
	struct jsonr_error error;
	struct phantom got;
	struct buf text;
	enum status st;

	buf_init(&text, CLAIMS_MAX);
	st = base64url_read(part, &text);
	if (st == OK)
		st = jsonr_read(buf_slice(&text), &claims, &error);
	if (st == OK) {
		st = take_all(claims.values, &got) ? OK : E_DENIED;
		jsonr_release(&claims);
	}
	buf_release(&text);
	if (st == OK)
		*out = got;
	return st == OK || st == E_NOMEM ? st : E_DENIED;
}

enum status
phantom_read(const uint8_t key[PHANTOM_KEY_BYTES], struct slice text,
    struct phantom *out)
{
	struct slice part, mac;
	size_t signed_n;
	struct buf want;
	bool fits;
	enum status st;

	if (!slice_starts(text, SLICE(HEAD)))
		return E_NOTFOUND;
	if (text.n > PHANTOM_TEXT_MAX || middle(text, &part) != OK)
		return E_DENIED;
	signed_n = sizeof HEAD - 1 + part.n;
	mac = slice_from(text, signed_n + 1);
	buf_init_secret(&want, MAC_TEXT_BYTES);
	st = put_mac(key, slice_head(text, signed_n), &want);
	fits = st == OK && mac.n == want.n &&
	    CRYPTO_memcmp(mac.p, want.p, want.n) == 0;
	buf_release(&want);
	if (st == OK)
		st = fits ? open_claims(part, out) : E_DENIED;
	return st;
}
