/* HMAC-SHA256 of purpose and uid; no state, so nothing to lose. */
#include "identity/header.h"

#include "base/buf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

void
header_value(const uint8_t key[HEADER_KEY_BYTES], const char *purpose,
    uint32_t uid, char out[HEADER_TEXT_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	struct buf text;

	out[0] = '\0';
	buf_init_secret(&text, 64);
	buf_puts(&text, purpose);
	buf_putc(&text, ' ');
	buf_put_u64(&text, uid);
	if (buf_status(&text) == OK &&
	    HMAC(EVP_sha256(), key, HEADER_KEY_BYTES,
	        (const unsigned char *)text.p, text.n, mac, &n) != NULL &&
	    n * 2 == HEADER_TEXT_BYTES - 1) {
		for (size_t i = 0; i < n; i++) {
			out[2 * i] = hex[mac[i] >> 4];
			out[2 * i + 1] = hex[mac[i] & 15];
		}
		out[HEADER_TEXT_BYTES - 1] = '\0';
	}
	OPENSSL_cleanse(mac, sizeof mac);
	buf_release(&text);
}

bool
header_fits(const uint8_t key[HEADER_KEY_BYTES], const char *purpose,
    uint32_t uid, struct slice given)
{
	char want[HEADER_TEXT_BYTES];
	bool fits;

	header_value(key, purpose, uid, want);
	fits = given.n == HEADER_TEXT_BYTES - 1 && want[0] != '\0' &&
	    CRYPTO_memcmp(want, given.p, given.n) == 0;
	OPENSSL_cleanse(want, sizeof want);
	return fits;
}
