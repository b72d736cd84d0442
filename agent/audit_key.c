/* The Ed25519 key of the audit's checkpoints, kept as PEM files. */
#include "agent/audit_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct audit_key {
	EVP_PKEY *pkey;
	char id[AUDIT_KEY_ID_BYTES];
};

enum { PEM_MAX = 4096, PATH_BYTES = 600, SIGNATURE_RAW = 64 };

/** Takes @pkey, also on failure. */
static enum status
key_create(EVP_PKEY *pkey, struct audit_key **out)
{
	unsigned char raw[32];
	size_t n = sizeof raw;
	char hash[AUDIT_HASH_BYTES];
	struct audit_key *key;

	if (EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519 ||
	    EVP_PKEY_get_raw_public_key(pkey, raw, &n) != 1) {
		EVP_PKEY_free(pkey);
		return E_INVALID;
	}
	key = calloc(1, sizeof *key);
	if (key == NULL) {
		EVP_PKEY_free(pkey);
		return E_NOMEM;
	}
	key->pkey = pkey;
	audit_line_hash((struct slice){ (const char *)raw, n }, hash);
	memcpy(key->id, hash, AUDIT_KEY_ID_BYTES - 1);
	*out = key;
	return OK;
}

void
audit_key_destroy(struct audit_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

const char *
audit_key_id(const struct audit_key *key)
{
	return key->id;
}

enum status
audit_key_public(struct slice pem, struct audit_key **out)
{
	BIO *bio;
	EVP_PKEY *pkey;

	if (pem.n > PEM_MAX)
		return E_SYNTAX;
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (bio == NULL)
		return E_NOMEM;
	pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return pkey == NULL ? E_SYNTAX : key_create(pkey, out);
}

/** Writes all of @s to a new file; never through a link. */
static enum status
file_create(const char *path, mode_t mode, struct slice s)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	bool ok;

	if (fd < 0)
		return E_IO;
	ok = write(fd, s.p, s.n) == (ssize_t)s.n && fchmod(fd, mode) == 0 &&
	    fsync(fd) == 0;
	if (close(fd) != 0)
		ok = false;
	if (!ok)
		(void)unlink(path);
	return ok ? OK : E_IO;
}

/** E_NOTFOUND; E_DENIED when the mode lets others at it; E_INVALID. */
static enum status
private_read(const char *path, EVP_PKEY **out)
{
	char pem[PEM_MAX];
	struct stat st;
	ssize_t n;
	BIO *bio;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? E_NOTFOUND : E_IO;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (st.st_mode & 077) != 0) {
		(void)close(fd);
		return E_DENIED;
	}
	n = read(fd, pem, sizeof pem);
	(void)close(fd);
	if (n < 0)
		return E_IO;
	bio = BIO_new_mem_buf(pem, (int)n);
	*out =
	    bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	OPENSSL_cleanse(pem, sizeof pem);
	return *out == NULL ? E_INVALID : OK;
}

static enum status
private_make(const char *path, EVP_PKEY **out)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_secmem());
	enum status st = E_INTERNAL;
	char *p;
	long n;

	if (pkey != NULL && bio != NULL &&
	    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) ==
	        1 &&
	    (n = BIO_get_mem_data(bio, &p)) > 0)
		st = file_create(path, 0600, (struct slice){ p, (size_t)n });
	BIO_free(bio);
	if (st == OK)
		*out = pkey;
	else
		EVP_PKEY_free(pkey);
	return st;
}

/** Whether @path is a plain file that everybody may read, and holds @want. */
static bool
public_is(const char *path, struct slice want)
{
	char have[PEM_MAX];
	struct stat st;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 0777) == 0644)
		n = read(fd, have, sizeof have);
	(void)close(fd);
	return n >= 0 && slice_eq((struct slice){ have, (size_t)n }, want);
}

