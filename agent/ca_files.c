/* What clients read to believe the inspection CA: files in the runtime dir. */
#include "agent/ca_files.h"

#include "agent/ca_make.h"
#include "agent/trusted_file.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <string.h>

enum { ROOTS_MAX_BYTES = 16 << 20, FILE_MODE = 0644 };

/* Java takes a certificate of a store for an anchor if it has this attribute,
 * which Oracle has registered; its value is the usages that are trusted. */
#define JAVA_TRUSTED_USAGE "2.16.840.1.113894.746875.1.1"

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"

enum status
ca_files_put_own(struct buf *out, const struct ca *ca)
{
	enum status st = OK;

	for (int i = 0; i < CA_ROLES && st == OK; i++)
		if (ca->certs[i] != NULL)
			st = ca_put_cert(out, ca->certs[i]);
	return st;
}

static struct slice
trim_end(struct slice line)
{
	while (line.n > 0 &&
	    (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' ' ||
	        line.p[line.n - 1] == '\t'))
		line.n--;
	return line;
}

/* The next line of @rest, without what ends it. */
static struct slice
take_line(struct slice *rest)
{
	size_t n = slice_find(*rest, '\n');
	struct slice line = { rest->p, n };

	*rest = slice_from(*rest, n < rest->n ? n + 1 : n);
	return trim_end(line);
}

static bool
is_base64(struct slice line)
{
	for (size_t i = 0; i < line.n; i++)
		if (!ascii_is_alnum(line.p[i]) && line.p[i] != '+' &&
		    line.p[i] != '/' && line.p[i] != '=')
			return false;
	return true;
}

void
ca_files_put_roots(struct buf *out, struct slice text)
{
	const char *begin = NULL;

	while (text.n > 0) {
		const char *at = text.p;
		struct slice line = take_line(&text);

		if (slice_is(line, PEM_BEGIN)) {
			begin = at;
		} else if (begin == NULL) {
			continue;
		} else if (slice_is(line, PEM_END)) {
			buf_put(out, begin, (size_t)(line.p + line.n - begin));
			buf_putc(out, '\n');
			begin = NULL;
		} else if (!is_base64(line)) {
			begin = NULL;
		}
	}
}

/* Nobody is there to be asked for one. */
static int
no_password(char *to, int room, int writing, void *ctx)
{
	(void)to;
	(void)room;
	(void)writing;
	(void)ctx;
	return -1;
}

/* OpenSSL's way to an attribute whose value is an object identifier. */
static bool
add_anchor(STACK_OF(PKCS12_SAFEBAG) * *bags, X509 *x)
{
	const ASN1_OBJECT *any = OBJ_nid2obj(NID_anyExtendedKeyUsage);
	PKCS12_SAFEBAG *bag = PKCS12_add_cert(bags, x);

	return bag != NULL &&
	    PKCS12_add1_attr_by_txt(bag, JAVA_TRUSTED_USAGE, V_ASN1_OBJECT,
	        (const unsigned char *)any, -1) == 1;
}

/* One that is none is left out, as in every other reader of such a file. */
static bool
add_anchors(STACK_OF(PKCS12_SAFEBAG) * *bags, struct slice pem)
{
	BIO *bio = pem.n > INT_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
	bool ok = bio != NULL;

	while (ok && !BIO_eof(bio)) {
		X509 *x = PEM_read_bio_X509(bio, NULL, no_password, NULL);

		if (x != NULL)
			ok = add_anchor(bags, x);
		X509_free(x);
	}
	BIO_free(bio);
	return ok;
}

static enum status
put_der(struct buf *out, const PKCS12 *p12)
{
	unsigned char *der = NULL;
	int n = i2d_PKCS12(p12, &der);

	if (n > 0)
		buf_put(out, (const char *)der, (size_t)n);
	OPENSSL_free(der);
	return n > 0 ? buf_status(out) : E_INTERNAL;
}

/* Neither encrypted nor with a code: there is no secret in it, and any
 * password, or none, opens it. */
enum status
ca_files_put_store(struct buf *out, struct slice pem)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	STACK_OF(PKCS7) *safes = NULL;
	PKCS12 *p12 = NULL;
	enum status st = E_INTERNAL;

	if (add_anchors(&bags, pem) && bags != NULL &&
	    PKCS12_add_safe(&safes, bags, -1, 0, NULL) == 1)
		p12 = PKCS12_add_safes(safes, 0);
	if (p12 != NULL)
		st = put_der(out, p12);
	PKCS12_free(p12);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	ERR_clear_error();
	return st;
}

static enum status
put_file(const char *dir, const char *name, const struct buf *text,
    struct status_detail *detail)
{
	char path[CONFIG_PATH_BYTES + 32];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	return trusted_file_put(path, FILE_MODE, buf_slice(text), detail);
}

/* As tls.ca_file is read for ourselves: whoever owns it. */
static enum status
read_roots(const char *path, struct buf *out, struct status_detail *detail)
{
	FILE *f = fopen(path, "re");
	char chunk[16384];
	size_t n;
	bool ok;

	if (f == NULL)
		return status_set(detail, E_IO, "\"%s\" cannot be opened: %s",
		    path, strerror(errno));
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_put(out, chunk, n);
	ok = ferror(f) == 0;
	(void)fclose(f);
	if (ok && buf_status(out) == OK)
		return OK;
	return status_set(detail, E_IO, "\"%s\" cannot be read", path);
}

enum status
ca_files_write(const char *dir, const char *roots_file, const struct ca *ca,
    struct status_detail *detail)
{
	struct buf roots, own, bundle, store;
	enum status st;

	buf_init(&roots, ROOTS_MAX_BYTES);
	buf_init(&own, ROOTS_MAX_BYTES);
	buf_init(&bundle, 2 * ROOTS_MAX_BYTES);
	buf_init(&store, 2 * ROOTS_MAX_BYTES);
	st = read_roots(roots_file, &roots, detail);
	if (st != OK)
		goto out;
	st = ca_files_put_own(&own, ca);
	ca_files_put_roots(&bundle, buf_slice(&roots));
	buf_put(&bundle, own.p, own.n);
	if (st == OK)
		st = buf_status(&bundle);
	if (st == OK)
		st = ca_files_put_store(&store, buf_slice(&bundle));
	if (st != OK) {
		(void)status_set(detail, st,
		    "the bundle of the inspection CA could not be made: %s",
		    status_text(st));
		goto out;
	}
	st = put_file(dir, CA_FILE_PEM, &own, detail);
	if (st == OK)
		st = put_file(dir, CA_FILE_BUNDLE, &bundle, detail);
	if (st == OK)
		st = put_file(dir, CA_FILE_STORE, &store, detail);
out:
	buf_release(&roots);
	buf_release(&own);
	buf_release(&bundle);
	buf_release(&store);
	return st;
}