/** By rename: whoever verifies meanwhile finds the one or the other. */
static enum status
public_replace(const char *path, struct slice pem)
{
	char beside[PATH_BYTES + 8];
	enum status st;

	(void)snprintf(beside, sizeof beside, "%s.new", path);
	(void)unlink(beside);
	st = file_create(beside, 0644, pem);
	if (st == OK && rename(beside, path) != 0) {
		st = E_IO;
		(void)unlink(beside);
	}
	return st;
}

/** Puts audit.pub in place unless it stands there. */
static enum status
public_write(const char *path, const struct audit_key *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	enum status st = E_INTERNAL;
	struct slice pem;
	char *p;
	long n;

	if (bio != NULL && PEM_write_bio_PUBKEY(bio, key->pkey) == 1 &&
	    (n = BIO_get_mem_data(bio, &p)) > 0) {
		pem = (struct slice){ p, (size_t)n };
		st = public_is(path, pem) ? OK : public_replace(path, pem);
	}
	BIO_free(bio);
	return st;
}

enum status
audit_key_open(
    const char *state_dir, struct audit_key **out, struct status_detail *detail)
{
	char path[PATH_BYTES];
	EVP_PKEY *pkey = NULL;
	struct audit_key *key = NULL;
	enum status st;

	(void)snprintf(path, sizeof path, "%s/audit.key", state_dir);
	st = private_read(path, &pkey);
	if (st == E_NOTFOUND)
		st = private_make(path, &pkey);
	if (st == OK)
		st = key_create(pkey, &key);
	if (st == E_DENIED)
		return status_set(detail, st,
		    "%s: must be a plain file with mode 0600: others may have "
		    "read this key; remove it, and a new one is made",
		    path);
	if (st == E_INVALID)
		return status_set(detail, st,
		    "%s: not an Ed25519 private key in PEM; remove it, and a "
		    "new one is made",
		    path);
	if (st != OK)
		return status_set(detail, st, "%s: %s", path, strerror(errno));
	(void)snprintf(path, sizeof path, "%s/audit.pub", state_dir);
	st = public_write(path, key);
	if (st != OK) {
		audit_key_destroy(key);
		return status_set(detail, st, "%s: %s", path, strerror(errno));
	}
	*out = key;
	return OK;
}

enum status
audit_key_sign(const struct audit_key *key, struct slice message,
    char out[AUDIT_SIGNATURE_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[SIGNATURE_RAW];
	size_t n = sizeof raw;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	if (ctx == NULL)
		return E_NOMEM;
	ok = EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
	    EVP_DigestSign(ctx, raw, &n, (const unsigned char *)message.p,
	        message.n) == 1 &&
	    n == sizeof raw;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return E_INTERNAL;
	for (size_t i = 0; i < sizeof raw; i++) {
		out[2 * i] = digits[raw[i] >> 4];
		out[2 * i + 1] = digits[raw[i] & 15];
	}
	out[2 * sizeof raw] = '\0';
	return OK;
}

static unsigned
hex_value(char c)
{
	return ascii_is_digit(c) ? (unsigned)(c - '0')
	                         : (unsigned)(ascii_lower(c) - 'a') + 10;
}

bool
audit_key_verify(
    const struct audit_key *key, struct slice message, struct slice signature)
{
	unsigned char raw[SIGNATURE_RAW];
	EVP_MD_CTX *ctx;
	bool ok;

	if (signature.n != 2 * sizeof raw)
		return false;
	for (size_t i = 0; i < signature.n; i++)
		if (!ascii_is_hex(signature.p[i]))
			return false;
	for (size_t i = 0; i < sizeof raw; i++)
		raw[i] = (unsigned char)(hex_value(signature.p[2 * i]) << 4 |
		    hex_value(signature.p[2 * i + 1]));
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL)
		return false;
	ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
	    EVP_DigestVerify(ctx, raw, sizeof raw,
	        (const unsigned char *)message.p, message.n) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}
